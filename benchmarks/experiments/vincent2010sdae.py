"""How well a linear classifier does on each layer of a stack that was trained without labels.

Paper     Vincent, Larochelle, Lajoie, Bengio, Manzagol (2010), Stacked denoising autoencoders, JMLR
          11, 3371-3408, the section that gives features to support vector machines.
Protocol  A stack is trained on turned digits without labels; what its layer k gives out is
          classified by a linear support vector machine, whose C is chosen by validation error.
Departs   2,000 digits of mnist5k turned by any angle, in place of mnist-rot; layers of 200; plain
          autoencoders and random layers beside the denoising ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from benchmarks import fit
from benchmarks.datasets.split import Split
from benchmarks.experiment import Experiment, Quantity
from benchmarks.experiments.larochelle2007 import drawn
from benchmarks.suite import KNOWN


def measure(
    settings: Mapping[str, object], depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Test error in % of a linear classifier on layer ``depth``, on each seed's draw."""
    found = []
    for seed in seeds:
        split = drawn("turned-digits", *settings["parts"], seed).to(device)
        if settings["recipe"] is not None:
            split = _represented(settings, depth, seed, split)
        found.append({"linear_error_pct": linear_error_pct(split, settings["c"])})
    return found


def _represented(settings: Mapping[str, object], depth: int, seed: int, split: Split) -> Split:
    """The same split as layer ``depth`` of a stack gives it on."""
    recipe, widths = KNOWN[settings["recipe"]], [settings["width"]] * depth
    layers = 0 if recipe.pretraining is None else depth
    network = fit.initial(recipe, split, [seed], widths, layers=layers)
    with torch.no_grad():
        return split.map(lambda x: network.trace(x).layers[-1].output[0])


def linear_error_pct(split: Split, cs: Sequence[float]) -> float:
    """Test error in % of the linear machine whose C has the least validation error.

    Features are standardised first, by the training examples.
    """
    from sklearn.svm import SVC  # slow to import

    mean, sd = split.x_train.mean(0), split.x_train.std(0).clamp_min(1e-6)
    split = split.map(lambda x: (x - mean) / sd)
    x_train, y_train, x_valid, y_valid, x_test, y_test = (
        part.cpu().numpy().astype(np.float64 if part.is_floating_point() else np.int64)
        for part in vars(split).values()
    )
    machines = [SVC(kernel="linear", C=c).fit(x_train, y_train) for c in cs]
    best = max(machines, key=lambda machine: machine.score(x_valid, y_valid))
    return 100 * (1 - best.score(x_test, y_test))


_PROTOCOL = {"parts": [2000, 1000, 2000], "width": 200, "c": [0.0003, 0.001, 0.01]}

EXPERIMENTS = (
    Experiment(
        name="vincent2010sdae",
        paper="vincent2010sdae",
        title="A linear classifier on the layers of a stack trained without labels",
        scale="reduced",
        conditions={
            "pixels": {"recipe": None, **_PROTOCOL},  # the same at every depth
            "random": {"recipe": "plain", **_PROTOCOL},
            "autoencoder": {"recipe": "autoencoder-60-epochs", **_PROTOCOL},
            "denoising": {"recipe": "denoising-25-percent", **_PROTOCOL},
        },
        depths=(1, 2, 3),
        seeds=30,
        quantities={"linear_error_pct": Quantity("%", "test error of the classifier", 2_000)},
        measure=measure,
        seconds=4.5,
        depth_means="layer whose features are classified",
    ),
)
