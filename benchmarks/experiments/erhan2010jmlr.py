"""What pretraining does to many networks that differ in their seed alone.

Paper     Erhan, Bengio, Courville, Manzagol, Vincent, Bengio (2010), Why does unsupervised
          pre-training help deep learning?, JMLR 11, 625-660: test error over seeds by depth,
          training against test loss, and the effect of the layers' size.
Protocol  Groups of nets on digits, with stacked denoising autoencoders or without: a group's mean
          error, the spread of it, and the training loss at the end. The other experiment counts
          how many points of test error pretraining gains at each number of units.
Departs   2,000 digits and layers of 100, where the paper has MNIST, 400 to 1,200 units and 400
          seeds; one learning rate for all, batches of 50 with momentum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from benchmarks import datasets, fit
from benchmarks.experiment import Experiment, Quantity
from benchmarks.fit import Fit
from benchmarks.suite import KNOWN

N_TEST = 2_000  # what mnist5k leaves


def measure(
    settings: Mapping[str, object], depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Of each seed's group of nets with ``depth`` layers: mean error in %, its spread, loss."""
    found = []
    for seed in seeds:
        nets = _trained(settings, settings["pretrained"], [settings["width"]] * depth, seed, device)
        found.append(
            {
                "test_error_pct": nets.test_error_pct.mean().item(),
                "spread_points": nets.test_error_pct.std().item(),
                "train_loss_log10": nets.train_loss.log10().mean().item(),
            }
        )
    return found


def measure_gain(
    settings: Mapping[str, object], depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Points of test error that pretraining gains where layers have ``depth`` units."""
    widths = [depth] * settings["layers"]
    found = []
    for seed in seeds:
        plain, pretrained = (
            _trained(settings, which, widths, seed, device).test_error_pct.mean().item()
            for which in (False, True)
        )
        found.append({"test_error_pct": pretrained, "gain_points": plain - pretrained})
    return found


def _trained(
    settings: Mapping[str, object],
    pretrained: bool,
    widths: Sequence[int],
    seed: int,
    device: torch.device,
) -> Fit:
    """The group of nets of one seed."""
    n = settings["nets"]
    seeds = range(seed * n, seed * n + n)  # no net is in two groups
    split = datasets.load("mnist5k", settings["n_train"], settings["n_valid"]).to(device)
    layers = len(widths) if pretrained else 0
    network = fit.initial(KNOWN[settings["recipe"]], split, seeds, widths, layers=layers)
    return fit.train(
        network,
        split,
        seeds,
        [settings["lr"]],
        updates=settings["updates"],
        batch_size=settings["batch_size"],
        evaluate_every=settings["evaluate_every"],
    )


_PROTOCOL = {
    "recipe": "denoising-30-epochs",
    "n_train": 2000,
    "n_valid": 1000,
    "lr": 0.3,
    "updates": 1500,
    "batch_size": 50,
    "evaluate_every": 100,
}

EXPERIMENTS = (
    Experiment(
        name="erhan2010jmlr",
        paper="erhan2010jmlr",
        title="Test error over seeds, by depth, pretrained or not",
        scale="reduced",
        conditions={
            "random": {"pretrained": False, "width": 100, "nets": 4, **_PROTOCOL},
            "pretrained": {"pretrained": True, "width": 100, "nets": 4, **_PROTOCOL},
        },
        depths=(1, 2, 3),
        seeds=10,
        quantities={
            "test_error_pct": Quantity("%", "mean test error of a group of nets", N_TEST),
            "spread_points": Quantity("points", "standard deviation of it within a group"),
            "train_loss_log10": Quantity("decades", "mean log10 of the training loss at the end"),
        },
        measure=measure,
        seconds=4.5,
    ),
    Experiment(
        name="erhan2010jmlr-size",
        paper="erhan2010jmlr",
        title="What pretraining gains, by the number of units",
        scale="reduced",
        conditions={"two layers": {"layers": 2, "nets": 2, **_PROTOCOL}},
        depths=(10, 25, 50, 100),
        seeds=10,
        quantities={
            "test_error_pct": Quantity("%", "mean test error of pretrained nets", N_TEST),
            "gain_points": Quantity("points", "test error without, minus with", signed=True),
        },
        measure=measure_gain,
        seconds=4.0,
        depth_means="units a layer",
        depth_unit="unit",
    ),
)
