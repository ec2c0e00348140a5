"""Scaled exponential linear unit: mean 0 and variance 1 draw the activations to themselves.

Problem  Through 20 layers of sigmoids the signal goes to a constant and the gradient, with
         sigma'(z) <= 1/4 a layer, to nothing; normalisation keeps both, at a price every step.
Method   a = scale z if z > 0 else scale alpha (exp(z) - 1), da/dz = scale or a + scale alpha,
         with the one scale and alpha that turn N(0, 1) into mean 0 and variance 1
Source   Klambauer, Unterthiner, Mayr, Hochreiter (2017), Self-normalizing neural networks, NIPS
         30, equation 2 and theorem 1; BibTeX klambauer2017selu. Its weights N(0, 1/fan_in)
         are LeCun's
Since    2017; displaced by normalisation with residual links
Departs  no alpha dropout; inputs are of mean 0 and variance 1 only where the recipe standardises
         them, and the fixed point attracts the others. Batch norm beside it is allowed, and takes
         its place: it sets mean and variance before every unit, whatever the unit does
Use      Recipe(activation=Selu(), initialisation=LeCunNormal())
"""

from __future__ import annotations

from dataclasses import dataclass
from math import e, erfc, pi

import torch
from torch import Tensor, nn

# For z ~ N(0, 1), with Phi(-x) = erfc(x / sqrt(2)) / 2:
_HALF_MEAN = (2 * pi) ** -0.5  # E[max(z, 0)]
_EXP = e**0.5 * erfc(0.5**0.5) / 2  # E[exp(z) if z < 0] = exp(1/2) Phi(-1)
_EXP_TWICE = e**2 * erfc(2**0.5) / 2  # E[exp(2 z) if z < 0] = exp(2) Phi(-2)
# mean 0: E[max(z, 0)] + alpha E[exp(z) - 1 if z < 0] = 0
ALPHA = _HALF_MEAN / (0.5 - _EXP)  # 1.6733
# variance 1: scale^2 (E[max(z, 0)^2] + alpha^2 E[(exp(z) - 1)^2 if z < 0]) = 1
SCALE = (0.5 + ALPHA**2 * (_EXP_TWICE - 2 * _EXP + 0.5)) ** -0.5  # 1.0507


@dataclass(frozen=True)
class Selu:
    """a = scale z if z > 0 else scale alpha (exp(z) - 1)."""

    unit_interval = False

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        # not torch's own, which treats a tensor's end differently
        return SCALE * torch.relu(z) + SCALE * ALPHA * torch.expm1(z.clamp_max(0))

    def forward_(self, z: Tensor) -> Tensor:
        """The same as a call, in the memory of z."""
        positive = torch.relu(z).mul_(SCALE)
        return z.clamp_max_(0).expm1_().mul_(SCALE * ALPHA).add_(positive)

    def backward_(self, grad: Tensor, a: Tensor) -> Tensor:
        """grad da/dz from a alone, in the memory of grad (R, B, n)."""
        return torch.ops.aten.elu_backward.grad_input(
            grad, ALPHA, SCALE, 1, True, a, grad_input=grad
        )

    def saturated(self, a: Tensor) -> Tensor:
        """Share of a < -.8 scale alpha, where da/dz < .2 scale alpha; (R, B, n) -> (R,)."""
        return (a < -0.8 * SCALE * ALPHA).float().mean((1, 2))

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return nn.SELU()
