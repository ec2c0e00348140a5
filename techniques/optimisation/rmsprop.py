"""RMSProp: every weight's gradient is divided by the size that it has had lately.

Problem  In a deep sigmoid net each layer's gradient is about a fourth of the next one's, or less
         (sigma'(z) <= 1/4), so one learning rate is too small below or too large above.
Method   mean_square <- decay mean_square + (1 - decay) gradient^2
         parameter <- parameter - scale lr gradient / (sqrt(mean_square) + epsilon)
         A step has the same size whatever the gradient's, as far down as that exceeds epsilon.
Source   Tieleman, Hinton (2012), Lecture 6.5, rmsprop: divide the gradient by a running average of
         its recent magnitude, COURSERA: Neural Networks for Machine Learning; BibTeX
         tieleman2012rmsprop
Since    2012; mostly displaced by Adam (2015), which adds momentum and a correction at the start
Departs  the lecture has no epsilon; its own step size is scale lr, because a rate that suits a
         gradient is too large for a step of unit size, and all recipes are tuned on one grid of lr
Use      Recipe(optimisation=RmsProp(decay=0.9))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RmsProp:
    """parameter <- parameter - scale lr gradient / (root mean square of late gradients)."""

    decay: float = 0.9
    epsilon: float = 1e-8
    scale: float = 0.1  # the method's step size for lr = 1

    def start(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Mean squares, all zero."""
        return [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        mean_square: list[Tensor],
        lr: Tensor,
    ) -> None:
        """One update in place; lr (R, 1, 1) gives every run its own learning rate."""
        torch._foreach_mul_(mean_square, self.decay)
        torch._foreach_addcmul_(mean_square, gradients, gradients, 1 - self.decay)
        size = torch._foreach_sqrt(mean_square)
        torch._foreach_add_(size, self.epsilon)
        direction = torch._foreach_div(gradients, size)
        torch._foreach_addcmul_(parameters, direction, [lr] * len(direction), -self.scale)
