"""Hessian-free optimisation of a deep autoencoder, from random weights and from pretrained ones.

Paper     Martens (2010), Deep learning via Hessian-free optimization, table 2
Protocol  the CURVES autoencoder, 784-400-200-100-50-25-6 mirrored; sparse initialisation (15
          incoming weights a unit) or RBM pretraining; HF against nonlinear conjugate gradients
Departs   batches of 1,000 or less for gradient, curvature and loss alike, 20 products with the
          curvature an update; conjugate gradients make three line searches a batch and have twice
          as many batches, which costs more; our own CURVES. Reduced scale: 7 x 7 pixels, 2,000
          images, fewer and smaller layers
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

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
from techniques.initialisation.sparse import Sparse
from techniques.optimisation.conjugate_gradients import ConjugateGradients
from techniques.optimisation.hessian_free import HessianFree
from techniques.optimisation.sgd import Sgd
from techniques.pretraining.rbm import Rbm
from techniques.recipe import Recipe

OPTIMISATION = {"hf": HessianFree(), "ncg": ConjugateGradients(), "sgd": Sgd(momentum=0.0)}


def measure(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Training and test error of a code of ``depth`` numbers."""
    x, x_test = images(settings, device)
    widths = encoder(settings, depth)
    if settings["pretraining_epochs"]:
        recipe = Recipe(pretraining=Rbm(epochs=settings["pretraining_epochs"]))
        autoencoder = pretrained_start(recipe, x, widths, seeds)
    else:
        recipe = Recipe(initialisation=Sparse())
        autoencoder = random_start(recipe, x.shape[1], widths, seeds, device)
    fine_tune(
        autoencoder,
        x,
        seeds,
        optimisation=OPTIMISATION[settings["method"]],
        lr=settings["lr"],
        updates=settings["updates"],
        batch_size=settings["batch_size"],
    )
    train, test, mean = error(autoencoder, x), error(autoencoder, x_test), error_of_mean(x, x)
    return [
        {
            "train_error": a,
            "test_error": b,
            "share_of_mean_image": 100 * a / mean,
            "trained": float(a < LEARNT_BELOW * mean),
        }
        for a, b in zip(train.tolist(), test.tolist(), strict=True)
    ]


QUANTITIES = {
    "train_error": Quantity("squared error", "summed over pixels, mean over training images"),
    "test_error": Quantity("squared error", "the same over test images"),
    "share_of_mean_image": Quantity(
        "% of the mean image's", "training error, of that of giving the mean image"
    ),
    "trained": Quantity("share of runs", "whether training error fell to half of the mean image's"),
}


def _conditions(
    base: Settings, hf_updates: int, pretraining_epochs: int, sgd: Settings | None = None
) -> dict[str, Settings]:
    base = {**base, "pretraining_epochs": 0}
    hf = {**base, "method": "hf", "lr": 1.0, "updates": hf_updates}
    ncg = {**base, "method": "ncg", "lr": 0.01, "updates": 2 * hf_updates}
    pretrained = {"pretraining_epochs": pretraining_epochs}
    found = {
        "random-hf": hf,
        "random-ncg": ncg,
        "pretrained-hf": hf | pretrained,
        "pretrained-ncg": ncg | pretrained,
    }
    if sgd is not None:
        found["random-sgd"] = {**base, "method": "sgd", **sgd}
    return found


_REDUCED = {"data": "curves", "n_train": 2000, "n_valid": 200, "side": 7, "layers": "40-25-12"}
_REDUCED |= {"batch_size": 500}
_PAPER = {"data": "curves", "n_train": 20_000, "n_valid": 2000, "side": 28}
_PAPER |= {"layers": "400-200-100-50-25", "batch_size": 1000}

EXPERIMENTS = (
    Experiment(
        name="martens2010hf",
        paper="martens2010hf",
        title="A deep autoencoder of drawn curves, Hessian-free and by conjugate gradients",
        scale="reduced",
        conditions=_conditions(_REDUCED, 100, 40, {"lr": 1.0, "updates": 4000, "batch_size": 100}),
        depths=(6,),
        seeds=10,
        quantities=QUANTITIES,
        measure=measure,
        seconds=4.5,
        depth_means="numbers in the code",
        at_once=10,
    ),
    Experiment(
        name="martens2010hf-paper",
        paper="martens2010hf",
        title="The CURVES autoencoder, Hessian-free and by conjugate gradients",
        scale="paper",
        conditions=_conditions(_PAPER, 500, 50),
        depths=(6,),
        seeds=10,
        quantities=QUANTITIES,
        measure=measure,
        seconds=1900.0,
        depth_means="numbers in the code",
    ),
)
