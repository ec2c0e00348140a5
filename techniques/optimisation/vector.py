"""All parameters of a run as one vector, for methods that reason about a whole step at once.

P parameters a run: a vector is (R, P), a scalar of each run (R, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from techniques.network import Network


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors (R, ...) side by side, (R, P), with no derivative."""
    return torch.cat([t.detach().flatten(1) for t in tensors], 1)


def unflatten(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """The parts of a vector (R, P) in the shapes of these tensors; differentiable."""
    parts = vector.split([t[0].numel() for t in like], dim=1)
    return [part.reshape(t.shape) for part, t in zip(parts, like, strict=True)]


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of two vectors (R, P) per run, (R, 1)."""
    return (a * b).sum(1, keepdim=True)


def network_at(network: Network, vector: Tensor) -> Network:
    """The same stack with these parameters (R, P); what it tracks for evaluation is a copy."""
    tensors = iter(unflatten(vector, network.trainable()))
    return replace(
        network,
        parameters=[{name: next(tensors) for name in layer} for layer in network.parameters],
        statistics=[{k: t.clone() for k, t in layer.items()} for layer in network.statistics],
    )


def needs_the_loss_alone(optimisation: object, recipe: object) -> None:
    """Raise ValueError for regularisation that a method of many products or points would miss."""
    name = type(optimisation).__name__
    for technique in recipe.techniques():
        other = type(technique).__name__
        if getattr(technique, "noisy", False):
            raise ValueError(f"{name} needs a loss without noise: {other} draws it anew each time")
        if hasattr(technique, "add_gradient") or hasattr(technique, "project_"):
            raise ValueError(f"{name} minimises the loss alone: it would pass over {other}")
