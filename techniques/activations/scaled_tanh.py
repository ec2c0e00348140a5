"""Scaled hyperbolic tangent: a tanh steep enough that the signal does not die out.

Problem  A sigmoid's sigma'(z) <= 1/4 shrinks the gradient in every layer, and so does plain tanh
         away from z = 0: with weights N(0, 1/fan_in) the signal's variance of 1 is 0.39 after one
         layer of tanh and goes on to 0.
Method   a = 1.7159 tanh(2 z / 3), da/dz = 1.7159 2/3 (1 - (a / 1.7159)^2) <= 1.144: f(1) = 1,
         f(-1) = -1, and the second derivative is largest around z = 1, so that the gain is about
         1 over the range that is used. f'(0) > 1: with weights N(0, 1/fan_in) the signal's variance
         settles at 0.38
Source   LeCun, Bottou, Orr, Mueller (1998), Efficient BackProp, LNCS 1524, section 4.4; BibTeX
         lecun1998efficient. The weights N(0, 1/fan_in) and inputs of mean 0 and variance 1 that
         belong to it: sections 4.6 and 4.3
Since    1989; plain tanh displaced it in the 2000s, rectifiers both from 2010 on
Departs  no linear term a z, which the paper offers against flat spots
Use      Recipe(activation=ScaledTanh(), initialisation=LeCunNormal(), inputs=Standardise())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

_HEIGHT, _SLOPE = 1.7159, 2 / 3  # the paper's: they make f(1) = 1


@dataclass(frozen=True)
class ScaledTanh:
    """a = 1.7159 tanh(2 z / 3)."""

    unit_interval = False

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        return _HEIGHT * torch.tanh(_SLOPE * z)

    def forward_(self, z: Tensor) -> Tensor:
        """The same as a call, in the memory of z."""
        return z.mul_(_SLOPE).tanh_().mul_(_HEIGHT)

    def backward_(self, grad: Tensor, a: Tensor) -> Tensor:
        """grad da/dz from a alone, in the memory of grad (R, B, n)."""
        return grad.mul_(_SLOPE * _HEIGHT - _SLOPE / _HEIGHT * a.square())

    def saturated(self, a: Tensor) -> Tensor:
        """Share of |a| > .9 1.7159, where da/dz < .19 of its largest; (R, B, n) -> (R,)."""
        return (a.abs() > 0.9 * _HEIGHT).float().mean((1, 2))

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return ScaledTanhModule()


class ScaledTanhModule(nn.Module):
    """1.7159 tanh(2 x / 3); torch has none."""

    def forward(self, x: Tensor) -> Tensor:
        """x (B, n) -> (B, n)."""
        return _HEIGHT * torch.tanh(_SLOPE * x)
