"""Gradient clipping: a gradient longer than a threshold is cut to it, its direction kept.

Problem  Where weights are large a product over many layers explodes instead of vanishing (its
         factors sigma'(z) w pass 1): the loss has walls, and one step off a wall undoes thousands.
Method   gradient <- gradient min(1, norm / |gradient|), |gradient| over all parameters of a run;
         then another optimiser's update.
Source   Pascanu, Mikolov, Bengio (2013), On the difficulty of training recurrent neural networks,
         ICML, 1310-1318, algorithm 1; BibTeX pascanu2013
Since    2012 (clipped element by element: Mikolov's thesis); still used in most large models
Departs  feed-forward networks, and a fixed norm where the paper looks at its average in training
Use      Recipe(optimisation=Clipping(of=Sgd(), norm=1.0))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from techniques.optimisation.sgd import Sgd


@dataclass(frozen=True)
class Clipping:
    """Updates of another optimiser, on gradients no longer than ``norm``."""

    of: object = field(default_factory=Sgd)  # any optimiser with a step
    norm: float = 1.0

    def __post_init__(self) -> None:
        if not self.norm > 0:
            raise ValueError(f"norm must be above 0, got {self.norm}")
        if not hasattr(self.of, "step"):
            name = type(self.of).__name__
            raise ValueError(f"clipping needs an optimiser that is given gradients, not {name}")

    def start(self, parameters: Sequence[Tensor]) -> object:
        """The other optimiser's state."""
        return self.of.start(parameters)

    @torch.no_grad()
    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        state: object,
        lr: Tensor,
    ) -> None:
        """One update in place; lr (R, 1, 1) gives every run its own learning rate."""
        length = sum(g.square().sum((1, 2), keepdim=True) for g in gradients).sqrt()  # (R, 1, 1)
        factor = (self.norm / length).clamp(max=1)  # a length of 0 gives 1
        clipped = torch._foreach_mul(gradients, [factor] * len(gradients))
        self.of.step(parameters, clipped, state, lr)
