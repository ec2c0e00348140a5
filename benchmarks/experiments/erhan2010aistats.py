"""Pretraining only the lowest k of three hidden layers.

Paper     Erhan, Courville, Bengio, Vincent (2010), Why does unsupervised pre-training help deep
          learning?, AISTATS 9, 201-208, section 8 and its figures: with more pretrained layers the
          test loss falls and the training loss at the end rises: pretraining regularises.
Protocol  Three equal layers on digits; the lowest k pretrained as RBMs or as denoising
          autoencoders, the others drawn at random; all trained for as long and at one rate.
Departs   3,000 digits and layers of 100, where the paper has MNIST and 800 to 1,200 units;
          batches of 50 with momentum, where it takes single examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from benchmarks import datasets, fit
from benchmarks.experiment import Experiment, Quantity
from benchmarks.suite import KNOWN

LAYERS = 3
N_TEST = 1_000  # what mnist5k leaves


def measure(
    settings: Mapping[str, object], depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Losses in nats and error in % of nets whose lowest ``depth`` layers were pretrained."""
    split = datasets.load("mnist5k", settings["n_train"], settings["n_valid"]).to(device)
    recipe, widths = KNOWN[settings["recipe"]], [settings["width"]] * LAYERS
    network = fit.initial(recipe, split, seeds, widths, layers=depth)
    found = fit.train(
        network,
        split,
        seeds,
        settings["lr"],
        updates=settings["updates"],
        batch_size=settings["batch_size"],
        evaluate_every=settings["evaluate_every"],
    )
    test_error_pct, test_loss, train_loss = (
        t.tolist() for t in (found.test_error_pct, found.test_loss, found.train_loss)
    )
    return [
        {"test_error_pct": error, "test_loss": test, "train_loss": train}
        for error, test, train in zip(test_error_pct, test_loss, train_loss, strict=True)
    ]


_PROTOCOL = {
    "n_train": 3000,
    "n_valid": 1000,
    "width": 100,
    "lr": [0.1],
    "updates": 2000,
    "batch_size": 50,
    "evaluate_every": 100,
}

_QUANTITIES = {
    "test_error_pct": Quantity("%", "test error at the best validation point", N_TEST),
    "test_loss": Quantity("nats", "test loss at the best validation point"),
    "train_loss": Quantity("nats", "training loss after the last update"),
}

EXPERIMENTS = (
    Experiment(
        name="erhan2010aistats",
        paper="erhan2010aistats",
        title="Three layers of which only the lowest k are pretrained",
        scale="reduced",
        conditions={
            "rbm": {"recipe": "rbm", **_PROTOCOL},
            "denoising": {"recipe": "denoising", **_PROTOCOL},
        },
        depths=(0, 1, 2, 3),
        seeds=100,
        quantities=_QUANTITIES,
        measure=measure,
        seconds=3.0,
        depth_means="lowest layers that are pretrained, of three",
        depth_unit="pretrained layer",
        at_once=5,
    ),
    Experiment(  # written after the first, to see what its layers of 100 do
        name="erhan2010aistats-wide",
        paper="erhan2010aistats",
        title="Layers of 200 of which one or all three are pretrained",
        scale="reduced",
        conditions={"denoising": {"recipe": "denoising", **_PROTOCOL, "width": 200}},
        depths=(1, 3),
        seeds=10,
        quantities=_QUANTITIES,
        measure=measure,
        seconds=3.0,
        depth_means="lowest layers that are pretrained, of three",
        depth_unit="pretrained layer",
        at_once=5,
    ),
)
