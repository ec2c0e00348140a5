"""How far a suite is, seen from outside while it is run elsewhere; reads only, writes nothing."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import store
from benchmarks.markup import text_table
from benchmarks.plan import Cell, choose, cost, reporting_trials, tuning_trials
from benchmarks.progress import clock, say, seconds_left
from benchmarks.run import archive_of
from benchmarks.suite import Suite
from benchmarks.trial import Trial

_RECENT = 60  # seconds, from whose records the present speed is told


class Records:
    """What is known of trials; at a second look only files that are new since then are read."""

    def __init__(self, results: Path, archive: Path) -> None:
        self.results = results
        self.known = store.load_archive(archive, store.BRIEF)
        self.written: dict[str, float] = {}  # key -> modification time of its file, when last read

    def look(self, trials: Iterable[Trial]) -> None:
        """Read what is stored of these trials; a damaged record is named once."""
        new = {}
        for trial in trials:
            try:
                written = store.path_of(self.results, trial.key).stat().st_mtime
            except FileNotFoundError:
                continue
            if written != self.written.get(trial.key):
                new[trial.key] = written
        self.written |= new
        for key, record in store.load(self.results, new, store.BRIEF).items():
            if record["status"] in store.DONE or key not in self.known:
                self.known[key] = record

    def done(self, trials: Iterable[Trial]) -> list[Trial]:
        """Those of the trials that need not be run."""
        return [t for t in trials if self.known.get(t.key, {}).get("status") in store.DONE]


@dataclass(frozen=True)
class Line:
    """The trials of one recipe, or of all."""

    name: str
    tuning: tuple[int, int]  # done, planned
    reporting: tuple[int, int]
    diverged: int
    crashed: int
    cpu_seconds: float  # median of a trial; NaN where none is done
    cpu_seconds_left: float  # NaN while none is done anywhere


@dataclass(frozen=True)
class Status:
    """A suite at one moment."""

    suite: Suite
    recipes: tuple[Line, ...]
    total: Line
    in_flight: int | None  # stacks being trained; None if the store has no count of them
    written: tuple[float, ...]  # when each record in the store was, in seconds since 1970

    @property
    def done(self) -> int:
        """Trials stored."""
        return self.total.tuning[0] + self.total.reporting[0]

    @property
    def planned(self) -> int:
        """Trials in all, those included whose learning rate is not chosen yet."""
        return self.total.tuning[1] + self.total.reporting[1]


def status_of(suite: Suite, device: str, records: Records) -> Status:
    """Look at the store, and count."""
    tuning = tuning_trials(suite, device)
    records.look(tuning)
    reporting = reporting_trials(suite, device, choose(tuning, records.known))
    records.look(reporting)

    tuning_of, reporting_of = _by_cell(suite, tuning), _by_cell(suite, reporting)
    work, measured = {}, {}
    for cell in suite.cells:
        tuned, reported = records.done(tuning_of[cell]), records.done(reporting_of[cell])
        # a reporting trial costs the same at any rate, chosen or not, and shares its seed with none
        each = cost(tuning_of[cell][:1])
        done = {t.key for t in tuned}
        left = [t for t in tuning_of[cell] if t.key not in done]
        work[cell] = _cost(left) + each * (suite.seeds - len(reported))
        if tuned or reported:
            seconds = math.fsum(_cpu_seconds(records, [*tuned, *reported]))
            measured[cell] = _cost(tuned) + each * len(reported), seconds
    cpu_left = seconds_left(work, measured)

    def line(name: str, cells: Sequence[Cell]) -> Line:
        tuned, reported = (
            [t for cell in cells for t in trials_of[cell]]
            for trials_of in (tuning_of, reporting_of)
        )
        statuses = Counter(
            records.known[t.key]["status"] for t in [*tuned, *reported] if t.key in records.known
        )
        done = records.done(tuned), records.done(reported)
        seconds = _cpu_seconds(records, [*done[0], *done[1]])
        return Line(
            name,
            (len(done[0]), len(tuned)),
            (len(done[1]), len(cells) * suite.seeds),
            statuses["diverged"],
            statuses["crashed"],
            median(seconds) if seconds else math.nan,
            math.fsum(cpu_left[cell] for cell in cells),
        )

    return Status(
        suite,
        tuple(line(name, [c for c in suite.cells if c[0] == name]) for name in suite.recipes),
        line("all", suite.cells),
        _in_flight(records.results),
        tuple(records.written.values()),
    )


def _by_cell(suite: Suite, trials: Iterable[Trial]) -> dict[Cell, list[Trial]]:
    found: dict[Cell, list[Trial]] = {cell: [] for cell in suite.cells}
    for trial in trials:
        found[trial.cell].append(trial)
    return found


def _cost(trials: Sequence[Trial]) -> float:
    return cost(trials) if trials else 0.0


def _cpu_seconds(records: Records, trials: Iterable[Trial]) -> list[float]:
    return [records.known[trial.key]["result"]["cpu_seconds"] for trial in trials]


def _in_flight(results: Path) -> int | None:
    try:
        return sum(1 for _ in (results / store.IN_FLIGHT).iterdir())
    except FileNotFoundError:
        return None


def text_of(status: Status, now: float) -> str:
    """A table of the recipes, and what can be said of all."""
    header = ["recipe", "tuning", "reporting", "diverged", "crashed", "CPU s/trial", "CPU left"]
    rows = [
        [
            line.name,
            "{}/{}".format(*line.tuning),
            "{}/{}".format(*line.reporting),
            str(line.diverged),
            str(line.crashed),
            "" if math.isnan(line.cpu_seconds) else f"{line.cpu_seconds:.3g}",
            clock(line.cpu_seconds_left),
        ]
        for line in [*status.recipes, status.total]
    ]
    complete = status.done == status.planned
    in_flight = "" if status.in_flight is None else f", {status.in_flight} stacks in flight"
    said = [
        f"{status.suite.name}: {status.suite.title}",
        text_table(header, rows),
        f"{status.done} of {status.planned} trials stored{in_flight}"
        + (": complete" if complete else ""),
    ]
    if not complete:
        recent = sum(now - written < _RECENT for written in status.written)
        left = (status.planned - status.done) * _RECENT / recent if recent else math.nan
        said.append(f"last minute: {recent} trials; at that rate {clock(left)} left")
    if status.written:
        last = max(status.written)
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(last))
        said.append(f"last record: {clock(max(0.0, now - last))} ago, at {at}")
    else:
        said.append("last record: none in the store")
    return "\n".join(said)


def show(suite: Suite, device: str, results: Path, reports: Path, every: int | None) -> None:
    """Print the status once, or again and again until that is interrupted."""
    records = Records(results, archive_of(reports, suite))
    # a terminal is cleared, so that the table stays where it is
    above = "\033[H\033[2J" if every is not None and sys.stdout.isatty() else ""
    while say(above + text_of(status_of(suite, device, records), time.time())):
        if every is None:
            return
        time.sleep(every)
        above = above or "\n"
