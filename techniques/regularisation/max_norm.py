"""Max-norm: no unit's incoming weights may grow longer than a bound.

Problem  Large updates, as dropout wants them, can blow weights up until the units saturate, where
         sigma'(z) is far below even its 1/4. A bound on the norm stops that and shrinks nothing
         that is within it, as weight decay would.
Method   after each update, weight <- weight min(1, max_norm / ||weight||), ||weight|| each hidden
         unit's own, over its inputs
Source   Srebro and Shraibman (2005), Rank, trace-norm and max-norm, COLT, LNCS 3559, 545-560;
         BibTeX srebro2005. In networks, with dropout: Srivastava, Hinton, Krizhevsky, Sutskever,
         Salakhutdinov (2014), JMLR 15, 1929-1958, section 5.1; bound 3 to 4: appendix A.3; BibTeX
         srivastava2014dropout
Since    2012 in networks; displaced, with large dropout networks, by normalisation
Departs  nothing; biases and the classifier's weights are free
Use      Recipe(regularisation=(Dropout(), MaxNorm(max_norm=3.0)))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from techniques.network import Network
    from techniques.recipe import Recipe


@dataclass(frozen=True)
class MaxNorm:
    """weight <- weight min(1, max_norm / ||weight||) for each hidden unit."""

    max_norm: float = 3.0

    def __post_init__(self) -> None:
        if self.max_norm <= 0:
            raise ValueError(f"max_norm must be above 0, got {self.max_norm}")

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError where the length of ``weight`` is not that of the weights in use."""
        if hasattr(recipe.normalisation, "weight"):
            name = type(recipe.normalisation).__name__
            raise ValueError(f"MaxNorm bounds the length of weights, which {name} sets by itself")

    @torch.no_grad()
    def project_(self, network: Network) -> None:
        """Shorten, in place, the incoming weights that are longer than the bound."""
        for layer in network.parameters[:-1]:
            weight = layer["weight"]  # (R, fan_in, n)
            norm = weight.square().sum(1, keepdim=True).sqrt()  # (R, 1, n)
            weight.mul_(self.max_norm / norm.clamp_min(self.max_norm))
