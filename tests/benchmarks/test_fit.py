"""Classifiers for experiments."""

import torch

from benchmarks import datasets, fit
from benchmarks.suite import Budget, Data
from benchmarks.train import train_stack
from benchmarks.trial import Trial
from techniques.recipe import RECIPES

DATA = Data(name="mnist5k", n_train=300, n_valid=100)
SPLIT = datasets.load("mnist5k", 300, 100)
BUDGET = {"updates": 60, "batch_size": 30, "evaluate_every": 20}


def _fit(seeds, rates, layers=2, recipe="rbm"):
    network = fit.initial(RECIPES[recipe], SPLIT, seeds, [8, 6], layers=layers)
    return fit.train(network, SPLIT, seeds, rates, **BUDGET)


def test_it_trains_as_a_suite_does():
    found = _fit([3], [0.3])
    budget = Budget(**BUDGET, probe_at=(0, 60))
    sizes = {"depth": 2, "width": 8, "widths": (8, 6)}
    trial = Trial("rbm", "report", RECIPES["rbm"], DATA, **sizes, budget=budget, lr=0.3, seed=3,
                  device="cpu")  # fmt: skip
    (outcome,) = train_stack([trial])
    assert abs(found.test_error_pct.item() - outcome["result"]["test_error_pct"]) < 1e-3
    assert abs(found.valid_error_pct.item() - outcome["result"]["valid_error_pct"]) < 1e-3


def test_a_seed_gives_the_same_alone_and_among_others():
    alone, among = _fit([5], [0.1, 0.3]), _fit([4, 5, 6], [0.1, 0.3])
    assert torch.equal(alone.test_loss, among.test_loss[1:2])
    assert torch.equal(alone.train_loss, among.train_loss[1:2])


def test_each_seed_has_the_rate_of_its_least_validation_error():
    seeds, rates = [1, 2, 3], [0.001, 0.1, 0.5]
    found = _fit(seeds, rates)
    by_rate = torch.stack([_fit(seeds, [rate]).valid_error_pct for rate in rates])
    assert torch.equal(found.valid_error_pct, by_rate.amin(0))
    assert torch.equal(found.lr, torch.tensor(rates)[by_rate.argmin(0)])


def test_only_the_lowest_layers_are_pretrained():
    recipe = RECIPES["rbm"]
    drawn, one, two = (fit.initial(recipe, SPLIT, [7], [8, 6], layers=k) for k in (0, 1, 2))
    first, second = ([net.parameters[i]["weight"] for net in (drawn, one, two)] for i in (0, 1))
    assert torch.equal(first[1], first[2]) and not torch.equal(first[0], first[1])
    assert torch.equal(second[0], second[1]) and not torch.equal(second[1], second[2])
