"""Adam: momentum, divided weight by weight by the size that the gradient has had lately.

Problem  In a deep sigmoid net each layer's gradient is about a fourth of the next one's, or less
         (sigma'(z) <= 1/4), so one learning rate is too small below or too large above.
Method   mean <- beta_1 mean + (1 - beta_1) gradient
         mean_square <- beta_2 mean_square + (1 - beta_2) gradient^2
         Both start at 0 and are divided by 1 - beta^t, t = 1, 2, ..., the sum of their weights:
         parameter <- parameter - scale lr mean_hat / (sqrt(mean_square_hat) + epsilon)
Source   Kingma, Ba (2015), Adam: a method for stochastic optimization, ICLR, algorithm 1; BibTeX
         kingma2015adam
Since    2015; with decoupled weight decay (AdamW, 2019) still the usual choice
Departs  its own step size is scale lr, because a rate that suits a gradient is too large for a
         step of unit size, and all recipes are tuned on one grid of lr: the paper's 0.001 is 0.01
Use      Recipe(optimisation=Adam())
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Adam:
    """parameter <- parameter - scale lr mean_hat / (sqrt(mean_square_hat) + epsilon)."""

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    scale: float = 0.1  # the method's step size for lr = 1

    def start(self, parameters: Sequence[Tensor]) -> dict:
        """Means and mean squares, all zero, and the number of updates so far."""
        return {
            "mean": [torch.zeros_like(p) for p in parameters],
            "mean_square": [torch.zeros_like(p) for p in parameters],
            "updates": 0,
        }

    @torch.no_grad()
    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        state: dict,
        lr: Tensor,
    ) -> None:
        """One update in place; lr (R, 1, 1) gives every run its own learning rate."""
        mean, mean_square = state["mean"], state["mean_square"]
        state["updates"] += 1
        weight_1, weight_2 = (1 - beta ** state["updates"] for beta in (self.beta_1, self.beta_2))
        torch._foreach_mul_(mean, self.beta_1)
        torch._foreach_add_(mean, gradients, alpha=1 - self.beta_1)
        torch._foreach_mul_(mean_square, self.beta_2)
        torch._foreach_addcmul_(mean_square, gradients, gradients, 1 - self.beta_2)
        size = torch._foreach_sqrt(mean_square)
        torch._foreach_div_(size, weight_2**0.5)
        torch._foreach_add_(size, self.epsilon)
        direction = torch._foreach_div(mean, size)
        torch._foreach_addcmul_(
            parameters, direction, [lr] * len(direction), -self.scale / weight_1
        )
