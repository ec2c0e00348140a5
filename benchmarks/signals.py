"""What goes up and down through freshly made networks, for the experiments of papers.

Shapes: R runs, B batch, n units, L hidden layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from benchmarks import datasets
from techniques.backpropagation import fastest_step
from techniques.network import Network, Trace, cross_entropy
from techniques.streams import batches, take


def examples(name: str, n: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """The first n test examples of a data set: inputs (n, D) and labels (n,).

    Of one that is generated no more than these are made.
    """
    data = datasets.DATA_SETS[name]
    if data.generate is None:
        split = datasets.load(name, *data.parts)
    else:
        split = data.generated(1, 1, n).split()
    return split.x_test[:n].to(device), split.y_test[:n].to(device)


def backpropagated(network: Network, x: Tensor, y: Tensor) -> tuple[Trace, list[Tensor]]:
    """The trace of x (B, D), and d loss / d z (R, B, n) of each hidden layer, y (B,).

    The loss is each example's cross-entropy in nats, not their mean.
    """
    trace = network.trace(x)
    loss = cross_entropy(trace.logits, y.expand(network.runs, -1)).sum() * len(x)
    gradients = torch.autograd.grad(loss, [layer.pre_activation for layer in trace.layers])
    return trace, list(gradients)


def layer_jacobian(network: Network, index: int, z: Tensor) -> Tensor:
    """d z_(index + 1) / d z_index (n, n') of the first run at z (n,), for layers joined plainly."""
    z = z.detach().view(1, 1, -1).requires_grad_()
    (slope,) = torch.autograd.grad(network.activate(index, z).sum(), z)
    return slope.view(-1, 1) * network.weight(index + 1)[0].detach()


def mean_square(values: Sequence[Tensor]) -> Tensor:
    """Mean square over examples and units of each (R, B, n) -> (R, L), float64."""
    return torch.stack([v.detach().double().square().mean((1, 2)) for v in values], 1)


def slope(values: Tensor) -> Tensor:
    """Least-squares growth from one layer to the next: (R, L) -> (R,)."""
    steps = torch.arange(values.shape[1], dtype=values.dtype, device=values.device)
    centred = steps - steps.mean()
    return (values * centred).sum(1) / centred.square().sum()


def train(
    network: Network,
    x: Tensor,
    y: Tensor,
    seeds: Sequence[int],
    *,
    lr: float,
    batch_size: int,
    updates: int,
    every: int,
) -> Iterator[int]:
    """Train a stack in place on x (N, D) and y (N,); gives the number of updates done, from 0 on,
    whenever it is a multiple of ``every``.
    """
    step = fastest_step(network.recipe)
    state = network.recipe.optimisation.start(network.trainable())
    rates = torch.full((network.runs, 1, 1), lr, device=x.device)
    order = batches(seeds, "order", len(x), batch_size, x.device)
    yield 0
    for update in range(1, updates + 1):
        index = next(order)
        step(network, take(x, index), take(y, index), state, rates)
        if update % every == 0:
            yield update
