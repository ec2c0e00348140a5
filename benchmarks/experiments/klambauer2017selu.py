"""Mean and variance of activations on their way up a self-normalising network.

Paper     Klambauer, Unterthiner, Mayr, Hochreiter (2017), Self-normalizing neural networks,
          section 2, theorem 1
Protocol  layers of SELUs and weights of variance 1 / fan_in; activations whose mean and variance
          are off, 0.1 and 1.5, the corner of the theorem's domain, are drawn to 0 and 1
Departs   the theorem's weights sum to 0 and their squares to 1 for every unit; these are random and
          do so on average only. The rival is a rectifier with weights of the same size
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmarks.experiment import Experiment, Quantity, Settings
from techniques.activations.relu import Relu
from techniques.activations.selu import Selu
from techniques.initialisation.lecun import LeCunNormal
from techniques.streams import stream

ACTIVATIONS = {"selu": Selu(), "relu": Relu()}


def measure(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Mean and variance over examples and units of the layer at this depth."""
    return [_one(settings, depth, seed, device) for seed in seeds]


def _one(settings: Settings, depth: int, seed: int, device: torch.device) -> dict[str, float]:
    width, f = settings["width"], ACTIVATIONS[settings["activation"]]
    a = torch.randn(settings["examples"], width, generator=stream(seed, "inputs")).to(device)
    a = settings["mean"] + settings["variance"] ** 0.5 * a
    for layer in range(depth):
        weight = LeCunNormal()(width, width, stream(seed, f"init:{layer}")).to(device)
        a = f(a @ weight)
    return {"mean": float(a.mean()), "variance": float(a.var(correction=0))}


EXPERIMENTS = (
    Experiment(
        name="klambauer2017selu-fixed-point",
        paper="klambauer2017selu",
        title="Mean and variance of activations after 1 to 32 layers",
        scale="paper",
        conditions={
            name: {
                "activation": name, "width": 1000, "examples": 500, "mean": 0.1, "variance": 1.5
            }
            for name in ACTIVATIONS
        },
        depths=(1, 8, 32),
        seeds=10,
        quantities={
            "mean": Quantity("activation", "mean over examples and units", signed=True),
            "variance": Quantity("activation squared", "variance over examples and units"),
        },
        measure=measure,
        seconds=1,
    ),
)  # fmt: skip
