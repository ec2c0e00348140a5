"""Pre-activation residual: normalise and activate first, so that nothing stands on the link.

Problem  A function after each sum puts its derivative, sigma'(z) <= 1/4 for a sigmoid, back on the
         link: 25 blocks are 25 factors. With an identity all the way, the gradient of the last
         block's sum is a part of every other's.
Method   s_l = z_l + s_(l-2) at the end of each block of two layers, z_l = f(norm(s_(l-1))) weight +
         bias: the sums are a stream from the first layer to the last that no function interrupts.
         The classifier sees f(norm(s)) of the last.
Source   He, Zhang, Ren, Sun (2016), Identity mappings in deep residual networks, ECCV, LNCS 9908,
         630-645, section 4.1 and figure 4e; BibTeX he2016identity
Since    2016; still the order of nearly every transformer
Departs  fully connected layers; normalisation fills its own slot, and may be none; the first hidden
         layer, which changes the width, has no link, and neither has what is left over when the
         other layers do not fill a last block
Use      Recipe(connection=PreActivation(), normalisation=BatchNorm())
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from techniques.connections.residual import ResidualBlock

if TYPE_CHECKING:
    from techniques.network import Layer, Network
    from techniques.recipe import Recipe


@dataclass(frozen=True)
class PreActivation:
    """s_l = z_l + s_(l-every) at the end of each block of ``every`` layers, h_l = f(norm(s_l))."""

    every: int = 2

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be 1 or more layers, got {self.every}")

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError for greedy pretraining, which keeps outputs and not the stream."""
        if recipe.pretraining is not None:
            name = type(recipe.pretraining).__name__
            raise ValueError(f"PreActivation adds sums below, of which {name} keeps none")

    @property
    def reach(self) -> int:
        """How many earlier layers a layer may look back at."""
        return self.every

    def ends_block(self, layer: int) -> bool:
        """Whether the sum is taken in this hidden layer (0 is the first)."""
        return layer >= 1 and layer % self.every == 0

    def layer(
        self, network: Network, index: int, below: Sequence[Layer], training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The stream before normalisation, activation and output (R, B, n) of a hidden layer."""
        s = network.linear(index, below[-1].output, training=training)
        if self.ends_block(index):
            s = s + below[-self.every].pre_activation
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
                wired.append(ResidualBlock(*block))
                block = []
            block.extend(function)
        return [*wired, *block]
