"""Depth, cost, profiles and tuning against literals worked by hand, and by enumeration."""

import math
from copy import deepcopy
from itertools import combinations, product

import numpy as np
import pytest

from benchmarks.measures import (
    Clock,
    cost_to_target,
    depth_reached,
    expected_best,
    gradient_clock,
    max_trainable_depth,
    normalised_scores,
    profile_area,
    score_profile,
    seconds_clock,
    time_profile,
    trainability,
    updates_to_target,
)
from benchmarks.suite import read
from benchmarks.trial import Trial
from techniques.recipe import RECIPES

DEPTHS = [1, 3, 10, 30]


def test_trainability_counts_runs():
    found = trainability([True] * 8 + [False] * 2)
    assert (found.share, found.successes, found.n) == (0.8, 8, 10)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # statsmodels
    with pytest.raises(ValueError):
        trainability([])


def test_a_depth_above_one_that_fails_is_not_reached():
    works = [[1, 1, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]]
    assert depth_reached(DEPTHS, works).tolist() == [3, 0, 30, 0]
    with pytest.raises(ValueError, match="depths must ascend"):
        depth_reached([3, 1], [[1, 1]])


def runs(*counts: int, n: int = 10) -> list[list[bool]]:
    """(seeds, depths): at each depth the first so many seeds trained."""
    return [[seed < count for count in counts] for seed in range(n)]


@pytest.mark.parametrize(
    "counts, depth, sure, shown",
    [
        ((10, 10, 5, 0), 10, 3, "10"),  # half of the runs are enough, though not surely
        ((10, 10, 4, 0), 3, 3, "3"),
        ((10, 9, 8, 0), 10, 3, "10"),  # Wilson's lower bound of 9/10 is .596, of 8/10 .490
        ((10, 4, 10, 10), 1, 1, "1"),  # what works above a failure does not count
        ((10, 10, 10, 10), 30, 30, ">= 30"),
        ((0, 0, 0, 0), 0, 0, "0"),
    ],
)
def test_the_trainable_depth(counts, depth, sure, shown):
    found = max_trainable_depth(DEPTHS, runs(*counts), "a")
    assert (found.depth, found.sure, str(found), found.n) == (depth, sure, shown, 10)


def test_the_interval_of_the_trainable_depth_is_of_the_grid():
    assert max_trainable_depth(DEPTHS, runs(10, 10, 5, 0), "a")[1:3] == (3, 10)
    assert max_trainable_depth(DEPTHS, runs(10, 10, 10, 0), "a")[1:3] == (10, 10)
    # at least 5 of ten drawn from 8 in 10: .994, surely; more than 5 would be .967, not surely
    assert max_trainable_depth(DEPTHS, runs(10, 8, 0, 0), "a")[1:3] == (3, 3)
    assert max_trainable_depth(DEPTHS, runs(9, 9, 9, 9, n=9), "a")[1:3] == (None, None)
    with pytest.raises(ValueError, match="the trainable depth of no runs"):
        max_trainable_depth(DEPTHS, [], "a")


def test_the_interval_draws_a_seed_with_all_its_depths():
    """Seeds 0 .. 4 work at depths 1 and 3, the others at none. Drawn together the depths agree
    in every replicate, and D is 3 in P(Binomial(10, 1/2) >= 5) = .62 of them, else 0; drawn
    apart, D = 1 would come up in .62 x .38 of them."""
    for name in map(str, range(20)):
        found = max_trainable_depth([1, 3], runs(5, 5), name)
        assert (found.depth, found.low, found.high) == (3, 0, 3)


def test_the_interval_holds_the_true_depth():
    """Runs train with probability .95, .8, .2, .0: D = 3, and 500 draws of ten seeds say so."""
    rng = np.random.default_rng(1)
    hits = 0
    for number in range(100):
        trained = rng.random((10, 4)) < [0.95, 0.8, 0.2, 0.0]
        found = max_trainable_depth(DEPTHS, trained, str(number))
        hits += found.low <= 3 <= found.high
    assert hits >= 95


def test_the_target_is_reached_at_the_first_evaluation_at_or_below_it():
    curve = [90, 60, 20, 30, 10]
    assert updates_to_target([0, 100, 200, 300, 400], curve, 20) == 200
    assert updates_to_target([0, 100, 200, 300, 400], curve, 19.9) == 400
    assert updates_to_target([0, 100], [90, math.nan], 50) == math.inf
    assert updates_to_target([0, 100], [90, 20], 50, "diverged") == math.inf
    assert updates_to_target([], [], 50) == math.inf


def test_cost_by_hand():
    """Three runs on a clock of 5 before and 2 an update: 205, 405, infinite, of at most 500
    updates: ERT = (205 + 405 + 1005) / 2."""
    found = cost_to_target([100, 200, math.inf], [Clock(5, 2)] * 3, 500)
    assert found == (405, 205, math.inf, 2, 3, 807.5)


def test_failing_makes_cost_infinite_and_never_cheaper():
    found = cost_to_target([100, math.inf, math.inf], [Clock(0, 1)] * 3, 500)
    assert (found.median, found.expected) == (math.inf, 1100)
    assert cost_to_target([math.inf] * 3, [Clock(0, 1)] * 3, 500).expected == math.inf


def test_pretraining_is_on_the_clock_of_seconds():
    clock = seconds_clock({"seconds_pretrain": 3.0, "seconds_train": 8.0}, 1000)
    assert clock == (3.0, 0.008)


def config(name: str, depth: int) -> dict:
    suite = read("depth")  # 3,000 examples, batches of 100: 30 an epoch
    return Trial(
        name, "report", RECIPES[name], suite.data, depth, 32, suite.budget, 0.1, 0, "cpu"
    ).config


@pytest.mark.parametrize(
    "name, depth, before, per_update",
    [
        ("plain", 4, 0, 1),
        # 10 epochs of 30 updates, 4 of 5 layers, 3 + 2 products of CD-1 against 3
        ("rbm", 4, 300 * 4 / 5 * 5 / 3, 1),
        ("rbm-persistent", 4, 300 * 4 / 5 * 6 / 3, 1),
        ("autoencoder", 1, 300 * 1 / 2 * 5 / 3, 1),
        ("supervised-greedy", 4, 300 * 4 / 5 * 5 / 3, 1),
        ("lsuv", 4, 1 * 4 / 5 * 10 * 1 / 3, 1),  # one product, of a batch of 1,000
        ("conjugate-gradients", 4, 0, 1 + 3 * 8),
        # 3 + 4 x 2 + 21 x 4 + 10 + 6 products
        ("hessian-free", 4, 0, 111 / 3),
    ],
)
def test_the_clock_of_gradients(name, depth, before, per_update):
    found = gradient_clock(config(name, depth))
    assert found == pytest.approx((before, per_update))


def test_every_recipe_of_the_catalogue_has_a_clock_of_gradients():
    for name in RECIPES:
        assert gradient_clock(config(name, 2)).per_update >= 1


def test_a_pretraining_that_is_not_counted_is_told():
    strange = deepcopy(config("rbm", 3))  # the recipe itself remembers its settings
    strange["recipe"]["pretraining"]["technique"] = "Osmosis"
    with pytest.raises(ValueError, match="no count of products for pretraining 'Osmosis'"):
        gradient_clock(strange)


def test_normalised_scores_lie_between_chance_and_the_reference():
    scores = normalised_scores([90, 95, 50, 10, 5], chance=90, reference=10)
    assert scores.tolist() == [0, 0, 0.5, 1, 1]
    with pytest.raises(ValueError, match="reference 90 must lie below chance 90"):
        normalised_scores([1], 90, 90)


def test_score_profile_by_hand():
    assert score_profile([[0.2, 0.4], [0.6, 1.0]], [0, 0.4, 0.5, 1]).tolist() == [1, 0.5, 0.5, 0]


# cells down, techniques across; ratios 1 2, 3 1, inf 1, and none where nothing is solved
COSTS = [[10, 20], [30, 10], [math.inf, 7], [math.inf, math.inf]]


def test_time_profile_by_hand():
    profile = time_profile(COSTS, [1, 2, 3, 1e9])
    assert profile.tolist() == [[0.25, 0.25, 0.5, 0.5], [0.5, 0.75, 0.75, 0.75]]


def test_profile_area_is_the_integral():
    """(4 - 1) + (4 - 3) over 3 x 4 cells, and (4 - 2) + 2 (4 - 1)."""
    assert profile_area(COSTS).tolist() == pytest.approx([4 / 12, 8 / 12])
    tau = np.linspace(1, 4, 30_001)
    numeric = np.trapezoid(time_profile(COSTS, tau), tau) / 3
    assert profile_area(COSTS) == pytest.approx(numeric, abs=1e-4)


def test_costs_are_above_zero():
    with pytest.raises(ValueError, match="costs must be above 0, got 0"):
        time_profile([[0, 1]], [1])


def test_expected_best_is_the_mean_over_all_subsets():
    errors = [12.0, 8.0, 30.0, 8.0, 90.0, 11.0]
    for k, found in enumerate(expected_best(errors), 1):
        subsets = [min(chosen) for chosen in combinations(errors, k)]
        assert found == pytest.approx(np.mean(subsets), rel=1e-12)


def test_expected_best_is_unbiased():
    """Errors 0 or 1 with equal chance: the best of k is 1 with probability 2^-k. Exactly, over
    all 32 outcomes of five trials; Dodge's plug-in estimator is biased here."""
    means = np.mean([expected_best(outcome) for outcome in product([0, 1], repeat=5)], axis=0)
    assert means == pytest.approx([2.0**-k for k in range(1, 6)], rel=1e-12)
