"""Dense connections: every layer sees the outputs of all layers below it, side by side.

Problem  In a plain stack the gradient of layer l is a product over all layers above it, each with
         a factor sigma'(z) <= 1/4. Here every layer is one step below the classifier, and a few
         new units a layer are enough, because nothing that was found has to be passed on.
Method   h_l = f([x, h_1, ..., h_(l-1)] weight + bias), ``growth_rate`` units each; the classifier
         sees [x, h_1, ..., h_L]
Source   Huang, Liu, van der Maaten, Weinberger (2017), Densely connected convolutional networks,
         CVPR, 4700-4708, section 3, equation 2; BibTeX huang2017densenet. Growth rate 12: the
         smallest of its section 4
Since    2016; in image networks beside residual links, which need less memory
Departs  fully connected layers in one block, without bottleneck and transition layers; f after the
         weights, not before; no first layer: x is the example itself; the growth rate takes the
         place of the width that is asked for
Use      Recipe(connection=Dense(growth_rate=12))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from techniques.network import Layer, Network
    from techniques.recipe import Recipe


@dataclass(frozen=True)
class Dense:
    """h_l = f([x, h_1, ..., h_(l-1)] weight + bias) of ``growth_rate`` units."""

    growth_rate: int = 12

    reach = 1_000_000  # all of them: more than any network has layers

    def __post_init__(self) -> None:
        if self.growth_rate < 1:
            raise ValueError(f"growth_rate must be 1 or more units, got {self.growth_rate}")

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError for greedy pretraining, which trains a layer on the one below only."""
        if recipe.pretraining is not None:
            name = type(recipe.pretraining).__name__
            raise ValueError(f"Dense layers see all layers below, {name} trains them on one only")

    def widths(self, widths: Sequence[int]) -> list[int]:
        """Numbers of units in the place of those asked for."""
        return [self.growth_rate] * len(widths)

    def fans_in(self, n_inputs: int, widths: Sequence[int]) -> list[int]:
        """What each hidden layer and, last, the classifier is given."""
        return [n_inputs + sum(widths[:index]) for index in range(len(widths) + 1)]

    def gather(self, below: Sequence[Layer]) -> Tensor:
        """The input and all outputs side by side, (R, B, D + L growth_rate)."""
        return torch.cat([layer.output for layer in below], 2)

    def layer(
        self, network: Network, index: int, below: Sequence[Layer], training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pre-activation, activation and output (R, B, n) of a hidden layer on those below it."""
        z = network.linear(index, self.gather(below), training=training)
        z = network.normalise(index, z, training=training)
        a = network.activate(index, z)
        return z, a, a

    def modules(
        self, network: Network, run: int, layers: Sequence[Sequence[nn.Module]]
    ) -> list[nn.Module]:
        """One run's hidden layers, given as lists of modules, wired for an exported network."""
        return [DenseBlock(*modules) for modules in layers]


class DenseBlock(nn.Sequential):
    """[x, f(x)] side by side, f the modules in sequence."""

    def forward(self, x: Tensor) -> Tensor:
        """x (B, m) -> (B, m + n)."""
        return torch.cat([x, super().forward(x)], 1)
