"""Input normalisation: features of mean 0 and variance 1, or uncorrelated as well.

Problem  All weights of a first-layer unit get updates of one sign where no input is ever negative,
         and inputs of unequal variance learn at unequal rates; from there, pre-activations far
         from 0 leave little even of sigma'(z) <= 1/4.
Method   Standardise: x' = (x - mean) / sd, feature by feature. Zca: x' = (x - mean) weight,
         weight = u (variance + epsilon)^(-1/2) u', u and variance the eigenvectors and eigenvalues
         of the covariance: of all that whiten, the map that changes x least
Source   LeCun, Bottou, Orr, Mueller (1998), Efficient BackProp, LNCS 1524, section 4.3; BibTeX
         lecun1998efficient. ZCA: Bell and Sejnowski (1997), The "independent components" of
         natural scenes are edge filters, Vision Research 37, 3327-3338; BibTeX bell1997; of small
         images: Krizhevsky (2009), Learning multiple layers of features from tiny images,
         University of Toronto, appendix A; BibTeX krizhevsky2009tiny
Since    1998; standardising is what everyone does, whitening went out with pretraining
Departs  mean, variance and covariance are of the training examples, divided by N; constant features
         become 0. epsilon is ours: pixels in [0, 1] whose direction has a variance below it, 0.01,
         are taken as noise and not blown up to 1
Use      Recipe(inputs=Standardise())
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from techniques.recipe import Recipe


@dataclass(frozen=True)
class Affine:
    """x' = (x - mean) weight, or times it, feature by feature."""

    mean: Tensor  # (D,)
    weight: Tensor  # (D, D), or its diagonal (D,) where it has no more

    def __call__(self, x: Tensor) -> Tensor:
        """x (..., D) -> x' (..., D)."""
        centred = x - self.mean
        return centred * self.weight if self.weight.dim() == 1 else centred @ self.weight

    def module(self) -> nn.Linear:
        """The same function as a layer, to go before an exported network."""
        weight = self.weight.diag() if self.weight.dim() == 1 else self.weight
        linear = nn.utils.skip_init(nn.Linear, *weight.shape)  # draws nothing
        linear.weight.data = weight.T.clone()
        linear.bias.data = -self.mean @ weight
        return linear


@dataclass(frozen=True)
class Standardise:
    """Every feature of mean 0 and variance 1."""

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError for pretraining that needs inputs in [0, 1]."""
        _refuse_unit_interval(self, recipe)

    def fit(self, x_train: Tensor) -> Affine:
        """From the training examples x_train (N, D)."""
        x = x_train.to("cpu", torch.float64)  # there, so that all devices see the same inputs
        # by its range: whether its variance is exactly zero is up to rounding
        constant = x.amax(0) == x.amin(0)
        inverse_sd = x.var(0, correction=0).rsqrt().where(~constant, 0)
        return Affine(x.mean(0).to(x_train), inverse_sd.to(x_train))


@dataclass(frozen=True)
class Zca:
    """Every feature of mean 0 and, but for epsilon, variance 1, and no two correlated."""

    epsilon: float = 0.01

    def __post_init__(self) -> None:
        if self.epsilon <= 0:
            raise ValueError(f"epsilon must be above 0, got {self.epsilon}")

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError for pretraining that needs inputs in [0, 1]."""
        _refuse_unit_interval(self, recipe)

    def fit(self, x_train: Tensor) -> Affine:
        """From the training examples x_train (N, D)."""
        x = x_train.to("cpu", torch.float64)
        mean = x.mean(0)
        centred = x - mean
        variance, u = torch.linalg.eigh(centred.T @ centred / len(x))  # (D,), (D, D)
        # rounding can leave an eigenvalue of zero a little below it
        inverse_sd = (variance.clamp_min(0) + self.epsilon).rsqrt()
        return Affine(mean.to(x_train), ((u * inverse_sd) @ u.T).to(x_train))


def _refuse_unit_interval(inputs: Standardise | Zca, recipe: Recipe) -> None:
    if getattr(recipe.pretraining, "needs_unit_interval", False):
        names = type(inputs).__name__, type(recipe.pretraining).__name__
        raise ValueError("{} inputs leave [0, 1], which {} pretraining needs".format(*names))
