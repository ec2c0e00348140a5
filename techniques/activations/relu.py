"""Rectified linear unit: a derivative of exactly 1 wherever a unit is active.

Problem  sigma'(z) <= 1/4 shrinks the gradient in every layer, whatever the unit says.
Method   a = max(0, z), da/dz = 1 if z > 0 else 0
Source   Nair and Hinton (2010), Rectified linear units improve restricted Boltzmann machines,
         ICML, 807-814; BibTeX nair2010. In deep networks without pretraining: Glorot, Bordes,
         Bengio (2011), Deep sparse rectifier neural networks, AISTATS, 315-323; BibTeX
         glorot2011relu
Since    2010; still the default, beside its smooth relatives
Departs  nothing; no sparsity penalty, and the outputs are not mirrored (both in the 2011 paper)
Use      Recipe(activation=Relu(), initialisation=HeNormal())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Relu:
    """a = max(0, z)."""

    unit_interval = False

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        return torch.relu(z)

    def forward_(self, z: Tensor) -> Tensor:
        """The same as a call, in the memory of z."""
        return z.relu_()

    def backward_(self, grad: Tensor, a: Tensor) -> Tensor:
        """grad da/dz from a alone, in the memory of grad (R, B, n)."""
        return torch.ops.aten.threshold_backward.grad_input(grad, a, 0, grad_input=grad)

    def saturated(self, a: Tensor) -> Tensor:
        """Share of dead units: zero on every example of the batch; (R, B, n) -> (R,)."""
        return (a == 0).all(1).float().mean(1)

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return nn.ReLU()
