"""Fan-in initialisation: uniform weights in +-1/sqrt(fan_in), the baseline's.

Problem  Weights of a fixed size make a unit's input grow with its number of inputs, and saturate
         it. Dividing by sqrt(fan_in) keeps the input's scale, yet it is too small for depth:
         var(weight) = 1/(3 fan_in) shrinks the signal by sqrt(3) a layer even in a linear network,
         and sigma'(z) <= 1/4 takes its share of the gradient on top.
Method   weight ~ U(-bound, bound), bound = 1 / sqrt(fan_in)
Source   The "standard" initialisation of Glorot and Bengio (2010), equation 1; BibTeX glorot2010;
         the scaling by fan-in: LeCun et al. (1998), section 4.6; BibTeX lecun1998efficient
Since    the 1990s; displaced by Glorot's in 2010, still what torch.nn.Linear does
Departs  nothing
Use      Recipe(initialisation=FanIn())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FanIn:
    """weight ~ U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw a weight matrix (fan_in, fan_out)."""
        bound = fan_in**-0.5
        return torch.empty(fan_in, fan_out).uniform_(-bound, bound, generator=generator)
