"""Papers reproduced: runs what a paper's claims need, keeps the records and writes the pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks import claims
from benchmarks.executors import Executor
from benchmarks.paper_pages import counted, judged, write_overview, write_report
from benchmarks.problem import Problem
from benchmarks.progress import say
from benchmarks.run import archive_of, run
from benchmarks.sweeps import Sweep, archive, device_of, hours, of_paper, roughly


def reproduce(
    papers: Iterable[str],
    scale: str,
    *,
    device: str,
    executor: Callable[[], Executor],
    results: Path,
    reports: Path,
    at_most: float = math.inf,
    only: str | None = None,
) -> int:
    """Run what is missing of these papers at this scale, cheapest first; how many trials crashed.

    Suites of more than ``at_most`` hours of one core are left out, and where ``only`` names one of
    them all others. Raises Problem if it names none.

    Records are kept and the paper's report is written after each sweep, an interrupted one too, so
    that what is done can be read and committed.
    """
    all_of_them = sorted((s for key in papers for s in of_paper(key, scale)), key=hours)
    if only is not None:
        names = [sweep.name for sweep in all_of_them]
        if only not in names:
            raise Problem(f"--only: {only!r} is no suite of {scale} scale here; allowed: "
                          f"{', '.join(sorted(names)) or 'none'}")  # fmt: skip
        all_of_them = [sweep for sweep in all_of_them if sweep.name == only]
    todo = [sweep for sweep in all_of_them if hours(sweep) <= at_most]
    total, left = roughly(sum(map(hours, todo))), len(all_of_them) - len(todo)
    too_long = f"; {left} of more than {at_most:g} hours are left out" if left else ""
    say(f"{len(todo)} suites, about {total} hours of one core from nothing{too_long}", "stderr")
    for sweep in todo:
        check_device(sweep, device, reports)
    crashed = 0
    for sweep in todo:
        try:
            crashed += run(
                sweep, device=device, executor=executor(), results=results, reports=reports
            )
        except BaseException:  # long sweeps go on from what is committed
            try:
                _keep(sweep, device, results, reports)
                say("papers.md is as it was; 'make reports' writes it again", "stderr")
            except (Problem, OSError) as fault:  # news is what stopped the run
                say(f"{sweep.name}: what is done was not kept in {reports}: {fault}", "stderr")
            raise
        _keep(sweep, device, results, reports)
    write_overview(reports)
    return crashed


def check_device(sweep: Sweep, device: str, reports: Path) -> None:
    """Raise Problem if another device's records are kept: these would take their place."""
    kept = device_of(sweep, reports)
    if kept not in (None, device):
        raise Problem(
            f"{archive_of(reports, sweep)}: holds records made on {kept}; for those on {device} "
            "give another folder (--reports DIR)"
        )


def _keep(sweep: Sweep, device: str, results: Path, reports: Path) -> None:
    archive(sweep, device, results, reports)
    write_report(sweep.paper, reports)


def known(key: str | None) -> list[str]:
    """The papers meant: one, or all. Raises Problem."""
    if key is None:
        return claims.names()
    if key not in claims.names():
        raise Problem(f"PAPER: {key!r} has no claims file; allowed: {', '.join(claims.names())}")
    return [key]


def summary(reports: Path) -> None:
    """Print the count of verdicts and where the page is."""
    found = [v for key in claims.names() for v in judged(claims.read(key), reports)[0]]
    say(", ".join(f"{n} {name}" for name, n in counted(found).items() if n))
    say(f"report: {reports / 'papers.md'}")
