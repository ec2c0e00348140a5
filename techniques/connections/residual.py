"""Residual links: each block adds to its input, so the gradient has a way around every layer.

Problem  In a plain stack the gradient of layer l is a product over all layers above it, each with
         a factor sigma'(z) <= 1/4: at 20 layers nothing is left for the first.
Method   h_l = h_(l-1) + f(z_l), or around two layers h_l = h_(l-2) + f(z_l): the derivative of
         h_l has the identity in it, whatever f' is.
Source   He, Zhang, Ren, Sun (2016), Deep residual learning for image recognition, CVPR, 770-778,
         section 3.1; BibTeX he2016resnet. No function after the sum: He et al. (2016), Identity
         mappings in deep residual networks; BibTeX he2016identity
Since    2015; still in nearly every deep network
Departs  fully connected layers; the link ends after the activation, because a sigmoid after the
         sum would put the factor 1/4 back; the first hidden layer, which changes the width, has
         no link, and neither has what is left over when the other layers do not fill a last block
Use      Recipe(connection=Residual(every=1))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from techniques.network import Layer, Network


@dataclass(frozen=True)
class Residual:
    """h_l = h_(l-every) + f(z_l) at the end of each block of ``every`` layers."""

    every: int = 1

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be 1 or more layers, got {self.every}")

    @property
    def reach(self) -> int:
        """How many earlier outputs a layer may look back at."""
        return self.every

    def ends_block(self, layer: int) -> bool:
        """Whether the sum is taken after this hidden layer (0 is the first)."""
        return layer >= 1 and layer % self.every == 0

    def layer(
        self, network: Network, index: int, below: Sequence[Layer], training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pre-activation, activation and output (R, B, n) of a hidden layer on those below it."""
        z = network.linear(index, below[-1].output, training=training)
        z = network.normalise(index, z, training=training)
        a = network.activate(index, z)
        return z, a, a + below[-self.every].output if self.ends_block(index) else a

    def join(self, layer: int, a: Tensor, outputs: Sequence[Tensor]) -> Tensor:
        """The sum alone, of a (R, B, n) and the outputs below, of which the last is the nearest."""
        return a + outputs[-self.every] if self.ends_block(layer) else a

    def backward_(self, layer: int, grad: Tensor, links: dict[int, Tensor]) -> Tensor:
        """From d loss / d h to d loss / d a, the same; the link's share goes into ``links``.

        Its key is the index of the output where the link starts, counted from the input, 0.
        """
        if self.ends_block(layer):
            links[layer + 1 - self.every] = grad.clone()  # grad itself will be overwritten
        return grad

    def modules(
        self, network: Network, run: int, layers: Sequence[Sequence[nn.Module]]
    ) -> list[nn.Module]:
        """One run's hidden layers, given as lists of modules, wired for an exported network."""
        wired, block = [*layers[0]], []
        for layer in range(1, len(layers)):
            block.extend(layers[layer])
            if self.ends_block(layer):
                wired.append(ResidualBlock(*block))
                block = []
        return [*wired, *block]


class ResidualBlock(nn.Sequential):
    """x + f(x), f the modules in sequence."""

    def forward(self, x: Tensor) -> Tensor:
        """x (B, n) -> (B, n)."""
        return x + super().forward(x)
