"""Maxout: each unit is the largest of several linear maps, and learns its own shape.

Problem  Any fixed unit loses gradient somewhere: a sigmoid (sigma'(z) <= 1/4) everywhere, a
         rectifier wherever it is off. Of a unit's linear maps one is always the largest, and it
         gets the whole gradient.
Method   a_j = max over k of z_jk, z_jk = x weight_jk + bias_jk, k = 1 ... pieces
Source   Goodfellow, Warde-Farley, Mirza, Courville, Bengio (2013), Maxout networks, ICML,
         1319-1327, section 3; BibTeX goodfellow2013maxout
Since    2013; displaced by plain rectifiers, which have ``pieces`` times fewer weights
Departs  no dropout, which the paper builds it for (a regularisation of a recipe); two pieces; the
         recipe's weights are N(0, 1/fan_in), which keep the signal at any depth: of two equally
         distributed z of mean square q, the larger has mean square q. A mean of zero is not kept
Use      Recipe(activation=Maxout(pieces=2), initialisation=LeCunNormal())
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from techniques.recipe import Recipe


@dataclass(frozen=True)
class Maxout:
    """a = max over the pieces of z."""

    pieces: int = 2  # linear maps a unit

    unit_interval = False

    def __post_init__(self) -> None:
        if self.pieces < 2:
            raise ValueError(f"pieces must be 2 or more, got {self.pieces}")

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError for pretraining, whose codes would be of another width than z."""
        if recipe.pretraining is not None:
            name = type(recipe.pretraining).__name__
            raise ValueError(f"Maxout has several maps a unit, {name} pretraining takes one")

    def __call__(self, z: Tensor) -> Tensor:
        """z (..., pieces n), all units' first maps first -> a (..., n)."""
        return z.unflatten(-1, (self.pieces, -1)).amax(-2)

    def saturated(self, a: Tensor) -> Tensor:
        """Zero: some piece of a unit always has derivative 1; (R, B, n) -> (R,)."""
        return a.new_zeros(a.shape[0])

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return MaxoutModule(self)


class MaxoutModule(nn.Module):
    """The largest of every unit's maps; torch has none."""

    def __init__(self, maxout: Maxout) -> None:
        super().__init__()
        self.maxout = maxout

    def forward(self, x: Tensor) -> Tensor:
        """x (B, pieces n) -> (B, n)."""
        return self.maxout(x)
