"""What people would use instead, each as its own documentation has it.

All train the same networks on the same digits: logistic units, softmax on top, momentum .9, the
same batches' size. Amounts of work are those of ours.py, so what a peer computes beyond it (a
pseudo-likelihood, a loss for its history) counts as time, not as work.
"""

from __future__ import annotations

import os
from itertools import islice

from benchmarks.performance.ours import (
    N_CLASSES,
    N_INPUTS,
    TRIAL_DATA,
    Job,
    pretraining_operations,
    step_operations,
)

LR, MOMENTUM = 0.01, 0.9


def _digits(n_examples: int):
    """x (N, 784) in [0, 1], y (N,), as tensors."""
    from benchmarks.datasets import load

    split = load("mnist5k", n_examples, 100)
    return split.x_train, split.y_train


def _network(depth: int, width: int):
    from torch import nn

    sizes = [N_INPUTS, *[width] * depth]
    hidden = [(nn.Linear(m, n), nn.Sigmoid()) for m, n in zip(sizes, sizes[1:], strict=False)]
    return nn.Sequential(*(layer for pair in hidden for layer in pair), nn.Linear(width, N_CLASSES))


def _train(network, optimiser, batches) -> None:
    """The loop of every tutorial."""
    from torch import nn

    criterion = nn.CrossEntropyLoss()
    for x, y in batches:
        optimiser.zero_grad()
        criterion(network(x), y).backward()
        optimiser.step()


def _tensor_batches(x, y, batch_size: int):
    import torch

    for index in torch.randperm(len(x)).split(batch_size):
        yield x[index], y[index]


def _loader(x, y, batch_size: int):
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(x, y), batch_size=batch_size, shuffle=True)


def numpy_product() -> Job:
    """A large product by NumPy, whose library is often another than torch's: for information."""
    import numpy

    a = numpy.random.default_rng(0).random((1500, 1500), dtype=numpy.float32)
    out = a @ a

    def run(n: int) -> None:
        for _ in range(n):
            numpy.matmul(a, a, out=out)

    return Job(run, 2.0 * len(a) ** 3)


def xla_product() -> Job:
    """A large product by XLA, which brings kernels of its own, on one core: for information."""
    _on_one_core()
    import jax

    a = jax.random.uniform(jax.random.key(0), (1500, 1500))
    product = jax.jit(lambda a: a @ a)

    def run(n: int) -> None:
        for _ in range(n):
            product(a).block_until_ready()

    return Job(run, 2.0 * len(a) ** 3)


def _on_one_core() -> None:
    """Raises RuntimeError if the process is not bound to one core: XLA takes all that it sees."""
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) > 1:
        raise RuntimeError("XLA cannot be kept to one core on this system")


def plain_loop(depth: int, width: int, batch_size: int, n_examples: int, loader: bool) -> Job:
    """``nn.Sequential``, ``torch.optim.SGD``, with a ``DataLoader`` or with indexed tensors."""
    import torch

    x, y = _digits(n_examples)
    network = _network(depth, width)
    optimiser = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)
    batches = _loader(x, y, batch_size) if loader else None

    def run(n: int) -> None:
        for _ in range(n):
            _train(network, optimiser, batches or _tensor_batches(x, y, batch_size))

    return Job(run, n_examples / batch_size * step_operations(depth, width, batch_size))


def plain_trials(depth: int, width: int, batch_size: int, updates: int, loader: bool) -> Job:
    """The same from nothing to the result, looked at before and after training as in ours."""
    import torch

    from benchmarks.datasets import load

    split = load("mnist5k", **TRIAL_DATA)

    def endless():
        while True:
            yield from (_loader if loader else _tensor_batches)(
                split.x_train, split.y_train, batch_size
            )

    @torch.no_grad()
    def look(network) -> None:
        network.eval()
        criterion = torch.nn.CrossEntropyLoss()
        n_train = len(split.x_valid)
        for x, y in [
            (split.x_train[:n_train], split.y_train[:n_train]),
            (split.x_valid, split.y_valid),
        ]:
            logits = network(x)
            criterion(logits, y).item(), (logits.argmax(1) != y).sum().item()
        network.train()

    def run(n: int) -> None:
        for _ in range(n):
            network = _network(depth, width)
            optimiser = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)
            look(network)
            best = {name: t.clone() for name, t in network.state_dict().items()}
            _train(network, optimiser, islice(endless(), updates))
            look(network)
            with torch.no_grad():
                network(split.x_test)
                network.load_state_dict(best)
                network(split.x_test)

    return Job(run, 1)


def vmap(depth: int, width: int, batch_size: int, runs: int, n_examples: int) -> Job:
    """A stack by ``torch.func``: vmap of grad over stacked modules, SGD on all leaves at once."""
    import torch
    from torch.func import functional_call, grad, stack_module_state
    from torch.nn.functional import cross_entropy

    x, y = _digits(n_examples)
    networks = [_network(depth, width) for _ in range(runs)]
    parameters, _ = stack_module_state(networks)
    parameters = {name: p.detach() for name, p in parameters.items()}
    names = list(parameters)
    leaves = list(parameters.values())
    velocities = [torch.zeros_like(p) for p in leaves]

    def loss(parameters, x, y):
        return cross_entropy(functional_call(networks[0], parameters, (x,)), y)

    gradient = torch.vmap(grad(loss))

    def run(n: int) -> None:
        for _ in range(n):
            orders = torch.stack([torch.randperm(n_examples) for _ in range(runs)])
            for index in orders.split(batch_size, dim=1):
                found = gradient(parameters, x[index], y[index])
                torch._foreach_mul_(velocities, MOMENTUM)
                torch._foreach_add_(velocities, [found[name] for name in names])
                torch._foreach_add_(leaves, velocities, alpha=-LR)

    updates = n_examples / batch_size
    return Job(run, updates * runs * step_operations(depth, width, batch_size))


def keras_on_jax(depth: int, width: int, batch_size: int, n_examples: int) -> Job:
    """``Model.fit``, compiled by XLA, on one core."""
    os.environ["KERAS_BACKEND"] = "jax"
    _on_one_core()
    import keras

    x, y = (t.numpy() for t in _digits(n_examples))
    layers = [keras.layers.Dense(width, activation="sigmoid") for _ in range(depth)]
    network = keras.Sequential([keras.Input((N_INPUTS,)), *layers, keras.layers.Dense(N_CLASSES)])
    network.compile(
        optimizer=keras.optimizers.SGD(LR, momentum=MOMENTUM),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def run(n: int) -> None:
        network.fit(x, y, batch_size=batch_size, epochs=n, verbose=0)

    return Job(run, n_examples / batch_size * step_operations(depth, width, batch_size))


def sklearn_mlp(depth: int, width: int, batch_size: int, n_examples: int) -> Job:
    """``MLPClassifier``, logistic, SGD; an epoch is one ``partial_fit``."""
    from sklearn.neural_network import MLPClassifier

    x, y = (t.numpy() for t in _digits(n_examples))
    network = MLPClassifier(
        hidden_layer_sizes=(width,) * depth,
        activation="logistic",
        solver="sgd",
        alpha=0.0,
        batch_size=batch_size,
        learning_rate_init=LR,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
    )
    network.partial_fit(x, y, classes=list(range(N_CLASSES)))

    def run(n: int) -> None:
        for _ in range(n):
            network.partial_fit(x, y)

    return Job(run, n_examples / batch_size * step_operations(depth, width, batch_size))


def sklearn_rbm(width: int, batch_size: int, n_examples: int) -> Job:
    """``BernoulliRBM``: persistent CD-1, no momentum."""
    from sklearn.neural_network import BernoulliRBM

    x = _digits(n_examples)[0].numpy()

    def run(n: int) -> None:
        for _ in range(n):
            BernoulliRBM(width, learning_rate=LR, batch_size=batch_size, n_iter=1).fit(x)

    return Job(run, pretraining_operations((width,), batch_size, n_examples))


def learnergy_dbn(widths: tuple[int, ...], batch_size: int, n_examples: int) -> Job:
    """learnergy's deep belief network, CD-1; of one layer it is its RBM."""
    import logging

    logging.disable(logging.CRITICAL)  # it logs every batch of the upper layers
    from learnergy.models.deep import DBN
    from torch.utils.data import TensorDataset

    x, y = _digits(n_examples)
    data, n_layers = TensorDataset(x, y), len(widths)

    def run(n: int) -> None:
        for _ in range(n):
            machine = DBN(
                model=("bernoulli",) * n_layers,
                n_visible=N_INPUTS,
                n_hidden=widths,
                steps=(1,) * n_layers,
                learning_rate=(LR,) * n_layers,
                momentum=(MOMENTUM,) * n_layers,
                decay=(0.0002,) * n_layers,
                temperature=(1.0,) * n_layers,
            )
            machine.fit(data, batch_size=batch_size, epochs=(1,) * n_layers)

    return Job(run, pretraining_operations(widths, batch_size, n_examples))
