"""Intervals against literals with their derivation, and against simulation."""

import numpy as np
import pytest

from benchmarks.statistics import median_interval


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
    rng, n, reps = np.random.default_rng(1), 10, 4000
    hits = 0
    for values in rng.lognormal(0, 1, (reps, n)):  # median exp(0) = 1, strongly skewed
        found = median_interval(values.tolist())
        hits += found.low <= 1 <= found.high
    standard_error = (found.coverage * (1 - found.coverage) / reps) ** 0.5
    assert abs(hits / reps - found.coverage) < 4 * standard_error


def test_no_values_have_no_median():
    with pytest.raises(ValueError, match="the median of no values"):
        median_interval([])
