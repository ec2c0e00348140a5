"""The random walk of the gradient's norm through very deep networks.

Paper     Sussillo, Abbott (2014), Random walk initialization for training very deep feedforward
          networks, arXiv 1412.6558: the unbiased walk, for linear and rectifier layers
Protocol  layers of N = 100, weights N(0, g^2 / N), with the paper's g or without its correction,
          g = 1 and sqrt(2); ln of the back-propagated gradient's norm in the first layer over that
          in the last
Departs   the input is noise, N(0, 1); the loss is the cross-entropy of 10 classes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.experiment import Experiment, Quantity, Settings
from benchmarks.signals import backpropagated, mean_square
from techniques.activations.relu import Relu
from techniques.initialisation.he import HeNormal
from techniques.initialisation.lecun import LeCunNormal
from techniques.initialisation.random_walk import RandomWalk
from techniques.network import build
from techniques.recipe import Recipe
from techniques.streams import stream


@dataclass(frozen=True)
class Linear:
    """a = z."""

    unit_interval = False

    def __call__(self, z: Tensor) -> Tensor:
        """z (R, B, n) -> the same."""
        return z


RECIPES = {
    ("linear", "random-walk"): Recipe(activation=Linear(), initialisation=RandomWalk()),
    ("linear", "uncorrected"): Recipe(activation=Linear(), initialisation=LeCunNormal()),
    ("rectifier", "random-walk"): Recipe(
        activation=Relu(), initialisation=RandomWalk(rectifier=True)
    ),
    ("rectifier", "uncorrected"): Recipe(activation=Relu(), initialisation=HeNormal()),
}


def walk(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """How far the logarithm of the gradient's norm has walked from the last layer to the first."""
    recipe = RECIPES[settings["units"], settings["weights"]]
    found = []
    for seed in seeds:
        network = build(
            recipe,
            n_inputs=settings["width"],
            n_classes=10,
            widths=[settings["width"]] * depth,
            seeds=[seed],
            device=device,
        ).to(torch.float64)
        x = torch.empty(1, settings["width"], dtype=torch.float64)
        x = x.normal_(generator=stream(seed, "sussillo2014:input")).to(device)
        y = torch.zeros(1, dtype=torch.int64, device=device)
        _, deltas = backpropagated(network, x, y)
        first, last = mean_square([deltas[0], deltas[-1]])[0].log() / 2
        found.append(
            {"log_ratio": float(first - last), "log_ratio_size": float((first - last).abs())}
        )
    return found


EXPERIMENTS = (
    Experiment(
        name="sussillo2014rwi-start-paper",
        paper="sussillo2014rwi",
        title="The gradient's norm through up to 500 layers of 100",
        scale="paper",
        conditions={
            f"{units}-{weights}": {"units": units, "weights": weights, "width": 100}
            for units, weights in RECIPES
        },
        depths=(20, 100, 500),
        seeds=200,
        quantities={
            "log_ratio": Quantity(
                "nepers", "ln of the gradient's norm, first layer over last", signed=True
            ),
            "log_ratio_size": Quantity("nepers", "the same without its sign"),
        },
        measure=walk,
        seconds=0.03,
    ),
)
