"""Sparse autoencoder: each layer reconstructs its input with few units active at a time.

Problem  An autoencoder with more units than inputs can copy. Where every unit must be silent most
         of the time, a few have to say what is special about an example. And a layer by itself
         needs no gradient from the labels (sigma'(z) <= 1/4 a layer).
Method   loss = reconstruction + penalty sum_j KL(target || m_j), m_j the mean of h_j,
         KL(p || m) = p log(p / m) + (1 - p) log((1 - p) / (1 - m)): each example's delta at h_j
         gains penalty ((1 - target) / (1 - m_j) - target / m_j).
Source   Ng (2011), Sparse autoencoder, lecture notes CS294A, Stanford, section 3 (target 0.05);
         BibTeX ng2011sparse. A mean activation held near a target, with a square for a penalty,
         in RBMs: Lee, Ekanadham, Ng (2008), Sparse deep belief net model for visual area V2, NIPS
         20, 873-880; BibTeX lee2008sparse
Since    2008; displaced with unsupervised pretraining as a whole after 2011; came back to take
         language models apart, with other penalties
Departs  m_j is the mean over a mini-batch of 100, where the notes take all examples; momentum;
         weights tied by default and no weight decay; cross-entropy where inputs lie in [0, 1]
Use      Recipe(pretraining=SparseAutoencoder(target=0.05, penalty=3.0))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from techniques.activations.sigmoid import Sigmoid, sigmoid
from techniques.pretraining import autoencoder
from techniques.pretraining.autoencoder import Coder, descend, train_coder

if TYPE_CHECKING:
    from techniques.network import Network
    from techniques.recipe import Recipe


def mean_activation(h: Tensor) -> Tensor:
    """Mean over the batch, (R, B, n_hidden) -> (R, 1, n_hidden)."""
    # a unit that rounds to 0 or 1 on every example would make its slope infinity times 0
    epsilon = torch.finfo(h.dtype).eps
    return h.mean(1, keepdim=True).clamp(epsilon, 1 - epsilon)


def divergence(h: Tensor, target: float) -> Tensor:
    """sum_j KL(target || mean of h_j), in nats; h (R, B, n_hidden) -> (R,)."""
    m = mean_activation(h)
    on, off = target * (target / m).log(), (1 - target) * ((1 - target) / (1 - m)).log()
    return (on + off).sum((1, 2))


def gradient(
    v: Tensor, coder: Coder, *, target: float, penalty: float, unit_interval: bool
) -> Coder:
    """d (mean reconstruction + penalty divergence) / d coder; v (R, B, n_visible)."""
    slope = autoencoder.gradient(v, v, coder, activation=sigmoid, unit_interval=unit_interval)
    h = sigmoid(torch.baddbmm(coder.hidden_bias, v, coder.weight))  # (R, B, n_hidden)
    m = mean_activation(h)
    pull = penalty / v.shape[1] * ((1 - target) / (1 - m) - target / m)  # (R, 1, n_hidden)
    delta = pull * h * (1 - h)
    return slope._replace(
        weight=slope.weight + v.mT @ delta,
        hidden_bias=slope.hidden_bias + delta.sum(1, keepdim=True),
    )


@dataclass(frozen=True)
class SparseAutoencoder:
    """Greedy pretraining on the reconstruction and a penalty on units that are often active."""

    target: float = 0.05
    penalty: float = 3.0
    epochs: int = 10
    lr: float = 0.01
    momentum: float = 0.9
    tied_weights: bool = True
    batch_size: int = 100

    needs_unit_interval = False

    def __post_init__(self) -> None:
        if not 0 < self.target < 1:
            raise ValueError(f"target must lie in (0, 1), got {self.target}")
        if self.penalty < 0:
            raise ValueError(f"penalty must be 0 or more, got {self.penalty}")
        if self.epochs < 1:
            raise ValueError(f"epochs must be 1 or more, got {self.epochs}")

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError where a unit's mean activation is no probability."""
        if not isinstance(recipe.activation, Sigmoid):
            name = type(recipe.activation).__name__
            raise ValueError(f"SparseAutoencoder pretraining needs Sigmoid units, got {name}")

    def train_layer(
        self,
        network: Network,
        index: int,
        visible: Tensor,
        seeds: Sequence[int],
        *,
        unit_interval: bool,
    ) -> None:
        """Train weight and bias of one hidden layer on visible (N, D), or (R, N, n_visible)."""
        aim = {"target": self.target, "penalty": self.penalty}

        def learn(v: Tensor, coder: Coder, velocity: Coder) -> None:
            slope = gradient(v, coder, **aim, unit_interval=unit_interval)
            descend(coder, velocity, slope, lr=self.lr, momentum=self.momentum)

        train_coder(
            network,
            index,
            visible,
            seeds,
            learn,
            epochs=self.epochs,
            batch_size=self.batch_size,
            tied_weights=self.tied_weights,
            unit_interval=unit_interval,
        )
