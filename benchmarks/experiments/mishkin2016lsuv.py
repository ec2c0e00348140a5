"""The variance of every layer's output after LSUV.

Paper     Mishkin, Matas (2016), All you need is a good init, ICLR, algorithm 1
Protocol  20 layers, orthonormal weights, each layer divided by the standard deviation of its output
          on a batch; here measured on other examples
Departs   fully connected layers of 128 on digits of mnist5k, where the paper's are convolutional
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmarks import datasets
from benchmarks.experiment import Experiment, Quantity, Settings
from benchmarks.signals import examples
from techniques.activations.relu import Relu
from techniques.activations.sigmoid import Sigmoid
from techniques.activations.tanh import Tanh
from techniques.initialisation.lsuv import Lsuv
from techniques.initialisation.orthogonal import Orthogonal
from techniques.network import build
from techniques.pretraining.greedy import greedy
from techniques.recipe import Recipe

ACTIVATIONS = {"relu": Relu(), "tanh": Tanh(), "sigmoid": Sigmoid()}


def variances(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Variance of z over examples and units, layer by layer, at the start."""
    data = datasets.DATA_SETS["mnist5k"]
    x_train = datasets.load("mnist5k", *data.parts).x_train.to(device)
    x, _ = examples("mnist5k", settings["examples"], device)
    scaled = settings["weights"] == "lsuv"
    recipe = Recipe(
        activation=ACTIVATIONS[settings["activation"]],
        initialisation=Orthogonal(),
        pretraining=Lsuv() if scaled else None,
    )
    found = []
    for seed in seeds:
        network = build(
            recipe,
            n_inputs=x.shape[1],
            n_classes=10,
            widths=[settings["width"]] * depth,
            seeds=[seed],
            device=device,
        )
        if scaled:
            greedy(network, x_train, [seed])
        with torch.no_grad():
            layers = network.trace(x).layers
        by_layer = torch.stack([layer.pre_activation.var(correction=0) for layer in layers])
        found.append(
            {
                "mean_variance": float(by_layer.mean()),
                "lowest_variance": float(by_layer.min()),
                "highest_variance": float(by_layer.max()),
            }
        )
    return found


EXPERIMENTS = (
    Experiment(
        name="mishkin2016lsuv-start-paper",
        paper="mishkin2016lsuv",
        title="Variance of every layer's output after LSUV",
        scale="paper",
        conditions={
            f"{weights}-{activation}": {
                "weights": weights,
                "activation": activation,
                "width": 128,
                "examples": 500,
            }
            for weights in ("lsuv", "orthonormal")
            for activation in ACTIVATIONS
        },
        depths=(20,),
        seeds=10,
        quantities={
            "mean_variance": Quantity("ratio", "variance of a layer's output, mean over layers"),
            "lowest_variance": Quantity("ratio", "the smallest of any layer"),
            "highest_variance": Quantity("ratio", "the largest of any layer"),
        },
        measure=variances,
        seconds=0.5,
    ),
)
