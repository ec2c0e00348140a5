"""Highway: every unit has a gate that decides between what it computes and what it was given.

Problem  In a plain stack the gradient of layer l is a product over all layers above it, each with
         a factor sigma'(z) <= 1/4. A gate that is nearly closed passes its input on, and the
         gradient back, at a factor near 1.
Method   h_l = t a + (1 - t) h_(l-1), a = f(z_l), t = sigmoid(h_(l-1) gate_weight + gate_bias);
         gate_bias starts below zero, so the layers start by carrying their input
Source   Srivastava, Greff, Schmidhuber (2015), Highway networks, arXiv:1505.00387, section 2;
         BibTeX srivastava2015highway; the same authors (2015), Training very deep networks, NIPS
         28, 2377-2385; BibTeX srivastava2015training
Since    2015; displaced within the year by residual links, which need no gate
Departs  the gates' weights are drawn like the baseline's, U(+-1/sqrt(fan_in)), whatever the recipe
         draws the others from; the gates' bias starts at -2 everywhere (the paper searches between
         -1 and -10); the first hidden layer, which changes the width, has no gate; the gates'
         inputs are neither normalised nor dropped
Use      Recipe(connection=Highway(gate_bias=-2.0))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from techniques.activations.sigmoid import sigmoid
from techniques.initialisation.fan_in import FanIn
from techniques.streams import stream

if TYPE_CHECKING:
    from techniques.network import Layer, Network, Shape

_draw_gate = FanIn()


@dataclass(frozen=True)
class Highway:
    """h_l = t f(z_l) + (1 - t) h_(l-1), t the gates."""

    gate_bias: float = -2.0  # at the start

    reach = 1

    def parameters(self, shape: Shape, seeds: Sequence[int]) -> dict[str, Tensor]:
        """Weight (R, n, n) and bias (R, 1, n) of a layer's gates; none for the first layer."""
        if shape.index == 0:
            return {}
        n = shape.n_units
        streams = [stream(seed, f"highway:{shape.index}") for seed in seeds]
        return {
            "gate_weight": torch.stack([_draw_gate(n, n, g) for g in streams]),
            "gate_bias": torch.full((len(seeds), 1, n), self.gate_bias),
        }

    def layer(
        self, network: Network, index: int, below: Sequence[Layer], training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pre-activation, activation and output (R, B, n) of a hidden layer on those below it."""
        h = below[-1].output
        z = network.linear(index, h, training=training)
        z = network.normalise(index, z, training=training)
        a = network.activate(index, z)
        if index == 0:
            return z, a, a
        gates = network.parameters[index]
        t = sigmoid(torch.baddbmm(gates["gate_bias"], h, gates["gate_weight"]))
        return z, a, t * a + (1 - t) * h

    def modules(
        self, network: Network, run: int, layers: Sequence[Sequence[nn.Module]]
    ) -> list[nn.Module]:
        """One run's hidden layers, given as lists of modules, wired for an exported network."""
        first, *others = layers
        wired = [*first]
        for modules, gates in zip(others, network.parameters[1:-1], strict=True):
            wired.append(
                HighwayBlock(gates["gate_weight"][run], gates["gate_bias"][run, 0], *modules)
            )
        return wired


class HighwayBlock(nn.Sequential):
    """t f(x) + (1 - t) x, f the modules in sequence and t = sigmoid(x gate_weight + gate_bias)."""

    def __init__(self, gate_weight: Tensor, gate_bias: Tensor, *modules: nn.Module) -> None:
        super().__init__(*modules)
        self.gate_weight = nn.Parameter(gate_weight.detach().clone())  # (n, n)
        self.gate_bias = nn.Parameter(gate_bias.detach().clone())  # (n,)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, n) -> (B, n)."""
        t = torch.sigmoid(torch.addmm(self.gate_bias, x, self.gate_weight))
        return t * super().forward(x) + (1 - t) * x
