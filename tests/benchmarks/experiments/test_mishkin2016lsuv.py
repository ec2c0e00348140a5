"""Variances of layers that LSUV has scaled, and of others."""

import torch

from benchmarks.experiments import mishkin2016lsuv

CPU = torch.device("cpu")
SETTINGS = {"weights": "lsuv", "activation": "tanh", "width": 20, "examples": 100}


def test_scaled_layers_have_variance_1_and_orthonormal_ones_less():
    (scaled,) = mishkin2016lsuv.variances(SETTINGS, 4, [3], CPU)
    assert 0.8 < scaled["lowest_variance"] <= scaled["mean_variance"] <= scaled["highest_variance"]
    assert scaled["highest_variance"] < 1.25
    (left,) = mishkin2016lsuv.variances({**SETTINGS, "weights": "orthonormal"}, 4, [3], CPU)
    assert left["highest_variance"] < 0.5


def test_a_seed_gives_the_same_alone_and_among_others():
    alone, among = (mishkin2016lsuv.variances(SETTINGS, 2, seeds, CPU) for seeds in ([5], [4, 5]))
    assert alone[0] == among[1]
