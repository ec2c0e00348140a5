"""Rprop: only the gradient's sign counts; every weight has a step size of its own.

Problem  In a deep sigmoid net each layer's gradient is about a fourth of the next one's, or less
         (sigma'(z) <= 1/4): its size says how deep a weight lies, not how far it should go.
Method   With the sign of gradient x previous gradient, weight by weight:
         +: step_size <- min(1.2 step_size, 50)      -: step_size <- max(0.5 step_size, 1e-6)
         parameter <- parameter - step_size sign(gradient); after a change of sign (-) the weight
         waits for one update, and the one after counts as neither + nor -. lr is the first
         step_size, and is not looked at again.
Source   Riedmiller, Braun (1993), A direct adaptive method for faster backpropagation learning:
         the RPROP algorithm, IEEE International Conference on Neural Networks, 586-591; BibTeX
         riedmiller1993rprop
Since    1993; displaced by RMSProp (2012), its answer to mini-batches
Departs  after a change of sign the weight stays where it is instead of taking back its last step,
         as in Igel and Huesken (2003), Neurocomputing 50, 105-123 (BibTeX igel2003rprop), and in
         torch. A method for the gradient of all examples: between mini-batches signs change by
         chance, the step sizes shrink, and on small batches it is unreliable
Use      Recipe(optimisation=Rprop())
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rprop:
    """parameter <- parameter - step_size sign(gradient), step_size adapted weight by weight."""

    increase: float = 1.2
    decrease: float = 0.5
    smallest: float = 1e-6
    largest: float = 50.0

    def start(self, parameters: Sequence[Tensor]) -> dict:
        """Previous gradients, all zero, and step sizes, which the first update sets to lr."""
        return {"previous": [torch.zeros_like(p) for p in parameters], "step_size": None}

    @torch.no_grad()
    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        state: dict,
        lr: Tensor,
    ) -> None:
        """One update in place; lr (R, 1, 1) gives every run its own first step size."""
        if state["step_size"] is None:
            state["step_size"] = [lr.expand_as(p).clone() for p in parameters]
        for parameter, gradient, previous, step_size in zip(
            parameters, gradients, state["previous"], state["step_size"], strict=True
        ):
            # signs first: the product of two small gradients would underflow to "neither"
            agreement = gradient.sign() * previous.sign()
            factor = torch.ones_like(gradient)
            factor.masked_fill_(agreement > 0, self.increase)
            factor.masked_fill_(agreement < 0, self.decrease)
            step_size.mul_(factor).clamp_(self.smallest, self.largest)
            gradient = gradient.masked_fill(agreement < 0, 0)
            parameter.addcmul_(gradient.sign(), step_size, value=-1)
            previous.copy_(gradient)
