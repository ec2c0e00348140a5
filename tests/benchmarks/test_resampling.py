"""The bootstrap: its seeds, its pairing, and how often its intervals hold the truth."""

import math
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.resampling import (
    generator,
    interquartile_mean,
    percentiles,
    probability_of_improvement,
    resample,
)


def test_draws_depend_on_the_name_alone():
    first = resample(10, "T3", 5)
    resample(7, "another", 100)
    np.random.seed(3)
    assert (resample(10, "T3", 5) == first).all()
    assert (resample(10, "T4", 5) != first).any()


def test_draws_are_the_same_in_another_process():
    """Python salts its own hash of strings in every process."""
    code = "from benchmarks.resampling import generator; print(generator('T3').integers(2**40))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(there.stdout) == generator("T3").integers(2**40)


def test_every_seed_is_drawn_as_often_as_any():
    drawn = np.bincount(resample(10, "any").ravel(), minlength=10)
    assert np.abs(drawn - 10_000).max() < 4 * math.sqrt(10_000 * 0.9)


def test_percentiles_cut_off_both_tails():
    assert percentiles(np.arange(1001)) == pytest.approx((25, 975))
    assert percentiles(np.arange(1001), 0.9) == pytest.approx((50, 950))


def test_interquartile_mean_by_hand():
    """Of 1 .. 8 the quarter at each end, 1, 2, 7, 8, goes: (3 + 4 + 5 + 6) / 4."""
    assert interquartile_mean([[[1, 2, 3, 4]], [[5, 6], [7, 8]]], "a").value == 4.5
    assert interquartile_mean([[[0, 2, 3, 4, 5, 6, 7, 1000]]], "a").value == 4.5


def test_too_few_seeds_have_no_interval():
    assert interquartile_mean([np.ones((9, 3))], "a")[1:] == (None, None, 9)
    assert interquartile_mean([np.ones((20, 3)), np.ones((9, 3))], "a").low is None
    assert probability_of_improvement(np.ones(9), "a") == (1.0, None, None, 9)
    assert probability_of_improvement(np.ones(10), "a") == (1.0, 1.0, 1.0, 10)


def test_techniques_under_one_name_stay_paired():
    """One that is always 0.1 better has an interval that is 0.1 higher, to the last bit or so."""
    scores = np.random.default_rng(1).random((10, 4))
    first, second = interquartile_mean([scores], "T5"), interquartile_mean([scores + 0.1], "T5")
    assert np.subtract(second[:3], first[:3]) == pytest.approx([0.1] * 3, abs=1e-12)


def test_the_cells_of_a_seed_are_drawn_together():
    """Cells that cancel within every seed leave the mean of each replicate where it is."""
    d = np.random.default_rng(2).normal(size=(12, 1))
    found = probability_of_improvement(np.hstack([d, -d]), "a")
    assert found == (0.5, 0.5, 0.5, 12)
    scores = np.hstack([d, d])  # the same in both cells: as if there were one
    both, one = interquartile_mean([scores], "a"), interquartile_mean([d], "a")
    assert both[:3] == pytest.approx(one[:3], abs=0.05 * np.ptp(d))


def test_tasks_are_drawn_apart():
    """Opposite scores in two tasks would cancel in every replicate if drawn with one index."""
    d = np.random.default_rng(3).normal(size=(12, 1))
    found = interquartile_mean([d, -d], "a")
    assert found.high - found.low > 0.1


def test_interquartile_mean_holds_the_truth():
    """Normal scores with an effect of the seed; method.md measured .94 for 10 seeds."""
    rng, reps = np.random.default_rng(4), 300
    hits = 0
    for _ in range(reps):
        scores = rng.normal(size=(20, 3)) + rng.normal(size=(20, 1))
        found = interquartile_mean([scores], "a", replicates=400)
        hits += found.low <= 0 <= found.high
    assert 0.88 < hits / reps <= 0.99


def test_probability_of_improvement_by_hand():
    """Of four pairs two gain and one ties: (2 + 1/2) / 4."""
    assert probability_of_improvement([3.0, 0.1, 0.0, -2.0], "a").value == 0.625


def test_probability_of_improvement_holds_the_truth():
    """Normal differences with mean .5244 sd gain with probability .7."""
    rng, reps = np.random.default_rng(5), 400
    hits = 0
    for d in rng.normal(0.5244, 1, (reps, 30)):
        found = probability_of_improvement(d, "a", replicates=500)
        hits += found.low <= 0.7 <= found.high
    assert 0.90 < hits / reps <= 0.99


@pytest.mark.parametrize(
    "scores, told",
    [
        ([], "scores must be a table of seeds and cells"),
        ([[1.0, 2.0]], "scores must be a table of seeds and cells"),
        ([np.zeros((0, 3))], "scores must be a table of seeds and cells"),
        ([[[1.0, math.nan]]], "scores must be finite: failed runs count with score 0"),
    ],
)
def test_scores_that_are_none_are_told(scores, told):
    with pytest.raises(ValueError, match=told):
        interquartile_mean(scores, "a")


def test_no_differences_are_told():
    with pytest.raises(ValueError, match="the improvement of no differences"):
        probability_of_improvement([], "a")
