"""Momentum, scale and finish of the autoencoder's training, where each has a known effect."""

import pytest
import torch

from benchmarks.autoencoders import error, fine_tune, images, random_start
from benchmarks.experiments.sutskever2013 import EXPERIMENTS, measure
from techniques.initialisation.sparse import Sparse
from techniques.optimisation.sgd import Sgd
from techniques.recipe import Recipe

CPU = torch.device("cpu")
TINY = {
    "data": "mnist5k",
    "n_train": 200,
    "n_valid": 4700,
    "side": 7,
    "layers": "20-10",
    "updates": 20,
    "batch_size": 50,
    "raise_every": 2,
    "finish_updates": 5,
    "finish_momentum": 0.5,
    "method": "nag",
    "momentum": 0.9,
    "scale": 1.0,
    "lr": 0.03,
}


def test_without_momentum_it_is_plain_gradient_descent():
    found = measure({**TINY, "method": "sgd", "momentum": 0.0}, 4, [2], CPU)[0]
    x, _ = images(TINY, CPU)
    autoencoder = random_start(Recipe(initialisation=Sparse()), 49, (20, 10, 4), [2], CPU)
    fine_tune(autoencoder, x, [2], optimisation=Sgd(0.0), lr=0.03, updates=20, batch_size=50)
    assert found["train_error"] == pytest.approx(error(autoencoder, x).item(), rel=1e-5)


def test_the_scale_multiplies_the_start():
    one, two = (
        random_start(Recipe(initialisation=Sparse(sd=sd)), 49, (20, 4), [2], CPU) for sd in (1, 2)
    )
    for a, b in zip(one.trainable(), two.trainable(), strict=True):
        torch.testing.assert_close(2 * a, b)


def test_no_finish_gains_nothing():
    found = measure({**TINY, "finish_updates": 0}, 4, [1], CPU)[0]
    assert found["finish_gain"] == 0 and found["train_error"] > 0


@pytest.mark.parametrize("method", ["nag", "cm"])
def test_a_seed_gives_the_same_alone_and_among_others(method):
    settings = {**TINY, "method": method}
    together = measure(settings, 4, [3, 4], CPU)
    assert together[0] != together[1] and measure(settings, 4, [4], CPU) == together[1:]


def test_conditions_are_what_their_names_say():
    reduced = EXPERIMENTS[0].conditions
    assert reduced["sgd"]["momentum"] == 0 and reduced["cm-0.99"]["method"] == "cm"
    assert reduced["scale-0.25"]["scale"] == 0.25
    assert reduced["scale-0.25"]["momentum"] == reduced["nag-0.99"]["momentum"] == 0.99
