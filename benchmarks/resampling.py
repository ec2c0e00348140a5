"""Bootstrap over seeds: intervals of what has no formula, the same on every regeneration.

A replicate draws seeds with replacement, and takes every run of a seed that it draws: of all depths
and all techniques, which a seed pairs. Draws depend on the name of what is computed alone, and on
nothing computed before it. Percentile intervals fall short at few seeds (87 % instead of 95 % for a
skewed mean of 10), so there are none below ``FEWEST_RESAMPLED``.
Source: Efron and Tibshirani (1993), An introduction to the bootstrap; Agarwal et al. (2021), Deep
reinforcement learning at the edge of the statistical precipice, NeurIPS, for the measures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import trim_mean

FEWEST_RESAMPLED = 10
REPLICATES = 10_000
_ENTROPY = 20061991  # any fixed number; 1991 and 2006 are where the story starts and turns


class Resampled(NamedTuple):
    """A value with its bootstrap interval, None where there are too few seeds for one."""

    value: float
    low: float | None
    high: float | None
    n: int  # seeds


def generator(name: str) -> np.random.Generator:
    """A random generator of its own for this name, the same in every process and version."""
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype="<u4")
    return np.random.default_rng(
        np.random.SeedSequence(_ENTROPY, spawn_key=tuple(int(word) for word in words))
    )


def resample(n_seeds: int, name: str, replicates: int = REPLICATES) -> NDArray[np.int64]:
    """Indices of the seeds that each replicate draws, (replicates, n_seeds)."""
    return generator(name).integers(n_seeds, size=(replicates, n_seeds))


def percentiles(
    replicates: ArrayLike, confidence: float = 0.95, method: str = "linear"
) -> tuple[float, float]:
    """The percentile interval: what leaves (1 - confidence) / 2 of the replicates on each side."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.asarray(replicates), [tail, 1 - tail], method=method)
    return float(low), float(high)


def interquartile_mean(
    scores: Sequence[ArrayLike], name: str, replicates: int = REPLICATES
) -> Resampled:
    """Mean of the middle half of all scores, each task's (seeds, cells), with its interval.

    Stratified: every task's seeds are drawn by themselves, and those of one task once for all
    its cells, so that techniques given the same ``name`` are drawn alike and stay paired. Never
    for trainability: it trims the failures away. n is that of the task with the fewest seeds.

    Raises ValueError for no tasks, a task that is not a table, or a score that is not finite.
    """
    tasks = [np.asarray(task, float) for task in scores]
    if not tasks or any(task.ndim != 2 or not task.size for task in tasks):
        raise ValueError("scores must be a table of seeds and cells for each task")
    if not all(np.isfinite(task).all() for task in tasks):
        raise ValueError("scores must be finite: failed runs count with score 0")
    value = float(trim_mean(np.concatenate([task.ravel() for task in tasks]), 0.25))
    n = min(len(task) for task in tasks)
    if n < FEWEST_RESAMPLED:
        return Resampled(value, None, None, n)
    drawn = [
        task[resample(len(task), f"{name}:{number}", replicates)].reshape(replicates, -1)
        for number, task in enumerate(tasks)
    ]
    means = trim_mean(np.concatenate(drawn, axis=1), 0.25, axis=1)
    return Resampled(value, *percentiles(means), n)


def probability_of_improvement(
    differences: ArrayLike, name: str, replicates: int = REPLICATES
) -> Resampled:
    """Share of paired runs that gain, P(d > 0) + P(d = 0) / 2, d (seeds,) or (seeds, cells).

    1/2 is no effect; cells count alike. Where every pair gains the interval is [1, 1], as no
    replicate can lose: ``wilson_interval`` of the wins says how sure that is. Source: Bouthillier
    et al. (2021), Accounting for variance in machine learning benchmarks, MLSys, who ask for .75.

    Raises ValueError for no differences.
    """
    d = np.asarray(differences, float)
    if not d.size:
        raise ValueError("the improvement of no differences")
    wins = (np.sign(d) + 1).reshape(len(d), -1).mean(1) / 2  # (seeds,)
    value, n = float(wins.mean()), len(d)
    if n < FEWEST_RESAMPLED:
        return Resampled(value, None, None, n)
    return Resampled(value, *percentiles(wins[resample(n, name, replicates)].mean(1)), n)
