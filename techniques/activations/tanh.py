"""Hyperbolic tangent: a sigmoid whose output is centred on zero.

Problem  Sigmoid outputs have mean 1/2, so the next layer's pre-activations share an offset and
         saturate together; and sigma'(z) <= 1/4 shrinks the gradient even at z = 0.
Method   a = tanh(z), da/dz = 1 - a^2 <= 1: at z = 0 nothing is lost
Source   LeCun, Bottou, Orr, Mueller (1998), Efficient BackProp, LNCS 1524, section 4.4; BibTeX
         lecun1998efficient. Deep tanh networks: Glorot and Bengio (2010), section 2.3; BibTeX
         glorot2010
Since    the 1990s; displaced by rectifiers from 2010 on
Departs  plain tanh, not 1.7159 tanh(2z/3)
Use      Recipe(activation=Tanh())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Tanh:
    """a = tanh(z)."""

    unit_interval = False

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        return torch.tanh(z)

    def forward_(self, z: Tensor) -> Tensor:
        """The same as a call, in the memory of z."""
        return z.tanh_()

    def backward_(self, grad: Tensor, a: Tensor) -> Tensor:
        """grad da/dz from a alone, in the memory of grad (R, B, n)."""
        return torch.ops.aten.tanh_backward.grad_input(grad, a, grad_input=grad)

    def saturated(self, a: Tensor) -> Tensor:
        """Share of activations with |a| > .9, where da/dz < .19; (R, B, n) -> (R,)."""
        return (a.abs() > 0.9).float().mean((1, 2))

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return nn.Tanh()
