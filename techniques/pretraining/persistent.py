"""Persistent contrastive divergence: the chains of an RBM go on where the last update left them.

Problem  A layer learns only what its own objective tells it (sigma'(z) <= 1/4 a layer keeps the
         labels away), and CD-k follows the gradient of no objective: its chains start at the data
         and stop k steps on, so it never sees, and never unlearns, what the machine believes far
         from the data.
Method   weight += lr (<v h>_data - <v h>_chains), likewise the biases. The chains take cd_k Gibbs
         steps an update and are kept: the weights move little in between, so they stay close to
         the model's distribution, and the estimate close to d log p(v) / d weight.
         lr falls linearly to 0, so that the weights come to rest.
Source   Tieleman (2008), Training restricted Boltzmann machines using approximations to the
         likelihood gradient, ICML, 1064-1071; BibTeX tieleman2008pcd. The statistics of such
         chains: Younes (1999), On the convergence of Markovian stochastic algorithms with rapidly
         decreasing ergodicity rates, Stochastics and Stochastic Reports 65, 177-228; BibTeX
         younes1999
Since    2008; the standard for models that are to be sampled from; displaced with RBMs themselves
Departs  the chains start from fair coins; probabilities in place of states in the hidden half of
         both statistics; lr and weight decay are ours (the paper chose them per experiment), the
         initialisation is that of the RBM beside it; no momentum
Use      Recipe(pretraining=PersistentRbm(epochs=10, n_chains=100))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from techniques.pretraining.rbm import Machine, Rbm, hidden_probability, visible_probability
from techniques.streams import batches, stream, take, uniform_noise

if TYPE_CHECKING:
    from techniques.network import Network


def gibbs(
    v: Tensor, machine: Machine, *, steps: int, uniform: Callable[[Tensor], Tensor]
) -> Tensor:
    """Binary states v (R, C, n_visible) after so many steps v -> h -> v of each chain."""
    for _ in range(steps):
        h = hidden_probability(v, machine)
        h = (uniform(h) < h).to(h.dtype)
        v = visible_probability(h, machine)
        v = (uniform(v) < v).to(v.dtype)
    return v


def likelihood_gradient(v_pos: Tensor, v_neg: Tensor, machine: Machine) -> Machine:
    """<v h>_data - <v h>_chains; v_pos (R, B, n_visible), v_neg (R, C, n_visible)."""
    h_pos, h_neg = hidden_probability(v_pos, machine), hidden_probability(v_neg, machine)
    return Machine(
        (v_pos.mT @ h_pos).div_(v_pos.shape[1]).sub_((v_neg.mT @ h_neg).div_(v_neg.shape[1])),
        v_pos.mean(1, keepdim=True) - v_neg.mean(1, keepdim=True),
        h_pos.mean(1, keepdim=True) - h_neg.mean(1, keepdim=True),
    )


@dataclass(frozen=True)
class PersistentRbm:
    """Greedy pretraining with PCD; inputs in [0, 1] are taken as probabilities."""

    epochs: int = 10
    cd_k: int = 1  # Gibbs steps an update
    n_chains: int = 100
    lr: float = 0.1  # of the first update; then down to 0 in a line
    weight_decay: float = 0.0002
    weight_sd: float = 0.1
    batch_size: int = 100

    needs_unit_interval = True
    check = Rbm.check  # the same machine: the same layers can hold it

    def __post_init__(self) -> None:
        for name in ("epochs", "cd_k", "n_chains"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")

    def fit(self, visible: Tensor, n_hidden: int, seeds: Sequence[int], index: int = 0) -> Machine:
        """A machine per seed of visible (N, D), or (R, N, n_visible); index names the streams."""
        device, (n_examples, n_visible) = visible.device, visible.shape[-2:]
        draws = [
            torch.empty(n_visible, n_hidden).normal_(
                0, self.weight_sd, generator=stream(s, f"persistent:init:{index}")
            )
            for s in seeds
        ]
        machine = Machine(
            torch.stack(draws).to(device),
            torch.zeros(len(seeds), 1, n_visible, device=device),
            torch.zeros(len(seeds), 1, n_hidden, device=device),
        )
        uniform = uniform_noise(seeds, f"persistent:noise:{index}", device)
        chains = torch.empty(len(seeds), self.n_chains, n_visible, device=device)
        chains = (uniform(chains) < 0.5).to(chains.dtype)
        order = batches(seeds, f"persistent:order:{index}", n_examples, self.batch_size, device)
        updates = self.epochs * (n_examples // self.batch_size)
        for done in range(updates):
            chains = gibbs(chains, machine, steps=self.cd_k, uniform=uniform)
            gradient = likelihood_gradient(take(visible, next(order)), chains, machine)
            gradient.weight.sub_(machine.weight, alpha=self.weight_decay)
            torch._foreach_add_(machine, gradient, alpha=self.lr * (1 - done / updates))
        return machine

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
        machine = self.fit(visible, target["weight"].shape[2], seeds, index)
        target["weight"].copy_(machine.weight)
        target["bias"].copy_(machine.hidden_bias)
