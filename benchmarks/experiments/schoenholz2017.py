"""The depth scale of signals in random tanh networks, and how deep such networks can be trained.

Paper     Schoenholz, Gilmer, Ganguli, Sohl-Dickstein (2017), Deep information propagation, ICLR:
          the depth scale xi = -1 / log chi_1, and figure 5, training on MNIST
Protocol  tanh layers of 300 units, weights N(0, weight_variance / fan_in), biases N(0, 0.05). At
          the start: growth, from layer to layer, of the mean square of back-propagated gradients
          and of the difference between two inputs that are nearly alike, against log chi_1.
          Training: SGD, and whether training error falls to half of chance
Departs   signals at the start are of inputs that are noise, of the size at which the length map
          starts in its fixed point. Training takes 2,000 batches of 100 at a rate of 0.001 with a
          momentum of 0.9, which are ours, and training error is of 1,000 examples
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks import datasets
from benchmarks.experiment import Experiment, Quantity, Settings
from benchmarks.signals import backpropagated, mean_square, slope, train
from benchmarks.train import evaluate
from benchmarks.trial import TRAINED_BELOW
from techniques.activations.tanh import Tanh
from techniques.initialisation.mean_field import chi_1, fixed_point
from techniques.network import build
from techniques.recipe import Recipe
from techniques.streams import stream

BIAS_VARIANCE = 0.05
N_CLASSES = 10
EXAMPLES_SEEN = 1000
NEARLY = 1e-6  # relative distance of two inputs that are nearly alike


@dataclass(frozen=True)
class Gaussian:
    """weight ~ N(0, weight_variance / fan_in), bias ~ N(0, bias_variance)."""

    weight_variance: float
    bias_variance: float

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw a weight matrix (fan_in, fan_out)."""
        sd = (self.weight_variance / fan_in) ** 0.5
        return torch.empty(fan_in, fan_out).normal_(0, sd, generator=generator)

    def bias(self, weight: Tensor, index: int, generator: torch.Generator) -> Tensor:
        """Draw biases (fan_out,)."""
        return torch.empty(weight.shape[1]).normal_(0, self.bias_variance**0.5, generator=generator)


def rate(weight_variance: float, bias_variance: float = BIAS_VARIANCE) -> float:
    """log chi_1 at the fixed point: nepers of mean square a layer; xi = -1 / rate."""
    q = fixed_point(Tanh(), weight_variance**0.5, bias_variance**0.5)
    return math.log(chi_1(q, Tanh(), weight_variance**0.5))


def at_start(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """How signals grow from layer to layer, less what mean-field theory says."""
    variance, bias, width = (settings[n] for n in ("weight_variance", "bias_variance", "width"))
    predicted = rate(variance, bias)
    q = fixed_point(Tanh(), variance**0.5, bias**0.5)
    size = ((q - bias) / variance) ** 0.5  # rms of inputs that give the first layer q
    found = []
    for seed in seeds:
        network = build(
            _recipe(settings),
            n_inputs=width,
            n_classes=N_CLASSES,
            widths=[width] * depth,
            seeds=[seed],
            device=device,
        ).to(torch.float64)
        generator = stream(seed, "schoenholz2017:inputs")
        x, direction = torch.empty(2, settings["examples"], width, dtype=torch.float64).normal_(
            generator=generator
        )
        x, direction = size * x.to(device), size * direction.to(device)
        y = torch.zeros(len(x), dtype=torch.int64, device=device)
        trace, deltas = backpropagated(network, x, y)
        near = network.trace(x + NEARLY * direction)
        differences = [
            other.pre_activation - layer.pre_activation
            for other, layer in zip(near.layers, trace.layers, strict=True)
        ]
        downwards = -float(slope(mean_square(deltas).log()))
        upwards = float(slope(mean_square(differences).log()))
        found.append(
            {
                "gradient_rate": downwards,
                "gradient_rate_gap": downwards - predicted,
                "difference_rate_gap": upwards - predicted,
            }
        )
    return found


def in_training(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Whether networks of this depth learn."""
    data = datasets.DATA_SETS[settings["data"]]
    split = datasets.load(settings["data"], *data.parts).to(device)
    network = build(
        _recipe(settings),
        n_inputs=split.n_inputs,
        n_classes=N_CLASSES,
        widths=[settings["width"]] * depth,
        seeds=seeds,
        device=device,
    )
    x, y = split.x_train[:EXAMPLES_SEEN], split.y_train[:EXAMPLES_SEEN]
    errors = []
    for _ in train(
        network,
        split.x_train,
        split.y_train,
        seeds,
        lr=settings["lr"],
        batch_size=settings["batch_size"],
        updates=settings["updates"],
        every=settings["updates"] // 10,
    ):
        loss, wrong = evaluate(network, x, y)
        errors.append(torch.where(loss.isfinite(), 100 * wrong.double() / len(x), math.inf))
    lowest = torch.stack(errors).amin(0)
    trained = lowest <= TRAINED_BELOW * 100 * split.chance_error
    return [
        {"train_error_pct": float(error), "trained": float(done)}
        for error, done in zip(lowest, trained, strict=True)
    ]


def _recipe(settings: Settings) -> Recipe:
    weights = Gaussian(settings["weight_variance"], settings["bias_variance"])
    return Recipe(activation=Tanh(), initialisation=weights)


AT_START = {
    "gradient_rate": Quantity(
        "nepers a layer",
        "growth of the gradient's mean square from layer to layer, downwards",
        signed=True,
    ),
    "gradient_rate_gap": Quantity("nepers a layer", "the same less log chi_1", signed=True),
    "difference_rate_gap": Quantity(
        "nepers a layer",
        "growth of the difference of two inputs that are nearly alike, less log chi_1",
        signed=True,
    ),
}
IN_TRAINING = {
    "train_error_pct": Quantity("%", "lowest training error of the run", EXAMPLES_SEEN),
    "trained": Quantity("share of runs", "whether training error fell to half of chance"),
}
# xi of 3.6 layers, of 11, of thousands, and -5.3: there gradients grow
PHASES = {"ordered": 1.0, "less-ordered": 1.4, "critical": 1.76, "chaotic": 3.0}


def _start_of(width: int) -> dict[str, Settings]:
    return {
        name: {
            "weight_variance": variance,
            "bias_variance": BIAS_VARIANCE,
            "width": width,
            "examples": 20,
        }
        for name, variance in PHASES.items()
    }


def _training_of(width: int, data: str, updates: int) -> dict[str, Settings]:
    return {
        name: {
            "weight_variance": PHASES[name],
            "bias_variance": BIAS_VARIANCE,
            "width": width,
            "data": data,
            "lr": 0.001,
            "batch_size": 100,
            "updates": updates,
        }
        for name in ("ordered", "critical")
    }


EXPERIMENTS = (
    Experiment(
        name="schoenholz2017-start",
        paper="schoenholz2017",
        title="The depth scale of signals in tanh layers of 100",
        scale="reduced",
        conditions=_start_of(100),
        depths=(30,),
        seeds=10,
        quantities=AT_START,
        measure=at_start,
        seconds=0.2,
    ),
    Experiment(
        name="schoenholz2017-start-paper",
        paper="schoenholz2017",
        title="The depth scale of signals in tanh layers of 300",
        scale="paper",
        conditions=_start_of(300),
        depths=(100,),
        seeds=20,
        quantities=AT_START,
        measure=at_start,
        seconds=0.15,
    ),
    Experiment(
        name="schoenholz2017-training",
        paper="schoenholz2017",
        title="Tanh networks of 50 units a layer, trained at several distances from criticality",
        scale="reduced",
        conditions=_training_of(50, "mnist5k", 600),
        depths=(10, 60),
        seeds=10,
        quantities=IN_TRAINING,
        measure=in_training,
        seconds=4,
        at_once=10,
    ),
    Experiment(
        name="schoenholz2017-training-paper",
        paper="schoenholz2017",
        title="Tanh networks of 300 units a layer, trained at several distances from criticality",
        scale="paper",
        conditions=_training_of(300, "mnist", 2000),
        depths=(10, 60, 150),
        seeds=10,
        quantities=IN_TRAINING,
        measure=in_training,
        seconds=300,
    ),
)
