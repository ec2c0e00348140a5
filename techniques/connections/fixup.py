"""Fixup: residual blocks that start as the identity and learn at a pace that fits their number.

Problem  Residual links carry the gradient past sigma'(z) <= 1/4, but without normalisation the
         variance of L blocks' sum grows like 2^L, and one update moves the function by L times
         what a single block's would. Both are settled by scaling the weights at the start.
Method   h_l = f(multiplier z_l + b_4 + h_(l-2)), z_l = (h_(l-1) + b_3) weight_l,
         h_(l-1) = f((h_(l-2) + b_1) weight_(l-1) + b_2), all b numbers that start at 0, multiplier
         at 1; weight_(l-1) is drawn and divided by sqrt(L), L the number of blocks; weight_l = 0.
         The division is L^(-1/(2m-2)) in general, for m layers a block.
Source   Zhang, Dauphin, Ma (2019), Fixup initialization: residual learning without normalization,
         ICLR, section 3 and figure 1; BibTeX zhang2019fixup
Since    2019; beside it SkipInit and ReZero (2020), with one number a block
Departs  fully connected layers; the classifier starts as under every recipe, not at zero, and has
         no number before it; the layers keep their bias vectors, which learn too, so that all
         recipes share their shapes; the first hidden layer, which changes the width, and what is
         left over when the others do not fill a last block have the numbers but no link
Use      Recipe(connection=Fixup(), activation=Relu(), initialisation=HeNormal())
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from techniques.network import Layer, Network, Shape
    from techniques.recipe import Recipe


@dataclass(frozen=True)
class Fixup:
    """h_l = f(multiplier z_l + activation_bias + h_(l-2)) at the end of each two layers."""

    reach = 2

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError for whatever would undo the scales of the weights."""
        if recipe.normalisation is not None:
            name = type(recipe.normalisation).__name__
            raise ValueError(f"Fixup scales weights to do without normalisation: {name} undoes it")
        if recipe.pretraining is not None:
            name = type(recipe.pretraining).__name__
            raise ValueError(f"Fixup sets the weights' scale at the start: {name} overwrites it")
        if getattr(recipe.activation, "pieces", 1) > 1:
            name = type(recipe.activation).__name__
            raise ValueError(f"Fixup adds outputs to pre-activations: {name} has more of these")

    def ends_block(self, layer: int) -> bool:
        """Whether the sum is taken in this hidden layer (0 is the first)."""
        return layer >= 1 and layer % 2 == 0

    def initialise(self, weight: Tensor, shape: Shape) -> Tensor:
        """weight (R, fan_in, n) as the initialisation drew it -> as its place in a block wants it.

        A block's first is divided by the square root of the number of blocks, its last is zero.
        """
        if self.ends_block(shape.index):
            return torch.zeros_like(weight)
        if self.ends_block(shape.index + 1) and shape.index + 1 < shape.depth:
            n_blocks = (shape.depth - 1) // 2
            return weight * n_blocks**-0.5
        return weight

    def parameters(self, shape: Shape, seeds: Sequence[int]) -> dict[str, Tensor]:
        """The numbers, each (R, 1, 1): biases 0 for every layer, a multiplier 1 for every block."""
        runs = len(seeds)
        numbers = {
            "input_bias": torch.zeros(runs, 1, 1),
            "activation_bias": torch.zeros(runs, 1, 1),
        }
        if self.ends_block(shape.index):
            numbers["multiplier"] = torch.ones(runs, 1, 1)
        return numbers

    def layer(
        self, network: Network, index: int, below: Sequence[Layer], training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pre-activation, activation and output (R, B, n) of a hidden layer on those below it."""
        numbers = network.parameters[index]
        z = network.linear(index, below[-1].output + numbers["input_bias"], training=training)
        if self.ends_block(index):
            z = numbers["multiplier"] * z + below[-2].output
        z = z + numbers["activation_bias"]
        a = network.activate(index, z)
        return z, a, a

    def modules(
        self, network: Network, run: int, layers: Sequence[Sequence[nn.Module]]
    ) -> list[nn.Module]:
        """One run's hidden layers, given as lists of modules, wired for an exported network."""
        wired, block = [], []
        for layer, (linear, activation) in enumerate(layers):
            numbers = {
                name: network.parameters[layer][name][run, 0].detach().clone()
                for name in ("input_bias", "activation_bias", "multiplier")
                if name in network.parameters[layer]
            }
            block += [Plus(numbers["input_bias"]), linear]
            if self.ends_block(layer):
                wired.append(FixupBlock(numbers["multiplier"], *block))
                block = []
            block += [Plus(numbers["activation_bias"]), activation]
            if layer % 2 == 0:  # the next block starts here
                wired += block
                block = []
        return [*wired, *block]


class Plus(nn.Module):
    """x + bias, a number."""

    def __init__(self, bias: Tensor) -> None:
        super().__init__()
        self.bias = nn.Parameter(bias)  # (1,)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, n) -> (B, n)."""
        return x + self.bias


class FixupBlock(nn.Sequential):
    """x + multiplier g(x), g the modules in sequence; the activation after it is not part of it."""

    def __init__(self, multiplier: Tensor, *modules: nn.Module) -> None:
        super().__init__(*modules)
        self.multiplier = nn.Parameter(multiplier)  # (1,)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, n) -> (B, n)."""
        return x + self.multiplier * super().forward(x)
