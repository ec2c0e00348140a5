"""Classifiers for an experiment: trained as a suite trains them, for numbers that a suite lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.datasets.split import Split
from benchmarks.train import evaluate
from techniques.backpropagation import fastest_step
from techniques.network import Network, build
from techniques.pretraining.greedy import greedy
from techniques.recipe import Recipe
from techniques.streams import batches, take


@dataclass(frozen=True)
class Fit:
    """A stack of R trained networks; errors in %, losses in nats, (R,) each."""

    network: Network  # each run as it was at its best validation point
    lr: Tensor
    valid_error_pct: Tensor
    test_error_pct: Tensor  # at the best validation point, as is the loss
    test_loss: Tensor
    train_loss: Tensor  # on all training examples, after the last update
    train_error_pct: Tensor


def initial(
    recipe: Recipe, split: Split, seeds: Sequence[int], widths: Sequence[int], *, layers: int
) -> Network:
    """Networks whose lowest ``layers`` hidden layers are pretrained, the others as drawn."""
    network = _built(recipe, split, seeds, widths)
    if layers:
        # a layer is drawn alike at every depth, so that a net of these layers alone will do
        lowest = _built(recipe, split, seeds, widths[:layers])
        greedy(lowest, split.x_train, seeds, y=split.y_train)
        with torch.no_grad():
            for own, learnt in zip(network.parameters, lowest.parameters[:-1], strict=False):
                for name, tensor in learnt.items():
                    own[name].copy_(tensor)
    return network


def _built(recipe: Recipe, split: Split, seeds: Sequence[int], widths: Sequence[int]) -> Network:
    sizes = {"n_inputs": split.n_inputs, "n_classes": split.n_classes, "widths": widths}
    return build(recipe, **sizes, seeds=seeds, device=split.x_train.device)


def train(
    network: Network,
    split: Split,
    seeds: Sequence[int],
    rates: Sequence[float],
    *,
    updates: int,
    batch_size: int,
    evaluate_every: int,
) -> Fit:
    """Train every run at every learning rate; of each, the rate of the least validation error."""
    n_rates, device = len(rates), split.x_train.device
    network = network.select([run for run in range(network.runs) for _ in rates])
    lr = torch.tensor(list(rates) * len(seeds), device=device).view(-1, 1, 1)
    update_runs = fastest_step(network.recipe)
    state = network.recipe.optimisation.start(network.trainable())
    # runs of one seed see the same batches, whatever their rate
    order = batches(seeds, "order", len(split.x_train), batch_size, device)
    least = torch.full((network.runs,), torch.inf, device=device)
    best = [t.detach().clone() for t in network.tensors()]
    for update in range(updates + 1):
        if update % evaluate_every == 0 or update == updates:
            error = _error_pct(network, split.x_valid, split.y_valid)[1]
            improved = error < least
            least = torch.where(improved, error, least)
            for kept, tensor in zip(best, network.tensors(), strict=True):
                kept[improved] = tensor.detach()[improved]
        if update == updates:
            break
        index = next(order).repeat_interleave(n_rates, 0)
        update_runs(network, take(split.x_train, index), take(split.y_train, index), state, lr)
    chosen = (torch.arange(len(seeds), device=device) * n_rates).add(
        least.view(-1, n_rates).argmin(1)
    )
    last = network.select(chosen.tolist())
    with torch.no_grad():
        for kept, tensor in zip(best, network.tensors(), strict=True):
            tensor.copy_(kept)
    network = network.select(chosen.tolist())
    test_loss, test_error_pct = _error_pct(network, split.x_test, split.y_test)
    train_loss, train_error_pct = _error_pct(last, split.x_train, split.y_train)
    return Fit(
        network,
        lr.flatten()[chosen],
        least[chosen],
        test_error_pct,
        test_loss,
        train_loss,
        train_error_pct,
    )


def _error_pct(network: Network, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy in nats and error in %, (R,) each."""
    loss, wrong = evaluate(network, x, y)
    return loss, 100 * wrong / len(x)
