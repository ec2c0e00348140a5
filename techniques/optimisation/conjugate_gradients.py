"""Conjugate gradients: a few exact line searches a batch, along directions that do not interfere.

Problem  Along a gradient of which the lower layers have hardly any (sigma'(z) <= 1/4 a layer) no
         one rate suits: the best step is searched for anew, and what one search has gained along
         its line the next does not lose again. It was what deep autoencoders were fine-tuned with
         once pretraining had set them up; by itself it does not bring a vanished gradient back.
Method   direction <- -g + beta direction, beta = max(0, g'(g - g_before) / g_before'g_before)
         (Polak-Ribiere), or -g where that does not descend. Along the direction a step is
         searched for that satisfies, with the slope s(step) = gradient'direction,
             loss(step) <= loss(0) + 0.05 step s(0)      and      |s(step)| <= 0.1 |s(0)|,
         by cubic extrapolation until a minimum is bracketed, then cubic interpolation; the best
         point seen is taken. The first direction of every batch is -g.
Source   Hinton, Salakhutdinov (2006), Reducing the dimensionality of data with neural networks,
         Science 313, 504-507, supporting material: 3 line searches a batch of 1,000 cases; BibTeX
         hinton2006science. Polak, Ribiere (1969), Note sur la convergence de methodes de
         directions conjuguees, Revue francaise d'informatique et de recherche operationnelle 3,
         35-43; BibTeX polak1969
Since    1969, in deep networks 2006; displaced by stochastic gradients with momentum around 2010
Departs  the authors' code is not followed, only its method: beta is never negative, and a line
         search has 8 gradients, never fewer, so that runs need no branches; the batches are the
         suite's: 1,000 cases is what the paper used, and on a small one it fits the batch. lr is
         the first step tried on a batch, in units of the gradient, and matters little
Use      Recipe(optimisation=ConjugateGradients(line_searches=3))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from techniques.optimisation.vector import (
    dot,
    flatten,
    needs_the_loss_alone,
    network_at,
    unflatten,
)

if TYPE_CHECKING:
    from techniques.network import Network
    from techniques.recipe import Recipe

Value = Callable[[Tensor], tuple[Tensor, Tensor]]  # theta (R, P) -> loss (R, 1), gradient (R, P)


class Point(NamedTuple):
    """A point on each run's line."""

    step: Tensor  # (R, 1), its distance in directions
    loss: Tensor  # (R, 1)
    slope: Tensor  # (R, 1), d loss / d step
    gradient: Tensor  # (R, P)


def search_line(
    value: Value, theta: Tensor, direction: Tensor, start: Point, step: Tensor, evaluations: int
) -> Point:
    """The best point seen on theta + step direction where enough is won, or else ``start``.

    theta and direction are (R, P), the first step tried (R, 1).
    """
    # low: the best point so far; high: the other end of a bracket, infinite while there is none
    low, high = start, start._replace(step=torch.full_like(step, torch.inf))
    done = torch.zeros_like(step, dtype=torch.bool)
    for _ in range(evaluations):
        loss, gradient = value(theta + step * direction)
        trial = Point(step, loss, dot(gradient, direction), gradient)
        enough = loss <= start.loss + 0.05 * step * start.slope
        good = enough & (loss <= low.loss) & trial.slope.isfinite()
        # beyond a good point's minimum, seen from where the search is going, lies the old low
        turned = good & ((trial.slope > 0) == (high.step > low.step))
        beyond = _cubic_minimum(low, trial)
        high = _choose(~done & turned, low, _choose(~done & ~good, trial, high))
        low = _choose(~done & good, trial, low)
        done = done | (good & (trial.slope.abs() <= -0.1 * start.slope))

        inside = _cubic_minimum(low, high)
        width = high.step - low.step
        inside = torch.where(inside.isfinite(), (inside - low.step) / width, 0.5).clamp(0.1, 0.9)
        beyond = torch.where(beyond > 1.1 * step, torch.minimum(beyond, 3 * step), 3 * step)
        step = torch.where(high.step.isinf(), beyond, low.step + inside * width)
    return low


def _choose(mask: Tensor, a: Point, b: Point) -> Point:
    return Point(*(torch.where(mask, x, y) for x, y in zip(a, b, strict=True)))


def _cubic_minimum(a: Point, b: Point) -> Tensor:
    """Step of the minimum of the cubic with the losses and slopes of two points; NaN if none."""
    distance = b.step - a.step
    bend = a.slope + b.slope - 3 * (b.loss - a.loss) / distance
    root = distance.sign() * (bend.square() - a.slope * b.slope).sqrt()
    return b.step - distance * (b.slope + root - bend) / (b.slope - a.slope + 2 * root)


@dataclass(frozen=True)
class ConjugateGradients:
    """Polak-Ribiere conjugate gradients, ``line_searches`` of them a batch."""

    line_searches: int = 3
    evaluations: int = 8  # gradients a line search

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError where a line search would not see one and the same loss."""
        needs_the_loss_alone(self, recipe)

    def start(self, parameters: Sequence[Tensor]) -> tuple:
        """Nothing is kept from batch to batch."""
        return ()

    def update(self, network: Network, x: Tensor, y: Tensor, state: tuple, lr: Tensor) -> Tensor:
        """Minimise every run's loss on x (R, B, D), y (R, B), in place; the loss before it, (R,).

        lr (R, 1, 1) is the first step tried.
        """

        def value(theta: Tensor) -> tuple[Tensor, Tensor]:
            theta = theta.detach().requires_grad_()
            loss = network_at(network, theta).loss(x, y)
            return loss.detach().unsqueeze(1), torch.autograd.grad(loss.sum(), theta)[0]

        if any(network.statistics):
            with torch.no_grad():
                network(x, training=True)  # once moves the running statistics, trials do not
        theta, loss = self.minimise(value, flatten(network.trainable()), lr.squeeze(2))
        with torch.no_grad():
            for parameter, new in zip(
                network.trainable(), unflatten(theta, network.trainable()), strict=True
            ):
                parameter.copy_(new)
        return loss

    def minimise(self, value: Value, theta: Tensor, lr: Tensor) -> tuple[Tensor, Tensor]:
        """theta (R, P) after the line searches, and the loss before them (R,), for any function.

        value(theta) is the loss (R, 1) and its gradient (R, P), lr (R, 1) the first step tried.
        """
        before, gradient = value(theta)
        direction, loss, step = -gradient, before, lr
        for _ in range(self.line_searches):
            start = Point(torch.zeros_like(lr), loss, dot(gradient, direction), gradient)
            end = search_line(value, theta, direction, start, step, self.evaluations)
            theta = (theta + end.step * direction).detach()
            change = dot(end.gradient, end.gradient - gradient)
            beta = (change / dot(gradient, gradient)).nan_to_num(0, 0, 0).clamp(min=0)
            conjugate = beta * direction - end.gradient
            slope = dot(end.gradient, conjugate)
            descends = slope < 0
            direction = torch.where(descends, conjugate, -end.gradient)
            slope = torch.where(descends, slope, -dot(end.gradient, end.gradient))
            # as much is expected of the next step as this one has won, up to tenfold its length
            longer = (start.slope / slope).nan_to_num(1).clamp(max=10)
            step = torch.where(end.step > 0, end.step * longer, 0.1 * step)
            loss, gradient = end.loss, end.gradient
        return theta, before.squeeze(1)
