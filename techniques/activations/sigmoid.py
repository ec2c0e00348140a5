"""Logistic sigmoid: the unit that deep networks started with, and the reason they did not train.

Problem  None is solved here: this is the baseline. A derivative of at most 1/4 in every layer
         shrinks the gradient at least fourfold a layer (times the weights), and an output that is
         never negative pushes the next layer towards saturation.
Method   a = 1 / (1 + exp(-z)), da/dz = a (1 - a) <= 1/4
Source   Rumelhart, Hinton, Williams (1986), Learning representations by back-propagating errors,
         Nature 323, 533-536; the diagnosis: Hochreiter (1991), Untersuchungen zu dynamischen
         neuronalen Netzen; BibTeX hochreiter1991
Since    1986; displaced in hidden layers by tanh in the 1990s and by rectifiers from 2010 on
Departs  nothing
Use      Recipe(activation=Sigmoid())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


class _FromExp(torch.autograd.Function):
    """1 / (1 + exp(-z)) with the derivative a (1 - a), which autograd would find as 0 * inf."""

    @staticmethod
    def forward(ctx, z: Tensor) -> Tensor:
        a = torch.exp(-z).add_(1).reciprocal_()
        ctx.save_for_backward(a)
        return a

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return grad * (a * (1 - a))


def sigmoid(z: Tensor) -> Tensor:
    """a = 1 / (1 + exp(-z)), any shape with runs first; a run's bits do not depend on the others.

    ``torch.sigmoid`` computes the last few elements of a tensor by another path, whose last bit
    can differ. That touches only runs whose number of elements is no multiple of the vector
    length, and those are computed from ``exp``, at half the speed, instead.
    """
    if z.dim() > 0 and z[0].numel() % 16 == 0:
        return torch.sigmoid(z)
    return _FromExp.apply(z)


@dataclass(frozen=True)
class Sigmoid:
    """a = 1 / (1 + exp(-z))."""

    unit_interval = True  # outputs lie in [0, 1], so they can be the visible units of an RBM

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        return sigmoid(z)

    def saturated(self, a: Tensor) -> Tensor:
        """Share of activations outside [.05, .95], where da/dz < .05; (R, B, n) -> (R,)."""
        return ((a < 0.05) | (a > 0.95)).float().mean((1, 2))

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return nn.Sigmoid()
