"""ReZero: each layer adds to its input, times a learnt number that starts at zero.

Problem  A plain stack scales the signal in every layer and its gradient by sigma'(z) <= 1/4; with
         residual links the gradient has a way around, yet the layers still add up: their sum
         grows with the depth.
Method   h_l = h_(l-1) + alpha_l f(z_l), alpha_l = 0 at the start: the deepest network starts as its
         first layer, and each alpha_l grows as its layer proves useful.
Source   Bachlechner, Majumder, Mao, Cottrell, McAuley (2021), ReZero is all you need: fast
         convergence at large depth, UAI, PMLR 161, 1352-1361; fully connected networks: section 4;
         BibTeX bachlechner2020rezero
Since    2020; beside normalisation in transformers, and as SkipInit in convolutional networks
Departs  the first hidden layer, which changes the width, has no link; alpha learns at the rate of
         everything else
Use      Recipe(connection=ReZero())
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from techniques.network import Layer, Network, Shape


@dataclass(frozen=True)
class ReZero:
    """h_l = h_(l-1) + alpha_l f(z_l)."""

    reach = 1

    def parameters(self, shape: Shape, seeds: Sequence[int]) -> dict[str, Tensor]:
        """alpha = 0, (R, 1, 1), of every layer but the first."""
        return {} if shape.index == 0 else {"alpha": torch.zeros(len(seeds), 1, 1)}

    def layer(
        self, network: Network, index: int, below: Sequence[Layer], training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pre-activation, activation and output (R, B, n) of a hidden layer on those below it."""
        h = below[-1].output
        z = network.linear(index, h, training=training)
        z = network.normalise(index, z, training=training)
        a = network.activate(index, z)
        return z, a, a if index == 0 else h + network.parameters[index]["alpha"] * a

    def modules(
        self, network: Network, run: int, layers: Sequence[Sequence[nn.Module]]
    ) -> list[nn.Module]:
        """One run's hidden layers, given as lists of modules, wired for an exported network."""
        first, *others = layers
        alphas = [parameters["alpha"][run, 0] for parameters in network.parameters[1:-1]]
        blocks = zip(alphas, others, strict=True)
        return [*first, *(ScaledResidualBlock(alpha, *modules) for alpha, modules in blocks)]


class ScaledResidualBlock(nn.Sequential):
    """x + alpha f(x), f the modules in sequence."""

    def __init__(self, alpha: Tensor, *modules: nn.Module) -> None:
        super().__init__(*modules)
        self.alpha = nn.Parameter(alpha.detach().clone())  # (1,)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, n) -> (B, n)."""
        return x + self.alpha * super().forward(x)
