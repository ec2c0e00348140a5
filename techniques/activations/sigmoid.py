"""Logistic sigmoid: the unit that deep networks started with, and the reason they did not train.

Problem  None is solved here: this is the baseline. A derivative of at most 1/4 in every layer
         shrinks the gradient at least fourfold a layer (times the weights), and an output that is
         never negative pushes the next layer towards saturation.
Method   a = 1 / (1 + exp(-z)), da/dz = a (1 - a) <= 1/4
Source   Rumelhart, Hinton, Williams (1986), Learning representations by back-propagating errors,
         Nature 323, 533-536; BibTeX rumelhart1986. The diagnosis: Hochreiter (1991),
         Untersuchungen zu dynamischen neuronalen Netzen; BibTeX hochreiter1991
Since    1986; displaced in hidden layers by tanh in the 1990s and by rectifiers from 2010 on
Departs  nothing
Use      Recipe(activation=Sigmoid())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

_ROUND = 32  # elements that a round of the widest vector loop takes: two AVX-512 registers


def sigmoid(z: Tensor) -> Tensor:
    """a = 1 / (1 + exp(-z)), any shape with runs first; a run's bits do not depend on the others.

    On a CPU ``torch.sigmoid`` computes what is left after the last full round of its vector loop
    by another path, whose last bit can differ. Here that rest is padded to a full round.
    """
    rest = z.numel() % _ROUND
    if rest == 0:
        return torch.sigmoid(z)
    return torch.sigmoid(pad(z.flatten(), (0, _ROUND - rest)))[: -(_ROUND - rest)].view_as(z)


def sigmoid_(z: Tensor) -> Tensor:
    """The same as ``sigmoid``, in the memory of z, contiguous, and without a derivative."""
    if z.numel() % _ROUND == 0:
        return z.sigmoid_()
    if z.numel() < _ROUND:
        return z.copy_(sigmoid(z))
    end = z.view(-1)[-_ROUND:]
    as_a_round = torch.sigmoid(end)
    z.sigmoid_()
    end.copy_(as_a_round)
    return z


@dataclass(frozen=True)
class Sigmoid:
    """a = 1 / (1 + exp(-z))."""

    unit_interval = True  # outputs lie in [0, 1], so they can be the visible units of an RBM

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> a (R, B, n)."""
        return sigmoid(z)

    def forward_(self, z: Tensor) -> Tensor:
        """The same as a call, in the memory of z."""
        return sigmoid_(z)

    def backward_(self, grad: Tensor, a: Tensor) -> Tensor:
        """grad da/dz from a alone, in the memory of grad (R, B, n)."""
        return torch.ops.aten.sigmoid_backward.grad_input(grad, a, grad_input=grad)

    def saturated(self, a: Tensor) -> Tensor:
        """Share of activations outside [.05, .95], where da/dz < .05; (R, B, n) -> (R,)."""
        return ((a < 0.05) | (a > 0.95)).float().mean((1, 2))

    def module(self) -> nn.Module:
        """The same function as a layer of an exported network."""
        return nn.Sigmoid()
