"""The commands of the store: python -m benchmarks store ..."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.options import ROOT, Parser, add_reports, add_results
from benchmarks.problem import Problem

LISTED = 10  # of each kind, unless all are asked for
STEP = 500  # files between two looks at the clock

IN_STORE = {
    "crashed": "the next run tries it again",
    "damaged": "the next run trains it again; 'store prune' removes it",
    "altered": "it counts as what it is not: remove it, and the next run trains it again",
    "stale": "no suite finds it any more; 'store prune' removes it",
    "newer": "of a later version of this program, which is left alone",
    "unreadable": "see to its permissions, or to the disk",
    "foreign": "left alone; move it away if nothing needs it here",
    "leftover": "of a killed program, or of one at work; after an hour 'store prune' removes it",
}
IN_ARCHIVE = IN_STORE | {
    "damaged": "'git checkout' restores the archive",
    "altered": "'git checkout' restores the archive",
    "stale": "it no longer counts, and does no harm",
}


def add(commands) -> None:
    """The command and its actions, to the parsers of commands."""
    text = "Check, merge or prune the records of trials."
    store = commands.add_parser("store", help=text, description=text)
    actions = store.add_subparsers(required=True, metavar="ACTION", parser_class=Parser)

    def action(name: str, function, text: str, exits: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(
            name, help=text, description=text, epilog=f"Exit codes: {exits}, 2 bad input."
        )
        sub.set_defaults(command=function)
        return sub

    checking = action(
        "check",
        _check,
        "Say what is damaged, altered, out of date or foreign in the store and the reports' "
        "archives, and what to do about it. Changes nothing. A figure changed by hand in a record "
        "that is otherwise whole cannot be told.",
        "0 no fault, 1 damaged, altered or unreadable records or archives",
    )
    add_results(checking)
    add_reports(checking)
    checking.add_argument("--all", action="store_true", help=f"list all, not {LISTED} of each kind")
    merging = action(
        "merge",
        _merge,
        "Copy the finished trials of another store, or of a report's archive, into this one. What "
        "the store has is kept, unless its trial crashed or cannot be used.",
        "0 done, 1 some records differ from the store's (listed) or were damaged",
    )
    merging.add_argument(
        "source", metavar="DIR", type=Path, help="a results folder, or an archive (.jsonl.gz)"
    )
    add_results(merging)
    pruning = action(
        "prune",
        _prune,
        "List what the store can do without: damaged and stale records, and what killed programs "
        "left more than an hour ago. Reports and foreign files are never touched.",
        "0 done",
    )
    add_results(pruning)
    pruning.add_argument("--yes", action="store_true", help="remove what is listed")


# The functions below import what they need: torch takes seconds, and --help should not.


def _check(options: argparse.Namespace) -> int:
    from benchmarks import upkeep
    from benchmarks.progress import say

    results, reports = options.results, options.reports
    if not reports.is_dir():
        raise Problem(f"--reports: {upkeep.plain(str(reports))} is no folder")
    faults, of_store = 0, []
    if _is_there(results):
        of_store = _tell(results, _of_store(results), IN_STORE, options.all)
        faults += sum(of_store[kind] for kind in upkeep.FAULTS)
    broken = []
    for archive in upkeep.archives(reports):
        of_archive = _tell(archive, _of_archive(archive), IN_ARCHIVE, options.all)
        n = sum(of_archive[kind] for kind in upkeep.FAULTS)
        faults += n
        broken += [archive] * (n > 0)
    if any(kind in of_store for kind in upkeep.REMOVABLE):
        say(f"'{_command('prune', results)}' lists what can go; with --yes it removes that")
    for archive in broken:
        say(f"'git checkout {_quoted(archive)}' restores an archive that was committed")
    say(f"{faults:,} faults" if faults else "no faults")
    return 1 if faults else 0


def _tell(where: Path, found: Iterable, remedies: dict[str, str], everything: bool) -> Counter:
    """Say how many there are of each kind, and which; the numbers."""
    from benchmarks.progress import say
    from benchmarks.upkeep import plain

    counts, listed = Counter(), {}
    for finding, _ in found:
        counts[finding.kind] += 1
        if finding.kind not in ("whole", "crashed"):
            listed.setdefault(finding.kind, []).append(finding)
    unit = "records" if remedies is IN_ARCHIVE else "files"
    numbers = ", ".join(f"{counts[kind]:,} {kind}" for kind in ("whole", *remedies) if counts[kind])
    say(f"{plain(str(where))}: {counts.total():,} {unit}{': ' if numbers else ''}{numbers}")
    for kind in remedies:
        shown = listed.get(kind, [])
        for finding in shown if everything else shown[:LISTED]:
            say(f"  {plain(str(finding.path))}: {kind}, {finding.why}; {remedies[kind]}")
        if len(shown) > LISTED and not everything:
            say(f"  and {len(shown) - LISTED:,} more {kind}; --all lists them")
    return counts


def _merge(options: argparse.Namespace) -> int:
    from benchmarks import upkeep
    from benchmarks.progress import say

    source, results = options.source, options.results
    told, place = upkeep.plain(str(source)), upkeep.plain(str(results))
    if results.exists() and not results.is_dir():
        raise Problem(f"--results: {place} is no folder")
    if source.is_dir():
        if results.exists() and source.samefile(results):
            raise Problem(f"DIR: {told} is the store itself")
        items = _of_store(source)
    elif source.is_file() and source.name.endswith(".jsonl.gz"):
        items = _of_archive(source)
    else:
        raise Problem(f"DIR: {told} must be a results folder or an archive (.jsonl.gz)")
    counts, others = Counter(), {}
    for found in upkeep.merge(items, results):
        counts[found.kind] += 1
        some = others.setdefault(found.kind, [])
        if found.kind == "differs" or found.kind in IN_STORE and len(some) < LISTED:
            some.append(found)
    for kind, some in others.items():
        outcome = "the store's own is kept" if kind == "differs" else f"not taken: {kind}"
        for found in some:
            say(f"{upkeep.plain(str(found.path))}: {outcome}, {found.why}")
        if kind in IN_STORE and counts[kind] > LISTED:
            say(f"and {counts[kind] - LISTED:,} more {kind}")
    say(f"{told} -> {place}: {counts['new']:,} new, {counts['there']:,} already there")
    for kind in others:
        if kind not in ("new", "there"):
            say(f"  {counts[kind]:,} {kind}")
    return 1 if any(counts[kind] for kind in ("differs", *upkeep.FAULTS)) else 0


def _prune(options: argparse.Namespace) -> int:
    import time

    from benchmarks import upkeep
    from benchmarks.progress import say
    from benchmarks.store import time_of

    results, going = options.results, {}
    for finding, _ in _of_store(results) if _is_there(results) else ():
        size = upkeep.removable(finding, time.time())
        if size is not None:
            going[finding] = size
    for finding, size in going.items():
        say(f"{upkeep.plain(str(finding.path))}: {finding.kind}, {finding.why}; {size:,} bytes")
    total = f"{len(going):,} files, {sum(going.values()):,} bytes"
    if not options.yes:
        more = f"; '{_command('prune', results)} --yes' removes them" if going else ""
        say(f"{total} can go{more}")
        return 0
    # judged again by the clock that dates the files: this machine's may be ahead of it
    now = time_of(results) if going else 0.0
    removed = sum(
        upkeep.removable(finding, now) is not None and upkeep.remove(results, finding)
        for finding in going
    )
    kept = len(going) - removed
    more = f", {kept:,} in use or changed meanwhile" if kept else ""
    say(f"{total} listed, {removed:,} removed{more}")
    return 0


def _is_there(results: Path) -> bool:
    """Whether there is a store. Only the project's own may be missing: nothing is trained yet."""
    from benchmarks.progress import say
    from benchmarks.upkeep import plain

    if results.is_dir():
        return True
    if results.exists() or results != ROOT / "results":
        raise Problem(f"--results: {plain(str(results))} is no folder")
    say(f"{results}: no records yet")
    return False


def _of_store(folder: Path) -> Iterator:
    from benchmarks.upkeep import contents, examine

    paths = contents(folder)
    examined = (examine(folder, path) for path in paths)
    return (found for found in _followed(folder, examined, len(paths), "files") if found)


def _of_archive(path: Path) -> Iterator:
    from benchmarks.upkeep import examine_archive, length

    return _followed(path, examine_archive(path), length(path), "records")


def _followed(where: Path, items: Iterable, n: int, unit: str) -> Iterator:
    """The items, with the progress through them shown."""
    from benchmarks.progress import Progress
    from benchmarks.upkeep import plain

    part, done = (plain(str(where)), 0), 0
    progress = Progress("store", [(part, n, n)], unit)
    try:
        for done, item in enumerate(items, 1):
            yield item
            if done % STEP == 0:
                progress.advance(part, STEP, STEP)
        if done % STEP:
            progress.advance(part, done % STEP, done % STEP)
    finally:
        progress.close()


def _command(action: str, results: Path) -> str:
    place = "" if results == ROOT / "results" else f" --results {_quoted(results)}"
    return f"python -m benchmarks store {action}{place}"


def _quoted(path: Path) -> str:
    """For a shell, on one line."""
    import shlex

    from benchmarks.upkeep import plain

    return shlex.quote(str(path)) if plain(str(path)) == str(path) else plain(str(path))
