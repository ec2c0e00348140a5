"""The standard deviation of sums and outputs in a network made by the book.

Paper     LeCun, Bottou, Orr, Mueller (1998), Efficient BackProp, LNCS 1524, sections 4.3, 4.4, 4.6
Protocol  standardised inputs, units of 1.7159 tanh(2z/3), weights of sd 1/sqrt(fan_in); and the
          same with smaller weights, U(+-1/sqrt(fan_in)), or inputs as they are
Departs   Shapeset examples; 3 layers of 128
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmarks.experiment import Experiment, Quantity, Settings
from benchmarks.signals import examples
from techniques.activations.scaled_tanh import ScaledTanh
from techniques.initialisation.fan_in import FanIn
from techniques.initialisation.lecun import LeCunNormal
from techniques.network import build
from techniques.normalisation.inputs import Standardise
from techniques.recipe import Recipe

WEIGHTS = {"lecun": LeCunNormal(), "fan-in": FanIn()}


def deviations(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Standard deviations over examples and units, at the start."""
    x, _ = examples("shapeset", settings["examples"], device)
    if settings["inputs"] == "standardised":
        x = Standardise().fit(x)(x)
    recipe = Recipe(activation=ScaledTanh(), initialisation=WEIGHTS[settings["weights"]])
    found = []
    for seed in seeds:
        network = build(
            recipe,
            n_inputs=x.shape[1],
            n_classes=9,
            widths=[settings["width"]] * depth,
            seeds=[seed],
            device=device,
        )
        with torch.no_grad():
            layers = network.trace(x).layers
        found.append(
            {
                "first_pre_activation_sd": float(layers[0].pre_activation.std(correction=0)),
                "first_output_sd": float(layers[0].output.std(correction=0)),
                "last_output_sd": float(layers[-1].output.std(correction=0)),
            }
        )
    return found


EXPERIMENTS = (
    Experiment(
        name="lecun1998efficient-start-paper",
        paper="lecun1998efficient",
        title="Standard deviations of sums and outputs at the start",
        scale="paper",
        conditions={
            name: {"inputs": inputs, "weights": weights, "width": 128, "examples": 1000}
            for name, inputs, weights in (
                ("recipe", "standardised", "lecun"),
                ("small-weights", "standardised", "fan-in"),
                ("raw-inputs", "raw", "lecun"),
            )
        },
        depths=(3,),
        seeds=10,
        quantities={
            "first_pre_activation_sd": Quantity("sd", "of the first layer's weighted sums"),
            "first_output_sd": Quantity("sd", "of the first layer's outputs"),
            "last_output_sd": Quantity("sd", "of the last layer's outputs"),
        },
        measure=deviations,
        seconds=0.1,
    ),
)
