"""How the signal and the gradient change from layer to layer of a rectifier network at the start.

Paper     He, Zhang, Ren, Sun (2015), Delving deep into rectifiers, section 2.2, equations 9 and 13
Protocol  pre-activations on the way up, gradients with respect to them on the way down: their mean
          squares are multiplied by n Var(w) / 2 in every layer, 1 with He's initialisation and
          1/2 with Xavier's; with slope a below zero by (1 + a^2) n Var(w) / 2
Departs   fully connected layers of equal width; standard normal inputs, and as the error at the top
          a standard normal gradient for each example
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from benchmarks.experiment import Experiment, Quantity, Settings
from techniques.activations.relu import Relu
from techniques.initialisation.glorot import GlorotNormal
from techniques.initialisation.he import HeNormal
from techniques.streams import stream

INITIALISATIONS = {"he": HeNormal(), "xavier": GlorotNormal()}


def measure(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Growth from the first layer to the last, and back, over depth - 1 layers."""
    return [_one(settings, depth, seed, device) for seed in seeds]


def _one(settings: Settings, depth: int, seed: int, device: torch.device) -> dict[str, float]:
    width, n = settings["width"], settings["examples"]
    draw, rectify = INITIALISATIONS[settings["initialisation"]], Relu()
    a = torch.randn(n, width, generator=stream(seed, "inputs")).to(device)
    top = torch.randn(n, width, generator=stream(seed, "error")).to(device)
    z = []
    for layer in range(depth):
        a = a @ draw(width, width, stream(seed, f"init:{layer}")).to(device)
        z.append(a.requires_grad_() if layer == 0 else a)
        a = rectify(z[-1])
    (bottom,) = torch.autograd.grad(z[-1], z[0], top)
    first, last = (float(t.detach().square().mean()) for t in (z[0], z[-1]))
    down = float(bottom.square().mean()) / float(top.square().mean())
    return {
        "forward_log2": math.log2(last / first) / (depth - 1),
        "backward_log2": math.log2(down) / (depth - 1),
    }


EXPERIMENTS = (
    Experiment(
        name="he2015prelu-signal",
        paper="he2015prelu",
        title="Growth of signal and gradient in 30 rectifier layers at the start",
        scale="paper",
        conditions={
            name: {"initialisation": name, "width": 1000, "examples": 200}
            for name in INITIALISATIONS
        },
        depths=(30,),
        seeds=10,
        quantities={
            "forward_log2": Quantity(
                "bits a layer", "log2 of the growth of the mean square, upwards", signed=True
            ),
            "backward_log2": Quantity(
                "bits a layer", "log2 of the growth of the gradient's mean square, downwards",
                signed=True,
            ),
        },
        measure=measure,
        seconds=1,
    ),
)  # fmt: skip
