"""Hessian-free: each step minimises a quadratic model of the loss, by conjugate gradients.

Problem  sigma'(z) <= 1/4 a layer makes a deep net's loss flat along its lower weights and steep
         along its upper ones. What is flat in slope is as flat in curvature: gradient divided by
         curvature is as long below as above, and no layer's learning rate is wrong.
Method   model(d) = gradient'd + d'(G + damping)d / 2, with the Gauss-Newton matrix G = J'HJ, J
         the Jacobian of the outputs and H >= 0 the loss's Hessian at the outputs. G is never
         written down: Jv is the derivative by u of J'u, and conjugate gradients need G v only.
         They start from decay x the last solution, and are preconditioned by
         (mean of squared gradients of single cases + damping)^(3/4). Of their iterates 1, 2, 3, 4,
         5, 7, 9, ... (1.3^j) the one with the least loss is taken; it is halved until the loss
         falls by 1/100 of what the slope promises, or dropped. With
         ratio = (loss after - loss before) / model(d), of the whole step:
         damping <- 3/2 damping where ratio < 1/4, 2/3 damping where ratio > 3/4.
Source   Martens (2010), Deep learning via Hessian-free optimization, ICML, 735-742, section 4;
         BibTeX martens2010hf. decay 0.95: Martens and Sutskever (2012), Training deep and recurrent
         networks with Hessian-free optimization, LNCS 7700, 479-535; BibTeX martens2012hf
Since    2010; displaced by momentum with good initialisation (Sutskever et al., 2013). Kronecker
         factors of G (K-FAC, 2015) carry the idea on
Departs  lr multiplies the step that is taken, 1 is the paper's method; one mini-batch serves for
         gradient, curvature and loss, where the paper takes the gradient from all examples: give
         it large batches (of 1,000), as on a small one it fits the batch, which a damping of at
         least 0.001 slows; a fixed number of products instead of a stopping rule, and the best
         iterate instead of the first good one from the end, so that runs need no branches;
         halving instead of 0.8; the squared gradients are estimated from sums over the batch with
         a few patterns of signs, which are as good as random because batches are in random order
Use      Recipe(optimisation=HessianFree(cg_iterations=20))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd import grad

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

_SPACING = 1.3  # ratio of the iterates' numbers that are looked at


def gauss_newton(
    outputs: Tensor, loss: Callable[[Tensor], Tensor], theta: Tensor
) -> Callable[[Tensor], Tensor]:
    """The function v -> G v, (R, P) -> (R, P), at theta (R, P), from which ``outputs`` came.

    loss: outputs (R, ...) -> (R,), convex.
    """
    top = outputs.detach().requires_grad_()
    (error,) = grad(loss(top).sum(), top, create_graph=True)
    u = torch.zeros_like(outputs, requires_grad=True)
    (pulled_back,) = grad(outputs, theta, u, create_graph=True)  # J'u, linear in u

    def product(v: Tensor) -> Tensor:
        (jv,) = grad(pulled_back, u, v, retain_graph=True)
        (hjv,) = grad(error, top, jv, retain_graph=True)
        return grad(outputs, theta, hjv, retain_graph=True)[0]

    return product


def squared_gradients(outputs: Tensor, error: Tensor, theta: Tensor, probes: int) -> Tensor:
    """Estimate (R, P) of the mean over the batch of each case's squared gradient.

    outputs and their error, d mean loss / d outputs, are (R, B, ...). A sum of the cases'
    gradients with random signs has the sum of their squares as its expected square.
    """
    batch_size = outputs.shape[1]
    case = torch.arange(batch_size, device=outputs.device).view(1, -1, *[1] * (outputs.dim() - 2))
    total = torch.zeros_like(theta)
    for probe in range(probes):
        sign = 1 - 2 * ((case >> probe) & 1).to(error.dtype)
        total += grad(outputs, theta, sign * error, retain_graph=True)[0].square()
    return total * (batch_size / probes)  # the error is 1/B of each case's own


def conjugate_gradients(
    product: Callable[[Tensor], Tensor],
    b: Tensor,
    x: Tensor,
    preconditioner: Tensor,
    iterations: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Solve A x = b from x on; after each iteration x (R, P) and x'Ax / 2 - b'x (R, 1).

    product(v) = A v, symmetric and positive; the preconditioner (R, P) is near A's diagonal.
    """
    residual = b - product(x)
    z = residual / preconditioner
    direction, fit = z, dot(residual, z)
    for _ in range(iterations):
        image = product(direction)
        length = _ratio(fit, dot(direction, image))
        x = x + length * direction
        residual = residual - length * image
        z = residual / preconditioner
        fit, previous = dot(residual, z), fit
        direction = z + _ratio(fit, previous) * direction
        yield x, -0.5 * dot(x, residual + b)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 where b is not above 0: there the solution is exact to rounding."""
    return torch.where(b > 0, a / b, 0)


def _three_quarters(a: Tensor) -> Tensor:
    """a^(3/4) by roots, which, unlike powers, round alike in every place of a tensor."""
    root = a.sqrt()
    return root * root.sqrt()


class CrossEntropy(torch.autograd.Function):
    """-log softmax(logits)[y] per run, (R, B, K), (R, B) -> (R,), with a softmax for derivative.

    Differentiated twice, torch's own takes an exponential over the whole stack, whose last bit
    depends on the place in it.
    """

    @staticmethod
    def forward(ctx, logits: Tensor, y: Tensor) -> Tensor:
        """The mean over the batch, in nats."""
        ctx.save_for_backward(logits, y)
        log_probability = torch.log_softmax(logits, dim=2)
        return -log_probability.gather(2, y.unsqueeze(2)).squeeze(2).mean(1)

    @staticmethod
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, None]:
        """(probability - one-hot target) / B."""
        logits, y = ctx.saved_tensors
        probability = torch.softmax(logits, dim=2)
        target = torch.zeros_like(probability).scatter(2, y.unsqueeze(2), 1)
        return upstream.view(-1, 1, 1) * (probability - target) / y.shape[1], None


@dataclass(frozen=True)
class HessianFree:
    """Gauss-Newton steps by ``cg_iterations`` products with the curvature of the batch."""

    cg_iterations: int = 20  # products with the curvature an update
    damping: float = 1.0  # at the start
    least_damping: float = 1e-3
    decay: float = 0.95  # of the last solution, where the next starts
    probes: int = 4  # patterns of signs for the squared gradients
    halvings: int = 6

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError where the loss is not a convex function of the logits alone."""
        needs_the_loss_alone(self, recipe)
        if hasattr(recipe.connection, "loss"):
            name = type(recipe.connection).__name__
            raise ValueError(f"HessianFree needs a loss of the logits alone: {name} has its own")

    def start(self, parameters: Sequence[Tensor]) -> dict:
        """Damping (R, 1) and the last solution (R, P), zero."""
        direction = torch.zeros_like(flatten(parameters))
        return {"direction": direction, "damping": self.damping + direction[:, :1]}

    def update(self, network: Network, x: Tensor, y: Tensor, state: dict, lr: Tensor) -> Tensor:
        """One step of every run, in place, on x (R, B, D), y (R, B); the loss before it, (R,).

        lr (R, 1, 1) multiplies the step.
        """

        def outputs(theta: Tensor) -> Tensor:
            return network_at(network, theta)(x, training=True)

        if any(network.statistics):
            with torch.no_grad():
                network(x, training=True)  # once moves the running statistics, trials do not
        theta = flatten(network.trainable())
        step, loss = self.solve(outputs, lambda logits: CrossEntropy.apply(logits, y), theta, state)
        with torch.no_grad():
            parts = unflatten(lr.squeeze(2) * step, network.trainable())
            torch._foreach_add_(network.trainable(), parts)
        return loss

    def solve(
        self,
        outputs: Callable[[Tensor], Tensor],
        loss: Callable[[Tensor], Tensor],
        theta: Tensor,
        state: dict,
    ) -> tuple[Tensor, Tensor]:
        """The step (R, P) from theta (R, P), and the loss before it (R,), for any function.

        outputs(theta) is (R, B, ...), loss(outputs) (R,) a mean over the batch and convex.
        """
        theta = theta.detach().requires_grad_()
        top = outputs(theta)
        before = loss(top)
        (error,) = grad(before.sum(), top, retain_graph=True)
        (gradient,) = grad(top, theta, error, retain_graph=True)
        curvature, damping = gauss_newton(top, loss, theta), state["damping"]
        squares = squared_gradients(top, error, theta, self.probes)

        @torch.no_grad()
        def loss_after(step: Tensor) -> Tensor:
            return loss(outputs(theta + step)).unsqueeze(1)  # (R, 1)

        before = before.detach().unsqueeze(1)
        step, least = torch.zeros_like(gradient), torch.full_like(before, torch.inf)
        promised = torch.full_like(before, -1)  # the model's value of the step
        iterates = conjugate_gradients(
            lambda v: curvature(v) + damping * v,
            -gradient,
            self.decay * state["direction"],
            _three_quarters(squares + damping),
            self.cg_iterations,
        )
        looked_at = {int(-(-(_SPACING**j) // 1)) for j in range(self.cg_iterations)}
        for number, (solution, model) in enumerate(iterates, 1):
            if number in looked_at or number == self.cg_iterations:
                after = loss_after(solution)
                better = after < least
                step, least = torch.where(better, solution, step), torch.where(better, after, least)
                promised = torch.where(better, model, promised)
        state["direction"] = solution.nan_to_num(0, 0, 0)  # so that a run can come back

        ratio = (least - before) / promised
        raised = torch.where(ratio >= 0.25, damping, 1.5 * damping)  # also where it is NaN
        state["damping"] = torch.where(ratio > 0.75, damping / 1.5, raised).clamp(
            min=self.least_damping
        )

        slope = 0.01 * dot(gradient, step)
        rate = (least <= before + slope).to(step.dtype)
        for halving in range(1, self.halvings + 1):
            shorter = 0.5**halving
            falls = loss_after(shorter * step) <= before + shorter * slope
            rate = torch.where((rate == 0) & falls, shorter, rate)
        return torch.where(rate > 0, rate * step, 0), before.squeeze(1)
