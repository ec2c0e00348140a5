"""Stochastic gradient descent with classical momentum: the optimiser of every recipe here.

Problem  Plain gradient descent crawls along valleys and jumps across them. (Momentum does not
         bring back a vanished gradient: that is what the other techniques are for.)
Method   velocity <- momentum velocity - lr gradient; parameter <- parameter + velocity
Source   Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum
         in deep learning, ICML, 1139-1147, equations 1 and 2; BibTeX sutskever2013
Since    1964 (Polyak), in networks 1986; beside it adaptive methods from 2011 on
Departs  the momentum is constant (no schedule)
Use      Recipe(optimisation=Sgd(momentum=0.9))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sgd:
    """velocity <- momentum velocity - lr gradient; parameter <- parameter + velocity."""

    momentum: float = 0.9

    def start(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Velocities, all zero."""
        return [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        velocities: list[Tensor],
        lr: Tensor,
    ) -> None:
        """One update in place; lr (R, 1, 1) gives every run its own learning rate."""
        torch._foreach_mul_(velocities, self.momentum)
        torch._foreach_addcmul_(velocities, gradients, [lr] * len(velocities), -1)
        torch._foreach_add_(parameters, velocities)
