"""PCA against singular values, and every way to a code on a few small images."""

import pytest
import torch

from benchmarks.experiments.hinton2006science import measure, pca, pca_error

CPU = torch.device("cpu")
TINY = {
    "data": "mnist5k",
    "n_train": 200,
    "n_valid": 4700,
    "side": 7,
    "layers": "12-8",
    "times": 1,
    "pretraining_epochs": 0,
    "updates": 20,
    "batch_size": 50,
    "momentum": 0.9,
    "lr": 0.03,
}


def test_pca_loses_the_small_singular_values():
    x = torch.rand(30, 8, generator=torch.Generator().manual_seed(1))
    singular = torch.linalg.svdvals((x - x.mean(0)).double())
    lost = float((singular[3:] ** 2).sum() / 30)
    assert pca_error(x, *pca(x, 3)) == pytest.approx(lost)
    assert pca_error(x, *pca(x, 8)) == pytest.approx(0, abs=1e-12)


def test_pca_is_the_same_for_all_seeds_and_better_with_more_components():
    def found(times):
        return measure({**TINY, "method": "pca", "times": times}, 4, [1, 2], CPU)

    one, other = found(1)
    assert one == other and found(3)[0]["test_error"] < one["test_error"]
    assert 0 < one["share_of_mean_image"] < 100


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "autoencoder", "pretraining_epochs": 2},
        {"method": "autoencoder"},
        {"method": "logistic-pca"},
    ],
)
def test_a_seed_gives_the_same_alone_and_among_others(changes):
    settings = TINY | changes
    together = measure(settings, 4, [3, 4], CPU)
    assert together[0] != together[1] and measure(settings, 4, [4], CPU) == together[1:]


def test_long_enough_logistic_pca_beats_the_mean_image():
    found = measure({**TINY, "method": "logistic-pca", "updates": 400, "lr": 0.1}, 4, [1], CPU)
    assert found[0]["share_of_mean_image"] < 80
