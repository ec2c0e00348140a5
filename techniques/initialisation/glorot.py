"""Glorot initialisation: weights that carry activations and gradients through many layers.

Problem  With U(+-1/sqrt(fan_in)) the signal shrinks in every layer on the way up, and the gradient
         on the way down; a sigmoid's sigma'(0) = 1/4 shrinks both once more.
Method   weight ~ U(-bound, bound), bound = gain sqrt(6 / (fan_in + fan_out)), or
         weight ~ N(0, sd^2), sd = gain sqrt(2 / (fan_in + fan_out)); either way
         var(weight) = gain^2 2 / (fan_in + fan_out): between what keeps the variance of the
         activations and what keeps that of the gradients. gain = 1/f'(0): 1 for tanh, 4 for the
         logistic sigmoid.
Source   Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural
         networks, AISTATS, 249-256, equation 16; BibTeX glorot2010. The gain of 4 for the
         logistic sigmoid: the Deep Learning Tutorials (LISA lab, 2010); PyTorch's table says 1.
Since    2010; for rectifiers displaced by He's in 2015
Departs  nothing for uniform weights at gain 1, which is all that the paper defines; normal ones
         meet its condition on the variance, equation 12
Use      Recipe(initialisation=GlorotUniform(gain=4.0))
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GlorotUniform:
    """weight ~ U(-bound, bound), bound = gain sqrt(6 / (fan_in + fan_out))."""

    gain: float = 1.0

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw a weight matrix (fan_in, fan_out)."""
        bound = self.gain * (6 / (fan_in + fan_out)) ** 0.5
        return torch.empty(fan_in, fan_out).uniform_(-bound, bound, generator=generator)


@dataclass(frozen=True)
class GlorotNormal:
    """weight ~ N(0, gain^2 2 / (fan_in + fan_out))."""

    gain: float = 1.0

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw a weight matrix (fan_in, fan_out)."""
        sd = self.gain * (2 / (fan_in + fan_out)) ** 0.5
        return torch.empty(fan_in, fan_out).normal_(0, sd, generator=generator)
