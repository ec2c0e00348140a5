"""RBM pretraining: each layer starts as a restricted Boltzmann machine of what is below it.

Problem  A deep sigmoid net with random weights learns in its top layers only: sigma'(z) <= 1/4 a
         layer keeps the gradient from the others. Here each layer first learns, without labels
         and without a path through other layers, to model its input.
Method   energy(v, h) = -v.visible_bias - h.hidden_bias - v.weight.h;
         p(h=1|v) = sigmoid(v weight + hidden_bias), p(v=1|h) = sigmoid(h weight' + visible_bias).
         Contrastive divergence: weight += lr (<v h>_data - <v h>_after k Gibbs steps), and
         likewise the biases.
Source   Hinton, Osindero, Teh (2006), A fast learning algorithm for deep belief nets, Neural
         Computation 18, 1527-1554; BibTeX hinton2006dbn. Settings: the code of Hinton and
         Salakhutdinov (2006), Science 313, 504-507; BibTeX hinton2006science: lr 0.1, weight
         decay 0.0002 on the weights, momentum 0.5 and 0.9 after 5 epochs, weights N(0, 0.1^2),
         biases 0, batch 100, CD-1 with sampled hidden states and visible probabilities.
Since    2006; displaced around 2011 by rectifiers, better initialisation, and more labels
Departs  10 epochs by default, the code's shipped number (its comment says that the paper used 50);
         the examples are dealt into new batches every epoch, where the code has fixed batches
Use      Recipe(pretraining=Rbm(epochs=10, cd_k=1))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from techniques.activations.sigmoid import Sigmoid, sigmoid, sigmoid_
from techniques.streams import batches, stream, take, uniform_noise

if TYPE_CHECKING:
    from techniques.network import Network
    from techniques.recipe import Recipe


class Machine(NamedTuple):
    """Parameters of R machines, or their velocities, or a gradient."""

    weight: Tensor  # (R, n_visible, n_hidden)
    visible_bias: Tensor  # (R, 1, n_visible)
    hidden_bias: Tensor  # (R, 1, n_hidden)


def hidden_probability(v: Tensor, machine: Machine) -> Tensor:
    """p(h=1|v) = sigmoid(v weight + hidden_bias); (R, B, n_visible) -> (R, B, n_hidden)."""
    return sigmoid(torch.baddbmm(machine.hidden_bias, v, machine.weight))


def visible_probability(h: Tensor, machine: Machine) -> Tensor:
    """p(v=1|h) = sigmoid(h weight' + visible_bias); (R, B, n_hidden) -> (R, B, n_visible)."""
    return sigmoid(torch.baddbmm(machine.visible_bias, h, machine.weight.mT))


def softplus(z: Tensor) -> Tensor:
    """ln(1 + exp(z)), any shape; unlike torch's, the same bits wherever in a tensor z stands."""
    return z.relu() + (-z.abs()).exp().log1p()


def free_energy(v: Tensor, machine: Machine) -> Tensor:
    """F(v) = -log sum_h exp(-energy(v, h)), in nats; (R, B, n_visible) -> (R, B)."""
    z = torch.baddbmm(machine.hidden_bias, v, machine.weight)
    return -(v * machine.visible_bias).sum(2) - softplus(z).sum(2)


def contrastive_divergence(
    v_pos: Tensor,
    machine: Machine,
    *,
    cd_k: int,
    sample_visible: bool,
    uniform: Callable[[Tensor], Tensor],
) -> Machine:
    """<v h>_data - <v h>_model after k Gibbs steps: an estimate of d log p(v_pos) / d machine.

    v_pos (R, B, n_visible) in [0, 1]; the mean over the batch is returned. ``uniform(like)`` gives
    the random numbers: first for the hidden states, then (if sampled) the visible ones, each step.
    """
    h_pos = hidden_probability(v_pos, machine)
    h_neg = h_pos
    for _ in range(cd_k):
        h_state = (uniform(h_neg) < h_neg).to(h_neg.dtype)
        v_neg = visible_probability(h_state, machine)
        if sample_visible:
            v_neg = (uniform(v_neg) < v_neg).to(v_neg.dtype)
        h_neg = hidden_probability(v_neg, machine)
    batch_size = v_pos.shape[1]
    return Machine(
        (v_pos.mT @ h_pos).sub_(v_neg.mT @ h_neg).div_(batch_size),
        (v_pos - v_neg).mean(1, keepdim=True),
        (h_pos - h_neg).mean(1, keepdim=True),
    )


def update(
    machine: Machine,
    velocity: Machine,
    gradient: Machine,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """velocity <- momentum velocity + lr (gradient - decay weight); machine += velocity, in place.

    The biases do not decay.
    """
    torch._foreach_mul_(velocity, momentum)
    torch._foreach_add_(velocity, gradient, alpha=lr)
    velocity.weight.sub_(machine.weight, alpha=lr * weight_decay)
    torch._foreach_add_(machine, velocity)


def fused_update(
    v_pos: Tensor,
    machine: Machine,
    velocity: Machine,
    *,
    cd_k: int,
    sample_visible: bool,
    uniform: Callable[[Tensor], Tensor],
    lr: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """``contrastive_divergence`` and ``update`` in one, equal up to rounding; overwrites v_pos.

    A fifth faster: what is sampled or squashed stays in place, and both statistics are added to
    the velocity by the products that compute them.
    """
    h_pos = h_neg = sigmoid_(torch.baddbmm(machine.hidden_bias, v_pos, machine.weight))
    for _ in range(cd_k):
        h_state = uniform(h_neg)
        torch.lt(h_state, h_neg, out=h_state)
        v_neg = sigmoid_(torch.baddbmm(machine.visible_bias, h_state, machine.weight.mT))
        if sample_visible:
            v_neg = torch.lt(uniform(v_neg), v_neg, out=v_neg)
        h_neg = sigmoid_(torch.baddbmm(machine.hidden_bias, v_neg, machine.weight))
    share = lr / v_pos.shape[1]
    velocity.weight.baddbmm_(v_pos.mT, h_pos, beta=momentum, alpha=share)
    velocity.weight.baddbmm_(v_neg.mT, h_neg, alpha=-share)
    velocity.weight.sub_(machine.weight, alpha=lr * weight_decay)
    for bias, pos, neg in (
        (velocity.visible_bias, v_pos, v_neg),
        (velocity.hidden_bias, h_pos, h_neg),
    ):
        bias.mul_(momentum).add_(pos.sub_(neg).sum(1, keepdim=True), alpha=share)
    torch._foreach_add_(machine, velocity)


@dataclass(frozen=True)
class Rbm:
    """Greedy pretraining with CD-k; inputs in [0, 1] are taken as probabilities."""

    epochs: int = 10
    cd_k: int = 1
    lr: float = 0.1
    weight_decay: float = 0.0002
    momentum_start: float = 0.5
    momentum_final: float = 0.9
    momentum_switch: int = 5  # epochs with the first value
    weight_sd: float = 0.1
    batch_size: int = 100
    sample_visible: bool = False  # True: binary visible states in the chain; False: probabilities

    needs_unit_interval = True

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.cd_k < 1:
            raise ValueError(f"epochs and cd_k must be 1 or more, got {self.epochs}, {self.cd_k}")

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError where a layer's output could not be the next machine's visible units."""
        if not isinstance(recipe.activation, Sigmoid):
            name = type(recipe.activation).__name__
            raise ValueError(f"RBM pretraining needs Sigmoid hidden units, got {name}")
        if recipe.connection is not None:
            name = type(recipe.connection).__name__
            raise ValueError(f"RBM pretraining needs outputs in [0, 1]: {name} sums leave it")

    def train_layer(
        self,
        network: Network,
        index: int,
        visible: Tensor,
        seeds: Sequence[int],
        *,
        unit_interval: bool,
    ) -> None:
        """Set weight and bias of one hidden layer from visible (N, D), or (R, N, n_visible)."""
        target = network.parameters[index]
        device, n_examples = visible.device, visible.shape[-2]
        shape = target["weight"].shape[1:]
        draws = [
            torch.empty(shape).normal_(0, self.weight_sd, generator=stream(s, f"rbm:init:{index}"))
            for s in seeds
        ]
        machine = Machine(
            torch.stack(draws).to(device),
            torch.zeros(len(seeds), 1, shape[0], device=device),
            torch.zeros(len(seeds), 1, shape[1], device=device),
        )
        velocity = Machine(*(torch.zeros_like(p) for p in machine))
        uniform = uniform_noise(seeds, f"rbm:noise:{index}", device)
        order = batches(seeds, f"rbm:order:{index}", n_examples, self.batch_size, device)
        for epoch in range(self.epochs):
            momentum = self.momentum_start if epoch < self.momentum_switch else self.momentum_final
            for _ in range(n_examples // self.batch_size):
                fused_update(
                    take(visible, next(order)),
                    machine,
                    velocity,
                    cd_k=self.cd_k,
                    sample_visible=self.sample_visible,
                    uniform=uniform,
                    lr=self.lr,
                    momentum=momentum,
                    weight_decay=self.weight_decay,
                )
        target["weight"].copy_(machine.weight)
        target["bias"].copy_(machine.hidden_bias)
