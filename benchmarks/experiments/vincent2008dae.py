"""Denoising autoencoders against plain ones: on digits in noise by depth, and what filters become.

Paper     Vincent, Larochelle, Bengio, Manzagol (2008), Extracting and composing robust features
          with denoising autoencoders, ICML, 1096-1103, table 1, mnist-back-rand, and figure 3.
Protocol  Stacks of both kinds, fine-tuned; learning rate and stopping by validation error. Filters
          of a first layer, trained with a share of the pixels set to 0.
Departs   2,000 digits of mnist5k on noise, in layers of 200. The paper shows its filters; here they
          are measured by the correlation of weights to neighbouring pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from benchmarks import datasets, fit
from benchmarks.experiment import Experiment, Quantity
from benchmarks.experiments.larochelle2007 import drawn
from benchmarks.suite import KNOWN
from techniques.pretraining.denoising import Denoising
from techniques.recipe import BASELINE


def measure(
    settings: Mapping[str, object], depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Test error in % of a stack of ``depth`` autoencoders, fine-tuned, on each seed's draw."""
    recipe, widths = KNOWN[settings["recipe"]], [settings["width"]] * depth
    budget = {name: settings[name] for name in ("updates", "batch_size", "evaluate_every")}
    found = []
    for seed in seeds:
        split = drawn(settings["data"], *settings["parts"], seed).to(device)
        network = fit.initial(recipe, split, [seed], widths, layers=depth)
        fitted = fit.train(network, split, [seed], settings["lr"], **budget)
        found.append({"test_error_pct": fitted.test_error_pct.item()})
    return found


def measure_filters(
    settings: Mapping[str, object], depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """How smooth the filters of one layer are where ``depth`` % of the pixels were set to 0."""
    kind = Denoising(level=depth / 100, epochs=settings["epochs"], batch_size=20)
    split = datasets.load("mnist5k", settings["n_train"], settings["n_valid"]).to(device)
    recipe = BASELINE.but(pretraining=kind)
    network = fit.initial(recipe, split, seeds, [settings["width"]], layers=1)
    weight = network.parameters[0]["weight"].detach()
    return [{"neighbour_correlation": value} for value in neighbour_correlation(weight).tolist()]


def neighbour_correlation(weight: Tensor) -> Tensor:
    """Correlation of weights to horizontal neighbours, (R, 784, n) -> mean over units, (R,)."""
    filters = weight.mT.unflatten(2, (28, 28))[:, :, 4:24, 4:24]  # where digits are
    left, right = (
        part.flatten(2) - part.mean((2, 3)).unsqueeze(2)
        for part in (filters[..., :-1], filters[..., 1:])
    )
    return torch.cosine_similarity(left, right, dim=2).mean(1)


_PROTOCOL = {
    "data": "digits-on-noise",
    "parts": [2000, 1000, 2000],
    "width": 200,
    "lr": [0.03, 0.1, 0.3],
    "updates": 1500,
    "batch_size": 20,
    "evaluate_every": 100,
}

EXPERIMENTS = (
    Experiment(
        name="vincent2008dae",
        paper="vincent2008dae",
        title="Denoising autoencoders on digits in noise, by depth",
        scale="reduced",
        conditions={
            "no-noise": {"recipe": "autoencoder-on-noise", **_PROTOCOL},
            "masking-40": {"recipe": "denoising-40-percent", **_PROTOCOL},
        },
        depths=(1, 2, 3),
        seeds=30,
        quantities={"test_error_pct": Quantity("%", "test error", 2_000)},
        measure=measure,
        seconds=8.0,
    ),
    Experiment(
        name="vincent2008dae-filters",
        paper="vincent2008dae",
        title="Filters of a first layer, by how much of its input was destroyed",
        scale="reduced",
        conditions={"digits": {"n_train": 3000, "n_valid": 1000, "width": 100, "epochs": 20}},
        depths=(10, 25, 50),
        seeds=10,
        quantities={
            "neighbour_correlation": Quantity("correlation", "of weights to neighbouring pixels")
        },
        measure=measure_filters,
        seconds=2.0,
        depth_means="% of the input that is set to 0",
        depth_unit="% set to 0",
        at_once=5,
    ),
)
