"""Depth scales against limits that are known, and training on a tiny scale."""

import math

import torch

from benchmarks.experiments import schoenholz2017
from benchmarks.experiments.schoenholz2017 import Gaussian

CPU = torch.device("cpu")
START = {"bias_variance": 0.05, "width": 200, "examples": 5}


def test_the_rate_is_negative_below_the_critical_variance_and_positive_above():
    assert schoenholz2017.rate(1.0) < schoenholz2017.rate(1.4) < 0 < schoenholz2017.rate(2.5)
    assert abs(schoenholz2017.rate(1.76)) < 1e-3


def test_weights_and_biases_have_the_variances_that_are_asked_for():
    draw = Gaussian(1.5, 0.05)
    generator = torch.Generator().manual_seed(0)
    weight = draw(400, 500, generator)
    assert math.isclose(weight.var() * 400, 1.5, rel_tol=0.02)  # standard error 0.3 %
    bias = draw.bias(torch.empty(1, 20_000), 0, generator)
    assert math.isclose(bias.var(), 0.05, rel_tol=0.05)  # standard error 1 %


def test_signals_change_at_the_predicted_rate():
    for variance in (1.0, 3.0):
        settings = {**START, "weight_variance": variance}
        (found,) = schoenholz2017.at_start(settings, 30, [7], CPU)
        assert abs(found["gradient_rate_gap"]) < 0.05
        assert abs(found["difference_rate_gap"]) < 0.05
        gap = found["gradient_rate"] - schoenholz2017.rate(variance)
        assert math.isclose(gap, found["gradient_rate_gap"])


def test_a_seed_gives_the_same_alone_and_among_others():
    start = {**START, "weight_variance": 1.0, "width": 20}
    alone, among = (schoenholz2017.at_start(start, 5, seeds, CPU) for seeds in ([5], [4, 5]))
    assert alone[0] == among[1]
    training = {
        "weight_variance": 1.0,
        "bias_variance": 0.05,
        "width": 16,
        "data": "mnist5k",
        "lr": 0.01,
        "batch_size": 10,
        "updates": 20,
    }
    alone, among = (schoenholz2017.in_training(training, 2, seeds, CPU) for seeds in ([5], [4, 5]))
    assert alone[0] == among[1]
