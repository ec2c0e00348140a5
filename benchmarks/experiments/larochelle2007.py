"""Support vector machines beside shallow and deep networks, on examples drawn anew by each seed.

Paper     Larochelle, Erhan, Courville, Bergstra, Bengio (2007), An empirical evaluation of deep
          architectures on problems with many factors of variation, ICML, 473-480, table 1.
Protocol  SVM-rbf: C and gamma by validation error, then trained again on both parts, as the paper
          did. Networks: learning rate, stopping and, where there are several, width by validation
          error.
Departs   Grids of our own. At reduced scale the digits are 2,000 of mnist5k on noise, in place of
          10,000 of MNIST, and layers have 100 units, where the paper chose their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from benchmarks import datasets, fit
from benchmarks.datasets import DATA_SETS
from benchmarks.datasets.arrays import generators
from benchmarks.datasets.mnist_variations import BACKGROUNDS, SIDE, compose, rotate
from benchmarks.datasets.split import Split
from benchmarks.experiment import Experiment, Quantity
from benchmarks.suite import KNOWN


def measure(
    settings: Mapping[str, object], depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Test error in % of an SVM, or of a net, on each seed's draw; depth is always 1."""
    found = []
    for seed in seeds:
        split = drawn(settings["data"], *settings["parts"], seed)
        error = svm_error_pct if settings["recipe"] == "svm-rbf" else _net_error_pct
        found.append({"test_error_pct": error(settings, seed, split.to(device))})
    return found


def drawn(name: str, n_train: int, n_valid: int, n_test: int, seed: int) -> Split:
    """A data set's parts, drawn by the seed.

    "digits-on-noise" and "turned-digits" are made of mnist5k as two of the sets are of MNIST; their
    test part is what the others leave.
    """
    if name not in ("digits-on-noise", "turned-digits"):
        return DATA_SETS[name].generate(n_train, n_valid, n_test, seed).split()
    split = datasets.load("mnist5k", n_train, n_valid)
    parts = []
    for x, generator in zip(
        (split.x_train, split.x_valid, split.x_test), generators(name, seed), strict=True
    ):
        digits = (x * 255).round().numpy().astype(np.uint8).reshape(-1, SIDE, SIDE)
        if name == "turned-digits":
            made = rotate(digits, generator.uniform(0, 2 * np.pi, len(digits)))
        else:
            made = compose(digits, BACKGROUNDS["random"](len(digits), generator))
        parts.append(torch.from_numpy(made.reshape(len(digits), -1)).float().div_(255))
    x_train, x_valid, x_test = parts
    return Split(x_train, split.y_train, x_valid, split.y_valid, x_test, split.y_test)


def svm_error_pct(settings: Mapping[str, object], seed: int, split: Split) -> float:
    """Test error in % of the SVM whose C and gamma have the least validation error."""
    from sklearn.svm import SVC  # slow to import

    x_train, y_train, x_valid, y_valid, x_test, y_test = (
        part.cpu().numpy() for part in vars(split).values()
    )
    grid = [(c, gamma) for c in settings["c"] for gamma in settings["gamma"]]

    def right(of: tuple[float, float]) -> float:
        machine = SVC(C=of[0], gamma=of[1]).fit(x_train, y_train)
        return machine.score(x_valid, y_valid)

    c, gamma = max(grid, key=right)
    both = np.concatenate([x_train, x_valid]), np.concatenate([y_train, y_valid])
    return 100 * (1 - SVC(C=c, gamma=gamma).fit(*both).score(x_test, y_test))


def _net_error_pct(settings: Mapping[str, object], seed: int, split: Split) -> float:
    """Test error in % of the net of the width and rate that have the least validation error."""
    recipe = KNOWN[settings["recipe"]]
    depth = settings["layers"]
    layers = 0 if recipe.pretraining is None else depth
    budget = {name: settings[name] for name in ("updates", "batch_size", "evaluate_every")}
    found = []
    for width in settings.get("widths", [settings.get("width")]):
        network = fit.initial(recipe, split, [seed], [width] * depth, layers=layers)
        found.append(fit.train(network, split, [seed], settings["lr"], **budget))
    return min(found, key=lambda f: f.valid_error_pct.item()).test_error_pct.item()


_NET = {
    "width": 100,
    "lr": [0.03, 0.1, 0.3],
    "updates": 2000,
    "batch_size": 20,
    "evaluate_every": 100,
}
_SETS = {
    "rectangles": {"data": "rectangles", "parts": [1000, 200, 4000]},
    "noise": {"data": "digits-on-noise", "parts": [2000, 1000, 2000]},
}
_MODELS = {
    "svm-rbf": {"recipe": "svm-rbf", "c": [10.0], "gamma": [0.003, 0.01, 0.03, 0.1]},
    "nnet": {"recipe": "plain", "layers": 1, **_NET},
    "dbn-3": {"recipe": "rbm-60-epochs", "layers": 3, **_NET},
}
_PAPER = {"recipe": "svm-rbf", "c": [10.0, 100.0]}
_DIGITS = {"parts": [10_000, 2_000, 50_000], "gamma": [0.01, 0.02, 0.04], **_PAPER}


_DRAWN = {"data": "rectangles", "parts": [1_000, 200, 50_000]}
_SEARCHED = {"updates": 10_000, "batch_size": 20, "evaluate_every": 250, **_DRAWN}
_SHALLOW = {"layers": 1, "lr": [0.1, 0.3, 1.0], **_SEARCHED}
_DEEP = {"layers": 3, "widths": [500], "lr": [0.03, 0.1, 0.3], **_SEARCHED}


def _experiment(
    name: str, title: str, conditions: dict, n_test: int, *, seeds: int, **said: object
) -> Experiment:
    return Experiment(
        name=name,
        paper="larochelle2007",
        title=title,
        conditions=conditions,
        depths=(1,),
        depth_means="always 1: nothing is varied",
        seeds=seeds,
        quantities={"test_error_pct": Quantity("%", "test error", n_test)},
        measure=measure,
        **said,
    )


EXPERIMENTS = (
    _experiment(
        "larochelle2007-svm",
        "A support vector machine, one layer and three, on rectangles and on digits in noise",
        {
            f"{model}-{data}": {**_MODELS[model], **_SETS[data]}
            for data in _SETS
            for model in _MODELS
        },
        2_000,
        scale="reduced",
        seeds=12,
        seconds=6.0,
    ),
    _experiment(
        "larochelle2007-svm-shapes-paper",
        "A support vector machine with a Gaussian kernel on rectangles and on convex shapes",
        {
            "rectangles": {
                **_DRAWN,
                "recipe": "svm-rbf",
                "c": [1.0, 10.0],
                "gamma": [0.02, 0.03, 0.05, 0.08],
            },
            "convex": {
                "data": "convex",
                "parts": [6_000, 2_000, 50_000],
                "gamma": [0.003, 0.01, 0.03],
                **_PAPER,
            },
        },
        50_000,
        scale="paper",
        seeds=10,
        seconds=150.0,
    ),
    _experiment(  # written after suite larochelle2007-rectangles-paper: one draw, rates up to 0.3
        "larochelle2007-draws-paper",
        "One layer and three on rectangles drawn anew by each seed, with a wider search of rates",
        {
            "nnet": {"recipe": "plain", "widths": [500], **_SHALLOW},
            "dbn-1": {"recipe": "rbm-60-epochs", "widths": [500, 2_000], **_SHALLOW},
            "dbn-3": {"recipe": "rbm-60-epochs", **_DEEP},
            "saa-3": {"recipe": "autoencoder-60-epochs", **_DEEP},
            "sda-3": {"recipe": "denoising-10-percent", **_DEEP},
        },
        50_000,
        scale="paper",
        seeds=10,
        seconds=100.0,
    ),
    _experiment(
        "larochelle2007-svm-paper",
        "A support vector machine with a Gaussian kernel on three of the paper's sets of digits",
        {
            "basic": {"data": "mnist-basic", **_DIGITS},
            "back-rand": {"data": "mnist-back-rand", **_DIGITS},
            "rot": {"data": "mnist-rot", **_DIGITS},
        },
        50_000,
        scale="paper",
        seeds=10,
        seconds=900.0,
    ),
)
