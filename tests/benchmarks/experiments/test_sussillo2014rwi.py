"""The walk of the gradient's norm, against products of matrices and its known drift."""

import math

import torch

from benchmarks.experiments import sussillo2014rwi
from techniques.network import build

CPU = torch.device("cpu")
SETTINGS = {"units": "linear", "weights": "uncorrected", "width": 30}


def test_the_ratio_is_that_of_a_product_of_matrices():
    recipe = sussillo2014rwi.RECIPES["linear", "uncorrected"]
    network = build(recipe, n_inputs=30, n_classes=10, widths=[30] * 3, seeds=[4], device=CPU)
    w1, w2, top = (network.parameters[i]["weight"][0].double().detach() for i in (1, 2, 3))
    x = torch.empty(1, 30, dtype=torch.float64)
    x.normal_(generator=sussillo2014rwi.stream(4, "sussillo2014:input"))
    w0 = network.parameters[0]["weight"][0].double().detach()
    delta = torch.softmax(x @ w0 @ w1 @ w2 @ top, 1)
    delta[0, 0] -= 1
    last = delta @ top.T
    first = last @ w2.T @ w1.T
    (found,) = sussillo2014rwi.walk(SETTINGS, 3, [4], CPU)
    assert math.isclose(found["log_ratio"], float((first.norm() / last.norm()).log()))
    assert found["log_ratio_size"] == abs(found["log_ratio"])


def test_linear_layers_drift_unless_they_are_corrected():
    # E log of a layer's factor is -1/(2N): 30 of them at N = 30 are -1/2. Their standard deviation
    # is sqrt(30 / 60) = 0.7, so that of the mean of 60 walks is 0.09
    seeds = range(60)
    means = {}
    for weights in ("uncorrected", "random-walk"):
        found = sussillo2014rwi.walk({**SETTINGS, "weights": weights}, 31, seeds, CPU)
        means[weights] = sum(one["log_ratio"] for one in found) / len(seeds)
    assert abs(means["random-walk"]) < 0.35
    assert abs(means["uncorrected"] + 0.5) < 0.35
    assert 0.3 < means["random-walk"] - means["uncorrected"] < 0.7


def test_a_seed_gives_the_same_alone_and_among_others():
    settings = {**SETTINGS, "units": "rectifier"}
    alone, among = (sussillo2014rwi.walk(settings, 5, seeds, CPU) for seeds in ([5], [4, 5]))
    assert alone[0] == among[1]
