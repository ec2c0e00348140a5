"""Exponential linear unit: a rectifier whose negative side pulls the mean towards zero.

Problem  Outputs that are never negative, a sigmoid's (beside its sigma'(z) <= 1/4) and a
         rectifier's, give the next layer a common offset to unlearn; a leaky rectifier has no
         such offset, but no state of rest either: its negative side runs off with z.
Method   a = z if z > 0 else alpha (exp(z) - 1), da/dz = 1 or a + alpha
Source   Clevert, Unterthiner, Hochreiter (2016), Fast and accurate deep network learning by
         exponential linear units (ELUs), ICLR, section 3; BibTeX clevert2016elu. alpha = 1 and
         He's initialisation: section 4
Since    2015; beside it SELU (2017) and GELU (2016)
Departs  nothing
Use      Recipe(activation=Elu(alpha=1.0), initialisation=HeNormal())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Elu:
    """a = z if z > 0 else alpha (exp(z) - 1)."""

    alpha: float = 1.0

    unit_interval = False

    def __post_init__(self) -> None:
        if self.alpha <= 0:
            raise ValueError(f"alpha must be above 0, got {self.alpha}")

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        # not torch's own, which treats a tensor's end differently
        return torch.relu(z) + self.alpha * torch.expm1(z.clamp_max(0))

    def forward_(self, z: Tensor) -> Tensor:
        """The same as a call, in the memory of z."""
        positive = torch.relu(z)
        return z.clamp_max_(0).expm1_().mul_(self.alpha).add_(positive)

    def backward_(self, grad: Tensor, a: Tensor) -> Tensor:
        """grad da/dz from a alone, in the memory of grad (R, B, n)."""
        return torch.ops.aten.elu_backward.grad_input(
            grad, self.alpha, 1, 1, True, a, grad_input=grad
        )

    def saturated(self, a: Tensor) -> Tensor:
        """Share of a < -.8 alpha, where da/dz < .2 alpha; (R, B, n) -> (R,)."""
        return (a < -0.8 * self.alpha).float().mean((1, 2))

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return nn.ELU(self.alpha)
