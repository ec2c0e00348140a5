"""Runs a suite: what is not stored yet is trained, tuning first, then the reporting seeds."""

from __future__ import annotations

import signal
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from benchmarks import experiment, plan, store
from benchmarks.datasets import load
from benchmarks.executors import Execute, Executor
from benchmarks.experiment import Experiment, Measurement
from benchmarks.plan import Cell, Choice, choose, reporting_trials, tuning_trials
from benchmarks.problem import Lost, Problem
from benchmarks.progress import Progress, say
from benchmarks.suite import Suite
from benchmarks.trial import Trial


class Interrupted(Exception):
    """The run was stopped, by the user or by the loss of its cluster; says how much is saved."""


def archive_of(reports: Path, suite: Suite | Experiment) -> Path:
    """The records that a report was made from, kept beside it; a paper's are in one folder."""
    if suite.paper is not None:
        return reports / "papers" / suite.paper / f"{suite.name}.jsonl.gz"
    return reports / suite.name / "data" / "records.jsonl.gz"


def known_records(
    trials: Sequence[Trial | Measurement],
    results: Path,
    archived: Mapping[str, dict],
    parts: Collection[str] | None = None,
) -> dict[str, dict]:
    """Records of these trials in a report's archive and in the store, which goes first."""
    keys = {trial.key for trial in trials}
    found = {key: record for key, record in archived.items() if key in keys}
    for key, record in store.load(results, sorted(keys), parts).items():
        if record["status"] in store.DONE or key not in found:
            found[key] = record
    return found


def run(
    suite: Suite | Experiment,
    *,
    device: str,
    executor: Executor,
    results: Path,
    reports: Path,
    cells: Collection[Cell] | None = None,
) -> int:
    """Train what is missing, of all cells or of these; the number of trials that crashed.

    Raises Interrupted on Ctrl-C or SIGTERM, or when a cluster is gone. Every finished stack is
    stored by then.
    """
    if isinstance(suite, Suite):
        data = suite.data
        load(data.name, data.n_train, data.n_valid)  # its faults show here, at once
    store.prepare_folder(results)
    store.prepare_folder(archive_of(reports, suite).parent)
    archived = store.load_archive(archive_of(reports, suite), store.BRIEF)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with executor as execute:
            if isinstance(suite, Experiment):
                measured = known_records(suite.trials(device), results, archived, store.BRIEF)
                _complete(suite, "measuring", suite.trials(device), measured, execute)
                return sum(record["status"] == "crashed" for record in measured.values())
            tuning = _of(cells, tuning_trials(suite, device))
            tuned = known_records(tuning, results, archived, store.BRIEF)
            _complete(suite, "tuning", tuning, tuned, execute)
            reporting = _of(cells, reporting_trials(suite, device, choose(tuning, tuned)))
            reported = known_records(reporting, results, archived, store.BRIEF)
            _complete(suite, "reporting", reporting, reported, execute)
    finally:
        signal.signal(signal.SIGTERM, previous)
    records = [*tuned.values(), *reported.values()]
    return sum(record["status"] == "crashed" for record in records)


def _of(cells: Collection[Cell] | None, trials: list[Trial]) -> list[Trial]:
    return [trial for trial in trials if cells is None or trial.cell in cells]


def _complete(
    suite: Suite | Experiment,
    label: str,
    trials: Sequence[Trial | Measurement],
    records: dict[str, dict],
    execute: Execute,
) -> None:
    """Add to the records of these trials, training those that are missing."""
    missing = [t for t in trials if not _done(records, t)]
    stored = len(trials) - len(missing)
    say(f"{suite.name}, {label}: {len(trials)} trials, {stored} stored", "stderr")
    if not missing:
        return
    by = experiment if isinstance(suite, Experiment) else plan
    todo = by.stacks(missing)
    progress = Progress(f"{suite.name}, {label}", [(s[0].cell, len(s), by.cost(s)) for s in todo])

    def saved() -> str:
        n_saved = sum(_done(records, t) for t in trials)
        return f"{n_saved} of {len(trials)} trials saved; the same command goes on from there"

    try:
        for stack, made in execute(todo):
            records |= {r["key"]: {part: r.get(part) for part in store.BRIEF} for r in made}
            progress.advance(stack[0].cell, len(stack), by.cost(stack), _seconds(made))
    except KeyboardInterrupt:
        raise Interrupted(f"{suite.name}, {label}: interrupted, {saved()}") from None
    except Lost as lost:
        raise Interrupted(f"{suite.name}, {label}: {lost}; {saved()}") from None
    except Problem as problem:
        raise Problem(f"{problem}; {saved()}") from None
    except OSError as error:  # the store cannot be written to: a full disk
        where = f"{error.filename}: " if error.filename else ""
        raise Problem(f"{where}{error.strerror or error}; {saved()}") from None
    finally:
        progress.close()


def _done(records: Mapping[str, dict], trial: Trial | Measurement) -> bool:
    return trial.key in records and records[trial.key]["status"] in store.DONE


def _seconds(records: list[dict]) -> float:
    """What training took where it ran; a crashed trial does not say."""
    results = [record["result"] for record in records if record["status"] in store.DONE]
    return sum(result["seconds_train"] + result["seconds_pretrain"] for result in results)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def outcome(
    suite: Suite, *, device: str, results: Path, reports: Path
) -> tuple[list[Trial], dict[Cell, Choice], dict[str, dict]]:
    """What is stored of a suite: its trials as planned so far, learning rates, and records."""
    archived = store.load_archive(archive_of(reports, suite))
    tuning = tuning_trials(suite, device)
    tuned = known_records(tuning, results, archived)
    choices = choose(tuning, tuned)
    reporting = reporting_trials(suite, device, choices)
    return [*tuning, *reporting], choices, tuned | known_records(reporting, results, archived)
