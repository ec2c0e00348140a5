"""Whether the trials bear a paper's claims out: by rule, from the tables, never by hand.

    REPRODUCED      shown, and large enough to matter
    PARTLY          shown, and smaller than what would matter
    BETTER          a published error undercut by more than the margin
    NOT REPRODUCED  the contrary shown, or no difference or trend of errors that would matter
    INCONCLUSIVE    neither: too few runs for so small a difference
    NOT TESTED      no trials, too few of them, or not the paper's protocol

A difference that is not significant is never NOT REPRODUCED for that alone, and a published number
is never held against trials of reduced scale. p-values are adjusted by Holm's method over all
claims of a file that could be tested. Source of the rules: TOST and the distinction of "no
evidence" from "evidence of none" as in Lakens (2017), Equivalence tests, Social Psychological and
Personality Science 8, 355-362.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pandas as pd
from scipy.stats import binomtest

from benchmarks.claims import Claim, Numeric, Ordinal, Paper, Threshold, Trend
from benchmarks.environment import git
from benchmarks.metrics import Metric, Results
from benchmarks.statistics import (
    equivalence,
    holm,
    mean_interval,
    median_interval,
    paired_differences,
    signed_rank,
    trend,
    wilson_interval,
)

ALPHA = 0.05
RELATIVE_MARGIN = 0.10


class Outcome(StrEnum):
    """What a verdict says."""

    REPRODUCED = "REPRODUCED"
    PARTLY = "PARTLY"
    BETTER = "BETTER"
    NOT_REPRODUCED = "NOT REPRODUCED"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_TESTED = "NOT TESTED"


class Written(StrEnum):
    """Whether a claim was there before the trials that test it."""

    BEFORE = "written before these runs"
    AFTER = "written after the first of these runs"
    UNKNOWN = "not known whether written before these runs"


@dataclass(frozen=True)
class Verdict:
    """A claim with what the trials say of it; ``ours``, low, high and margin in ``unit``."""

    claim: Claim
    outcome: Outcome
    reason: str
    written: Written = Written.UNKNOWN
    unit: str = ""
    ours: float | None = None  # median difference, mean, share or slope
    low: float | None = None
    high: float | None = None
    n: int = 0
    margin: float | None = None
    p: float | None = None
    adjusted_p: float | None = None


@dataclass(frozen=True)
class _Evidence:
    """What the trials say, before other claims' tests are taken into account."""

    ours: float
    low: float
    high: float
    n: int
    p: float | None
    margin: float | None = None
    no_difference_p: float | None = None  # TOST of |difference| < margin


def verdicts(
    paper: Paper, results: Mapping[str, Results], committed: Mapping[str, datetime]
) -> list[Verdict]:
    """A verdict for every claim of a file, in its order.

    results: by suite's name; pass all there are, as the tests of one file are one family.
    committed: when claims were last changed, by id (``last_changed``), as far as that is known.
    """
    evidence = [_evidence(claim, results.get(claim.suite)) for claim in paper.claims]
    obstacles = [
        _obstacle(claim, results.get(claim.suite), e)
        for claim, e in zip(paper.claims, evidence, strict=True)
    ]
    adjusted = holm([None if why else e.p for e, why in zip(evidence, obstacles, strict=True)])
    found = []
    for claim, e, why, p in zip(paper.claims, evidence, obstacles, adjusted, strict=True):
        outcome, reason = (Outcome.NOT_TESTED, why) if why else _RULES[claim.kind](claim, e, p)
        verdict = Verdict(claim, outcome, reason, unit=_unit(claim))
        if e is not None:
            numbers = {"ours": e.ours, "low": e.low, "high": e.high, "n": e.n, "margin": e.margin}
            verdict = replace(verdict, **numbers, p=None if why else e.p, adjusted_p=p)
        if claim.suite in results:
            started = _started(claim, results[claim.suite])
            verdict = replace(verdict, written=fixed_before(committed.get(claim.id), started))
        found.append(verdict)
    return found


# ---- what the trials say ---------------------------------------------------------------------


def _evidence(claim: Claim, results: Results | None) -> _Evidence | None:
    """None where there is no run to go by."""
    if results is None:
        return None
    if isinstance(claim, Trend) and len(claim.depths) > 1:
        return _slopes(claim, results)
    if isinstance(claim, Ordinal):
        return _differences(claim, results)
    cell = next(iter(claim.cells.values()))
    values = _values(claim.measure, results, cell.recipe, [cell.depth]).tolist()
    if not values:
        return None
    n = len(values)
    if isinstance(claim, Numeric):
        margin = claim.margin or _noise_margin(claim.published, _examples(claim, results))
        mean, low, high = mean_interval(values, 1 - 2 * ALPHA)
        p = equivalence(values, claim.published - margin, claim.published + margin)
        return _Evidence(mean, low, high, n, p, margin)
    if isinstance(claim, Threshold):
        share = wilson_interval(int(sum(values)), n)
        p = float(binomtest(share.successes, n, 0.5).pvalue)
        return _Evidence(share.share, share.low, share.high, n, p)
    level = median_interval(values)
    return _Evidence(level.median, level.low, level.high, n, signed_rank(values))


def _values(metric: Metric, results: Results, recipe: str, depths: Sequence[int]) -> pd.Series:
    """The metric by seed; seeds without it left out, and all of them where nothing was run."""
    own = results.of(recipe, depths)
    if own.trials.empty and own.layers.empty and own.curves.empty:
        return pd.Series(dtype=float)
    return metric.by_seed(own).dropna()


def _slopes(claim: Trend, results: Results) -> _Evidence | None:
    columns = {d: _values(claim.measure, results, claim.recipe, [d]) for d in claim.depths}
    wide = pd.DataFrame(columns)
    wide = wide[wide.map(math.isfinite).all(axis=1)]  # no line goes through infinity
    if wide.empty:
        return None
    found = trend(claim.depths, wide.to_numpy())
    margin = absent = None
    if claim.measure.examples is not None:  # an error: what matters is known, from end to end
        start = float(wide[claim.depths[0]].median())
        matters = _interesting_difference(start, _examples(claim, results))
        margin = matters / (claim.depths[-1] - claim.depths[0])
        absent = equivalence(found.slopes, -margin, margin)
    return _Evidence(found.slope, found.low, found.high, found.n, found.p, margin, absent)


def _differences(claim: Ordinal, results: Results) -> _Evidence | None:
    depths = [[claim.lower.depth], [claim.higher.depth]]
    if claim.lower.depth is None:  # a metric of all depths: those at which both were run
        trials = results.trials
        run = [trials[trials["technique"] == c.recipe]["depth"] for c in claim.cells.values()]
        depths = [sorted(set(run[0]) & set(run[1]))] * 2
    lower = _values(claim.measure, results, claim.lower.recipe, depths[0])
    higher = _values(claim.measure, results, claim.higher.recipe, depths[1])
    lower, higher = lower.align(higher, join="inner")
    if lower.empty:
        return None
    differences = paired_differences(higher, lower)
    found = median_interval(differences)
    margin = claim.margin
    if margin is None:
        margin = _interesting_difference(float(higher.median()), _examples(claim, results))
    return _Evidence(
        found.median,
        found.low,
        found.high,
        len(differences),
        signed_rank(differences),
        margin,
        equivalence(differences, -margin, margin),
    )


def _examples(claim: Claim, results: Results) -> int:
    """How many examples the claim's error is a share of."""
    examples = claim.measure.examples
    return getattr(results, examples) if isinstance(examples, str) else examples


def _interesting_difference(error_pct: float, n_examples: int) -> float:
    """The larger of a tenth of the error and half the half-width of its Wilson interval, in %."""
    noise = wilson_interval(round(error_pct / 100 * n_examples), n_examples)
    return round(max(RELATIVE_MARGIN * error_pct, 100 * (noise.high - noise.low) / 4), 10)


def _noise_margin(error_pct: float, n_test: int) -> float:
    """The larger of a tenth of a published error and what two test sets differ by, in %.

    1.96 sqrt(2 p (1 - p) / n): the paper's number has sampling noise of its own.
    """
    p = error_pct / 100
    return max(RELATIVE_MARGIN * error_pct, 100 * 1.96 * math.sqrt(2 * p * (1 - p) / n_test))


def _unit(claim: Claim) -> str:
    unit = claim.measure.unit
    if isinstance(claim, Trend) and len(claim.depths) > 1:
        return f"{unit} per {claim.measure.per}"
    return "points" if isinstance(claim, Ordinal) and unit == "%" else unit


# ---- the rules -------------------------------------------------------------------------------


def _obstacle(claim: Claim, results: Results | None, evidence: _Evidence | None) -> str | None:
    """Why a claim cannot be judged; None if it can."""
    if results is None:
        return f"no trials of suite {claim.suite}"
    if claim.scale == "paper" and results.scale != "paper":
        return f"suite {claim.suite} is of reduced scale, and the claim is of the paper's protocol"
    if evidence is None:
        return f"no runs of these cells in suite {claim.suite} have the metric"
    if evidence.n < claim.min_seeds:
        return f"too few runs: {evidence.n}, of {claim.min_seeds} that it needs"
    return None


def _ordinal(claim: Ordinal, e: _Evidence, p: float) -> tuple[Outcome, str]:
    unit = _unit(claim)
    said = f"median difference {e.ours:.3g} {unit} [{e.low:.3g}, {e.high:.3g}], adjusted p {p:.2g}"
    significant = p < ALPHA
    if significant and e.low > 0 and e.ours >= e.margin:
        return Outcome.REPRODUCED, f"{said}: at least the {e.margin:.3g} that matter"
    if significant and 0 < e.ours < e.margin:
        return (
            Outcome.PARTLY,
            f"{said}: right in sign, but less than the {e.margin:.3g} that matter",
        )
    if e.high < 0:
        return Outcome.NOT_REPRODUCED, f"{said}: the other way round"
    if not significant and e.no_difference_p is not None and e.no_difference_p < ALPHA:
        return (
            Outcome.NOT_REPRODUCED,
            f"{said}; shown to be less than the {e.margin:.3g} that matter "
            f"(TOST, p {e.no_difference_p:.2g})",
        )
    if significant:
        return Outcome.INCONCLUSIVE, f"{said}: significant, but the interval holds 0"
    return Outcome.INCONCLUSIVE, f"{said}: neither a difference nor that there is none"


def _numeric(claim: Numeric, e: _Evidence, p: float) -> tuple[Outcome, str]:
    low, high = claim.published - e.margin, claim.published + e.margin
    unit, is_error = _unit(claim), claim.measure.examples is not None
    said = f"mean {e.ours:.3g} {unit} [{e.low:.3g}, {e.high:.3g}], "
    said += f"published {claim.published:g} {unit}"
    if low < e.low and e.high < high:
        return Outcome.REPRODUCED, f"{said}: within {e.margin:.2g} of it"
    if e.high < low and is_error:
        return Outcome.BETTER, f"{said}: lower by more than {e.margin:.2g}"
    if e.low > high or e.high < low:
        which = "higher" if e.low > high else "lower"
        return Outcome.NOT_REPRODUCED, f"{said}: {which} by more than {e.margin:.2g}"
    return Outcome.INCONCLUSIVE, f"{said}: the interval crosses a margin of {e.margin:.2g}"


def _threshold(claim: Threshold, e: _Evidence, p: float) -> tuple[Outcome, str]:
    said = f"{round(e.ours * e.n)}/{e.n} runs trained [{e.low:.2f}, {e.high:.2f}]"
    if e.low <= 0.5 <= e.high:
        return Outcome.INCONCLUSIVE, f"{said}: the interval holds one half"
    found = "trains" if e.low > 0.5 else "fails"
    if found == claim.expected:
        return Outcome.REPRODUCED, f"{said}: it {found}"
    return Outcome.NOT_REPRODUCED, f"{said}: it {found}"


def _trend(claim: Trend, e: _Evidence, p: float) -> tuple[Outcome, str]:
    said = f"{'slope' if len(claim.depths) > 1 else 'median'} {e.ours:.3g} {_unit(claim)} "
    said += f"[{e.low:.3g}, {e.high:.3g}]"
    if e.low <= 0 <= e.high:
        if e.no_difference_p is not None and e.no_difference_p < ALPHA:
            return (
                Outcome.NOT_REPRODUCED,
                f"{said}; shown to be less than the {e.margin:.3g} that matter "
                f"(TOST, p {e.no_difference_p:.2g})",
            )
        return Outcome.INCONCLUSIVE, f"{said}: the interval holds 0"
    if (e.low > 0) == (claim.sign in ("rising", "positive")):
        return Outcome.REPRODUCED, f"{said}: {claim.sign}"
    return Outcome.NOT_REPRODUCED, f"{said}: not {claim.sign}"


_RULES = {"ordinal": _ordinal, "numeric": _numeric, "threshold": _threshold, "trend": _trend}


# ---- which was first -------------------------------------------------------------------------


def fixed_before(committed: datetime | None, started: Iterable[datetime]) -> Written:
    """Whether claims last changed at ``committed`` precede all of these trials' starts."""
    earliest = min(started, default=None)
    if committed is None or earliest is None:
        return Written.UNKNOWN
    return Written.BEFORE if committed < earliest else Written.AFTER


def last_changed(path: Path) -> dict[str, datetime]:
    """Since which git commit each claim of a file reads as it does, by the claim's id.

    Where a sentence stands and how its transcription was checked decide no verdict and do not
    count. A claim that is not committed as it is has no entry; nor has any without git. A rebase
    makes times later, never earlier.
    """
    history = git(
        "log", "--no-show-signature", "--parents", "--topo-order", "--format=%H %cI %P", "--",
        path.name, folder=path.parent,
    )  # fmt: skip
    if not history:
        return {}
    current = _claims_in(path.read_text(encoding="utf-8"))
    since: dict[str, datetime] = {}
    unchanged: dict[str, set[str]] = {}  # from a commit of the file on, down one line at least
    for number, line in enumerate(history.splitlines()):  # children before their parents
        commit, time, *parents = line.split()
        then = _claims_in(git("show", f"{commit}:./{path.name}", folder=path.parent) or "")
        alive = set(current) if number == 0 else unchanged.get(commit, set())
        same = {id_ for id_ in alive if then.get(id_) == current[id_]}
        for id_ in same:
            earlier = since.get(id_, datetime.max.replace(tzinfo=UTC))
            since[id_] = min(earlier, datetime.fromisoformat(time))
        for parent in parents:
            unchanged.setdefault(parent, set()).update(same)
    return since


def _claims_in(text: str) -> dict[str, dict]:
    """By id, without what decides no verdict; an old file's faults are left out."""
    try:
        found = tomllib.loads(text).get("claims")
    except tomllib.TOMLDecodeError:
        return {}
    tables = [c for c in found if isinstance(c, dict)] if isinstance(found, list) else []
    unjudged = {"where", "verified"}
    return {
        c["id"]: {k: v for k, v in c.items() if k not in unjudged}
        for c in tables
        if isinstance(c.get("id"), str)
    }


def _started(claim: Claim, results: Results) -> list[datetime]:
    """Starts of all trials of the claim's cells, of tuning too: those told of it first."""
    trials = results.trials[results.trials["started"].notna()]
    mine = pd.Series(False, trials.index)
    for cell in claim.cells.values():
        here = trials["technique"] == cell.recipe
        mine |= here if cell.depth is None else here & (trials["depth"] == cell.depth)
    return [datetime.fromisoformat(text) for text in trials["started"][mine]]
