"""Runs a suite: what is not stored yet is trained, tuning first, then the reporting seeds."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import store
from benchmarks.datasets import load
from benchmarks.executors import in_process, in_workers
from benchmarks.plan import Cell, Choice, choose, cost, reporting_trials, stacks, tuning_trials
from benchmarks.progress import Progress
from benchmarks.suite import Suite
from benchmarks.trial import Trial


class Interrupted(Exception):
    """The user stopped the run; the message says how much is saved."""


def archive_of(reports: Path, suite: Suite) -> Path:
    """The records that a report was made from, kept beside it."""
    return reports / suite.name / "data" / "records.jsonl.gz"


def known_records(
    trials: list[Trial], results: Path, reports: Path, suite: Suite
) -> dict[str, dict]:
    """Records of these trials in the report's archive and in the store, which goes first."""
    keys = {trial.key for trial in trials}
    archived = store.load_archive(archive_of(reports, suite))
    found = {key: record for key, record in archived.items() if key in keys}
    for key, record in store.load(results, sorted(keys)).items():
        if record["status"] in store.DONE or key not in found:
            found[key] = record
    return found


def run(suite: Suite, *, device: str, workers: int, results: Path, reports: Path) -> int:
    """Train what is missing; the number of trials that crashed.

    Raises Interrupted on Ctrl-C or SIGTERM. Every finished stack is stored by then.
    """
    load(suite.data.name, suite.data.n_train, suite.data.n_valid)  # its faults show here, at once
    store.prepare_folder(results)
    store.prepare_folder(reports / suite.name)
    tuning = tuning_trials(suite, device)
    tuned = _complete(suite, "tuning", tuning, workers, results, reports)
    choices = choose(tuning, tuned)
    reporting = reporting_trials(suite, device, choices)
    reported = _complete(suite, "reporting", reporting, workers, results, reports)
    records = [*tuned.values(), *reported.values()]
    return sum(record["status"] == "crashed" for record in records)


def _complete(
    suite: Suite, label: str, trials: list[Trial], workers: int, results: Path, reports: Path
) -> dict[str, dict]:
    """All records of these trials, training those that are missing."""
    records = known_records(trials, results, reports, suite)
    missing = [t for t in trials if not _done(records, t)]
    print(
        f"{suite.name}, {label}: {len(trials)} trials, {len(trials) - len(missing)} stored",
        file=sys.stderr,
        flush=True,
    )
    if not missing:
        return records
    todo = stacks(missing)
    progress = Progress(f"{suite.name}, {label}", len(missing), sum(map(cost, todo)))
    done = in_process(todo, results) if workers == 0 else in_workers(todo, results, workers)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        for stack, made in done:
            records |= {record["key"]: record for record in made}
            what = f"{stack[0].technique} at depth {stack[0].depth}"
            progress.advance(len(stack), cost(stack), what)
    except KeyboardInterrupt:
        done.close()  # ends the workers before anything is said
        saved = sum(_done(records, t) for t in trials)
        raise Interrupted(
            f"{suite.name}, {label}: interrupted, {saved} of {len(trials)} trials saved; "
            "the same command goes on from there"
        ) from None
    finally:
        signal.signal(signal.SIGTERM, previous)
        progress.close()
    return records


def _done(records: Mapping[str, dict], trial: Trial) -> bool:
    return trial.key in records and records[trial.key]["status"] in store.DONE


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def outcome(
    suite: Suite, *, device: str, results: Path, reports: Path
) -> tuple[list[Trial], dict[Cell, Choice], dict[str, dict]]:
    """What is stored of a suite: its trials as planned so far, learning rates, and records."""
    tuning = tuning_trials(suite, device)
    tuned = known_records(tuning, results, reports, suite)
    choices = choose(tuning, tuned)
    reporting = reporting_trials(suite, device, choices)
    return [*tuning, *reporting], choices, tuned | known_records(reporting, results, reports, suite)
