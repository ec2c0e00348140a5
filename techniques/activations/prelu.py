"""Parametric rectified linear unit: a leaky rectifier that learns how much each unit leaks.

Problem  A sigmoid passes on a quarter of the gradient at most, a rectifier nothing where it is
         off; and nobody knows how much a leaky one should pass on.
Method   a = z if z > 0 else slope z; slope is trained with the weights, one for each unit, by
         d loss / d slope = sum over the batch of (d loss / d a) min(z, 0)
Source   He, Zhang, Ren, Sun (2015), Delving deep into rectifiers, ICCV, 1026-1034, section 2.1,
         equations 1-4; BibTeX he2015prelu. The start at 0.25, and no weight decay on the slopes:
         the same section; weights of variance 2 / ((1 + slope^2) fan_in): section 2.2
Since    2015; displaced by smooth relatives of the rectifier
Departs  one slope a unit, as the layers are fully connected; the paper's are one a channel
Use      Recipe(activation=Prelu(start=0.25), initialisation=HeNormal(gain=1.372))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from techniques.recipe import Recipe


@dataclass(frozen=True)
class Prelu:
    """a = z if z > 0 else slope z, slope learnt by every unit."""

    start: float = 0.25

    unit_interval = False

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError for pretraining: it trains a layer's weight and bias, but no slope."""
        if recipe.pretraining is not None:
            name = type(recipe.pretraining).__name__
            raise ValueError(f"Prelu learns a slope, which {name} pretraining would not train")

    def parameters(self, runs: int, n_units: int) -> dict[str, Tensor]:
        """What is trained: the slopes (R, 1, n)."""
        return {"slope": torch.full((runs, 1, n_units), self.start)}

    def __call__(self, z: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        return torch.where(z > 0, z, parameters["slope"] * z)

    def saturated(self, a: Tensor) -> Tensor:
        """Share of units that are never on while their slope is at least 0: a <= 0 on the whole
        batch, so that the slope is all they pass on; (R, B, n) -> (R,).
        """
        return (a <= 0).all(1).float().mean(1)

    def module(self, parameters: dict[str, Tensor], run: int) -> nn.PReLU:
        """One run's layer as torch's own, for an exported network."""
        prelu = nn.PReLU(parameters["slope"].shape[-1])
        prelu.weight.data.copy_(parameters["slope"][run, 0])
        return prelu
