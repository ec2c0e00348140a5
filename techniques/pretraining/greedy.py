"""Greedy layer-wise pretraining: one layer after another, each on what the layers below give it.

Problem  Labels reach the lower layers of a deep sigmoid net only through all the layers above,
         at a factor of sigma'(z) <= 1/4 each. A layer trained by itself needs no such path.
Method   for l = 1, 2, ...: train layer l, unsupervised, on h_(l-1); keep h_l = f(h_(l-1) W_l + b_l)
Source   Hinton, Osindero, Teh (2006), A fast learning algorithm for deep belief nets, Neural
         Computation 18, 1527-1554; BibTeX hinton2006dbn. Bengio, Lamblin, Popovici, Larochelle
         (2007), Greedy layer-wise training of deep networks, NIPS 19, 153-160; BibTeX
         bengio2007greedy
Since    2006; displaced around 2011 where labels are plenty; lives on as pretraining at large
Departs  each layer's representation is computed once, when the layer is done, and kept; the code
         of 2006 collects it batch by batch during the last epoch, from weights still moving
Use      greedy(network, x_train, seeds)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from techniques.network import Layer, Network

_ROWS = 1000  # examples pushed through a layer at once: bounds memory, decides no number


@torch.no_grad()
def greedy(network: Network, x: Tensor, seeds: Sequence[int], *, y: Tensor | None = None) -> None:
    """Pretrain every hidden layer in place on x (N, D), as the network's recipe says.

    y (N,) are the labels, for the methods that want them.

    Raises ValueError where the method needs inputs in [0, 1] and x has others.
    """
    recipe = network.recipe
    if recipe.pretraining is None:
        raise ValueError("the recipe has no pretraining")
    low, high = float(x.min()), float(x.max())
    unit_interval = low >= 0 and high <= 1
    labels = {}
    if getattr(recipe.pretraining, "needs_labels", False):
        if y is None:
            raise ValueError(f"{type(recipe.pretraining).__name__} pretraining needs labels")
        labels = {"y": y}
    if recipe.pretraining.needs_unit_interval and not unit_interval:
        raise ValueError(f"inputs must lie in [0, 1] for an RBM, got [{low:g}, {high:g}]")
    reach = 1 if recipe.connection is None else recipe.connection.reach
    outputs = [x]  # the last few representations: (N, D), shared by all runs, then (R, N, n)
    for index in range(network.depth):
        recipe.pretraining.train_layer(
            network, index, outputs[-1], seeds, unit_interval=unit_interval, **labels
        )
        _restart_normalisation(network, index)
        if index + 1 < network.depth:
            outputs = [*outputs, _represent(network, index, outputs)][-reach:]
        unit_interval = recipe.outputs_in_unit_interval


def _restart_normalisation(network: Network, index: int) -> None:
    """What normalisation learns starts afresh from the weights that pretraining left."""
    norm, parameters = network.recipe.normalisation, network.parameters[index]
    if norm is not None:
        for name, start in norm.parameters(parameters["weight"]).items():
            parameters[name].copy_(start)


def _represent(network: Network, index: int, outputs: Sequence[Tensor]) -> Tensor:
    """Output (R, N, n) of one layer for all examples, with fresh running statistics."""
    n_examples = outputs[-1].shape[-2]
    return torch.cat(
        [
            network.layer(
                index,
                [
                    Layer(*3 * (h[..., start : start + _ROWS, :].expand(network.runs, -1, -1),))
                    for h in outputs
                ],
            ).output
            for start in range(0, n_examples, _ROWS)
        ],
        dim=1,
    )
