"""LeCun initialisation: normal weights that keep a linear unit's variance.

Problem  A unit sums fan_in terms: with weights of a fixed size its pre-activation grows as
         sqrt(fan_in) and saturates it, and U(+-1/sqrt(fan_in)), of variance 1/(3 fan_in), shrinks
         it by sqrt(3) a layer. Inputs of mean square 1 should give pre-activations of mean
         square 1.
Method   weight ~ N(0, sd^2), sd = 1 / sqrt(fan_in)
Source   LeCun, Bottou, Orr, Mueller (1998), Efficient BackProp, LNCS 1524, section 4.6,
         equation 16; BibTeX lecun1998efficient. What self-normalising networks need: Klambauer,
         Unterthiner, Mayr, Hochreiter (2017), Self-normalizing neural networks, NIPS 30; BibTeX
         klambauer2017selu
Since    1998; displaced by Glorot's in 2010; still what SELU is used with
Departs  the paper asks for this sd and mean 0, not for a normal distribution; it wants it together
         with normalised inputs and units of 1.7159 tanh(2z/3), which are the recipe's choice here.
         For logistic units it keeps z's variance only without the mean 1/2 and sigma' <= 1/4
Use      Recipe(activation=Tanh(), initialisation=LeCunNormal())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LeCunNormal:
    """weight ~ N(0, 1 / fan_in)."""

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw a weight matrix (fan_in, fan_out)."""
        return torch.empty(fan_in, fan_out).normal_(0, fan_in**-0.5, generator=generator)
