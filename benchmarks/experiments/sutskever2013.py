"""Momentum and the scale of the first weights decide how far a deep autoencoder gets.

Paper     Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum
          in deep learning, tables 1 to 3
Protocol  the CURVES autoencoder, 784-400-200-100-50-25-6 mirrored; 15 incoming weights N(0, 1) a
          unit, biases 0; 750,000 updates by batches of 200, momentum by the paper's schedule up to
          its greatest value, 0.9 for the last 1,000; squared error on the training set
Departs   our own CURVES. The paper gives every row the best of six learning rates; here each has
          one: at reduced scale of a grid with a factor of about 3, chosen once by the training
          error of seeds 100 and 101, at paper scale one of the paper's, untried. Reduced scale: 14
          x 14 pixels, 2,000 images, as many layers but smaller, batches of 100, 4,000 updates, and
          a momentum that rises ten times as fast, every 25 updates
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from benchmarks.autoencoders import (
    LEARNT_BELOW,
    encoder,
    error,
    error_of_mean,
    fine_tune,
    images,
    random_start,
)
from benchmarks.experiment import Experiment, Quantity, Settings
from techniques.initialisation.sparse import Sparse
from techniques.optimisation.nesterov import Nesterov
from techniques.recipe import Recipe


def measure(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Training error of a code of ``depth`` numbers, at the end and before the finish."""
    x, _ = images(settings, device)
    recipe = Recipe(initialisation=Sparse(sd=settings["scale"]))
    autoencoder = random_start(recipe, x.shape[1], encoder(settings, depth), seeds, device)
    largest = settings["momentum"]
    kind = {"raise_every": settings["raise_every"], "nesterov": settings["method"] == "nag"}
    before = fine_tune(
        autoencoder,
        x,
        seeds,
        optimisation=Nesterov(momentum_max=largest, **kind),
        lr=settings["lr"],
        updates=settings["updates"],
        batch_size=settings["batch_size"],
        finish=Nesterov(momentum_max=min(largest, settings["finish_momentum"]), **kind),
        finish_updates=settings["finish_updates"],
    )
    after, mean = error(autoencoder, x), error_of_mean(x, x)
    return [
        {
            "train_error": a,
            "share_of_mean_image": 100 * a / mean,
            "finish_gain": b - a,
            "trained": float(a < LEARNT_BELOW * mean),
        }
        for a, b in zip(after.tolist(), before.tolist(), strict=True)
    ]


QUANTITIES = {
    "train_error": Quantity("squared error", "summed over pixels, mean over training images"),
    "share_of_mean_image": Quantity(
        "% of the mean image's", "training error, of that of giving the mean image"
    ),
    "finish_gain": Quantity(
        "squared error", "what the last updates, of momentum 0.9 at most, take off it", signed=True
    ),
    "trained": Quantity("share of runs", "whether training error fell to half of the mean image's"),
}


def _conditions(base: Settings, rates: dict[str, float], largest: float) -> dict[str, Settings]:
    """By name: "nag-0.99" and the like, and "scale-0.5", of NAG with the largest momentum."""
    found = {}
    for name, lr in rates.items():
        method, value = name.split("-") if "-" in name else (name, "0")
        scale, momentum = 1.0, float(value)
        if method == "scale":
            method, scale, momentum = "nag", float(value), largest
        found[name] = {**base, "method": method, "momentum": momentum, "scale": scale, "lr": lr}
    return found


_REDUCED = {"data": "curves", "n_train": 2000, "n_valid": 200, "side": 14}
_REDUCED |= {"layers": "100-60-40-25-12"}  # as deep as the paper's: scale matters by depth
_REDUCED |= {"updates": 4000, "batch_size": 100, "raise_every": 25}
_REDUCED |= {"finish_updates": 200, "finish_momentum": 0.9}
_RATES = {"sgd": 0.3, "cm-0.9": 0.03, "nag-0.9": 0.1, "cm-0.99": 0.01, "nag-0.99": 0.03}
_RATES |= {"scale-0.25": 0.03, "scale-0.5": 0.03, "scale-4": 0.01}

_PAPER = {"data": "curves", "n_train": 20_000, "n_valid": 2000, "side": 28}
_PAPER |= {"layers": "400-200-100-50-25", "updates": 750_000, "batch_size": 200}
_PAPER |= {"raise_every": 250, "finish_updates": 1000, "finish_momentum": 0.9}
_PAPER_RATES = {"sgd": 0.05, "cm-0.9": 0.01, "nag-0.9": 0.01, "cm-0.99": 0.001, "nag-0.99": 0.001}
_PAPER_RATES |= {"cm-0.999": 0.0001, "nag-0.999": 0.0001, "scale-0.25": 0.0001, "scale-4": 0.0001}

_CONTROLS = _conditions(_REDUCED, {"nag-0.99": 0.03, "nag-0.9": 0.03}, 0.99)
_CONTROLS["nag-0.99-unlowered"] = {**_CONTROLS["nag-0.99"], "finish_momentum": 0.99}

_FIRST = Experiment(
    name="sutskever2013",
    paper="sutskever2013",
    title="A deep autoencoder of drawn curves, by momentum and by the scale of its start",
    scale="reduced",
    conditions=_conditions(_REDUCED, _RATES, 0.99),
    depths=(6,),
    seeds=30,
    quantities=QUANTITIES,
    measure=measure,
    seconds=4.0,
    depth_means="numbers in the code",
    at_once=10,
)

EXPERIMENTS = (
    _FIRST,
    replace(  # written after the first, to see what its rates and its finish do
        _FIRST,
        name="sutskever2013-controls",
        title="The same without a finish of lower momentum, and NAG 0.9 at the rate of NAG 0.99",
        conditions=_CONTROLS,
    ),
    Experiment(
        name="sutskever2013-paper",
        paper="sutskever2013",
        title="The CURVES autoencoder, by momentum and by the scale of its start",
        scale="paper",
        conditions=_conditions(_PAPER, _PAPER_RATES, 0.999),
        depths=(6,),
        seeds=10,
        quantities=QUANTITIES,
        measure=measure,
        seconds=13_500.0,
        depth_means="numbers in the code",
    ),
)
