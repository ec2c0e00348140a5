"""Intervals for what the tables print; pure functions on numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy.stats import binom, t


class Interval(NamedTuple):
    """A median with the order statistics around it, and how surely they hold the true one."""

    median: float
    low: float
    high: float
    coverage: float  # probability; below the one asked for where n is too small


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Distribution-free interval [x_(k), x_(n+1-k)] of the median, for the largest k that will do.

    It holds the true median with probability 1 - 2 P(Binomial(n, 1/2) < k), whatever the values'
    distribution. Below n = 6 even the whole range, k = 1, falls short of 95 %: it is given with
    the coverage it has. Source: David and Nagaraja (2003), Order Statistics, section 7.1.

    Raises ValueError for no values.
    """
    x, n = sorted(values), len(values)
    if n == 0:
        raise ValueError("the median of no values")

    def coverage(k: int) -> float:
        return float(1 - 2 * binom.cdf(k - 1, n, 0.5))

    enough = [k for k in range(1, n // 2 + 1) if coverage(k) >= confidence]
    k = max(enough, default=1)
    median = (x[(n - 1) // 2] + x[n // 2]) / 2
    return Interval(median, x[k - 1], x[n - k], max(coverage(k), 0.0))


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean and Student's interval, mean +- t_(n-1) sd / sqrt(n); NaN where there are too few.

    Exact for normal values; here values are averages over many runs, which are nearly so.
    """
    n = len(values)
    if n == 0:
        return math.nan, math.nan, math.nan
    mean = math.fsum(values) / n
    if n == 1:
        return mean, math.nan, math.nan
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    half = float(t.ppf((1 + confidence) / 2, n - 1)) * sd / math.sqrt(n)
    return mean, mean - half, mean + half
