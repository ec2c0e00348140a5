"""Real-valued RBM: Gaussian units for real inputs, rectified units that keep how much they saw.

Problem  The RBM of binary units takes inputs for probabilities: standardised features have no
         place in it, and a hidden unit that says yes or no passes on no intensity. So the net above
         it must be of sigmoid units, with their sigma'(z) <= 1/4 a layer.
Method   Gaussian visible: energy(v, h) = |v - visible_bias|^2 / 2 - h.hidden_bias - v.weight.h;
         p(v|h) = N(visible_bias + h weight', 1), inputs standardised. Rectified hidden: a unit is
         infinitely many binary ones with biases lower by 1/2, 3/2, 5/2 ...; their sum, ln(1 +
         exp(z)) on average, is drawn as h = max(0, z + n), n ~ N(0, sigmoid(z)). Contrastive
         divergence: weight += lr (<v h>_data - <v h>_after k Gibbs steps), likewise the biases.
Source   Gaussian: Hinton and Salakhutdinov (2006), Reducing the dimensionality of data with neural
         networks, Science 313, 504-507; BibTeX hinton2006science. Unit variance, no noise in the
         reconstruction, lr: Hinton (2010), A practical guide to training restricted Boltzmann
         machines, section 13.2; BibTeX hinton2010guide. Rectified: Nair and Hinton (2010),
         Rectified linear units improve restricted Boltzmann machines, ICML, 807-814; BibTeX
         nair2010
Since    2006 and 2010; the rectifier outlived its Boltzmann machine
Departs  weights start as the recipe's initialisation drew them; epochs, momentum, weight decay and
         lr of a machine of binary units are the RBM's beside it; rectified units give samples, in
         both statistics; above rectified layers the visible units are Gaussian, not standardised
Use      Recipe(pretraining=RealRbm(hidden="rectified"), activation=Relu(), inputs=Standardise())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from techniques.activations.sigmoid import sigmoid
from techniques.pretraining.rbm import Machine, softplus, update
from techniques.streams import batches, stream, take, uniform_noise

if TYPE_CHECKING:
    from techniques.network import Network
    from techniques.recipe import Recipe

_ACTIVATIONS = {"binary": "Sigmoid", "rectified": "Relu"}  # what the network's units must be


def free_energy(v: Tensor, machine: Machine) -> Tensor:
    """-log sum_h exp(-energy(v, h)) of Gaussian visible, binary hidden units; (R, B, n) -> (R, B).

    In nats.
    """
    z = torch.baddbmm(machine.hidden_bias, v, machine.weight)
    return 0.5 * (v - machine.visible_bias).square().sum(2) - softplus(z).sum(2)


def reconstruction(h: Tensor, machine: Machine, *, gaussian: bool) -> Tensor:
    """Mean of p(v|h), (R, B, n_hidden) -> (R, B, n_visible), of Gaussian or of binary units."""
    z = torch.baddbmm(machine.visible_bias, h, machine.weight.mT)
    return z if gaussian else sigmoid(z)


def rectified_sample(z: Tensor, normal: Callable[[Tensor], Tensor]) -> Tensor:
    """max(0, z + n), n ~ N(0, sigmoid(z)); any shape."""
    return torch.relu(z + sigmoid(z).sqrt() * normal(z))


def normal_noise(
    seeds: Sequence[int], purpose: str, device: torch.device | str = "cpu"
) -> Callable[[Tensor], Tensor]:
    """A function like (R, B, n) -> N(0, 1) of that shape, each run from a stream of its own."""
    generators = [stream(seed, purpose, device) for seed in seeds]

    def draw(like: Tensor) -> Tensor:
        noise = torch.empty_like(like)
        for run, generator in zip(noise, generators, strict=True):
            run.normal_(generator=generator)
        return noise

    return draw


def contrastive_divergence(
    v_pos: Tensor,
    machine: Machine,
    *,
    hidden: str,
    gaussian: bool,
    cd_k: int,
    noise: Callable[[Tensor], Tensor],
) -> Machine:
    """<v h>_data - <v h>_model after k Gibbs steps; v_pos (R, B, n_visible).

    noise is uniform for binary hidden units, which stand in the statistics with their
    probabilities, and normal for rectified ones.
    """

    def respond(v: Tensor) -> Tensor:
        z = torch.baddbmm(machine.hidden_bias, v, machine.weight)
        return sigmoid(z) if hidden == "binary" else rectified_sample(z, noise)

    h_pos = h_neg = respond(v_pos)
    for _ in range(cd_k):
        h_state = (noise(h_neg) < h_neg).to(h_neg.dtype) if hidden == "binary" else h_neg
        v_neg = reconstruction(h_state, machine, gaussian=gaussian)
        h_neg = respond(v_neg)
    return Machine(
        (v_pos.mT @ h_pos).sub_(v_neg.mT @ h_neg).div_(v_pos.shape[1]),
        (v_pos - v_neg).mean(1, keepdim=True),
        (h_pos - h_neg).mean(1, keepdim=True),
    )


@dataclass(frozen=True)
class RealRbm:
    """Greedy pretraining with CD-k; the visible units are Gaussian, or binary in [0, 1]."""

    hidden: str = "binary"  # or "rectified"
    epochs: int = 10
    cd_k: int = 1
    lr: float = 0.1  # where visible and hidden units are binary
    real_lr: float = 0.001  # elsewhere: nothing bounds what a real unit says
    weight_decay: float = 0.0002
    momentum_start: float = 0.5
    momentum_final: float = 0.9
    momentum_switch: int = 5  # epochs with the first value
    batch_size: int = 100

    needs_unit_interval = False

    def __post_init__(self) -> None:
        if self.hidden not in _ACTIVATIONS:
            raise ValueError(f"hidden must be binary or rectified, got {self.hidden}")
        if self.epochs < 1 or self.cd_k < 1:
            raise ValueError(f"epochs and cd_k must be 1 or more, got {self.epochs}, {self.cd_k}")

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError where the machine's hidden units are not those of the network."""
        needed, name = _ACTIVATIONS[self.hidden], type(recipe.activation).__name__
        if name != needed:
            raise ValueError(f"RealRbm with {self.hidden} hidden units needs {needed}, got {name}")
        if recipe.connection is not None:
            name = type(recipe.connection).__name__
            raise ValueError(f"RealRbm pretraining models a plain stack of layers, got {name}")

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
        target, device = network.parameters[index], visible.device
        machine = Machine(
            target["weight"].detach(),  # shares memory: training it trains the network
            torch.zeros(len(seeds), 1, visible.shape[-1], device=device),
            target["bias"].detach(),
        )
        velocity = Machine(*(torch.zeros_like(p) for p in machine))
        binary = self.hidden == "binary"
        draw = uniform_noise if binary else normal_noise
        noise = draw(seeds, f"real_rbm:noise:{index}", device)
        n_examples = visible.shape[-2]
        order = batches(seeds, f"real_rbm:order:{index}", n_examples, self.batch_size, device)
        for epoch in range(self.epochs):
            momentum = self.momentum_start if epoch < self.momentum_switch else self.momentum_final
            for _ in range(n_examples // self.batch_size):
                gradient = contrastive_divergence(
                    take(visible, next(order)),
                    machine,
                    hidden=self.hidden,
                    gaussian=not unit_interval,
                    cd_k=self.cd_k,
                    noise=noise,
                )
                update(
                    machine,
                    velocity,
                    gradient,
                    lr=self.lr if binary and unit_interval else self.real_lr,
                    momentum=momentum,
                    weight_decay=self.weight_decay,
                )
