"""Codes of a few numbers: deep autoencoders, pretrained and not, against PCA and logistic PCA.

Paper     Hinton, Salakhutdinov (2006), Reducing the dimensionality of data with neural networks,
          figure 2A and B and the text on page 506
Protocol  CURVES 784-400-200-100-50-25-6 and MNIST 784-1000-500-250-30, mirrored; a linear code,
          all else logistic; 50 epochs of CD-1 a layer, cross-entropy; squared error a test image
Departs   fine-tuned by Nesterov momentum, for fewer epochs than the 200 of conjugate gradients,
          which would take a day a run; the code is pretrained as binary units; our own CURVES.
          Logistic PCA is the autoencoder with no layer between pixels and code. Reduced scale:
          14 x 14 pixels, fewer images, smaller layers
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.autoencoders import (
    LEARNT_BELOW,
    encoder,
    error,
    error_of_mean,
    fine_tune,
    images,
    pretrained_start,
    random_start,
)
from benchmarks.experiment import Experiment, Quantity, Settings
from techniques.initialisation.fan_in import FanIn
from techniques.optimisation.nesterov import Nesterov
from techniques.pretraining.rbm import Rbm
from techniques.recipe import Recipe


def pca(x: Tensor, n_components: int) -> tuple[Tensor, Tensor]:
    """Mean (D,) and directions (D, n_components) of the largest variance of x (N, D)."""
    x = x.double()
    mean = x.mean(0)
    _, directions = torch.linalg.eigh((x - mean).mT @ (x - mean))  # in ascending order
    return mean, directions[:, -n_components:]


def pca_error(x: Tensor, mean: Tensor, directions: Tensor) -> float:
    """Squared error an image of x (N, D) given back from its components."""
    centred = x.double() - mean
    lost = centred - centred @ directions @ directions.mT
    return float(lost.square().sum(1).mean())


def measure(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Test error of a code of ``depth`` numbers, or ``times`` as many, made by ``method``."""
    x, x_test = images(settings, device)
    n_code = depth * settings["times"]
    if settings["method"] == "pca":  # the same for every seed
        found = [pca_error(x_test, *pca(x, n_code))] * len(seeds)
    else:
        found = error(_trained(settings, n_code, x, seeds), x_test).tolist()
    mean = error_of_mean(x_test, x)
    return [
        {
            "test_error": e,
            "share_of_mean_image": 100 * e / mean,
            "trained": float(e < LEARNT_BELOW * mean),
        }
        for e in found
    ]


def _trained(settings: Settings, n_code: int, x: Tensor, seeds: Sequence[int]):
    epochs, device = settings["pretraining_epochs"], x.device
    if settings["method"] == "logistic-pca":
        autoencoder = random_start(Recipe(), x.shape[1], (n_code,), seeds, device)
    elif epochs:
        recipe = Recipe(pretraining=Rbm(epochs=epochs))
        autoencoder = pretrained_start(recipe, x, encoder(settings, n_code), seeds)
    else:
        recipe = Recipe(initialisation=FanIn())
        autoencoder = random_start(recipe, x.shape[1], encoder(settings, n_code), seeds, device)
    fine_tune(
        autoencoder,
        x,
        seeds,
        optimisation=Nesterov(momentum_max=settings["momentum"]),
        lr=settings["lr"],
        updates=settings["updates"],
        batch_size=settings["batch_size"],
    )
    return autoencoder


QUANTITIES = {
    "test_error": Quantity("squared error", "summed over pixels, mean over test images"),
    "share_of_mean_image": Quantity(
        "% of the mean image's", "test error, of that of giving the mean training image"
    ),
    "trained": Quantity("share of runs", "whether test error fell to half of the mean image's"),
}
DEPTH_MEANS = "numbers in the autoencoder's code, of which PCA keeps `times` as many"


def _conditions(
    base: Settings,
    pretraining_epochs: int,
    *,
    tripled: bool = False,
    not_pretrained: bool = False,
) -> dict[str, Settings]:
    """Of one data set; ``tripled``: as figure 2A sets 18 components beside a code of 6."""
    base = {**base, "times": 1, "pretraining_epochs": 0}
    deep, logistic, linear = (
        {**base, "method": method} for method in ("autoencoder", "logistic-pca", "pca")
    )
    found = {"pretrained": {**deep, "pretraining_epochs": pretraining_epochs}}
    if not_pretrained:
        found["not-pretrained"] = deep
    found |= {"logistic-pca": logistic, "pca": linear}
    if tripled:
        found["logistic-pca-tripled"] = {**logistic, "times": 3}
        found["pca-tripled"] = {**linear, "times": 3}
    return found


def _experiment(name: str, title: str, depth: int, **more: object) -> Experiment:
    return Experiment(
        name=name,
        paper="hinton2006science",
        title=title,
        depths=(depth,),
        seeds=10,
        quantities=QUANTITIES,
        measure=measure,
        depth_means=DEPTH_MEANS,
        **more,
    )


_CURVES = {"data": "curves", "n_train": 2000, "n_valid": 200, "side": 14, "layers": "100-50-25"}
_DIGITS = {"data": "mnist5k", "n_train": 3000, "n_valid": 1000, "side": 14, "layers": "150-75-40"}
_SHORT = {"batch_size": 100, "updates": 4000, "momentum": 0.99, "lr": 0.03}
_ALL_CURVES = {"data": "curves", "n_train": 20_000, "n_valid": 2000, "side": 28}
_ALL_CURVES |= {"layers": "400-200-100-50-25", "updates": 160_000}
_ALL_DIGITS = {"data": "mnist", "n_train": 59_000, "n_valid": 1000, "side": 28}
_ALL_DIGITS |= {"layers": "1000-500-250", "updates": 59_000}
_LONG = {"batch_size": 100, "momentum": 0.99, "lr": 0.003}

EXPERIMENTS = (
    _experiment(
        "hinton2006science-curves",
        "Codes of 6 numbers for drawn curves",
        6,
        scale="reduced",
        conditions=_conditions({**_CURVES, **_SHORT}, 40, tripled=True, not_pretrained=True),
        seconds=2.0,
        at_once=10,
    ),
    _experiment(
        "hinton2006science-digits",
        "Codes of 10 numbers for digits",
        10,
        scale="reduced",
        conditions=_conditions({**_DIGITS, **_SHORT}, 40),
        seconds=3.0,
        at_once=10,
    ),
    _experiment(
        "hinton2006science-curves-paper",
        "CURVES in 6 numbers",
        6,
        scale="paper",
        conditions=_conditions({**_ALL_CURVES, **_LONG}, 50, tripled=True, not_pretrained=True),
        seconds=800.0,
    ),
    _experiment(
        "hinton2006science-digits-paper",
        "MNIST in 30 numbers",
        30,
        scale="paper",
        conditions=_conditions({**_ALL_DIGITS, **_LONG}, 50),
        seconds=900.0,
    ),
)
