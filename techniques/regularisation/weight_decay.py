"""Weight decay: every update shrinks every weight a little.

Problem  Among the weights that fit the examples equally well, gradient descent may end at large
         ones: they fit the noise, and they push sigmoid units to where sigma'(z) is far below
         even its 1/4.
Method   gradient <- gradient + decay weight: descent on loss + decay/2 ||weight||^2
Source   Krogh and Hertz (1992), A simple weight decay can improve generalization, NIPS 4, 950-957;
         BibTeX krogh1992. decay 0.0001: He, Zhang, Ren, Sun (2016), section 3.4; BibTeX
         he2016resnet
Since    the 1980s; still the default; with adaptive optimisers decoupled from the gradient
Departs  weights only, the biases and what normalisation learns do not decay
Use      Recipe(regularisation=(WeightDecay(decay=0.0001),))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from techniques.network import Network


@dataclass(frozen=True)
class WeightDecay:
    """gradient <- gradient + decay weight."""

    decay: float = 1e-4

    def __post_init__(self) -> None:
        if self.decay < 0:
            raise ValueError(f"decay must be 0 or more, got {self.decay}")

    def add_gradient(self, network: Network, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Gradients, in the order of ``network.trainable()``, with the weights' decay in them."""
        named = [pair for layer in network.parameters for pair in layer.items()]
        return [
            # gates and companion classifiers have weights of their own, named so
            gradient + self.decay * tensor.detach() if name.endswith("weight") else gradient
            for (name, tensor), gradient in zip(named, gradients, strict=True)
        ]
