"""Denoising autoencoder: each layer learns to undo the damage done to what it is given.

Problem  An autoencoder as wide as its input can copy it and learn nothing. A layer that must give
         back what it was not shown has to know how the inputs hang together, and still needs no
         gradient from the labels (sigma'(z) <= 1/4 a layer).
Method   h = f(v~ weight + hidden_bias), trained as an autoencoder to reconstruct the undamaged v.
         v~ is v with a share ``level`` of its elements set to 0 (masking), or to the least or the
         greatest value by the toss of a coin (salt and pepper), or v + N(0, level^2) (gaussian).
         New damage is done at every update.
Source   Vincent, Larochelle, Bengio, Manzagol (2008), Extracting and composing robust features
         with denoising autoencoders, ICML, 1096-1103 (masking); BibTeX vincent2008dae. Vincent,
         Larochelle, Lajoie, Bengio, Manzagol (2010), Stacked denoising autoencoders, JMLR 11,
         3371-3408 (the other two); BibTeX vincent2010sdae
Since    2008; displaced like RBMs around 2011; came back in language and image models
Departs  each element is damaged by itself, where the papers damage a fixed number of each
         example's; least and greatest are 0 and 1 for inputs in [0, 1], and else the batch's own;
         undamaged elements count as much as damaged ones; mini-batches of 100 with momentum
Use      Recipe(pretraining=Denoising(corruption="masking", level=0.25))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from techniques.pretraining.autoencoder import Coder, fastest_update, train_coder
from techniques.streams import stream, uniform_noise

if TYPE_CHECKING:
    from techniques.network import Network
    from techniques.recipe import Recipe


def mask(v: Tensor, level: float, u: Tensor) -> Tensor:
    """0 with probability ``level``, else v; v and u, U(0, 1), (R, B, n_visible)."""
    return v * (u >= level)


def salt_and_pepper(v: Tensor, level: float, u: Tensor, *, unit_interval: bool) -> Tensor:
    """Least or greatest value, each with probability level / 2, else v; all (R, B, n_visible)."""
    least, greatest = torch.zeros_like(v), torch.ones_like(v)
    if not unit_interval:
        least, greatest = v.amin((1, 2), keepdim=True), v.amax((1, 2), keepdim=True)
    return torch.where(u < level / 2, least, torch.where(u < level, greatest, v))


def add_gaussian(v: Tensor, level: float, generators: Sequence[torch.Generator]) -> Tensor:
    """v + N(0, level^2), (R, B, n_visible), each run from a generator of its own."""
    noise = torch.empty_like(v)
    for run, generator in zip(noise, generators, strict=True):
        run.normal_(0, level, generator=generator)
    return noise.add_(v)


@dataclass(frozen=True)
class Denoising:
    """Greedy pretraining as an autoencoder whose input is damaged."""

    corruption: str = "masking"  # or "salt-and-pepper", or "gaussian"
    level: float = 0.25  # share of the elements; standard deviation where gaussian
    epochs: int = 10
    lr: float = 0.01
    momentum: float = 0.9
    tied_weights: bool = True
    batch_size: int = 100

    needs_unit_interval = False

    def __post_init__(self) -> None:
        if self.corruption not in ("masking", "salt-and-pepper", "gaussian"):
            raise ValueError(
                f"corruption must be masking, salt-and-pepper or gaussian, got {self.corruption}"
            )
        if self.level <= 0 or (self.level >= 1 and self.corruption != "gaussian"):
            raise ValueError(
                f"level must be a share in (0, 1) or a deviation > 0, got {self.level}"
            )
        if self.epochs < 1:
            raise ValueError(f"epochs must be 1 or more, got {self.epochs}")

    def check(self, recipe: Recipe) -> None:
        """Any activation and connection will do."""

    def corrupter(
        self, seeds: Sequence[int], index: int, device: torch.device, *, unit_interval: bool
    ) -> Callable[[Tensor], Tensor]:
        """The function v (R, B, n_visible) -> v~ for one layer, with its own random streams."""
        purpose = f"autoencoder:noise:{index}"
        if self.corruption == "gaussian":
            generators = [stream(s, purpose, device) for s in seeds]
            return lambda v: add_gaussian(v, self.level, generators)
        uniform = uniform_noise(seeds, purpose, device)
        if self.corruption == "masking":
            return lambda v: mask(v, self.level, uniform(v))
        return lambda v: salt_and_pepper(v, self.level, uniform(v), unit_interval=unit_interval)

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
        activation = network.recipe.activation
        corrupt = self.corrupter(seeds, index, visible.device, unit_interval=unit_interval)
        update = fastest_update(activation)
        kinds = {"activation": activation, "unit_interval": unit_interval}
        rates = {"lr": self.lr, "momentum": self.momentum}

        def learn(v: Tensor, coder: Coder, velocity: Coder) -> None:
            update(v, corrupt(v), coder, velocity, **kinds, **rates)

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
