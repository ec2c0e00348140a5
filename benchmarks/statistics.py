"""Intervals and tests for what the tables print; pure functions on numbers.

Runs are paired by their seed, which decides initial weights and the order of batches alike, so that
techniques are compared by differences within seeds. No test is made of fewer than ``FEWEST`` runs:
the functions return None, and the tables say "n too small". Interval and test both come from the
whole sample; that a difference is not significant never shows that there is none: ``equivalence``
may.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.stats import binom, binomtest, rankdata, t, ttest_1samp

FEWEST = 6  # of 5 pairs all with one sign, the exact two-sided p is 2/32: never below .05


class Interval(NamedTuple):
    """A median with the order statistics around it, and how surely they hold the true one."""

    median: float
    low: float
    high: float
    coverage: float  # probability; below the one asked for where n is too small


class Share(NamedTuple):
    """A share of n runs, 0 to 1, with the interval of the probability behind it."""

    share: float
    low: float
    high: float
    successes: int
    n: int


class Trend(NamedTuple):
    """The median slope over seeds, its interval and the test that slopes scatter about 0."""

    slope: float  # units of y per unit of x
    low: float
    high: float
    coverage: float
    p: float | None
    n: int  # seeds
    slopes: list[float]  # of each seed


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Distribution-free interval [x_(k), x_(n+1-k)] of the median, for the largest k that will do.

    It holds the true median with probability 1 - 2 P(Binomial(n, 1/2) < k), whatever the values'
    distribution. Below n = 6 even the whole range, k = 1, falls short of 95 %: it is given with
    the coverage it has. Of paired differences it is the interval of their median: unlike
    Hodges and Lehmann's, it needs no symmetry, which runs that trained or did not lack.
    Source: David and Nagaraja (2003), Order Statistics, section 7.1.

    Raises ValueError for no values.
    """
    x, n = sorted(values), len(values)
    if n == 0:
        raise ValueError("the median of no values")

    k, coverage = _order(n, confidence)
    median = (x[(n - 1) // 2] + x[n // 2]) / 2
    return Interval(median, x[k - 1], x[n - k], coverage)


@cache
def _order(n: int, confidence: float) -> tuple[int, float]:
    """Which order statistics bound the median of n, and how surely; the same for every cell."""

    def coverage(k: int) -> float:
        return float(1 - 2 * binom.cdf(k - 1, n, 0.5))

    enough = [k for k in range(1, n // 2 + 1) if coverage(k) >= confidence]
    k = max(enough, default=1)
    return k, max(coverage(k), 0.0)


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


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> Share:
    """Wilson's interval of a probability: all p with |k/n - p| <= z sqrt(p (1 - p) / n).

    Source: Wilson (1927), Probable inference, JASA 22, 209-212.

    Raises ValueError for n = 0 or successes outside 0 .. n.
    """
    bounds = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return Share(successes / n, float(bounds.low), float(bounds.high), successes, n)


def paired_differences(minuend: Sequence[float], subtrahend: Sequence[float]) -> list[float]:
    """Difference seed by seed; 0 where both are infinite (neither reached what it was timed to).

    Rounded to 10 decimals, so that equal differences tie: 0.3 - 0.1 is not 0.2 in binary.

    Raises ValueError for unequal lengths.
    """
    return [0.0 if a == b else round(a - b, 10) for a, b in zip(minuend, subtrahend, strict=True)]


def signed_rank(differences: Sequence[float]) -> float | None:
    """Exact two-sided p of Wilcoxon's signed-rank test; None for fewer than ``FEWEST`` pairs.

    W = sum of the ranks of |d| over d > 0, zeros left out, tied ranks averaged; p = 2 P(W as far
    out), over all 2^n choices of signs, which are as likely as one another if the pairs do not
    differ. The distribution is built up rank by rank, in halves, so that it is exact with ties
    too (errors are counts, so there are ties), where scipy's exact mode is for none and its
    permutations are a sample above n = 13. For differences of -1, 0 and 1 it is McNemar's test.
    Source: Wilcoxon (1945), Individual comparisons by ranking methods, Biometrics 1, 80-83.

    Raises ValueError for NaN, which has no rank.
    """
    if any(map(math.isnan, differences)):
        raise ValueError("a difference is NaN: leave out pairs of which one is missing")
    if len(differences) < FEWEST:
        return None
    nonzero = np.array([d for d in differences if d != 0])
    half_ranks = np.rint(2 * rankdata(np.abs(nonzero))).astype(int)  # an average rank is k or k + ½
    ways = np.zeros(half_ranks.sum() + 1)  # ways[w]: choices of signs with 2 W = w
    ways[0] = 1
    for rank in half_ranks:
        ways[rank:] = ways[rank:] + ways[:-rank]
    w = half_ranks[nonzero > 0].sum()
    tail = min(ways[: w + 1].sum(), ways[w:].sum())
    return min(1.0, 2 * float(tail / ways.sum()))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values: for the i-th smallest of m, max over j <= i of (m - j + 1) p_(j).

    All of those below alpha can be believed at once, with one error in 1/alpha families. None, no
    test, stays None and is not of the family. Source: Holm (1979), A simple sequentially
    rejective multiple test procedure, Scandinavian Journal of Statistics 6, 65-70.
    """
    made = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for place, (p, index) in enumerate(made):
        highest = max(highest, min(1.0, (len(made) - place) * p))
        adjusted[index] = highest
    return adjusted


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float | None:
    """Exact two-sided p that as many pairs have only the first true as only the second.

    b and c such pairs: b is Binomial(b + c, 1/2). None for fewer than ``FEWEST`` pairs.
    Source: McNemar (1947), Psychometrika 12, 153-157; exact form.

    Raises ValueError for unequal lengths.
    """
    pairs = list(zip(first, second, strict=True))
    if len(pairs) < FEWEST:
        return None
    only_first = sum(bool(a) and not b for a, b in pairs)
    only_second = sum(bool(b) and not a for a, b in pairs)
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def equivalence(values: Sequence[float], low: float, high: float) -> float | None:
    """p of two one-sided t-tests (TOST) that the mean is not within (low, high).

    Below .05 exactly if the 90 % interval of the mean lies inside. Values that are all equal give
    0 or 1, the limit as their sd goes to 0. None for fewer than ``FEWEST`` values or where one is
    infinite. Source: Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15,
    657-680.

    Raises ValueError for an empty range.
    """
    if not low < high:
        raise ValueError(f"the range must not be empty, got ({low:g}, {high:g})")
    if len(values) < FEWEST or not all(map(math.isfinite, values)):
        return None
    if min(values) == max(values):
        return 0.0 if low < values[0] < high else 1.0
    above = ttest_1samp(values, low, alternative="greater").pvalue
    below = ttest_1samp(values, high, alternative="less").pvalue
    return float(max(above, below))


def trend(x: Sequence[float], y: Sequence[Sequence[float]], confidence: float = 0.95) -> Trend:
    """Median over seeds of the slope of y (seeds, points) on x, by least squares in each seed.

    Points of one seed share its draws, seeds are independent of one another: the interval and
    the p (exact signed-rank) are taken over seeds, and a line need not fit.

    Raises ValueError for fewer than two different x, or no seeds.
    """
    centred = np.asarray(x, float) - np.mean(x)
    if not np.any(centred):
        raise ValueError(f"a slope needs two different x, got {list(x)}")
    table = np.asarray(y, float)
    rises = table - table[:, :1]  # of a flat line all 0, and so is its slope, to the last bit
    slopes = (rises @ centred / (centred @ centred)).tolist()
    return Trend(*median_interval(slopes, confidence), signed_rank(slopes), len(slopes), slopes)
