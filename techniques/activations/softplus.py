"""Softplus: the rectifier without its corner, whose derivative is the logistic sigmoid.

Problem  As a unit's output the logistic sigmoid passes on a quarter of the gradient at most;
         a rectifier passes on all, or nothing at all where z < 0.
Method   a = log(1 + exp(z)), da/dz = sigma(z) = 1 - exp(-a): up to 1, and never 0
Source   Dugas, Bengio, Belisle, Nadeau, Garcia (2001), Incorporating second-order functional
         knowledge for better option pricing, NIPS 13, 472-478; BibTeX dugas2001. As a hidden unit
         of deep networks: Glorot, Bordes, Bengio (2011), Deep sparse rectifier neural networks,
         AISTATS, 315-323; BibTeX glorot2011relu
Since    2001; the 2011 paper already found the rectifier better; lives on where an output must be
         positive
Departs  nothing; He's initialisation in the recipe, which is younger than both papers
Use      Recipe(activation=Softplus(), initialisation=HeNormal())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Softplus:
    """a = log(1 + exp(z))."""

    unit_interval = False

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        # torch's own treats a tensor's end differently; and maximum, unlike relu, has the slope
        # 1/2 that is right at z = 0
        return torch.maximum(z, z.new_zeros(())) + z.abs().neg().exp().log1p()

    def forward_(self, z: Tensor) -> Tensor:
        """The same as a call, in the memory of z."""
        positive = torch.relu(z)
        return z.abs_().neg_().exp_().log1p_().add_(positive)

    def backward_(self, grad: Tensor, a: Tensor) -> Tensor:
        """grad da/dz from a alone, in the memory of grad (R, B, n)."""
        return grad.mul_(a.neg().expm1_().neg_())

    def saturated(self, a: Tensor) -> Tensor:
        """Share of dead units: a < .22, where da/dz < .2, on every example; (R, B, n) -> (R,)."""
        return (a < 0.22).all(1).float().mean(1)

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return nn.Softplus()
