"""How steady the input of a sigmoid is while a network trains, with and without batch norm.

Paper     Ioffe, Szegedy (2015), Batch normalization, section 4.1, figure 1b and c
Protocol  784-100-100-100-10, sigmoid, small Gaussian weights, batches of 60; the 15th, 50th and
          85th percentiles of what a sigmoid of the last hidden layer is given, as training goes on
Departs   the mean over all 100 units of the layer, where the paper shows a typical one; grey
          pixels; what the paper does not state: weights of sd 1/sqrt(fan_in), momentum 0.9 and a
          learning rate of 0.1. Looks start after the first updates, as the running statistics do
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.experiment import Experiment, Quantity, Settings
from benchmarks.suite import Budget, Data
from benchmarks.train import train_stack
from benchmarks.trial import Trial
from techniques.initialisation.lecun import LeCunNormal
from techniques.network import Network
from techniques.normalisation.batch_norm import BatchNorm
from techniques.recipe import Recipe

PERCENTILES = (0.15, 0.5, 0.85)


def travel(percentiles: Tensor) -> dict[str, Tensor]:
    """How much the percentiles (T, 3, R, n) of n units move over T looks, each (R,)."""
    low, median, high = percentiles.unbind(1)
    return {
        "median_sd": median.std(0, correction=0).mean(1),
        "band_sd": (high - low).std(0, correction=0).mean(1),
    }


def measure(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Train with batch norm, or without, and look at the top hidden layer ``looks`` times."""
    norm = BatchNorm() if settings["batch_norm"] else None
    every = settings["updates"] // settings["looks"]
    budget = Budget(
        updates=settings["updates"],
        batch_size=settings["batch_size"],
        evaluate_every=settings["updates"],
        probe_at=tuple(range(0, settings["updates"] + 1, every)),
    )
    trials = [
        Trial(
            technique="",
            role="report",
            recipe=Recipe(initialisation=LeCunNormal(), normalisation=norm),
            data=Data(**{name: settings[name] for name in ("name", "n_train", "n_valid")}),
            depth=depth,
            width=settings["width"],
            budget=budget,
            lr=settings["lr"],
            seed=seed,
            device=device.type,
        )
        for seed in seeds
    ]
    seen: list[Tensor] = []

    @torch.no_grad()
    def look(update: int, network: Network, x: Tensor) -> None:
        if update:
            z = network.trace(x).layers[-1].pre_activation  # (R, N, n)
            seen.append(z.quantile(z.new_tensor(PERCENTILES), dim=1))

    train_stack(trials, look)
    found = {name: values.tolist() for name, values in travel(torch.stack(seen)).items()}
    return [{name: values[run] for name, values in found.items()} for run in range(len(seeds))]


def _conditions(**settings: object) -> dict[str, Settings]:
    shared = {"width": 100, "batch_size": 60, "lr": 0.1, "looks": 50, **settings}
    return {
        "plain": {**shared, "batch_norm": False},
        "batch-norm": {**shared, "batch_norm": True},
    }


QUANTITIES = {
    "median_sd": Quantity(
        "of a sigmoid's input", "sd over training of its median over examples, mean over units"
    ),
    "band_sd": Quantity(
        "of a sigmoid's input", "the same of the distance of its 15th and 85th percentiles"
    ),
}

EXPERIMENTS = (
    Experiment(
        name="ioffe2015bn-inputs",
        paper="ioffe2015bn",
        title="How far the inputs of the last hidden layer's sigmoids travel in training",
        scale="reduced",
        conditions=_conditions(name="mnist5k", n_train=3000, n_valid=1000, updates=2000),
        depths=(3,),
        seeds=10,
        quantities=QUANTITIES,
        measure=measure,
        seconds=3,
        at_once=10,
    ),
    Experiment(
        name="ioffe2015bn-inputs-paper",
        paper="ioffe2015bn",
        title="How far the inputs of the last hidden layer's sigmoids travel in 50,000 updates",
        scale="paper",
        conditions=_conditions(name="mnist", n_train=50000, n_valid=10000, updates=50000),
        depths=(3,),
        seeds=10,
        quantities=QUANTITIES,
        measure=measure,
        seconds=26,
        at_once=10,
    ),
    Experiment(  # written after the last, whose first look is at update 1,000
        name="ioffe2015bn-inputs-early",
        paper="ioffe2015bn",
        title="How far the inputs of the last hidden layer's sigmoids travel in the first 2,000",
        scale="paper",
        conditions=_conditions(name="mnist", n_train=50000, n_valid=10000, updates=2000),
        depths=(3,),
        seeds=10,
        quantities=QUANTITIES,
        measure=measure,
        seconds=3,
        at_once=10,
    ),
)
