"""SkipInit: a learnt number that starts at zero ends each residual branch, in place of batch norm.

Problem  Residual links carry the gradient past sigma'(z) <= 1/4, but a stack of L blocks that each
         add as much as they are given doubles the variance L times. Batch norm hides this: it
         shrinks each branch to 1/sqrt(l) of what it is added to. A factor of zero does it at once.
Method   s_l = alpha_l z_l + s_(l-2) at the end of each block of two layers, z_l = f(s_(l-1)) weight
         + bias, alpha_l = 0 at the start
Source   De and Smith (2020), Batch normalization biases residual blocks towards the identity
         function in deep networks, NeurIPS 33, section 4; BibTeX de2020skipinit
Since    2020; beside it normaliser-free networks (2021), which have kept the factor
Departs  fully connected layers; no dropout before the classifier (that is another slot); the first
         hidden layer, which changes the width, has no link, and neither has what is left over when
         the other layers do not fill a last block
Use      Recipe(connection=SkipInit())
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from techniques.connections.rezero import ScaledResidualBlock

if TYPE_CHECKING:
    from techniques.network import Layer, Network, Shape
    from techniques.recipe import Recipe


@dataclass(frozen=True)
class SkipInit:
    """s_l = alpha_l z_l + s_(l-2) at the end of each block of two layers, h_l = f(s_l)."""

    reach = 2

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError for greedy pretraining, which keeps outputs and not the sums."""
        if recipe.pretraining is not None:
            name = type(recipe.pretraining).__name__
            raise ValueError(f"SkipInit adds sums below, of which {name} keeps none")

    def ends_block(self, layer: int) -> bool:
        """Whether the sum is taken in this hidden layer (0 is the first)."""
        return layer >= 1 and layer % 2 == 0

    def parameters(self, shape: Shape, seeds: Sequence[int]) -> dict[str, Tensor]:
        """alpha = 0, (R, 1, 1), of every layer that ends a block."""
        return {"alpha": torch.zeros(len(seeds), 1, 1)} if self.ends_block(shape.index) else {}

    def layer(
        self, network: Network, index: int, below: Sequence[Layer], training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The stream before normalisation, activation and output (R, B, n) of a hidden layer."""
        s = network.linear(index, below[-1].output, training=training)
        if self.ends_block(index):
            s = network.parameters[index]["alpha"] * s + below[-2].pre_activation
        a = network.activate(index, network.normalise(index, s, training=training))
        return s, a, a

    def modules(
        self, network: Network, run: int, layers: Sequence[Sequence[nn.Module]]
    ) -> list[nn.Module]:
        """One run's hidden layers, given as lists of modules, wired for an exported network.

        A block begins with the function of the layer below it and ends with a linear map.
        """
        linear, *block = layers[0]
        wired = [linear]
        for layer in range(1, len(layers)):
            linear, *function = layers[layer]
            block.append(linear)
            if self.ends_block(layer):
                alpha = network.parameters[layer]["alpha"][run, 0]
                wired.append(ScaledResidualBlock(alpha, *block))
                block = []
            block.extend(function)
        return [*wired, *block]
