"""Deep autoencoders of images, as several papers' experiments have them: images, start, training.

Shapes: R runs (seeds), N images, D pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks import datasets
from benchmarks.experiment import Settings
from techniques.network import build
from techniques.pretraining.deep_autoencoder import (
    DeepAutoencoder,
    fine_tune_step,
    squared_error,
    unroll,
)
from techniques.pretraining.greedy import greedy
from techniques.recipe import Recipe
from techniques.streams import batches, take

SIDE = 28
ROWS = 1000  # images reconstructed at once: bounds memory
LEARNT_BELOW = 0.5  # of the mean image's squared error: an autoencoder above has learnt no code


def images(settings: Settings, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images to train on and to test on, (N, D) each, with ``side`` pixels a side.

    settings: data, n_train, n_valid, side.
    """
    split = datasets.load(settings["data"], settings["n_train"], settings["n_valid"])
    return tuple(shrunk(x, settings["side"]).to(device) for x in (split.x_train, split.x_test))


def shrunk(x: Tensor, side: int) -> Tensor:
    """Images (N, 28 x 28) as (N, side x side) means over squares of pixels."""
    times = SIDE // side
    return x.view(len(x), side, times, side, times).mean((2, 4)).flatten(1)


def encoder(settings: Settings, n_code: int) -> tuple[int, ...]:
    """Layers of the encoder: those of settings ``layers``, such as "400-200-100", then the code."""
    return (*map(int, str(settings["layers"]).split("-")), n_code)


def random_start(
    recipe: Recipe,
    n_inputs: int,
    widths: Sequence[int],
    seeds: Sequence[int],
    device: torch.device,
) -> DeepAutoencoder:
    """Autoencoders of which the recipe draws every layer, the decoder's and the output's too."""
    around = [*widths, *reversed(widths[:-1]), n_inputs]
    network = build(
        recipe, n_inputs=n_inputs, n_classes=2, widths=around, seeds=seeds, device=device
    )
    return DeepAutoencoder(network.parameters[:-1], recipe.activation, linear_code=True)


def pretrained_start(
    recipe: Recipe, x: Tensor, widths: Sequence[int], seeds: Sequence[int]
) -> DeepAutoencoder:
    """Autoencoders unrolled from layers that were pretrained on x (N, D) one by one."""
    network = build(
        recipe, n_inputs=x.shape[1], n_classes=2, widths=widths, seeds=seeds, device=x.device
    )
    greedy(network, x, seeds)
    return unroll(network, linear_code=True)


def fine_tune(
    autoencoder: DeepAutoencoder,
    x: Tensor,
    seeds: Sequence[int],
    *,
    optimisation: object,
    lr: float,
    updates: int,
    batch_size: int,
    finish: object | None = None,
    finish_updates: int = 0,
) -> Tensor:
    """Train on batches of x (N, D), in place.

    The last ``finish_updates`` are made by ``finish``, which goes on with the other optimiser's
    state. Returns the squared error an image on x before these, (R,).
    """
    state = optimisation.start(autoencoder.trainable())
    rate = torch.full((len(seeds), 1, 1), lr, device=x.device)
    order = batches(seeds, "order", len(x), batch_size, x.device)
    before = None
    for update in range(updates):
        if update == updates - finish_updates:
            before, optimisation = error(autoencoder, x), finish
        batch = take(x, next(order))
        fine_tune_step(autoencoder, batch, state, rate, optimisation=optimisation)
    return error(autoencoder, x) if before is None else before


@torch.no_grad()
def error(autoencoder: DeepAutoencoder, x: Tensor) -> Tensor:
    """Squared error an image (R,), summed over pixels, mean over x (N, D)."""
    parts = [squared_error(rows, autoencoder(rows)) * len(rows) for rows in x.split(ROWS)]
    return torch.stack(parts).sum(0) / len(x)


def error_of_mean(x: Tensor, x_train: Tensor) -> float:
    """The same of giving the mean training image for every image."""
    return float((x - x_train.mean(0)).square().sum(1).mean())
