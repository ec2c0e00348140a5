"""Standard deviations at the start, against what the weights' variance implies."""

import math

import torch

from benchmarks.experiments import lecun1998efficient

CPU = torch.device("cpu")
SETTINGS = {"inputs": "standardised", "weights": "lecun", "width": 400, "examples": 200}


def test_sums_have_the_standard_deviation_that_the_weights_imply():
    # E z^2 = fan_in var(weight) for inputs of mean square 1: 1, or 1/3 with uniform weights; the
    # examples are much alike, so that their units' sums vary from one draw to another by some 5 %
    for weights, variance in (("lecun", 1.0), ("fan-in", 1 / 3)):
        settings = {**SETTINGS, "weights": weights}
        (found,) = lecun1998efficient.deviations(settings, 1, [3], CPU)
        assert math.isclose(found["first_pre_activation_sd"], variance**0.5, rel_tol=0.15)
        assert found["first_output_sd"] == found["last_output_sd"]


def test_a_seed_gives_the_same_alone_and_among_others():
    settings = {**SETTINGS, "width": 8}
    alone, among = (
        lecun1998efficient.deviations(settings, 2, seeds, CPU) for seeds in ([5], [4, 5])
    )
    assert alone[0] == among[1]
