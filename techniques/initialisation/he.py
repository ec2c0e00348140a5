"""He initialisation: Glorot's argument for units that are zero half of the time.

Problem  A rectifier halves the mean square of its input, so with Glorot's weights the signal of a
         rectifier network shrinks by sqrt(2) a layer: a thousandfold in 20 layers.
Method   weight ~ N(0, sd^2), sd = gain / sqrt(fan_in), gain = sqrt(2)
Source   He, Zhang, Ren, Sun (2015), Delving deep into rectifiers, ICCV, 1026-1034, section 2.2,
         equation 10; BibTeX he2015prelu
Since    2015; still the default for rectifiers without normalisation
Departs  nothing; the forward form, with fan_in
Use      Recipe(activation=Relu(), initialisation=HeNormal())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class HeNormal:
    """weight ~ N(0, gain^2 / fan_in)."""

    gain: float = 2.0**0.5

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw a weight matrix (fan_in, fan_out)."""
        sd = self.gain * fan_in**-0.5
        return torch.empty(fan_in, fan_out).normal_(0, sd, generator=generator)
