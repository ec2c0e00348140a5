"""The commands of data sets: python -m benchmarks data ..."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.options import Parser, add_reports, count, positive
from benchmarks.problem import Problem


def add(commands) -> None:
    """The command and its actions, to the parsers of commands."""
    text = "List, describe, export or fetch data sets."
    data = commands.add_parser("data", help=text, description=text)
    actions = data.add_subparsers(required=True, metavar="ACTION", parser_class=Parser)

    def action(name: str, function, text: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=text, description=text)
        sub.set_defaults(command=function)
        return sub

    action("list", _list, "List data sets, their sizes and what they are.")
    showing = action("show", _show, "Say sizes, class balance, checksum and provenance.")
    exporting = action("export", _export, "Write x_train, y_train, ... to an .npz file.")
    for sub in (showing, exporting):
        sub.add_argument("name", metavar="NAME", help="a data set; 'data list' has them all")
        sub.add_argument("--n-train", type=positive, help="training examples")
        sub.add_argument("--n-valid", type=positive, help="validation examples")
        sub.add_argument("--n-test", type=positive, help="test examples, of a generated set")
        sub.add_argument("--seed", type=count, help="of a generated set (default: 0)")
    exporting.add_argument("file", metavar="FILE.npz", type=Path)
    fetching = action("fetch", _fetch, "Fetch data sets to $DATA_DIR, checking every file.")
    fetching.add_argument("names", nargs="*", metavar="NAME", help="default: all that can be")
    reporting = action("report", _report, "Write the page of all generated sets; needs MNIST.")
    add_reports(reporting)


def _list(options: argparse.Namespace) -> int:
    from benchmarks.datasets import DATA_SETS
    from benchmarks.progress import say

    for name, data in DATA_SETS.items():
        test = f"{data.n_test:,}" if data.n_test else "its own"
        sizes = "{:,} + {:,} + {}".format(*data.parts, test)
        say(f"{name:22}{sizes:26}{data.about}")
    return 0


def _split(options: argparse.Namespace):
    """The data set asked for, in the parts asked for, and its checksum."""
    from benchmarks.datasets import DATA_SETS
    from benchmarks.datasets.arrays import sha256

    name, data = options.name, DATA_SETS.get(options.name)
    if data is None:
        raise Problem(f"data {name}: no such data set; allowed: {', '.join(DATA_SETS)}")
    n_train, n_valid = options.n_train or data.parts[0], options.n_valid or data.parts[1]
    if data.generate is None:
        for option in ("n_test", "seed"):
            if getattr(options, option) is not None:
                flag = option.replace("_", "-")
                raise Problem(f"--{flag}: {name} is not generated: its test set is what it is")
        return data, data.load(n_train, n_valid), f"{data.checksum} (of its source)"
    wanted = (n_train, n_valid, options.n_test or data.n_test, options.seed or 0)
    arrays = data.generated(*wanted)
    checksum = sha256(arrays)
    if wanted == (*data.parts, data.n_test, 0):
        checksum += ", as it should be"  # it would not have come otherwise
    return data, arrays.split(), checksum


def _show(options: argparse.Namespace) -> int:
    import textwrap

    from benchmarks.datasets import page
    from benchmarks.progress import say

    data, split, checksum = _split(options)
    say(f"{options.name}: {data.about}")
    for what, value in page.facts(options.name, split, checksum):
        say(textwrap.fill(f"{what}: {value}", 100, initial_indent="  ", subsequent_indent="    "))
    for heading, text in page.sections(data.module).items():
        say(textwrap.fill(text, 100, initial_indent=f"{heading}: ", subsequent_indent="  "))
    return 0


def _export(options: argparse.Namespace) -> int:
    import io

    import numpy

    from benchmarks.progress import say
    from benchmarks.store import write_atomically

    if options.file.suffix != ".npz":
        raise Problem(f"FILE: {options.file} must end in .npz")
    _, split, checksum = _split(options)
    buffer = io.BytesIO()
    numpy.savez_compressed(buffer, **{part: t.numpy() for part, t in vars(split).items()})
    write_atomically(options.file, buffer.getvalue())
    say(f"{options.file}: {', '.join(vars(split))}; data {checksum}")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from benchmarks.datasets.fetch import MIRRORS, fetch

    for name in options.names:
        if name not in MIRRORS:  # before anything is fetched
            raise Problem(f"data {name}: nothing to fetch; allowed: {', '.join(MIRRORS)}")
    failures = []
    for name in options.names or MIRRORS:
        try:
            fetch(name)
        except Problem as problem:  # the others may be had
            failures.append(str(problem))
    if failures:
        raise Problem("; ".join(failures))
    return 0


def _report(options: argparse.Namespace) -> int:
    from benchmarks.datasets import page
    from benchmarks.progress import say

    say(f"page: {page.write(options.reports)}")
    return 0
