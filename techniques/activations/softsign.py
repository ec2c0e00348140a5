"""Softsign: a sigmoid that saturates by a power of z, not exponentially.

Problem  A logistic unit's derivative, 1/4 at most, falls like exp(-|z|): once saturated, a unit
         of a deep net gets no gradient to come back with.
Method   a = z / (1 + |z|), da/dz = (1 - |a|)^2 <= 1, which falls like 1/z^2 only
Source   Bergstra, Desjardins, Lamblin, Bengio (2009), Quadratic polynomials learn better image
         features, Technical Report 1337, DIRO, Universite de Montreal; BibTeX
         bergstra2009quadratic. In deep networks, with the normalised initialisation: Glorot and
         Bengio (2010), section 2.3; BibTeX glorot2010
Since    2009; displaced by rectifiers from 2010 on
Departs  nothing
Use      Recipe(activation=Softsign(), initialisation=GlorotUniform())
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Softsign:
    """a = z / (1 + |z|)."""

    unit_interval = False

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        return z / (1 + z.abs())

    def forward_(self, z: Tensor) -> Tensor:
        """The same as a call, in the memory of z."""
        return z.div_(z.abs().add_(1))

    def backward_(self, grad: Tensor, a: Tensor) -> Tensor:
        """grad da/dz from a alone, in the memory of grad (R, B, n)."""
        return grad.mul_((1 - a.abs()).square_())

    def saturated(self, a: Tensor) -> Tensor:
        """Share of activations with |a| > .56, where da/dz < .2; (R, B, n) -> (R,)."""
        return (a.abs() > 0.56).float().mean((1, 2))

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return nn.Softsign()
