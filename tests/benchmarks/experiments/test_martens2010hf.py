"""Each method on a few small images: it learns, and a seed's numbers are its own."""

import pytest
import torch

from benchmarks.experiments.martens2010hf import measure

CPU = torch.device("cpu")
TINY = {
    "data": "mnist5k",
    "n_train": 200,
    "n_valid": 4700,
    "side": 7,
    "layers": "20",
    "batch_size": 100,
    "updates": 2,
    "pretraining_epochs": 0,
    "method": "hf",
    "lr": 1.0,
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pretraining_epochs": 1},
        {"method": "ncg", "lr": 0.01},
        {"method": "sgd", "lr": 0.01},
    ],
)
def test_a_seed_gives_the_same_alone_and_among_others(changes):
    settings = TINY | changes
    together = measure(settings, 4, [3, 4], CPU)
    assert together[0] != together[1] and measure(settings, 4, [4], CPU) == together[1:]


@pytest.mark.parametrize("changes", [{"updates": 12}, {"method": "ncg", "lr": 0.01, "updates": 30}])
def test_dozens_of_batches_beat_the_mean_image(changes):
    found = measure(TINY | changes, 4, [1], CPU)[0]
    assert found["share_of_mean_image"] < 90
