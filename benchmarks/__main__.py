"""The command line: python -m benchmarks."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from benchmarks.problem import Problem

ROOT = Path(__file__).parent.parent


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, like every other complaint about input."""
        raise Problem(f"{self.prog}: {message}; see --help")


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 done, 1 some trials crashed, 2 bad input, 130 interrupted."""
    try:
        options = _parser().parse_args(arguments)
        return options.command(options)
    except Problem as problem:
        print(f"error: {' '.join(str(problem).split())}", file=sys.stderr)  # one line, whatever
        return 2
    except MemoryError:
        print("error: not enough memory for that", file=sys.stderr)
        return 2
    except OSError as error:  # a folder that cannot be read or written, a full disk
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept", file=sys.stderr)
        return 130


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m benchmarks",
        description="Train deep sigmoid networks with each technique, and report what came of it.",
        epilog="Exit codes: 0 done, 1 some trials crashed (listed), 2 bad input, 130 interrupted.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, function, text: str, *, suite: bool = False) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=function)
        if suite:
            sub.add_argument("suite", metavar="SUITE", help="a suite's name, or a TOML file")
            sub.add_argument(
                "--seeds",
                type=_positive,
                help="this many reporting seeds instead; the report goes to SUITE-<N>-seeds",
            )
            sub.add_argument(
                "--device",
                choices=["auto", "cpu", "cuda", "mps"],
                default="cpu",
                help="where to train; auto takes a GPU if there is one (default: cpu); "
                "the report of another device than the CPU goes to SUITE-<device>",
            )
            sub.add_argument(
                "--results",
                type=Path,
                default=ROOT / "results",
                help="folder of the trials' records (default: results/ in the project)",
            )
            _add_reports(sub)
        return sub

    command("list", _list, "List suites, recipes and data sets.")
    command("plan", _plan, "Say what a suite would train, and what of it is stored.", suite=True)
    running = command("run", _run, "Train what a suite has not stored yet, and report.", suite=True)
    running.add_argument(
        "--workers",
        type=_count,
        default=None,
        help="worker processes, one thread each; 0 trains in this process "
        "(default: one per core, or one for a GPU)",
    )
    command("report", _report, "Write a suite's report from the stored records.", suite=True)
    rendering = command("reports", _reports, "Write every report again from its records.")
    _add_reports(rendering)
    timing = command(
        "performance", _performance, "Time this program against its peers and the machine's limit."
    )
    timing.add_argument(
        "--repeats",
        type=_repeats,
        default=5,
        help="turns of each contender, 5 or more (default: 5)",
    )
    _add_reports(timing)
    _add_data_commands(commands)
    return parser


def _add_reports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reports",
        type=Path,
        default=ROOT / "reports",
        help="folder of the reports (default: reports/ in the project)",
    )


def _add_data_commands(commands) -> None:
    text = "List, describe, export or fetch data sets."
    data = commands.add_parser("data", help=text, description=text)
    actions = data.add_subparsers(required=True, metavar="ACTION", parser_class=_Parser)

    def action(name: str, function, text: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=text, description=text)
        sub.set_defaults(command=function)
        return sub

    action("list", _data_list, "List data sets, their sizes and what they are.")
    showing = action("show", _data_show, "Say sizes, class balance, checksum and provenance.")
    exporting = action("export", _data_export, "Write x_train, y_train, ... to an .npz file.")
    for sub in (showing, exporting):
        sub.add_argument("name", metavar="NAME", help="a data set; 'data list' has them all")
        sub.add_argument("--n-train", type=_positive, help="training examples")
        sub.add_argument("--n-valid", type=_positive, help="validation examples")
        sub.add_argument("--n-test", type=_positive, help="test examples, of a generated set")
        sub.add_argument("--seed", type=_count, help="of a generated set (default: 0)")
    exporting.add_argument("file", metavar="FILE.npz", type=Path)
    fetching = action("fetch", _data_fetch, "Fetch data sets to $DATA_DIR, checking every file.")
    fetching.add_argument("names", nargs="*", metavar="NAME", help="default: all that can be")
    reporting = action("report", _data_report, "Write the page of all generated sets; needs MNIST.")
    _add_reports(reporting)


def _positive(text: str) -> int:
    return _whole(text, least=1)


def _count(text: str) -> int:
    return _whole(text, least=0)


def _repeats(text: str) -> int:
    return _whole(text, least=5)


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} must be a whole number from {least} on")
    return int(text)


# The functions below import what they need: torch takes seconds, and --help should not.


def _suite(options: argparse.Namespace):
    """The suite asked for, its device, and the command that gives the same again.

    Options that change what the report is about change its name, so that none overwrites another.
    """
    from benchmarks.suite import FIRST_TUNING_SEED, read

    suite, device = read(options.suite), _device(options)
    command, name = f"make compare SUITE={options.suite}", suite.name
    extra = []
    if options.seeds is not None:
        if options.seeds > FIRST_TUNING_SEED:
            raise Problem(f"--seeds: {options.seeds} must be at most {FIRST_TUNING_SEED}")
        name += f"-{options.seeds}-seeds"
        suite = suite.model_copy(update={"seeds": options.seeds})
        extra.append(f"--seeds {options.seeds}")
    if device != "cpu":
        name += f"-{device}"
        extra.append(f"--device {device}")
    if extra:
        command += f" ARGS='{' '.join(extra)}'"
    return suite.model_copy(update={"name": name}), device, command


def _device(options: argparse.Namespace) -> str:
    import torch

    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if options.device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[options.device]:
        usable = ", ".join(name for name, is_there in there.items() if is_there)
        raise Problem(f"--device: {options.device} is not available here; allowed: auto, {usable}")
    return options.device


def _list(options: argparse.Namespace) -> int:
    from benchmarks.datasets import DATA_SETS
    from benchmarks.progress import say
    from benchmarks.suite import names, read
    from techniques.recipe import RECIPES

    say("suites")
    for name in names():
        try:
            say(f"  {name:26}{read(name).title}")
        except Problem as problem:  # one bad file must not hide the others
            say(f"  {name:26}cannot be read: {problem}")
    say("recipes")
    for name, recipe in RECIPES.items():
        slots = recipe.settings()
        say(f"  {name:26}{', '.join(slot['technique'] for slot in slots.values())}")
    say("data sets")
    for name, data in DATA_SETS.items():
        say(f"  {name:26}{data.about}")
    return 0


def _plan(options: argparse.Namespace) -> int:
    from benchmarks.plan import stacks, tuning_trials
    from benchmarks.progress import say
    from benchmarks.run import outcome
    from benchmarks.store import DONE

    suite, device, _ = _suite(options)
    trials, _, records = outcome(
        suite, device=device, results=options.results, reports=options.reports
    )
    cells = len(suite.cells)
    tuning = tuning_trials(suite, device)
    total = len(tuning) + cells * suite.seeds
    done = sum(record["status"] in DONE for record in records.values())
    say(f"{suite.name}: {suite.title}")
    say(f"  data       {suite.data.name}, {suite.data.n_train} + {suite.data.n_valid} examples")
    say(f"  cells      {cells}: {len(suite.recipes)} recipes, {len(suite.depths)} depths")
    say(f"  tuning     {len(tuning)} trials = {cells} x {len(suite.tuning.lr)} learning rates x "
          f"{suite.tuning.seeds} seeds, in {len(stacks(tuning))} stacks")  # fmt: skip
    say(f"  reporting  {cells * suite.seeds} trials = {cells} x {suite.seeds} seeds")
    say(f"  stored     {done} of {total}")
    return 0


def _run(options: argparse.Namespace) -> int:
    from benchmarks.report import write_report
    from benchmarks.run import Interrupted, run

    suite, device, command = _suite(options)
    workers = options.workers
    if workers is None:
        workers = _cores() if device == "cpu" else 1
    try:
        crashed = run(
            suite, device=device, workers=workers, results=options.results, reports=options.reports
        )
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return 130
    write_report(suite, device, command, options.results, options.reports)
    return 1 if crashed else 0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _report(options: argparse.Namespace) -> int:
    from benchmarks.report import write_report

    write_report(*_suite(options), options.results, options.reports)
    return 0


def _reports(options: argparse.Namespace) -> int:
    from benchmarks.report import write_all

    write_all(options.reports)
    return 0


def _performance(options: argparse.Namespace) -> int:
    from benchmarks.performance.report import performance

    try:
        performance(options.reports, options.repeats, _cores())
    except ModuleNotFoundError as error:
        raise Problem(
            f"performance: the package {error.name} is missing; 'make performance' installs it, "
            "and the peers"
        ) from None
    return 0


def _data_list(options: argparse.Namespace) -> int:
    from benchmarks.datasets import DATA_SETS
    from benchmarks.progress import say

    for name, data in DATA_SETS.items():
        test = f"{data.n_test:,}" if data.n_test else "its own"
        sizes = "{:,} + {:,} + {}".format(*data.parts, test)
        say(f"{name:22}{sizes:26}{data.about}")
    return 0


def _data_split(options: argparse.Namespace):
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


def _data_show(options: argparse.Namespace) -> int:
    import textwrap

    from benchmarks.datasets import page
    from benchmarks.progress import say

    data, split, checksum = _data_split(options)
    say(f"{options.name}: {data.about}")
    for what, value in page.facts(options.name, split, checksum):
        say(textwrap.fill(f"{what}: {value}", 100, initial_indent="  ", subsequent_indent="    "))
    for heading, text in page.sections(data.module).items():
        say(textwrap.fill(text, 100, initial_indent=f"{heading}: ", subsequent_indent="  "))
    return 0


def _data_export(options: argparse.Namespace) -> int:
    import io

    import numpy

    from benchmarks.progress import say
    from benchmarks.store import write_atomically

    if options.file.suffix != ".npz":
        raise Problem(f"FILE: {options.file} must end in .npz")
    _, split, checksum = _data_split(options)
    buffer = io.BytesIO()
    numpy.savez_compressed(buffer, **{part: t.numpy() for part, t in vars(split).items()})
    write_atomically(options.file, buffer.getvalue())
    say(f"{options.file}: {', '.join(vars(split))}; data {checksum}")
    return 0


def _data_fetch(options: argparse.Namespace) -> int:
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


def _data_report(options: argparse.Namespace) -> int:
    from benchmarks.datasets import page
    from benchmarks.progress import say

    say(f"page: {page.write(options.reports)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
