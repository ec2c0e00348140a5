"""Support vector machines and nets on examples that the seed draws."""

import numpy as np
import torch
from torch import Tensor

from benchmarks import datasets, fit
from benchmarks.datasets.split import Split
from benchmarks.experiments.larochelle2007 import drawn, measure, svm_error_pct
from benchmarks.suite import KNOWN

CPU = torch.device("cpu")
SVM = {"recipe": "svm-rbf", "c": [1.0, 10.0], "gamma": [0.001, 0.1]}
NET = {
    "recipe": "plain",
    "layers": 1,
    "width": 8,
    "lr": [0.1],
    "updates": 20,
    "batch_size": 10,
    "evaluate_every": 10,
}
DATA = {"data": "rectangles", "parts": [100, 50, 200]}


def test_seeds_draw_other_rectangles_and_a_seed_the_same_again():
    one, other = drawn("rectangles", 50, 20, 30, 1), drawn("rectangles", 50, 20, 30, 2)
    assert not torch.equal(one.x_test, other.x_test)
    assert torch.equal(one.x_test, drawn("rectangles", 50, 20, 30, 1).x_test)


def test_digits_on_noise_are_the_digits_where_they_are_brighter():
    noisy, clean = drawn("digits-on-noise", 100, 50, 0, 3), datasets.load("mnist5k", 100, 50)
    white = clean.x_test == 1
    assert (noisy.x_test >= clean.x_test - 1e-6).all() and (noisy.x_test[white] == 1).all()
    background = noisy.x_test[clean.x_test == 0]
    assert abs(background.mean().item() - 0.5) < 0.002


def test_the_machine_separates_what_no_line_does():
    # exclusive or, with a hair of noise: errors are 0 at any sensible gamma
    generator = np.random.default_rng(0)

    def part(n: int) -> tuple[Tensor, Tensor]:
        corner = generator.integers(2, size=(n, 2))
        x = corner + generator.normal(0, 0.05, (n, 2))
        return torch.tensor(x), torch.tensor(corner[:, 0] ^ corner[:, 1])

    split = Split(*part(60), *part(40), *part(200))
    assert svm_error_pct({"c": [10.0], "gamma": [1e-6, 2.0]}, 0, split) == 0


def test_a_seed_gives_the_same_alone_and_among_others():
    for settings in (SVM | DATA, NET | DATA):
        assert measure(settings, 1, [5], CPU) == measure(settings, 1, [4, 5], CPU)[1:]


def test_of_several_widths_the_one_of_least_validation_error_counts():
    budget = {"updates": 300, "batch_size": 10, "evaluate_every": 50}
    split = drawn("rectangles", *DATA["parts"], 2)
    fits = {}
    for width in (1, 60):
        network = fit.initial(KNOWN["plain"], split, [2], [width], layers=0)
        fits[width] = fit.train(network, split, [2], [0.3], **budget)
    valid = {width: found.valid_error_pct.item() for width, found in fits.items()}
    assert valid[60] < valid[1] and fits[60].test_error_pct != fits[1].test_error_pct
    for widths in ([1, 60], [60, 1]):
        settings = NET | DATA | budget | {"widths": widths, "lr": [0.3]}
        error = measure(settings, 1, [2], CPU)[0]["test_error_pct"]
        assert error == fits[60].test_error_pct.item()
