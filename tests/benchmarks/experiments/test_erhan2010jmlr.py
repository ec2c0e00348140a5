"""Groups of nets that differ in their seed alone."""

import torch

from benchmarks import datasets, fit
from benchmarks.experiments.erhan2010jmlr import measure, measure_gain
from benchmarks.suite import KNOWN

CPU = torch.device("cpu")
TINY = {
    "recipe": "denoising",
    "n_train": 200,
    "n_valid": 100,
    "width": 8,
    "nets": 3,
    "lr": 0.3,
    "updates": 10,
    "batch_size": 20,
    "evaluate_every": 5,
}


def test_mean_and_spread_are_those_of_the_nets_trained_one_by_one():
    split = datasets.load("mnist5k", 200, 100)
    errors = []
    for seed in (6, 7, 8):  # of group 2
        network = fit.initial(KNOWN["denoising"], split, [seed], [8, 8], layers=0)
        budget = {"updates": 10, "batch_size": 20, "evaluate_every": 5}
        errors.append(fit.train(network, split, [seed], [0.3], **budget).test_error_pct.item())
    (found,) = measure(TINY | {"pretrained": False}, 2, [2], CPU)
    mean = sum(errors) / 3
    assert abs(found["test_error_pct"] - mean) < 1e-3
    spread = (sum((error - mean) ** 2 for error in errors) / 2) ** 0.5
    assert abs(found["spread_points"] - spread) < 1e-3


def test_the_gain_is_the_difference_of_the_two_means():
    (gain,) = measure_gain(TINY | {"layers": 2}, 8, [1], CPU)
    plain, pretrained = (
        measure(TINY | {"pretrained": which}, 2, [1], CPU)[0]["test_error_pct"]
        for which in (False, True)
    )
    assert gain == {"test_error_pct": pretrained, "gain_points": plain - pretrained}


def test_a_seed_gives_the_same_alone_and_among_others():
    settings = TINY | {"pretrained": True}
    assert measure(settings, 1, [5], CPU) == measure(settings, 1, [4, 5], CPU)[1:]
