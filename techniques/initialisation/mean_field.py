"""Critical initialisation: weights and biases at the edge of chaos.

Problem  In a wide random network the mean square q of a layer's pre-activations tends to a fixed
         point, and there a gradient's mean square changes by a factor chi_1 a layer: below 1 it
         vanishes and all inputs become alike, above 1 it explodes and like inputs become unlike.
         For the logistic unit weight_sd = 1 gives chi_1 <= 1/16.
Method   length map: q <- weight_sd^2 E[f(u)^2] + bias_sd^2, u ~ N(0, q);
         chi_1 = weight_sd^2 E[f'(u)^2]. For a chosen fixed point q:
         weight_sd^2 = 1 / E[f'(u)^2], bias_sd^2 = q - weight_sd^2 E[f(u)^2];
         weight ~ N(0, weight_sd^2 / fan_in), bias ~ N(0, bias_sd^2).
         Dynamical isometry: weight_sd times an orthogonal matrix, q small. Then not only the mean
         square of the Jacobian's singular values is 1 but each is near 1: their variance grows as
         depth q^2, and as depth with normal weights.
         f is centred: f(z) - f(0) in place of f(z), by the bias -f(0) sum_i weight[i, j].
Source   Schoenholz, Gilmer, Ganguli, Sohl-Dickstein (2017), Deep information propagation, ICLR;
         BibTeX schoenholz2017. Isometry: Pennington, Schoenholz, Ganguli (2017), Resurrecting the
         sigmoid in deep learning through dynamical isometry, NIPS 30; BibTeX
         pennington2017resurrect. For tanh, q = 0.57 is weight_sd^2 = 1.76, bias_sd^2 = 0.05, a
         critical point of the former; q = 0.0259 is 1.05 and 2.01e-5, one of the latter
Since    2017; the theory lives on in the scaling of wide networks
Departs  the centring, which is ours and nothing where f(0) = 0: f(0) = 1/2 of the logistic unit
         would add weight_sd^2 / 4 to q and leave it critical at a large q only. sigma(z) - 1/2
         = tanh(z/2) / 2, so a layer W, b on top of logistic units computes, with
         b = c - sum_i W[i, j] / 2, what the layer W/4, c/2 computes on top of tanh units: the net
         is a tanh net in other coordinates, q four times and weight_sd four times as large (gain 4
         at small q; the first layer, on inputs, is W/2, c/2). The first layer, which sees inputs,
         is not centred, and starts at weight_sd^2 mean(x^2) rather than at q. The output
         layer is the same under every recipe. Orthogonal layers that widen scale q by
         fan_in/fan_out
Use      Recipe(activation=Tanh(), initialisation=Critical(Tanh(), q=0.57))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from techniques.initialisation.orthogonal import Orthogonal

if TYPE_CHECKING:
    from techniques.recipe import Recipe

# Gauss-Hermite quadrature: E[g(z)] = sum(_SHARE g(_NODE)) for z ~ N(0, 1)
_NODE, _SHARE = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(128))
_SHARE = _SHARE / _SHARE.sum()


def moments(activation: Callable, q: float) -> tuple[float, float]:
    """E[(f(u) - f(0))^2] and E[f'(u)^2] for u ~ N(0, q)."""
    with torch.enable_grad():
        u = (q**0.5 * _NODE).view(1, 1, -1).requires_grad_()
        f = activation(u)
        (slope,) = torch.autograd.grad(f.sum(), u)
    centred = f.detach() - value_at_zero(activation)
    return float(_SHARE @ centred.flatten() ** 2), float(_SHARE @ slope.flatten() ** 2)


def value_at_zero(activation: Callable) -> float:
    """f(0): 0 for tanh, 1/2 for the logistic sigmoid."""
    return float(activation(torch.zeros(1, 1, 1, dtype=torch.float64)))


def length_map(q: float, activation: Callable, weight_sd: float, bias_sd: float) -> float:
    """The next layer's mean squared pre-activation, from this layer's q."""
    return weight_sd**2 * moments(activation, q)[0] + bias_sd**2


def fixed_point(activation: Callable, weight_sd: float, bias_sd: float) -> float:
    """The q that the length map leads to from q = 1; ValueError if it leads to none."""
    q = 1.0
    for _ in range(10_000):
        q, before = length_map(q, activation, weight_sd, bias_sd), q
        if abs(q - before) <= 1e-13 * before:
            return q
    raise ValueError(f"no fixed point for weight_sd {weight_sd}, bias_sd {bias_sd}")


def chi_1(q: float, activation: Callable, weight_sd: float) -> float:
    """weight_sd^2 E[f'(u)^2]: by what a gradient's mean square is multiplied a layer."""
    return weight_sd**2 * moments(activation, q)[1]


def critical_sds(activation: Callable, q: float) -> tuple[float, float]:
    """weight_sd and bias_sd at which q is a fixed point and chi_1 = 1 there.

    Raises ValueError where no biases would do.
    """
    square, squared_slope = moments(activation, q)
    bias_variance = q - square / squared_slope
    if bias_variance < -1e-9 * q:  # beyond rounding
        name = type(activation).__name__
        raise ValueError(f"{name} has no critical point at q = {q}: bias_sd^2 {bias_variance:g}")
    return squared_slope**-0.5, max(bias_variance, 0.0) ** 0.5


@dataclass(frozen=True)
class Critical:
    """Weights and biases of a network of this activation, critical at the fixed point q."""

    activation: Callable
    q: float
    orthogonal: bool = False

    def __post_init__(self) -> None:
        if self.q <= 0:
            raise ValueError(f"q must be above 0, got {self.q}")
        critical_sds(self.activation, self.q)  # raises where there is no such point

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError where the network's units are others than these were solved for."""
        if recipe.activation != self.activation:
            mine, name = type(self.activation).__name__, type(recipe.activation).__name__
            raise ValueError(f"Critical weights for {mine} are not critical for {name}")

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw a weight matrix (fan_in, fan_out)."""
        weight_sd, _ = critical_sds(self.activation, self.q)
        if self.orthogonal:
            return Orthogonal(gain=weight_sd)(fan_in, fan_out, generator)
        sd = weight_sd * fan_in**-0.5
        return torch.empty(fan_in, fan_out).normal_(0, sd, generator=generator)

    def bias(self, weight: Tensor, index: int, generator: torch.Generator) -> Tensor:
        """Draw biases (fan_out,) that also centre what comes up from the layer below."""
        _, bias_sd = critical_sds(self.activation, self.q)
        bias = torch.empty(weight.shape[1]).normal_(0, bias_sd, generator=generator)
        return bias if index == 0 else bias - value_at_zero(self.activation) * weight.sum(0)
