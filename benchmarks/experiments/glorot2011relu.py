"""Exact zeros in hidden layers, and what pretraining gains, by kind of unit.

Paper     Glorot, Bordes, Bengio (2011), Deep sparse rectifier neural networks, AISTATS 15,
          315-323, section 3.1 (half of the units are zero at the start), section 4.1 and table 1
          (exact zeros after training; pretraining gains little for rectifiers).
Protocol  Three layers, trained from random weights and from stacked denoising autoencoders; of
          each seed the learning rate of the least validation error; zeros are counted over all
          hidden layers on test examples.
Departs   no L1 penalty on activations and no negated half of the outputs; batches of 50 with
          momentum; at reduced scale 3,000 digits and layers of 100.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from benchmarks import datasets, fit
from benchmarks.experiment import Experiment, Quantity
from benchmarks.fit import Fit
from benchmarks.suite import KNOWN
from techniques.network import Network

COUNTED = 1_000  # test examples, on which zeros are counted


def measure(
    settings: Mapping[str, object], depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Shares of exact zeros in % before and after training from random weights, and errors."""
    split = datasets.load(settings["data"], settings["n_train"], settings["n_valid"]).to(device)
    recipe, widths = KNOWN[settings["recipe"]], [settings["width"]] * depth

    def trained(layers: int) -> tuple[Network, Fit]:
        network = fit.initial(recipe, split, seeds, widths, layers=layers)
        budget = {name: settings[name] for name in ("updates", "batch_size", "evaluate_every")}
        return network, fit.train(network, split, seeds, settings["lr"], **budget)

    start, plain = trained(0)
    seen = split.x_test[:COUNTED]
    numbers = {
        "zeros_start_pct": zeros_pct(start, seen),
        "zeros_end_pct": zeros_pct(plain.network, seen),
        "test_error_pct": plain.test_error_pct,
    }
    if settings["pretrained"]:
        _, pretrained = trained(depth)
        numbers["pretrained_error_pct"] = pretrained.test_error_pct
        numbers["gain_points"] = plain.test_error_pct - pretrained.test_error_pct
    return [
        {name: values[run].item() for name, values in numbers.items()} for run in range(len(seeds))
    ]


@torch.no_grad()
def zeros_pct(network: Network, x: Tensor) -> Tensor:
    """Share of hidden outputs that are exactly 0, over layers and examples x (N, D) -> (R,)."""
    outputs = torch.cat([layer.output for layer in network.trace(x).layers], dim=2)
    return 100 * (outputs == 0).float().mean((1, 2))


_ZEROS = {
    "zeros_start_pct": Quantity("%", "hidden outputs that are 0 before training"),
    "zeros_end_pct": Quantity("%", "hidden outputs that are 0 at the best validation point"),
}


def _errors(n_test: int) -> dict[str, Quantity]:
    return {"test_error_pct": Quantity("%", "test error without pretraining", n_test)}


_GAIN = {
    "pretrained_error_pct": Quantity("%", "test error with pretraining", 1_000),
    "gain_points": Quantity("points", "test error without, minus with pretraining", signed=True),
}
_REDUCED = {
    "data": "mnist5k",
    "n_train": 3000,
    "n_valid": 1000,
    "width": 100,
    "pretrained": True,
    "updates": 1000,
    "batch_size": 50,
    "evaluate_every": 100,
}
_PAPER = {
    "data": "mnist",
    "n_train": 50000,
    "n_valid": 10000,
    "width": 1000,
    "pretrained": False,
    "lr": [0.01],
    "updates": 20000,
    "batch_size": 50,
    "evaluate_every": 1000,
}

EXPERIMENTS = (
    Experiment(
        name="glorot2011relu",
        paper="glorot2011relu",
        title="Exact zeros, and what pretraining gains, by kind of unit",
        scale="reduced",
        conditions={
            "rectifier": {"recipe": "relu-denoising", "lr": [0.003, 0.01, 0.03], **_REDUCED},
            "tanh": {"recipe": "tanh-denoising", "lr": [0.003, 0.01, 0.03], **_REDUCED},
            "softplus": {"recipe": "softplus-denoising", "lr": [0.003, 0.01, 0.03], **_REDUCED},
        },
        depths=(3,),
        seeds=160,
        quantities=_ZEROS | _errors(1_000) | _GAIN,
        measure=measure,
        seconds=6.0,
        at_once=2,
    ),
    Experiment(
        name="glorot2011relu-zeros-paper",
        paper="glorot2011relu",
        title="Exact zeros in 784-1000-1000-1000-10 on MNIST",
        scale="paper",
        conditions={"rectifier": {"recipe": "relu-denoising", **_PAPER}},
        depths=(3,),
        seeds=10,
        quantities=_ZEROS | _errors(10_000),
        measure=measure,
        seconds=800.0,
    ),
)
