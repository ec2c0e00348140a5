"""Contractive autoencoder: each layer's code is made to change little when its input does.

Problem  An autoencoder keeps whatever helps to reconstruct, noise included. Here the code may only
         vary where the reconstruction needs it to: along the data, not across. And a layer by
         itself needs no gradient from the labels (sigma'(z) <= 1/4 a layer).
Method   loss = reconstruction + penalty ||J||^2, J_ji = d h_j / d v_i = h_j (1 - h_j) weight_ij,
         hence ||J||^2 = sum_j (h_j (1 - h_j))^2 sum_i weight_ij^2 (squared Frobenius norm), and
         its delta at z_j is 2 (h_j (1 - h_j))^2 (1 - 2 h_j) sum_i weight_ij^2.
Source   Rifai, Vincent, Muller, Glorot, Bengio (2011), Contractive auto-encoders: explicit
         invariance during feature extraction, ICML, 833-840; BibTeX rifai2011cae
Since    2011; displaced with unsupervised pretraining as a whole soon after; penalties on a
         network's input Jacobian came back in adversarial training
Departs  mini-batches of 100 with momentum; the penalty is a fixed 0.1, where the paper chooses it
         by validation for every data set
Use      Recipe(pretraining=Contractive(penalty=0.1))
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


def contraction(v: Tensor, coder: Coder) -> Tensor:
    """||J||^2 averaged over the batch; v (R, B, n_visible) -> (R,)."""
    h = sigmoid(torch.baddbmm(coder.hidden_bias, v, coder.weight))
    squares = (coder.weight**2).sum(1, keepdim=True)  # (R, 1, n_hidden)
    return ((h * (1 - h)) ** 2 * squares).sum(2).mean(1)


def gradient(v: Tensor, coder: Coder, *, penalty: float, unit_interval: bool) -> Coder:
    """d (reconstruction + penalty ||J||^2, mean over the batch) / d coder; v (R, B, n_visible)."""
    slope = autoencoder.gradient(v, v, coder, activation=sigmoid, unit_interval=unit_interval)
    h = sigmoid(torch.baddbmm(coder.hidden_bias, v, coder.weight))  # (R, B, n_hidden)
    squares = (coder.weight**2).sum(1, keepdim=True)  # (R, 1, n_hidden)
    share = 2 * penalty / v.shape[1] * (h * (1 - h)) ** 2
    delta = share * (1 - 2 * h) * squares
    return slope._replace(
        weight=slope.weight + v.mT @ delta + share.sum(1, keepdim=True) * coder.weight,
        hidden_bias=slope.hidden_bias + delta.sum(1, keepdim=True),
    )


@dataclass(frozen=True)
class Contractive:
    """Greedy pretraining on the reconstruction and a penalty on the code's derivatives."""

    penalty: float = 0.1
    epochs: int = 10
    lr: float = 0.01
    momentum: float = 0.9
    tied_weights: bool = True
    batch_size: int = 100

    needs_unit_interval = False

    def __post_init__(self) -> None:
        if self.penalty < 0:
            raise ValueError(f"penalty must be 0 or more, got {self.penalty}")
        if self.epochs < 1:
            raise ValueError(f"epochs must be 1 or more, got {self.epochs}")

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError where the derivative of the units is not h (1 - h)."""
        if not isinstance(recipe.activation, Sigmoid):
            name = type(recipe.activation).__name__
            raise ValueError(f"Contractive pretraining needs Sigmoid hidden units, got {name}")

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

        def learn(v: Tensor, coder: Coder, velocity: Coder) -> None:
            slope = gradient(v, coder, penalty=self.penalty, unit_interval=unit_interval)
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
