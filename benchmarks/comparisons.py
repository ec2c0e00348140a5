"""Tables that weigh the techniques of a suite against one another, and papers' claims against them.

T7 how deep they train, T8 at what cost, T9 against the first recipe, T10 the claims; and which
cells of T1 are as good as the best. Runs are paired by seed. A family of tests, over which p-values
are adjusted by Holm's method, is all that is compared at one depth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from benchmarks import claims
from benchmarks.claims import Claim
from benchmarks.measures import (
    Clock,
    Cost,
    cost_to_target,
    gradient_clock,
    max_trainable_depth,
    pretraining_updates,
    seconds_clock,
    trainability,
    updates_to_target,
)
from benchmarks.metrics import Results
from benchmarks.resampling import probability_of_improvement
from benchmarks.statistics import (
    FEWEST,
    holm,
    median_interval,
    paired_differences,
    signed_rank,
)
from benchmarks.store import DONE
from benchmarks.suite import Suite
from benchmarks.tables import cells_of, row_id
from benchmarks.trial import Trial
from benchmarks.verdicts import ALPHA, Verdict, last_changed, verdicts


def finished(trials: pd.DataFrame) -> pd.DataFrame:
    """The reporting runs that have a result; diverged ones are among them."""
    return trials[(trials["role"] == "report") & trials["status"].isin(DONE)]


def _errors(trials: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Test errors at a depth: seeds down, techniques across; NaN where a run has none."""
    done = finished(trials)
    at = done[done["depth"] == depth].astype({"test_error_pct": float})
    return at.pivot(index="seed", columns="technique", values="test_error_pct")


def _against(wide: pd.DataFrame, minuend: str, subtrahend: str) -> list[float]:
    pairs = wide[[minuend, subtrahend]].dropna()
    return paired_differences(pairs[minuend].tolist(), pairs[subtrahend].tolist())


# ---- T1: which are as good as the best -------------------------------------------------------


class Family(NamedTuple):
    """Tests of one depth that are adjusted together."""

    tests: int
    runs: int  # the most pairs that one of them has

    @property
    def least(self) -> float:
        """The least adjusted p that so many tests of so few pairs can give."""
        return least_adjusted_p(self.tests, self.runs)


def least_adjusted_p(tests: int, pairs: int) -> float:
    """Of pairs all with one sign the signed-rank test has p = 2 / 2^n; Holm's factor is tests."""
    return min(1.0, tests * 2.0 ** (1 - pairs))


def against_the_best(suite: Suite, trials: pd.DataFrame) -> pd.DataFrame:
    """One row a cell: ``best``, adjusted ``p_best`` of being as good, and ``bold``.

    The best of a depth has the least median error, the first of equals. Bold is what is not
    significantly worse, and the best itself, where the test could have told: of ``FEWEST`` pairs
    or more, and so many that the least p-value they allow stays below ``ALPHA`` when adjusted.
    """
    rows = []
    for depth in suite.depths:
        wide = _errors(trials, depth)
        names = [t for t, d in suite.cells if d == depth]
        known = [name for name in names if name in wide and wide[name].notna().any()]
        best = min(known, key=lambda name: wide[name].median(), default=None)
        others = [name for name in known if name != best]
        differences = [_against(wide, name, best) for name in others]
        raw = [signed_rank(d) for d in differences]
        adjusted = holm(raw)
        tests = sum(p is not None for p in raw)
        found = {}
        for name, d, p in zip(others, differences, adjusted, strict=True):
            able = p is not None and least_adjusted_p(tests, len(d)) < ALPHA
            worse = p is not None and p < ALPHA and median_interval(d).median > 0
            found[name] = (p, able and not worse, able)
        found[best] = (None, any(able for _, _, able in found.values()), True)
        for name in names:
            p, bold, _ = found.get(name, (None, False, False))
            rows.append((name, depth, name == best, p, bold))
    table = pd.DataFrame(rows, columns=["technique", "depth", "best", "p_best", "bold"])
    return table.astype({"p_best": float})


def family(suite: Suite, t1: pd.DataFrame) -> Family:
    """The largest family of comparisons with one technique, from T1."""
    at = t1[t1["n"] >= FEWEST].groupby("depth")["n"]
    if not len(at):
        return Family(0, 0)
    return Family(int(at.size().max()) - 1, int(at.max().max()))


# ---- T7: how deep ----------------------------------------------------------------------------


def trainability_table(suite: Suite, trials: pd.DataFrame) -> pd.DataFrame:
    """T7: the share of a cell's runs that trained, with Wilson's interval, all in %."""
    cells = cells_of(finished(trials))
    rows = []
    for technique, depth in suite.cells:
        done = cells(technique, depth)
        row: dict[str, object] = {"technique": technique, "depth": depth, "n": len(done)}
        if len(done):
            share = trainability(done["trained"].tolist())
            row |= {"n_trained": share.successes, "trained_pct": 100 * share.share}
            row |= {"low": 100 * share.low, "high": 100 * share.high}
        row["n_diverged"] = int((done["status"] == "diverged").sum())
        row["n_missing"] = suite.seeds - len(done)
        rows.append(row)
    columns = ["technique", "depth", "n", "n_trained", "trained_pct", "low", "high"]
    table = pd.DataFrame(rows, columns=[*columns, "n_diverged", "n_missing"])
    return table.fillna({"n_trained": 0}).astype({"n_trained": int})


def trainable_depth_table(suite: Suite, trials: pd.DataFrame) -> pd.DataFrame:
    """T7: the greatest depth up to which half of a technique's runs train, with its interval.

    Of the seeds that have a result at every depth the technique is run at, drawn alike for all
    techniques; ``censored`` where that depth is the last one: it may be more.
    """
    done = finished(trials)
    rows = []
    for technique in suite.recipes:
        own = done[done["technique"] == technique]
        depths = sorted(d for t, d in suite.cells if t == technique)
        wide = own.pivot(index="seed", columns="depth", values="trained")
        wide = wide.reindex(columns=depths).dropna()
        row: dict[str, object] = {"technique": technique, "n": len(wide)}
        if len(wide):
            found = max_trainable_depth(depths, wide.astype(bool), f"{suite.name}/T7")
            row |= {"depth": found.depth, "low": found.low, "high": found.high}
            row |= {"sure": found.sure, "censored": found.depth == found.deepest}
        row["deepest"] = depths[-1]
        row["n_diverged"] = int((own["status"] == "diverged").sum())
        row["n_missing"] = len(depths) * suite.seeds - len(own)
        rows.append(row)
    columns = ["technique", "n", "depth", "low", "high", "sure", "censored", "deepest"]
    table = pd.DataFrame(rows, columns=[*columns, "n_diverged", "n_missing"])
    return table.astype(dict.fromkeys(["depth", "low", "high", "sure"], "Int64"))


# ---- T8: at what cost ------------------------------------------------------------------------

CLOCKS = ("gradients", "updates", "seconds")


def cost_table(
    suite: Suite, trials: Sequence[Trial], frame: pd.DataFrame, curves: pd.DataFrame, target: float
) -> pd.DataFrame:
    """T8: cost until the training error, in %, is first seen at the target, on each clock.

    A run that never gets there, or diverges later, costs infinitely much, and takes part in the
    medians.
    ``*_expected`` is the cost of trying again until a run gets there.
    """
    seen = {
        run: (curve["update"].tolist(), curve["train_error_pct"].astype(float).tolist())
        for run, curve in curves.sort_values("update").groupby(["technique", "depth", "seed"])
    }
    configs = {trial.cell: trial.config for trial in trials}
    cells = cells_of(finished(frame))
    rows = []
    for technique, depth in suite.cells:
        done = cells(technique, depth)
        row: dict[str, object] = {"technique": technique, "depth": depth, "n": len(done)}
        if len(done):
            at = [
                updates_to_target(*seen.get((technique, depth, seed), ([], [])), target, status)
                for seed, status in zip(done["seed"], done["status"], strict=True)
            ]
            row["n_reached"] = sum(map(math.isfinite, at))
            clocks = _clocks(configs[technique, depth], done, suite.budget.updates)
            for name, of_runs in clocks.items():
                cost = cost_to_target(at, of_runs, suite.budget.updates)
                row |= _columns(name, cost)
            row["coverage"] = median_interval(at).coverage
        row["n_diverged"] = int((done["status"] == "diverged").sum())
        row["n_missing"] = suite.seeds - len(done)
        rows.append(row)
    columns = [f"{c}{end}" for c in CLOCKS for end in ("", "_low", "_high", "_expected")]
    columns = ["technique", "depth", "n", "n_reached", *columns, "coverage"]
    table = pd.DataFrame(rows, columns=[*columns, "n_diverged", "n_missing"])
    return table.fillna({"n_reached": 0}).astype({"n_reached": int})


def _clocks(config: Mapping, done: pd.DataFrame, updates: int) -> dict[str, list[Clock]]:
    found = {
        "updates": [Clock(float(pretraining_updates(config)), 1.0)] * len(done),
        "seconds": [seconds_clock(run, updates) for run in done.to_dict("records")],
    }
    try:
        found["gradients"] = [gradient_clock(config)] * len(done)
    except (ValueError, KeyError):
        pass  # a pretraining whose products nobody has counted: its cells stay empty
    return found


def _columns(name: str, cost: Cost) -> dict[str, float]:
    return {
        name: cost.median,
        f"{name}_low": cost.low,
        f"{name}_high": cost.high,
        f"{name}_expected": cost.expected,
    }


# ---- T9: against the first recipe ------------------------------------------------------------


def pairwise_table(suite: Suite, trials: pd.DataFrame) -> pd.DataFrame:
    """T9: how many points of test error a technique saves, against the suite's first recipe.

    The median of the differences within seeds and the order statistics around it; the share of
    seeds that gain, with its bootstrap interval; p of the exact signed-rank test, raw and adjusted
    over all techniques at the depth.
    """
    baseline = suite.recipes[0]
    rows = []
    for depth in suite.depths:
        wide = _errors(trials, depth)
        others = [t for t, d in suite.cells if d == depth and t != baseline]
        found = [
            _against(wide, baseline, name) if {baseline, name} <= set(wide) else []
            for name in others
        ]
        raw = [signed_rank(d) for d in found]
        for name, d, p, adjusted in zip(others, found, raw, holm(raw), strict=True):
            row: dict[str, object] = {"technique": name, "depth": depth, "baseline": baseline}
            row["n"] = len(d)
            if d:
                saved = median_interval(d)
                gain = probability_of_improvement(d, f"{suite.name}/T9/{depth}")
                row |= {"saved_points": saved.median, "low": saved.low, "high": saved.high}
                row |= {"coverage": saved.coverage, "improvement": gain.value}
                row |= {"improvement_low": gain.low, "improvement_high": gain.high}
            row |= {"p": p, "p_holm": adjusted, "n_missing": suite.seeds - len(d)}
            rows.append(row)
    columns = ["technique", "depth", "baseline", "n", "saved_points", "low", "high", "coverage"]
    columns += ["improvement", "improvement_low", "improvement_high", "p", "p_holm", "n_missing"]
    table = pd.DataFrame(rows, columns=columns)
    order = {cell: place for place, cell in enumerate(suite.cells)}
    places = [order[cell] for cell in zip(table["technique"], table["depth"], strict=True)]
    return table.iloc[sorted(range(len(table)), key=places.__getitem__)].reset_index(drop=True)


# ---- T10: papers' claims ---------------------------------------------------------------------


def judged(suite: Suite, results_of: Mapping[str, Results]) -> list[tuple[str, Verdict]]:
    """Key of the paper and verdict of every claim that this suite tests, file by file.

    Verdicts are made over whole files: their tests are one family, whatever suites they need.
    """
    found = []
    for name in claims.names():
        paper = claims.read(name)
        if any(claim.suite == suite.name for claim in paper.claims):
            made = verdicts(paper, results_of, last_changed(paper.path))
            found += [(paper.key, v) for v in made if v.claim.suite == suite.name]
    return found


def suites_of_claims(suite: Suite) -> set[str]:
    """All suites that the claims files need which this suite has a part in; none if none has."""
    files = [{c.suite for c in claims.read(name).claims} for name in claims.names()]
    return set().union(*(needed for needed in files if suite.name in needed))


def claims_table(
    suite: Suite, found: Sequence[tuple[str, Verdict]], trials: pd.DataFrame
) -> pd.DataFrame:
    """T10: one row a claim: what the paper says and prints, what the trials say, the verdict."""
    reported = trials[trials["role"] == "report"]
    rows = []
    for paper, v in found:
        runs = _runs_of(v.claim, reported)
        rows.append(
            {
                "paper": paper,
                "claim": v.claim.id,
                "where": v.claim.where,
                "statement": v.claim.statement,
                "verified": v.claim.verified,
                "kind": v.claim.kind,
                "metric": v.claim.metric,
                "scale": v.claim.scale,
                "published": v.claim.published,
                "published_unit": v.claim.unit,
                "ours": v.ours,
                "low": v.low,
                "high": v.high,
                "unit": v.unit,
                "n": v.n,
                "margin": v.margin,
                "p": v.p,
                "p_holm": v.adjusted_p,
                "verdict": v.outcome.value,
                "written": v.written.value,
                "reason": v.reason,
                "departs": v.claim.departs,
                "n_diverged": int((runs["status"] == "diverged").sum()),
                "n_missing": int((~runs["status"].isin(DONE)).sum()),
                "cells": " ".join(
                    row_id(cell.recipe, suite.name, cell.depth) for cell in v.claim.cells.values()
                ),
                "row": row_id(f"{paper}:{v.claim.id}", suite.name),
            }
        )
    return pd.DataFrame(rows)


def _runs_of(claim: Claim, reported: pd.DataFrame) -> pd.DataFrame:
    mine = pd.Series(False, reported.index)
    for cell in claim.cells.values():
        here = reported["technique"] == cell.recipe
        mine |= here if cell.depth is None else here & (reported["depth"] == cell.depth)
    return reported[mine]
