"""For users of PyTorch: plain ``torch.nn.Sequential`` networks in, and out, in one call.

``pretrain`` makes a new one, ``initialise`` draws the weights of one that is there anew, and
``convert`` rewires one, its weights kept, as a recipe says. What comes back needs nothing of this
project: train it in a loop of your own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from techniques.network import build
from techniques.pretraining.greedy import greedy
from techniques.recipe import RECIPES, Recipe
from techniques.streams import stream


def pretrain(
    widths: Sequence[int],
    x: Tensor,
    recipe: Recipe | str = "rbm",
    *,
    y: Tensor | None = None,
    seed: int = 0,
) -> nn.Sequential:
    """A network of these widths, from the inputs to the outputs, pretrained on x (N, widths[0]).

    The output layer has random weights: labels are for the loop that follows. ``recipe`` is one of
    ``RECIPES`` by name, or your own; y (N,), int64, is for the methods that pretrain on labels.
    Where the recipe standardises its inputs, a linear layer that does it, fitted on x, comes first.

    >>> x = torch.rand(200, 30, generator=torch.Generator().manual_seed(0))
    >>> net = pretrain([30, 20, 10, 2], x, "autoencoder", seed=1)
    >>> net
    Sequential(
      (0): Linear(in_features=30, out_features=20, bias=True)
      (1): Sigmoid()
      (2): Linear(in_features=20, out_features=10, bias=True)
      (3): Sigmoid()
      (4): Linear(in_features=10, out_features=2, bias=True)
    )
    >>> net(x).shape
    torch.Size([200, 2])

    Raises ValueError for a recipe without pretraining, or one that x does not suit.
    """
    recipe = _named(recipe)
    if len(widths) < 3:
        raise ValueError(f"widths must be inputs, hidden layers, outputs, got {list(widths)}")
    if x.dim() != 2 or x.shape[1] != widths[0]:
        raise ValueError(f"x must have shape (N, {widths[0]}), got {tuple(x.shape)}")
    first = []
    if recipe.inputs is not None:
        prepare = recipe.inputs.fit(x)
        x, first = prepare(x), [prepare.module()]
    network = build(
        recipe,
        n_inputs=widths[0],
        n_classes=widths[-1],
        widths=widths[1:-1],
        seeds=[seed],
        device=x.device,
    )
    greedy(network, x, [seed], y=y)
    return nn.Sequential(*first, *network.export(0)).train()


@torch.no_grad()
def initialise(net: nn.Sequential, initialisation: Callable[..., Tensor], *, seed: int = 0) -> None:
    """Draw the weights of every linear layer anew, in place; biases as it says, or 0.

    >>> from techniques.initialisation.glorot import GlorotUniform
    >>> net = nn.Sequential(nn.Linear(6, 4), nn.Sigmoid(), nn.Linear(4, 2))
    >>> initialise(net, GlorotUniform(gain=4.0), seed=0)
    >>> bool(net[0].weight.abs().max() <= 4 * (6 / 10) ** 0.5)
    True
    """
    for index, linear in enumerate(_linears(net)):
        fan_out, fan_in = linear.weight.shape
        generator = stream(seed, f"init:{index}")
        weight = initialisation(fan_in, fan_out, generator)
        linear.weight.copy_(weight.T)
        if linear.bias is not None:
            linear.bias.zero_()
            if hasattr(initialisation, "bias"):
                linear.bias.copy_(initialisation.bias(weight, index, generator))


def convert(net: nn.Sequential, recipe: Recipe | str) -> nn.Sequential:
    """A copy with the same weights and the recipe's activation, normalisation and connection.

    Linear layers but the last are taken as the hidden layers, whatever lies between them.

    >>> net = nn.Sequential(nn.Linear(6, 4), nn.Sigmoid(), nn.Linear(4, 4), nn.Sigmoid(),
    ...                     nn.Linear(4, 2))
    >>> convert(net, "residual")
    Sequential(
      (0): Linear(in_features=6, out_features=4, bias=True)
      (1): Sigmoid()
      (2): ResidualBlock(
        (0): Linear(in_features=4, out_features=4, bias=True)
        (1): Sigmoid()
      )
      (3): Linear(in_features=4, out_features=2, bias=True)
    )

    Raises ValueError where the recipe wants weights of another shape (dense links, maxout).
    """
    recipe, linears = _named(recipe), _linears(net)
    network = build(
        recipe,
        n_inputs=linears[0].in_features,
        n_classes=linears[-1].out_features,
        widths=[linear.out_features for linear in linears[:-1]],
        seeds=[0],
        device=linears[0].weight.device,
    )
    with torch.no_grad():
        for index, (linear, parameters) in enumerate(zip(linears, network.parameters, strict=True)):
            weight = linear.weight.T
            if parameters["weight"].shape[1:] != weight.shape:
                shapes = f"{tuple(parameters['weight'].shape[1:])}, got {tuple(weight.shape)}"
                raise ValueError(f"layer {index}: the recipe needs weights of shape {shapes}")
            parameters["weight"].copy_(weight)
            parameters["bias"].copy_(0 if linear.bias is None else linear.bias)
            if index < network.depth and recipe.normalisation is not None:
                starts = recipe.normalisation.parameters(parameters["weight"])
                for name, start in starts.items():
                    parameters[name].copy_(start)
    return network.export(0).train(net.training)


def _named(recipe: Recipe | str) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise ValueError(f"{recipe!r} is not a recipe; allowed: {', '.join(RECIPES)}")
    return RECIPES[recipe]


def _linears(net: nn.Sequential) -> list[nn.Linear]:
    linears = [module for module in net.modules() if isinstance(module, nn.Linear)]
    if len(linears) < 2:
        raise ValueError(f"the network must have 2 or more linear layers, got {len(linears)}")
    return linears
