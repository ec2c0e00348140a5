"""Intervals and tests against literals with their derivation, and against simulation."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import PermutationMethod, binomtest, wilcoxon

from benchmarks.statistics import (
    equivalence,
    holm,
    mcnemar,
    mean_interval,
    median_interval,
    paired_differences,
    signed_rank,
    trend,
    wilson_interval,
)


@pytest.mark.parametrize(
    "n, k, coverage",
    [
        # 1 - 2 P(Binomial(n, 1/2) < k), summed by hand over binomial coefficients:
        (1, 1, 0.0),  # 1 - 2/2: one value is no interval
        (3, 1, 0.75),  # 1 - 2 * 1/8
        (5, 1, 0.9375),  # 1 - 2 * 1/32: short of 95 %, and all that there is
        (6, 1, 0.96875),  # 1 - 2 * 1/64
        (10, 2, 1 - 2 * (1 + 10) / 1024),
        (20, 6, 1 - 2 * (1 + 20 + 190 + 1140 + 4845 + 15504) / 2**20),
        (30, 10, 0.957226),  # method.md, section 1.1: [x10, x21] holds 95.7 %
    ],
)
def test_the_interval_takes_the_right_order_statistics(n, k, coverage):
    values = np.random.default_rng(n).permutation(n) + 1.0  # 1 .. n: a value is its rank
    found = median_interval(values.tolist())
    assert (found.low, found.high) == (k, n + 1 - k)
    assert found.coverage == pytest.approx(coverage, abs=1e-6)
    assert found.median == (n + 1) / 2


def test_the_interval_holds_the_true_median_as_often_as_it_says():
    rng, n, reps = np.random.default_rng(1), 10, 2000
    hits = 0
    for values in rng.lognormal(0, 1, (reps, n)):  # median exp(0) = 1, strongly skewed
        found = median_interval(values.tolist())
        hits += found.low <= 1 <= found.high
    standard_error = (found.coverage * (1 - found.coverage) / reps) ** 0.5
    assert abs(hits / reps - found.coverage) < 4 * standard_error


def test_no_values_have_no_median():
    with pytest.raises(ValueError, match="the median of no values"):
        median_interval([])


def test_an_infinite_cost_takes_part_in_the_median():
    found = median_interval([1, 2, math.inf, math.inf])
    assert found.median == math.inf and found.low == 1 and found.high == math.inf


@pytest.mark.parametrize(
    "successes, n, low, high",
    [  # statsmodels 0.15.0, proportion_confint(successes, n, method="wilson")
        (5, 5, 0.5655175352168252, 1.0),
        (4, 5, 0.3755346297625252, 0.9637758913675698),
        (8, 10, 0.49016247153664183, 0.9433178485456247),
        (9, 10, 0.5958499732047614, 0.982123786904927),
        (0, 10, 0.0, 0.27753279986288926),
        (30, 30, 0.8864866068260311, 1.0),
    ],
)
def test_wilsons_interval_equals_statsmodels(successes, n, low, high):
    found = wilson_interval(successes, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert (found.share, found.successes, found.n) == (successes / n, successes, n)


def test_wilsons_interval_solves_its_equation():
    found = wilson_interval(7, 10)
    for p in (found.low, found.high):  # |k/n - p| = z sqrt(p (1 - p) / n), z = 1.959964
        assert abs(0.7 - p) == pytest.approx(1.959964 * math.sqrt(p * (1 - p) / 10), rel=1e-6)


def test_wilsons_interval_holds_a_probability_95_times_in_100():
    """Exactly, by summing the binomial over its outcomes; on average over probabilities."""
    n = 10
    intervals = [wilson_interval(k, n) for k in range(n + 1)]
    coverage = [
        sum(
            math.comb(n, k) * p**k * (1 - p) ** (n - k)
            for k, found in enumerate(intervals)
            if found.low <= p <= found.high
        )
        for p in np.linspace(0.05, 0.95, 181)
    ]
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(
    "n, least",
    [(6, 0.03125), (8, 0.0078125), (10, 0.001953125), (12, 0.00048828125)],
)
def test_the_least_p_is_two_of_all_choices_of_signs(n, least):
    assert signed_rank([float(i + 1) for i in range(n)]) == least == 2 / 2**n


def test_no_test_is_made_of_five_runs():
    """Their least p is 1/16: it could only ever say "not significant"."""
    assert signed_rank([1.0] * 5) is None
    assert mcnemar([True] * 5, [False] * 5) is None
    assert equivalence([0.0, 0.1, 0.0, 0.1, 0.0], -1, 1) is None
    assert trend([1, 2], [[0, 1]] * 5).p is None
    assert signed_rank([1.0] * 6) == 0.03125


def test_signed_rank_by_hand():
    """W = 1 + 2 of ranks 1 .. 6: sums of at most 3 come from {}, {1}, {2}, {3}, {1, 2}."""
    assert signed_rank([1, 2, -3, -4, -5, -6]) == 2 * 5 / 64


@pytest.mark.parametrize(
    "differences",
    [
        [0.3, -0.1, 0.4, 0.2, 0.6, 0.15, -0.25, 0.5],  # no ties: scipy's exact mode gives .078125
        np.random.default_rng(3).normal(0.4, 1, 30).tolist(),
    ],
)
def test_signed_rank_without_ties_equals_scipys(differences):
    expected = wilcoxon(differences, method="exact").pvalue
    assert signed_rank(differences) == pytest.approx(expected, rel=1e-12)


def test_signed_rank_with_ties_and_zeros_equals_all_permutations():
    differences = [1, 1, -1, 2, 3, 0, 2, 2, -3, 5]
    every = PermutationMethod(n_resamples=np.inf)  # 2^9 signs
    assert signed_rank(differences) == wilcoxon(differences, method=every).pvalue == 0.1484375


def test_signed_rank_of_yes_and_no_is_mcnemars():
    for signs in product([-1, 0, 1], repeat=6):
        first, second = [s > 0 for s in signs], [s < 0 for s in signs]
        assert signed_rank(signs) == pytest.approx(mcnemar(first, second), abs=1e-12)


def test_signed_rank_rejects_as_rarely_as_it_says():
    rng, reps = np.random.default_rng(4), 2000
    p = np.array([signed_rank(d) for d in rng.standard_t(3, (reps, 10)).round(1)])
    for alpha in (0.05, 0.2):
        assert (p <= alpha).mean() < alpha + 4 * math.sqrt(alpha * (1 - alpha) / reps)
    assert (p <= 0.2).mean() > 0.15  # and is not so careful that it shows nothing


def test_a_difference_that_is_missing_is_told():
    with pytest.raises(ValueError, match="a difference is NaN"):
        signed_rank([1.0, math.nan, 1, 1, 1, 1])


def test_all_zero_differences_show_nothing():
    assert signed_rank([0.0] * 10) == 1.0
    assert mcnemar([True] * 10, [True] * 10) == 1.0


def test_two_that_never_get_there_do_not_differ():
    assert paired_differences([math.inf, 5, math.inf], [math.inf, 2, 3]) == [0, 3, math.inf]
    with pytest.raises(ValueError):
        paired_differences([1], [1, 2])


def test_equal_differences_tie():
    assert paired_differences([0.3, 0.2, 7.3], [0.1, 0.0, 7.1]) == [0.2, 0.2, 0.2]


def test_holm_equals_statsmodels():
    """statsmodels 0.15.0, multipletests(p, method="holm")[1]; .01 by hand: second of six, x 5."""
    p = [0.01, 0.04, 0.03, 0.005, 0.2, 0.03]
    assert holm(p) == pytest.approx([0.05, 0.12, 0.12, 0.03, 0.2, 0.12], abs=1e-15)


def test_holm_leaves_out_what_was_not_tested_and_stays_below_one():
    assert holm([0.02, None, 0.03]) == [0.04, None, 0.04]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_errs_in_one_family_of_twenty():
    rng, reps = np.random.default_rng(5), 4000
    families = [min(holm(p)) <= 0.05 for p in rng.random((reps, 8)).tolist()]
    assert np.mean(families) < 0.05 + 4 * math.sqrt(0.05 * 0.95 / reps)
    assert np.mean(families) > 0.03


def test_mcnemar_equals_statsmodels():
    """statsmodels 0.15.0, mcnemar([[3, 9], [2, 5]], exact=True) and [[3, 6], [0, 5]]."""
    first = [True] * 12 + [False] * 7
    second = [True] * 3 + [False] * 9 + [True] * 2 + [False] * 5
    assert mcnemar(first, second) == pytest.approx(0.0654296875)
    assert mcnemar([True] * 9 + [False] * 5, [True] * 3 + [False] * 11) == 0.03125
    assert mcnemar(second, first) == mcnemar(first, second)
    assert mcnemar(first, second) == binomtest(9, 11).pvalue


def test_equivalence_equals_statsmodels():
    """statsmodels 0.15.0, DescrStatsW(v).ttost_mean(low, high)[0]."""
    v = [0.3, -0.1, 0.4, 0.2, 0.6, 0.1, -0.2, 0.5]
    assert equivalence(v, -0.5, 0.5) == pytest.approx(0.014000302471034516, rel=1e-9)
    assert equivalence(v, -0.1, 0.45) == pytest.approx(0.0291608558658225, rel=1e-9)
    assert equivalence([-x for x in v], -0.45, 0.1) == pytest.approx(0.0291608558658225, rel=1e-9)


def test_equivalence_is_shown_exactly_if_the_90_percent_interval_lies_inside():
    rng = np.random.default_rng(6)
    for v in rng.normal(0, 1, (200, 10)).tolist():
        _, low, high = mean_interval(v, 0.90)
        assert (equivalence(v, -0.6, 0.6) < 0.05) == (-0.6 < low and high < 0.6)


def test_equivalence_is_rarely_shown_of_a_difference_as_large_as_the_margin():
    rng, reps = np.random.default_rng(7), 1000
    shown = [equivalence(v, -1, 1) < 0.05 for v in rng.normal(1, 0.8, (reps, 10)).tolist()]
    assert abs(np.mean(shown) - 0.05) < 4 * math.sqrt(0.05 * 0.95 / reps)


def test_equal_values_are_within_a_margin_or_are_not():
    assert equivalence([0.0] * 10, -1, 1) == 0.0
    assert equivalence([1.0] * 10, -1, 1) == 1.0  # on the border is not within
    assert equivalence([math.inf] * 10, -1, 1) is None
    with pytest.raises(ValueError, match=r"the range must not be empty, got \(1, 1\)"):
        equivalence([0.0] * 10, 1, 1)


def test_mean_interval_by_hand():
    """1, 2, 3: sd 1, t_2(.975) = 4.302653, half = 4.302653 / sqrt(3)."""
    assert mean_interval([1, 2, 3]) == pytest.approx((2, 2 - 2.484138, 2 + 2.484138), abs=1e-5)


def test_trend_by_hand():
    """x = 1, 2, 4, centred (-4, -1, 5)/3, their squares sum to 42/9; y = 3x gives 3, and
    y = (0, 0, 1) gives (5/3)/(42/9) = 5/14."""
    found = trend([1, 2, 4], [[3, 6, 12]] * 3 + [[0, 0, 1]] * 3)
    assert found.slope == pytest.approx((3 + 5 / 14) / 2)
    assert (found.low, found.high) == pytest.approx((5 / 14, 3))
    assert (found.p, found.n) == (0.03125, 6)
    assert trend([1, 2, 4], [[-3, -6, -12]] * 6).slope == pytest.approx(-3)


def test_trend_holds_the_true_slope_as_often_as_it_says():
    rng, x, reps = np.random.default_rng(8), np.array([1, 2, 3, 5, 8]), 1000
    own = rng.normal(0, 1, (reps, 10, 1)) * x  # every seed has a slope of its own, about 0.5
    y = 0.5 * x + own + rng.normal(0, 1, (reps, 10, 5))
    found = [trend(x, of_rep) for of_rep in y]
    hits = np.mean([f.low <= 0.5 <= f.high for f in found])
    coverage = found[0].coverage
    assert abs(hits - coverage) < 4 * math.sqrt(coverage * (1 - coverage) / reps)


def test_a_flat_line_has_slope_zero_to_the_last_bit():
    assert trend([3, 5, 8], [[20.0, 20.0, 20.0]] * 6)[:3] == (0, 0, 0)


def test_a_trend_needs_two_depths():
    with pytest.raises(ValueError, match="a slope needs two different x"):
        trend([3, 3], [[1, 2]] * 6)
