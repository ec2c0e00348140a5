"""Gaussian error linear unit: z times the probability that a normal variable lies below z.

Problem  A sigmoid weighs the gradient by sigma'(z) <= 1/4, a rectifier by 0 or 1, with a corner
         between them and nothing below it. Here the step from 0 to 1 is smooth.
Method   a = z Phi(z), da/dz = Phi(z) + z phi(z), Phi and phi the standard normal distribution
         and density; a is least, -0.17, at z = -0.75, so a alone does not tell the derivative
Source   Hendrycks and Gimpel (2016), Gaussian error linear units (GELUs), arXiv:1606.08415,
         section 2; BibTeX hendrycks2016gelu
Since    2016; still the default in transformers
Departs  the exact form, not an approximation by tanh or sigmoid; the recipe has He's weights: with
         the paper's, of unit norm, less than half of the mean square survives a layer
Use      Recipe(activation=Gelu(), initialisation=HeNormal())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Gelu:
    """a = z Phi(z)."""

    unit_interval = False

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        # not torch's own, which treats a tensor's end differently
        return z * (0.5 + 0.5 * torch.erf(0.5**0.5 * z))

    def saturated(self, a: Tensor) -> Tensor:
        """Share of dead units: -.025 < a <= 0, as for all z < -2.3 where |da/dz| < .06, on every
        example of the batch; (R, B, n) -> (R,).
        """
        return ((a > -0.025) & (a <= 0)).all(1).float().mean(1)

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return nn.GELU()
