"""Post-activation residual: the original residual block, with the function after the sum.

Problem  In a plain stack the gradient of layer l is a product over all layers above it, each with
         a factor sigma'(z) <= 1/4. A link around two layers leaves one such factor a block, that
         of the function after the sum: 1 for a rectifier that is active, still 1/4 for a sigmoid.
Method   h_l = f(z_l + h_(l-2)) at the end of each block of two layers
Source   He, Zhang, Ren, Sun (2016), Deep residual learning for image recognition, CVPR, 770-778,
         section 3.2, equation 1 and figure 2; BibTeX he2016resnet
Since    2015; displaced within months by the same authors' pre-activation form where depth counts,
         still the form of the ResNet-50 that everyone runs
Departs  fully connected layers; batch normalisation fills its own slot; the first hidden layer,
         which changes the width, has no link, and neither has what is left over when the other
         layers do not fill a last block
Use      Recipe(connection=PostActivation(), activation=Relu(), initialisation=HeNormal())
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from techniques.network import Layer, Network
    from techniques.recipe import Recipe


@dataclass(frozen=True)
class PostActivation:
    """h_l = f(z_l + h_(l-every)) at the end of each block of ``every`` layers."""

    every: int = 2

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be 1 or more layers, got {self.every}")

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError where outputs and pre-activations differ in size."""
        if getattr(recipe.activation, "pieces", 1) > 1:
            name = type(recipe.activation).__name__
            raise ValueError(f"PostActivation adds outputs to pre-activations: {name} has more")

    @property
    def reach(self) -> int:
        """How many earlier outputs a layer may look back at."""
        return self.every

    def ends_block(self, layer: int) -> bool:
        """Whether the sum is taken in this hidden layer (0 is the first)."""
        return layer >= 1 and layer % self.every == 0

    def layer(
        self, network: Network, index: int, below: Sequence[Layer], training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pre-activation, activation and output (R, B, n) of a hidden layer on those below it."""
        z = network.linear(index, below[-1].output, training=training)
        z = network.normalise(index, z, training=training)
        if self.ends_block(index):
            z = z + below[-self.every].output
        a = network.activate(index, z)
        return z, a, a

    def modules(
        self, network: Network, run: int, layers: Sequence[Sequence[nn.Module]]
    ) -> list[nn.Module]:
        """One run's hidden layers, given as lists of modules, wired for an exported network."""
        wired, block = [*layers[0]], []
        for layer in range(1, len(layers)):
            block.extend(layers[layer])
            if self.ends_block(layer):
                wired.append(PostActivationBlock(*block))
                block = []
        return [*wired, *block]


class PostActivationBlock(nn.Sequential):
    """f(x + g(x)), f the last of the modules and g those before it in sequence."""

    def forward(self, x: Tensor) -> Tensor:
        """x (B, n) -> (B, n)."""
        z = x
        for module in self[:-1]:
            z = module(z)
        return self[-1](z + x)
