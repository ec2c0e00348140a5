"""Random-walk initialisation: the logarithm of the gradient's length has no drift with depth.

Problem  A weight of variance 1/fan_in keeps the mean square of a vector, but not a typical
         vector's length: the logarithm of the length walks at random from layer to layer and, log
         being concave, drifts down by 1/(2 fan_in) a layer in a linear network. In a narrow or
         very deep network that is a vanishing gradient.
Method   weight ~ N(0, sd^2), sd = gain / sqrt(fan_in);
         gain = exp(1 / (2 fan_in)) for linear units, as tanh units are near 0,
         gain = sqrt(2) exp(1.2 / (max(fan_in, 6) - 2.4)) for rectifiers
Source   Sussillo and Abbott (2014), Random walk initialization for training very deep feedforward
         networks, arXiv 1412.6558; BibTeX sussillo2014rwi. The first gain is derived there, from
         E[log chi^2], to first order in 1/fan_in; the second is a fit to simulations
Since    2014; displaced by He's, its limit for wide rectifier layers, and by normalisation
Departs  the paper's layers are equally wide, so its N may be fan_in or fan_out: here fan_in. For
         tanh units the paper searches for a gain a little above the linear one; here the linear
         gain is used. It has none for logistic units
Use      Recipe(activation=Relu(), initialisation=RandomWalk(rectifier=True))
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class RandomWalk:
    """weight ~ N(0, gain^2 / fan_in), the gain a function of fan_in."""

    rectifier: bool = False

    def gain(self, fan_in: int) -> float:
        """What keeps the mean logarithm of the length from layer to layer."""
        if self.rectifier:
            return float(2**0.5 * np.exp(1.2 / (max(fan_in, 6) - 2.4)))
        return float(np.exp(1 / (2 * fan_in)))

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw a weight matrix (fan_in, fan_out)."""
        sd = self.gain(fan_in) * fan_in**-0.5
        return torch.empty(fan_in, fan_out).normal_(0, sd, generator=generator)
