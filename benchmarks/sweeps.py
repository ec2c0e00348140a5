"""What reproduces papers: suites and experiments by name, their costs, and their kept records."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from functools import cache, lru_cache
from pathlib import Path

from benchmarks import experiment, plan, store, suite
from benchmarks.archive import save_archive
from benchmarks.experiment import Experiment, experiments
from benchmarks.metrics import Results, results_of, results_of_experiment
from benchmarks.run import archive_of, known_records, outcome
from benchmarks.suite import Suite
from benchmarks.trial import Trial
from benchmarks.verdicts import Verdict

SCALES = ("reduced", "paper")
OPERATIONS_A_SECOND = 6e10  # of one core, for estimates: what the suites run so far came to
NOWHERE = Path("no such store")  # where only what is archived counts

Sweep = Suite | Experiment


@cache
def by_name() -> dict[str, Sweep]:
    """Every suite and experiment by name."""
    return {name: suite.read(name) for name in suite.names()} | experiments()


def of_paper(key: str, scale: str) -> list[Sweep]:
    """What reproduces the paper at this scale, the cheapest first."""
    own = [s for s in by_name().values() if s.paper == key and s.scale == scale]
    return sorted(own, key=hours)


def scale_of(verdict: Verdict) -> str:
    """The scale of the trials that it was, or could be, reached by."""
    scale = by_name()[verdict.claim.suite].scale
    return "paper" if verdict.claim.scale == "paper" else scale


def hours(sweep: Sweep) -> float:
    """Of one core, roughly."""
    if isinstance(sweep, Experiment):
        stacks = experiment.stacks(sweep.trials("cpu"))
        return sum(map(experiment.cost, stacks)) / 3600
    tuning, reporting = _trials(sweep)
    operations = sum(map(plan.cost, plan.stacks(tuning) + plan.stacks(reporting)))
    return operations / OPERATIONS_A_SECOND / 3600


def roughly(number: float) -> str:
    """Two digits of it, without an exponent."""
    return f"{float(f'{number:.2g}'):g}"


def _trials(sweep: Suite) -> tuple[list[Trial], list[Trial]]:
    """For tuning and for reporting; the latter with the first rate, as none is chosen yet."""
    found = {cell: plan.Choice(sweep.tuning.lr[0], False, math.nan, {}) for cell in sweep.cells}
    return plan.tuning_trials(sweep, "cpu"), plan.reporting_trials(sweep, "cpu", found)


def n_trials(sweep: Sweep) -> int:
    """Of tuning and reporting together."""
    if isinstance(sweep, Experiment):
        return len(sweep.trials("cpu"))
    return sum(map(len, _trials(sweep)))


def archive(sweep: Sweep, device: str, results: Path, reports: Path) -> None:
    """Keep what is stored of a sweep beside the paper's report.

    While rates are still to be chosen, none of what was archived is given up: it may be needed.
    """
    trials, records = _stored(sweep, device, results, reports)
    done = {key: record for key, record in records.items() if record["status"] in store.DONE}
    if len(trials) < n_trials(sweep):
        done = store.load_archive(archive_of(reports, sweep)) | done
    if done:
        save_archive(archive_of(reports, sweep), done.values())


def device_of(sweep: Sweep, reports: Path) -> str | None:
    """The device whose records are archived, as the first of them says; None if nothing is."""
    try:
        with gzip.open(archive_of(reports, sweep)) as lines:
            return json.loads(next(lines, b"{}")).get("config", {}).get("device")
    except (OSError, EOFError, ValueError, zlib.error):
        return None  # not there, or damaged: who reads all of it tells where


def n_missing(sweep: Sweep, reports: Path) -> int:
    """Trials that are not archived, those of tuning too."""
    n_archived = 0
    if device := device_of(sweep, reports):
        trials, records = _stored(sweep, device, NOWHERE, reports)
        n_archived = sum(trial.key in records for trial in trials)
    return n_trials(sweep) - n_archived


def _stored(sweep: Sweep, device: str, results: Path, reports: Path):
    """Trials as planned so far, and their records."""
    if isinstance(sweep, Suite):
        trials, _, records = outcome(sweep, device=device, results=results, reports=reports)
        return trials, records
    trials = sweep.trials(device)
    archived = store.load_archive(archive_of(reports, sweep))
    return trials, known_records(trials, results, archived)


def results_from(sweep: Sweep, reports: Path) -> Results | None:
    """What is archived of a sweep; None if nothing is."""
    kept = archive_of(reports, sweep)
    return _read(sweep.name, reports, kept.stat().st_mtime_ns) if kept.exists() else None


@lru_cache(maxsize=64)  # several papers have claims on suite depth, whose records take seconds
def _read(name: str, reports: Path, changed: int) -> Results | None:
    sweep = by_name()[name]
    trials, records = _stored(sweep, device_of(sweep, reports) or "cpu", NOWHERE, reports)
    of = results_of if isinstance(sweep, Suite) else results_of_experiment
    return of(sweep, trials, records)
