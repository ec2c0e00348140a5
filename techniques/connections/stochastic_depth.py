"""Stochastic depth: residual layers are left out at random in training, the upper ones more often.

Problem  Even with residual links around its factors sigma'(z) <= 1/4, a deep network learns slowly
         and fits its examples too closely. A network that is short in each update and deep in the
         end has both a short way for the gradient and the depth.
Method   h_l = h_(l-1) + b_l f(z_l), b_l = 1 with probability p_l = 1 - l/L (1 - survival), else 0;
         in evaluation h_l = h_(l-1) + p_l f(z_l)
Source   Huang, Sun, Liu, Sedra, Weinberger (2016), Deep networks with stochastic depth, ECCV, LNCS
         9908, 646-661, section 3, equations 2 to 5; BibTeX huang2016stochastic. survival 0.5: its
         section 4
Since    2016; as "drop path", drawn per example, in vision transformers
Departs  blocks of one fully connected layer; no function after the sum (the paper has a rectifier
         there); one draw per run, layer and mini-batch, as in the paper, yet a layer left out is
         computed all the same, because the other runs of the stack may keep it; the first hidden
         layer, which changes the width, is always there, so l counts from the second
Use      Recipe(connection=StochasticDepth(survival=0.5))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from techniques.network import Layer, Network


@dataclass(frozen=True)
class StochasticDepth:
    """h_l = h_(l-1) + b_l f(z_l), b_l = 1 with probability p_l, else 0."""

    survival: float = 0.5  # probability that the last layer is kept

    reach = 1
    noisy = True

    def __post_init__(self) -> None:
        if not 0 < self.survival <= 1:
            raise ValueError(f"survival must lie in (0, 1], got {self.survival}")

    def probability(self, index: int, depth: int) -> float:
        """p_l that hidden layer ``index`` of ``depth`` is kept; 0 is the first, and always kept."""
        return 1 - index / max(depth - 1, 1) * (1 - self.survival)

    def layer(
        self, network: Network, index: int, below: Sequence[Layer], training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pre-activation, activation and output (R, B, n) of a hidden layer on those below it.

        Training without random numbers takes the expected output, as evaluation does.
        """
        h = below[-1].output
        z = network.linear(index, h, training=training)
        z = network.normalise(index, z, training=training)
        a = network.activate(index, z)
        if index == 0:
            return z, a, a
        kept: float | Tensor = self.probability(index, network.depth)
        if training and network.uniform is not None:
            kept = (network.uniform(a[:, :1, :1]) < kept).to(a.dtype)  # (R, 1, 1)
        return z, a, h + kept * a

    def modules(
        self, network: Network, run: int, layers: Sequence[Sequence[nn.Module]]
    ) -> list[nn.Module]:
        """One run's hidden layers, given as lists of modules, wired for an exported network."""
        first, *others = layers
        return [
            *first,
            *(
                ExpectedBlock(self.probability(index, network.depth), *modules)
                for index, modules in enumerate(others, start=1)
            ),
        ]


class ExpectedBlock(nn.Sequential):
    """x + probability f(x), f the modules in sequence."""

    def __init__(self, probability: float, *modules: nn.Module) -> None:
        super().__init__(*modules)
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """x (B, n) -> (B, n)."""
        return x + self.probability * super().forward(x)
