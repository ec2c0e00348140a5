"""Work of this program that is timed, and the products of matrices that bound it.

Every function prepares a job: whatever is made or loaded once is made here, outside the clock.
Amounts of work are floating-point operations of the matrix products that the work cannot do
without, so that a rate can be set beside the machine's; of whole trials they are runs.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

N_INPUTS, N_CLASSES = 784, 10


class Job(NamedTuple):
    """What is timed: ``run(n)`` does n times ``amount`` of work.

    It may give the seconds of it that were the work proper, where there is more to it.
    """

    run: Callable[[int], float | None]
    amount: float


def step_operations(depth: int, width: int, batch_size: int) -> float:
    """Floating-point operations of one run's update: each layer forward, back, and its gradient.

    The error is not taken back to the inputs.
    """
    first, others = N_INPUTS * width, (depth - 1) * width**2 + width * N_CLASSES
    return 2 * batch_size * (2 * first + 3 * others)


def largest_product() -> Job:
    """The limit of all that uses torch: the fastest of a few large products, one thread."""
    import torch

    best_rate, best = 0.0, None
    for shape in [(1, 1000, 1000, 1000), (1, 1500, 1500, 1500), (10, 100, 1000, 1000)]:
        runs, m, k, n = shape
        job = _product(torch.rand(runs, m, k), torch.rand(runs, k, n), 2.0 * runs * m * k * n)
        job.run(2)
        started = time.perf_counter()
        job.run(10)
        rate = 10 * job.amount / (time.perf_counter() - started)
        if rate > best_rate:
            best_rate, best = rate, job
    return best


def _product(a, b, operations: float) -> Job:
    import torch

    out = torch.bmm(a, b)

    def run(n: int) -> None:
        for _ in range(n):
            torch.bmm(a, b, out=out)

    return Job(run, operations)


def products_of_a_step(depth: int, width: int, batch_size: int, runs: int) -> Job:
    """The matrix products of an update and little else: a limit for these shapes and torch."""
    import torch

    sizes = [N_INPUTS, *[width] * depth, N_CLASSES]
    values = [torch.rand(runs, batch_size, n) for n in sizes]
    weights = [torch.rand(runs, m, n) for m, n in zip(sizes, sizes[1:], strict=False)]
    gradients = [torch.empty_like(w) for w in weights]
    layers = list(range(len(weights)))

    def run(n: int) -> None:
        for _ in range(n):
            for i in layers:
                torch.bmm(values[i], weights[i], out=values[i + 1])
            for i in reversed(layers):
                torch.bmm(values[i].mT, values[i + 1], out=gradients[i])
                if i > 0:
                    torch.bmm(values[i + 1], weights[i].mT, out=values[i])
            for value in values[1:]:
                value.fill_(0.5)  # or they would grow from one to the next

    return Job(run, runs * step_operations(depth, width, batch_size))


def training_step(
    depth: int, width: int, batch_size: int, runs: int, n_examples: int, readable: bool = False
) -> Job:
    """Updates of a stack with their batches drawn, as in benchmarks/train.py."""
    import torch

    from benchmarks.datasets import load
    from benchmarks.executors import prepare_process
    from techniques.backpropagation import fused_step, step
    from techniques.network import build
    from techniques.recipe import BASELINE
    from techniques.streams import batches, take

    prepare_process()
    split = load("mnist5k", n_examples, 100)
    seeds = list(range(runs))
    network = build(
        BASELINE, n_inputs=N_INPUTS, n_classes=N_CLASSES, widths=[width] * depth, seeds=seeds
    )
    state = BASELINE.optimisation.start(network.trainable())
    lr = torch.full((runs, 1, 1), 0.01)
    order = batches(seeds, "order", n_examples, batch_size)
    update_runs = step if readable else fused_step

    def run(n: int) -> None:
        for _ in range(n):
            index = next(order)
            update_runs(network, take(split.x_train, index), take(split.y_train, index), state, lr)

    return Job(run, runs * step_operations(depth, width, batch_size))


def whole_trials(depth: int, width: int, batch_size: int, runs: int, updates: int) -> Job:
    """Trials from nothing to their results, looked at before and after training."""
    from benchmarks.datasets import load
    from benchmarks.executors import prepare_process
    from benchmarks.suite import Budget, Data
    from benchmarks.train import train_stack
    from benchmarks.trial import Trial
    from techniques.recipe import BASELINE

    prepare_process()
    data = Data(name="mnist5k", **TRIAL_DATA)
    load(data.name, data.n_train, data.n_valid)
    budget = Budget(
        updates=updates, batch_size=batch_size, evaluate_every=updates, probe_at=(0, updates)
    )
    stack = [
        Trial("plain", "report", BASELINE, data, depth, width, budget, 0.01, seed, "cpu")
        for seed in range(runs)
    ]

    def run(n: int) -> None:
        for _ in range(n):
            train_stack(stack)

    return Job(run, runs)


# looking at so few examples twice takes about the share of a trial's time that it takes in the
# suites, whose trials are longer; 250 are left to test on
TRIAL_DATA = {"n_train": 4500, "n_valid": 250}


def products_of_pretraining(widths: tuple[int, ...], batch_size: int, runs: int) -> Job:
    """The five products of a CD-1 update in every layer, and nothing else."""
    import torch

    layers = []
    for n_visible, n_hidden in zip((N_INPUTS, *widths), widths, strict=False):
        weight = torch.rand(runs, n_visible, n_hidden)
        v, h = torch.rand(runs, batch_size, n_visible), torch.rand(runs, batch_size, n_hidden)
        layers.append((weight, v, h, torch.empty_like(weight), torch.empty_like(v)))

    def run(n: int) -> None:
        for _ in range(n):
            for weight, v, h, statistic, reconstruction in layers:
                torch.bmm(v, weight, out=h)
                torch.bmm(h, weight.mT, out=reconstruction)
                torch.bmm(v, weight, out=h)
                torch.bmm(v.mT, h, out=statistic)
                torch.bmm(v.mT, h, out=statistic)

    return Job(run, runs * pretraining_operations(widths, batch_size, batch_size))


def pretraining(widths: tuple[int, ...], batch_size: int, runs: int, n_examples: int) -> Job:
    """One epoch of CD-1 for every layer, greedily, from drawing the weights on.

    All layers are of one width. One layer is an RBM by itself.
    """
    from benchmarks.datasets import load
    from benchmarks.executors import prepare_process
    from techniques.network import build
    from techniques.pretraining.greedy import greedy
    from techniques.pretraining.rbm import Rbm
    from techniques.recipe import BASELINE

    prepare_process()
    (width,) = set(widths)
    x = load("mnist5k", n_examples, 100).x_train
    recipe = BASELINE.but(pretraining=Rbm(epochs=1, batch_size=batch_size))
    seeds = list(range(runs))
    network = build(
        recipe,
        n_inputs=N_INPUTS,
        n_classes=N_CLASSES,
        depth=len(widths),
        width=width,
        seeds=seeds,
    )

    def run(n: int) -> None:
        for _ in range(n):
            greedy(network, x, seeds)

    return Job(run, runs * pretraining_operations(widths, batch_size, n_examples))


def pretraining_operations(widths: tuple[int, ...], batch_size: int, n_examples: int) -> float:
    """Of one epoch of CD-1 in every layer: up, down, up, and the two statistics."""
    updates = n_examples // batch_size
    sizes = zip((N_INPUTS, *widths), widths, strict=False)
    return updates * sum(5 * 2.0 * batch_size * m * n for m, n in sizes)


def sweep(trials: int, workers: int, updates: int) -> Job:
    """A sweep of ``trials`` runs of 5 x 100 units in stacks of 12, records and all."""
    from benchmarks.executors import in_process, in_workers
    from benchmarks.plan import stacks
    from benchmarks.suite import Budget, Data
    from benchmarks.trial import Trial
    from techniques.recipe import BASELINE

    budget = Budget(updates=updates, batch_size=100, evaluate_every=updates, probe_at=(0, updates))
    data = Data(name="mnist5k", **TRIAL_DATA)
    todo = stacks(
        Trial("plain", "report", BASELINE, data, 5, 100, budget, 0.01, seed, "cpu")
        for seed in range(trials)
    )

    def run(n: int) -> None:
        for _ in range(n):
            folder = Path(tempfile.mkdtemp())
            try:
                with in_workers(folder, workers) if workers else in_process(folder) as execute:
                    assert sum(len(records) for _, records in execute(todo)) == trials
            finally:
                shutil.rmtree(folder)

    return Job(run, trials)


def runner() -> Job:
    """Suite ``quick`` at its least depth, where training is shortest; all but the report.

    The bare work is what passes inside ``train_stack``.
    """
    import io
    from contextlib import redirect_stderr

    import benchmarks.train
    from benchmarks.executors import in_process
    from benchmarks.run import run as run_suite
    from benchmarks.suite import read

    suite = read("quick").model_copy(update={"depths": (2,)})
    train_stack = benchmarks.train.train_stack
    inside = 0.0

    def timed(stack):
        nonlocal inside
        started = time.perf_counter()
        outcomes = train_stack(stack)
        inside += time.perf_counter() - started
        return outcomes

    benchmarks.train.train_stack = timed  # in this process, which does nothing else

    def run(n: int) -> float:
        nonlocal inside
        inside = 0.0
        for _ in range(n):
            folder = Path(tempfile.mkdtemp())
            try:
                with redirect_stderr(io.StringIO()):
                    places = {"results": folder, "reports": folder}
                    run_suite(suite, device="cpu", executor=in_process(folder), **places)
            finally:
                shutil.rmtree(folder)
        return inside

    return Job(run, 1)
