"""Nesterov: momentum that looks ahead before it takes the gradient, and grows as training goes on.

Problem  A velocity that carries far along a valley also carries far past its floor: with a large
         momentum, plain momentum oscillates before it slows. (The gradient of a deep sigmoid net,
         sigma'(z) <= 1/4 a layer, stays as small as it was; large momentum adds up more of it.)
Method   The gradient is taken where the velocity will have led, theta + momentum_t velocity:
             velocity <- momentum_t velocity - lr gradient(theta + momentum_t velocity)
             theta <- theta + velocity
         The parameter kept here is the point ahead, p = theta + momentum_t velocity. Put in for
         theta in the second line, at both its times, the old velocity cancels against the first:
             velocity <- momentum_t velocity - lr gradient(p)
             p <- p + momentum_(t+1) velocity - lr gradient(p)
         momentum_t = min(1 - 2^(-1 - log2(floor(t/250) + 1)), momentum_max), t = 0, 1, ...; the
         power is 1 / (2 (floor(t/250) + 1)): 1/2, 3/4, 5/6, ...
Source   Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum
         in deep learning, ICML, 1139-1147, equations 3 to 5; BibTeX sutskever2013
Since    1983 (Nesterov), in networks 2013; later inside adaptive methods (Nadam, 2016)
Departs  the momentum is not lowered to 0.9 for the last 1,000 updates; the network that is
         evaluated is the one at the point ahead, not theta, which differ by less the smaller lr is
Use      Recipe(optimisation=Nesterov(momentum_max=0.99))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Nesterov:
    """velocity <- momentum_t velocity - lr g; p <- p + momentum_(t+1) velocity - lr g."""

    momentum_max: float = 0.99
    raise_every: int = 250  # updates between two rises of the momentum
    nesterov: bool = True  # False: classical momentum, p <- p + velocity, on the same schedule

    def momentum(self, update: int) -> float:
        """Momentum at an update, of which 0 is the first."""
        return min(1 - 0.5 / (update // self.raise_every + 1), self.momentum_max)

    def start(self, parameters: Sequence[Tensor]) -> dict:
        """Velocities, all zero, and the number of updates so far."""
        return {"velocity": [torch.zeros_like(p) for p in parameters], "updates": 0}

    @torch.no_grad()
    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        state: dict,
        lr: Tensor,
    ) -> None:
        """One update in place; lr (R, 1, 1) gives every run its own learning rate."""
        velocity, update = state["velocity"], state["updates"]
        each_lr = [lr] * len(velocity)
        torch._foreach_mul_(velocity, self.momentum(update))
        torch._foreach_addcmul_(velocity, gradients, each_lr, -1)
        if self.nesterov:
            torch._foreach_addcmul_(parameters, gradients, each_lr, -1)
            torch._foreach_add_(parameters, velocity, alpha=self.momentum(update + 1))
        else:
            torch._foreach_add_(parameters, velocity)
        state["updates"] = update + 1
