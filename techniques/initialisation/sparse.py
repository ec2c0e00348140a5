"""Sparse initialisation: every unit starts with a few strong incoming weights and no others.

Problem  Dense weights must shrink with fan_in lest units saturate, so that at the start every unit
         is much the same weak mixture of all inputs. With a fixed number of weights of a fixed
         size, a unit's input keeps its scale in a layer of any width, and units differ.
Method   weight[i, j] ~ N(0, sd^2) for n_incoming = 15 inputs i of each unit j, chosen at random;
         0 elsewhere
Source   Martens (2010), Deep learning via Hessian-free optimization, ICML, 735-742, section 5;
         BibTeX martens2010hf: 15 weights, bias 0, or 0.5 for tanh units. Sutskever, Martens, Dahl,
         Hinton (2013), On the importance of initialization and momentum in deep learning, ICML,
         section 3; BibTeX sutskever2013: sd 1 for logistic units; for tanh units, made to act like
         logistic ones, sd 0.25 and bias 0.5
Since    2010; displaced by dense scaled initialisation; sparse weights came back with pruning
Departs  with fewer than n_incoming inputs a unit takes them all; the output layer stays dense, as
         under every recipe
Use      Recipe(initialisation=Sparse())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sparse:
    """n_incoming weights ~ N(0, sd^2) a unit; the defaults are those for logistic units."""

    n_incoming: int = 15
    sd: float = 1.0
    bias_start: float = 0.0

    def __post_init__(self) -> None:
        if self.n_incoming < 1:
            raise ValueError(f"n_incoming must be 1 or more, got {self.n_incoming}")

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw a weight matrix (fan_in, fan_out)."""
        order = torch.rand(fan_in, fan_out, generator=generator).argsort(0)
        chosen = order[: self.n_incoming]  # (min(n_incoming, fan_in), fan_out), no input twice
        values = torch.empty(chosen.shape).normal_(0, self.sd, generator=generator)
        return torch.zeros(fan_in, fan_out).scatter_(0, chosen, values)

    def bias(self, weight: Tensor, index: int, generator: torch.Generator) -> Tensor:
        """The same bias for all units, (fan_out,)."""
        return torch.full((weight.shape[1],), self.bias_start)
