"""Signals at initialisation, and the saturation of the top layer, in deep sigmoid networks.

Paper     Glorot, Bengio (2010), Understanding the difficulty of training deep feedforward neural
          networks, AISTATS, 249-256: figures 2, 6, 7 and 8 and section 4.2.2
Protocol  tanh layers of 1,000 units on 300 fixed Shapeset examples, weights standard,
          U(+-1/sqrt(fan_in)), or normalised, U(+-sqrt(6/(fan_in + fan_out))); biases 0. Figure 2:
          4 layers of logistic units trained by SGD on batches of 10, without momentum
Departs   the learning rate of figure 2 is not stated: it is 0.1 here. Examples are drawn from a
          finite set, where the paper has new ones all the time. Singular values are of the
          Jacobians at 2 of the examples
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks import datasets
from benchmarks.experiment import Experiment, Quantity, Settings
from benchmarks.signals import (
    backpropagated,
    examples,
    layer_jacobian,
    mean_square,
    slope,
    train,
)
from techniques.activations.sigmoid import Sigmoid
from techniques.activations.tanh import Tanh
from techniques.initialisation.fan_in import FanIn
from techniques.initialisation.glorot import GlorotUniform
from techniques.network import Network, build
from techniques.optimisation.sgd import Sgd
from techniques.recipe import Recipe

N_CLASSES = 9  # of Shapeset
EXAMPLES_OF_JACOBIANS = 2

WEIGHTS = {"standard": FanIn(), "normalised": GlorotUniform()}
ACTIVATIONS = {"tanh": Tanh(), "sigmoid": Sigmoid()}


def at_start(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Growth of variances from layer to layer, and the layers' Jacobians."""
    x, y = examples("shapeset", settings["examples"], device)
    found = []
    for seed in seeds:
        network = _network(settings, depth, x.shape[1], [seed], device)
        trace, deltas = backpropagated(network, x, y)
        activations = [layer.activation for layer in trace.layers]
        inputs = [x.unsqueeze(0), *activations[:-1]]
        by_weight = [below.mT @ delta for below, delta in zip(inputs, deltas, strict=True)]
        singular = [
            torch.linalg.svdvals(layer_jacobian(network, i, trace.layers[i].pre_activation[0, b]))
            for i in range(depth - 1)
            for b in range(EXAMPLES_OF_JACOBIANS)
        ]
        found.append(
            {
                "activation_growth": float(slope(mean_square(activations).log10())),
                "gradient_growth": float(slope(mean_square(deltas).log10())),
                "weight_gradient_growth": float(slope(mean_square(by_weight).log10())),
                "mean_singular_value": float(torch.cat(singular).mean()),
            }
        )
    return found


def in_training(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Mean activations of the lowest and the top layer while a network of logistic units learns."""
    seen, _ = examples("shapeset", settings["examples"], device)
    split = datasets.DATA_SETS["shapeset"].generated(settings["n_train"], 1, 1).split().to(device)
    network = _network(settings, depth, seen.shape[1], seeds, device)
    means = []
    for _ in train(
        network,
        split.x_train,
        split.y_train,
        seeds,
        lr=settings["lr"],
        batch_size=settings["batch_size"],
        updates=settings["updates"],
        every=settings["every"],
    ):
        means.append(_means(network, seen))
    return [_saturation(curve) for curve in torch.stack(means, 2)]


def _saturation(means: Tensor) -> dict[str, float]:
    """What figure 2 shows, from mean activations (L, times)."""
    first, top = means[0], means[-1]
    furthest = (top - 0.5).abs().argmax()
    return {
        "top_mean_lowest": float(top.min()),
        "top_mean_end": float(top[-1]),
        "first_mean_furthest": float((first - 0.5).abs().max()),
        "top_below_first": float(first[furthest] - top[furthest]),
    }


def _network(
    settings: Settings, depth: int, n_inputs: int, seeds: Sequence[int], device: torch.device
) -> Network:
    recipe = Recipe(
        activation=ACTIVATIONS[settings["activation"]],
        initialisation=WEIGHTS[settings["weights"]],
        optimisation=Sgd(momentum=0.0),
    )
    return build(
        recipe,
        n_inputs=n_inputs,
        n_classes=N_CLASSES,
        widths=[settings["width"]] * depth,
        seeds=seeds,
        device=device,
    )


@torch.no_grad()
def _means(network: Network, x: Tensor) -> Tensor:
    """Mean activation of each layer, (R, L)."""
    # run by run: a sum over several axes may be ordered differently in another stack
    return torch.stack(
        [torch.stack([a.mean() for a in layer.activation]) for layer in network.trace(x).layers], 1
    )


_GROWTH = "decades a layer"
AT_START = {
    "activation_growth": Quantity(
        _GROWTH, "growth of the activations' mean square from layer to layer, upwards", signed=True
    ),
    "gradient_growth": Quantity(
        _GROWTH, "the same of back-propagated gradients, upwards", signed=True
    ),
    "weight_gradient_growth": Quantity(
        _GROWTH, "the same of the weights' gradients, upwards", signed=True
    ),
    "mean_singular_value": Quantity(
        "ratio", "mean singular value of the Jacobians from layer to layer"
    ),
}
IN_TRAINING = {
    "top_mean_lowest": Quantity("activation", "lowest mean activation of the top hidden layer"),
    "top_mean_end": Quantity("activation", "mean activation of the top hidden layer at the end"),
    "first_mean_furthest": Quantity(
        "activation", "greatest distance of the first layer's mean activation from 1/2"
    ),
    "top_below_first": Quantity(
        "activation",
        "first layer's mean activation less the top layer's, when that is furthest from 1/2",
        signed=True,
    ),
}


def _start_of(width: int) -> dict[str, Settings]:
    common = {"activation": "tanh", "width": width, "examples": 300}
    return {name: {**common, "weights": name} for name in WEIGHTS}


def _training_of(width: int, n_train: int, updates: int) -> dict[str, Settings]:
    return {
        "sigmoid": {
            "activation": "sigmoid",
            "weights": "standard",
            "width": width,
            "examples": 300,
            "n_train": n_train,
            "lr": 0.1,
            "batch_size": 10,
            "updates": updates,
            "every": updates // 40,
        }
    }


EXPERIMENTS = (
    Experiment(
        name="glorot2010-start",
        paper="glorot2010",
        title="Signals at initialisation, 5 layers of 200 tanh units",
        scale="reduced",
        conditions=_start_of(200),
        depths=(5,),
        seeds=10,
        quantities=AT_START,
        measure=at_start,
        seconds=0.3,
    ),
    Experiment(
        name="glorot2010-start-paper",
        paper="glorot2010",
        title="Signals at initialisation, 5 layers of 1,000 tanh units",
        scale="paper",
        conditions=_start_of(1000),
        depths=(5,),
        seeds=10,
        quantities=AT_START,
        measure=at_start,
        seconds=1.2,
    ),
    Experiment(
        name="glorot2010-saturation",
        paper="glorot2010",
        title="Top-layer saturation of 4 layers of 200 logistic units",
        scale="reduced",
        conditions=_training_of(200, 5_000, 2_000),
        depths=(4,),
        seeds=10,
        quantities=IN_TRAINING,
        measure=in_training,
        seconds=5,
        at_once=5,
    ),
    Experiment(
        name="glorot2010-saturation-paper",
        paper="glorot2010",
        title="Top-layer saturation of 4 layers of 1,000 logistic units",
        scale="paper",
        conditions=_training_of(1000, 100_000, 40_000),
        depths=(4,),
        seeds=10,
        quantities=IN_TRAINING,
        measure=in_training,
        seconds=400,
    ),
)
