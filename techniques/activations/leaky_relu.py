"""Leaky rectified linear unit: a rectifier that passes on a little where it is off.

Problem  A sigmoid passes on a quarter of the gradient at most, a rectifier all or nothing: a unit
         that is off on every example gets no gradient, and stays off for good.
Method   a = z if z > 0 else slope z, da/dz = 1 or slope
Source   Maas, Hannun, Ng (2013), Rectifier nonlinearities improve neural network acoustic models,
         ICML workshop on deep learning for audio, speech and language processing;
         BibTeX maas2013. Its slope of 0.01 is the default here
Since    2013; still used, mostly in generative networks, with larger slopes
Departs  nothing
Use      Recipe(activation=LeakyRelu(slope=0.01), initialisation=HeNormal())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, leaky_relu_


@dataclass(frozen=True)
class LeakyRelu:
    """a = z if z > 0 else slope z."""

    slope: float = 0.01

    unit_interval = False

    def __post_init__(self) -> None:
        if not 0 < self.slope < 1:  # with a slope below 0, a would not tell the sign of z
            raise ValueError(f"slope must lie in (0, 1), got {self.slope}")

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        return leaky_relu(z, self.slope)

    def forward_(self, z: Tensor) -> Tensor:
        """The same as a call, in the memory of z."""
        return leaky_relu_(z, self.slope)

    def backward_(self, grad: Tensor, a: Tensor) -> Tensor:
        """grad da/dz from a alone, in the memory of grad (R, B, n)."""
        return torch.ops.aten.leaky_relu_backward.grad_input(
            grad, a, self.slope, True, grad_input=grad
        )

    def saturated(self, a: Tensor) -> Tensor:
        """Share of units that only leak: never above 0 on the batch; (R, B, n) -> (R,)."""
        return (a <= 0).all(1).float().mean(1)

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return nn.LeakyReLU(self.slope)
