"""What runs are judged by: whether and how deep they train, at what cost, tuned how often.

Pure functions on what records hold. A run that never gets there costs infinitely much, and takes
part in medians: leaving it out would reward failing. Symbols as in the benchmarks that the measures
come from: T cost to target, rho performance profile, V_k expected best of k.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.resampling import FEWEST_RESAMPLED, percentiles, resample
from benchmarks.statistics import Share, median_interval, wilson_interval

# ---- how deep --------------------------------------------------------------------------------


def trainability(trained: Sequence[bool]) -> Share:
    """Share of the runs of a cell that trained, with Wilson's interval.

    Raises ValueError for no runs.
    """
    return wilson_interval(sum(map(bool, trained)), len(trained))


class TrainableDepth(NamedTuple):
    """Greatest depth up to which runs train, in hidden layers; 0 if they do at none."""

    depth: int
    low: int | None  # bootstrap interval, None where there are too few seeds
    high: int | None
    sure: int  # the same with "surely more than half": Wilson's lower bound above 1/2
    deepest: int  # of the grid: a depth that equals it is "at least" that deep
    n: int  # seeds

    def __str__(self) -> str:
        """Depth as it is printed: right-censored at the end of the grid."""
        return f">= {self.depth}" if self.depth == self.deepest else str(self.depth)


def depth_reached(depths: Sequence[int], works: ArrayLike) -> NDArray[np.int64]:
    """Last depth before the first that does not work, works (..., depths) -> (...); 0 if none.

    A depth that works above one that does not is not counted.

    Raises ValueError where depths do not ascend.
    """
    if list(depths) != sorted(set(depths)):
        raise ValueError(f"depths must ascend without repeats, got {list(depths)}")
    count = np.logical_and.accumulate(np.asarray(works, bool), axis=-1).sum(-1)
    return np.array([0, *depths])[count]


def max_trainable_depth(depths: Sequence[int], trained: ArrayLike, name: str) -> TrainableDepth:
    """D = max{d: at least half of the runs trained at every depth d' <= d}.

    trained is (seeds, depths). The interval draws seeds, each with its runs at all depths;
    ``name`` names the random draws. Right-censored: where D is the grid's last depth, it and an
    interval that ends there say "or more".

    Raises ValueError for no seeds, or depths that do not ascend.
    """
    runs = np.asarray(trained, bool)
    n = len(runs)
    if not n:
        raise ValueError("the trainable depth of no runs")
    surely = [wilson_interval(int(k), n).low > 0.5 for k in runs.sum(0)]
    low = high = None
    if n >= FEWEST_RESAMPLED:
        replicates = depth_reached(depths, runs[resample(n, name)].mean(1) >= 0.5)
        # observed quantiles: between two depths of the grid there is none
        low, high = map(int, percentiles(replicates, method="inverted_cdf"))
    return TrainableDepth(
        int(depth_reached(depths, runs.mean(0) >= 0.5)),
        low,
        high,
        int(depth_reached(depths, surely)),
        depths[-1],
        n,
    )


# ---- at what cost ----------------------------------------------------------------------------


class Clock(NamedTuple):
    """What stands on a clock after some updates: ``before`` + ``per_update`` x updates."""

    before: float  # pretraining
    per_update: float


def seconds_clock(result: Mapping[str, float], updates: int) -> Clock:
    """A run's seconds, from its record's result; comparable within one machine and load only.

    Time is spread evenly over all updates; what the evaluations took is in it.
    """
    return Clock(result["seconds_pretrain"], result["seconds_train"] / updates)


# matrix products of one layer's size that an update of its pretraining makes; training makes 3:
# x W, x' delta and delta W'. Up, k times down and up, two correlations:
_CONTRASTIVE = {"Rbm": 3, "RealRbm": 3, "PersistentRbm": 4}  # + 2 k; chains of their own: one more
# code, reconstruction, delta of the code, and the gradients of encoder and decoder:
_CODERS = ("Autoencoder", "Contractive", "Denoising", "SparseAutoencoder", "SupervisedGreedy")


def _pretraining_products(settings: Mapping) -> float:
    if settings["technique"] in _CONTRASTIVE:
        return _CONTRASTIVE[settings["technique"]] + 2 * settings["cd_k"]
    if settings["technique"] in _CODERS:
        return 5
    if settings["technique"] == "Lsuv":
        return 1
    raise ValueError(f"no count of products for pretraining {settings['technique']!r}")


def pretraining_updates(config: Mapping) -> int:
    """Updates of a single layer that a run's pretraining makes, over all of its layers."""
    settings = config["recipe"].get("pretraining")
    if settings is None:
        return 0
    if "epochs" not in settings:  # LSUV looks at one batch
        return config["depth"]
    n_train = config["data"]["n_train"]
    batch_size = min(settings.get("batch_size", n_train), n_train)
    return config["depth"] * settings["epochs"] * (n_train // batch_size)


# gradients of a batch that an update of an optimiser takes, where it is not one
_GRADIENTS: dict[str, Callable[[Mapping], float]] = {
    "ConjugateGradients": lambda s: 1 + s["line_searches"] * s["evaluations"],
    # in products a layer: the gradient 3, a pattern of signs 2, a product with the curvature 4 (one
    # before the first step), a loss 1 at each of about ten iterates and at each halving
    "HessianFree": lambda s: (
        (3 + 2 * s["probes"] + 4 * (1 + s["cg_iterations"]) + 10 + s["halvings"]) / 3
    ),
}


def gradient_clock(config: Mapping) -> Clock:
    """A run's cost in gradient equivalents, from its record's config; the same on any machine.

    1 = forward and backward pass of one training batch through the whole network, of depth + 1
    layers, which are counted as if of equal size. An update of greedy pretraining passes through
    one hidden layer, and costs its matrix products over the three of training. Gradients of one
    pass that a link or a unit makes dearer (two linear maps a layer) still count one; tuning is
    not in it.

    Raises ValueError for a pretraining whose products are not counted here.
    """
    recipe, budget, depth = config["recipe"], config["budget"], config["depth"]
    before = 0.0
    if "pretraining" in recipe:
        settings = recipe["pretraining"]
        batch_size = min(settings["batch_size"], config["data"]["n_train"])
        share = batch_size / budget["batch_size"] / (depth + 1)
        before = pretraining_updates(config) * share * _pretraining_products(settings) / 3
    settings = recipe["optimisation"]
    return Clock(before, float(_GRADIENTS.get(settings["technique"], lambda _: 1)(settings)))


def updates_to_target(
    updates: Sequence[int], errors: Sequence[float], target: float, status: str = "ok"
) -> float:
    """Updates at the first evaluation with error <= target; infinite if there is none.

    A run that diverges later never got there: it ends with nothing. NaN is no hit.
    """
    if status != "ok":
        return math.inf
    hits = (at for at, error in zip(updates, errors, strict=True) if error <= target)
    return float(next(hits, math.inf))


class Cost(NamedTuple):
    """Cost to target of a cell, on one clock."""

    median: float  # infinite if half of the runs do not get there
    low: float
    high: float
    n_reached: int
    n: int
    expected: float  # ERT; infinite if no run gets there


def cost_to_target(reached: Sequence[float], clocks: Sequence[Clock], last_update: int) -> Cost:
    """Median cost T over runs, with its order-statistic interval, and expected running time.

    ``reached`` are the runs' updates to target. T = before + per_update x reached: pretraining is
    on the clock. ERT = sum of min(T, what the whole run costs) / runs that reach it: the cost
    of trying again until one does. Source: Auger and Hansen (2005), Performance evaluation of an
    advanced local search evolutionary algorithm, CEC.

    Raises ValueError for no runs or unequal lengths.
    """
    pairs = list(zip(reached, clocks, strict=True))
    costs = [clock.before + clock.per_update * at for at, clock in pairs]
    found = median_interval(costs)
    spent = sum(c.before + c.per_update * min(at, last_update) for at, c in pairs)
    hits = sum(math.isfinite(at) for at in reached)
    expected = spent / hits if hits else math.inf
    return Cost(found.median, found.low, found.high, hits, len(costs), expected)


# ---- over many cells -------------------------------------------------------------------------


def normalised_scores(errors: ArrayLike, chance: float, reference: float) -> NDArray[np.float64]:
    """z = (chance - error) / (chance - reference), held within 0 and 1: 1 as good as the reference.

    Raises ValueError for a reference that is not below chance.
    """
    if not reference < chance:
        raise ValueError(f"reference {reference:g} must lie below chance {chance:g}")
    return np.clip((chance - np.asarray(errors, float)) / (chance - reference), 0, 1)


def score_profile(scores: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """F(x) = share of all runs with a score above x, for each threshold x.

    Source: Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical
    precipice, NeurIPS.
    """
    flat = np.asarray(scores, float).ravel()
    return (flat > np.asarray(thresholds, float)[..., None]).mean(-1)


def time_profile(costs: ArrayLike, ratios: ArrayLike) -> NDArray[np.float64]:
    """rho_t(tau) = share of cells where technique t costs at most tau times the cheapest one.

    costs (cells, techniques) -> (techniques, ratios). A cell that no technique solves counts
    against all. It depends on which techniques are compared, so never cite one alone.
    Source: Dolan and More (2002), Mathematical Programming 91, 201-213.

    Raises ValueError for a cost that is not above 0.
    """
    return (_ratios(costs)[..., None] <= np.asarray(ratios, float)).mean(0)


def profile_area(costs: ArrayLike, largest: float = 4.0) -> NDArray[np.float64]:
    """B_t = integral of rho_t(tau) for tau = 1 .. r_max, over r_max - 1; costs as above.

    Source: Dahl et al. (2023), Benchmarking neural network training algorithms, with r_max = 4.
    """
    return (np.clip(largest - _ratios(costs), 0, None) / (largest - 1)).mean(0)


def _ratios(costs: ArrayLike) -> NDArray[np.float64]:
    """Each cost over the least of its cell; infinite where that is, too."""
    table = np.asarray(costs, float)
    if not (table > 0).all():
        raise ValueError(f"costs must be above 0, got {table.min():g}")
    best = table.min(1, keepdims=True)
    return np.divide(table, best, out=np.full_like(table, np.inf), where=np.isfinite(best))


def expected_best(valid_errors: Sequence[float]) -> list[float]:
    """V_k for k = 1 .. N: the validation error to expect of the best of k tuning trials.

    V_k = sum over i = k .. N of C(i - 1, k - 1) / C(N, k) v_(i), with v sorted from worst to
    best: the mean best over all subsets of k of the N trials made, which is unbiased.
    Source: Tang et al. (2020), Showing your work doesn't always work, ACL, correcting Dodge et
    al. (2019), EMNLP.
    """
    v, n = sorted(valid_errors, reverse=True), len(valid_errors)
    return [
        sum(math.comb(i - 1, k - 1) * v[i - 1] for i in range(k, n + 1)) / math.comb(n, k)
        for k in range(1, n + 1)
    ]
