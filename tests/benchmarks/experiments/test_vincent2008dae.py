"""Denoising autoencoders on digits in noise, and their filters."""

import torch

from benchmarks.experiments.vincent2008dae import measure, measure_filters, neighbour_correlation

CPU = torch.device("cpu")
TINY = {
    "recipe": "autoencoder",
    "data": "digits-on-noise",
    "parts": [200, 100, 100],
    "width": 8,
    "lr": [0.1],
    "updates": 10,
    "batch_size": 20,
    "evaluate_every": 5,
}


def test_smooth_filters_correlate_with_their_neighbours_and_random_ones_do_not():
    generator = torch.Generator().manual_seed(0)
    row, column = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    smooth = (row + column).reshape(1, 784, 1)
    assert abs(neighbour_correlation(smooth).item() - 1) < 1e-5
    checkered = ((row + column) % 2).reshape(1, 784, 1)
    assert abs(neighbour_correlation(checkered).item() + 1) < 1e-5
    random = torch.randn(1, 784, 50, generator=generator)
    assert abs(neighbour_correlation(random).item()) < 4 / (380 * 50) ** 0.5


def test_a_seed_gives_the_same_alone_and_among_others():
    assert measure(TINY, 2, [5], CPU) == measure(TINY, 2, [4, 5], CPU)[1:]
    settings = {"n_train": 200, "n_valid": 100, "width": 6, "epochs": 1}
    assert measure_filters(settings, 25, [5], CPU) == measure_filters(settings, 25, [4, 5], CPU)[1:]


def test_the_share_that_is_destroyed_matters():
    settings = {"n_train": 200, "n_valid": 100, "width": 6, "epochs": 1}
    assert measure_filters(settings, 10, [5], CPU) != measure_filters(settings, 50, [5], CPU)
