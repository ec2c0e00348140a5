"""The command line: python -m benchmarks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import data_commands, diff, store_commands
from benchmarks.options import (
    Parser,
    add_reports,
    add_results,
    add_suite,
    cores,
    count,
    positive,
    positive_number,
    repeats,
    shard,
    suite_of,
)
from benchmarks.problem import Problem


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


def _parser() -> Parser:
    parser = Parser(
        prog="python -m benchmarks",
        description="Train deep sigmoid networks with each technique, and report what came of it.",
        epilog="Exit codes: 0 done, 1 some trials crashed (listed), 2 bad input, 130 interrupted.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, function, text: str, *, suite: bool = False) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=function)
        if suite:
            add_suite(sub)
        return sub

    command("list", _list, "List suites, recipes and data sets.")
    command("plan", _plan, "Say what a suite would train, and what of it is stored.", suite=True)
    _add_run_options(
        command("run", _run, "Train what a suite has not stored yet, and report.", suite=True)
    )
    watching = command("status", _status, "Say how far a suite is that is being run.", suite=True)
    watching.add_argument(
        "--watch", type=positive, metavar="SECONDS", help="say it again and again, until Ctrl-C"
    )
    reproducing = command(
        "reproduce", _reproduce, "Run what papers' claims need, and set their figures beside ours."
    )
    reproducing.add_argument(
        "paper", nargs="?", metavar="PAPER", help="a citation key (default: all papers)"
    )
    reproducing.add_argument(
        "--scale",
        choices=["reduced", "paper"],
        default="reduced",
        help="small networks and data, or the papers' own protocols (default: reduced)",
    )
    reproducing.add_argument(
        "--at-most",
        type=positive_number,
        default=float("inf"),
        metavar="HOURS",
        help="leave out suites that would take one core longer (default: none; the longest take "
        "hundreds of hours)",
    )
    reproducing.add_argument(
        "--only", metavar="SUITE", help="one suite or experiment of these and no other"
    )
    reproducing.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="cpu")
    add_results(reproducing)
    add_reports(reproducing)
    _add_run_options(reproducing)
    command("report", _report, "Write a suite's report from the stored records.", suite=True)
    command(
        "portraits",
        _portraits,
        "Train a few stored trials again, for the report's figures of filters and activations.",
        suite=True,
    )
    exporting = command("export", _export, "Write stored trials for TensorBoard.", suite=True)
    exporting.add_argument(
        "--tensorboard",
        type=Path,
        metavar="DIR",
        required=True,
        help="folder to write to, one run a trial: SUITE/RECIPE/depth-D/ROLE-lr-LR-seed-S",
    )
    exporting.add_argument(
        "--recipe",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one; may be given again for others",
    )
    exporting.add_argument(
        "--depth",
        action="append",
        default=[],
        type=positive,
        help="only this one; may be given again for others",
    )
    exporting.add_argument(
        "--role",
        choices=["report", "tune"],
        default="report",
        help="trials that report, or that tune the learning rate (default: report)",
    )
    rendering = command("reports", _reports, "Write every report again from its records.")
    add_reports(rendering)
    citing = command("cite", _cite, "Print one cell of a report, with an entry to cite it.")
    citing.add_argument("report", metavar="SUITE", help="the suite whose report it is in")
    citing.add_argument("table", metavar="TABLE", help="T1, T2, ...")
    citing.add_argument(
        "--row", required=True, metavar="NAME", help="a recipe; T6: an idea; T10: paper:claim"
    )
    citing.add_argument(
        "--depth", type=positive, help="hidden layers; T7 without it: the depth reached"
    )
    add_reports(citing)
    timing = command(
        "performance", _performance, "Time this program against its peers and the machine's limit."
    )
    timing.add_argument(
        "--repeats",
        type=repeats,
        default=5,
        help="turns of each contender, 5 or more (default: 5)",
    )
    add_reports(timing)
    data_commands.add(commands)
    store_commands.add(commands)
    diff.add(commands)
    return parser


def _add_run_options(running: argparse.ArgumentParser) -> None:
    running.add_argument(
        "--workers",
        type=count,
        default=None,
        help="worker processes, one thread each; 0 trains in this process "
        "(default: one per core, or one for a GPU)",
    )
    running.add_argument(
        "--shard",
        type=shard,
        metavar="i/n",
        help="train one of n parts only and write no report, for job arrays: each job gives its "
        "own i from 1 to n; then 'report SUITE'",
    )
    cluster = running.add_argument_group("on a Dask cluster (see docs/cluster.md)")
    cluster.add_argument(
        "--scheduler",
        metavar="WHERE",
        help="tcp://HOST:PORT or tls://HOST:PORT of a scheduler, its --scheduler-file (FILE.json), "
        "or local-cluster for one on this machine that ends with the run",
    )
    cluster.add_argument(
        "--scheduler-timeout",
        type=positive,
        default=60,
        metavar="SECONDS",
        help="how long to wait for the scheduler, and for a worker while there is none "
        "(default: 60)",
    )
    for option, what in TLS.items():
        flag = option.replace("_", "-")
        cluster.add_argument(f"--tls-{flag}", type=Path, metavar="FILE.pem", help=what)


TLS = {
    "ca_file": "certificate authority that the scheduler's certificate must be signed by",
    "cert": "this program's certificate",
    "key": "and its private key",
}


# The functions below import what they need: torch takes seconds, and --help should not.


def _list(options: argparse.Namespace) -> int:
    from benchmarks import claims
    from benchmarks.datasets import DATA_SETS
    from benchmarks.experiment import experiments
    from benchmarks.progress import say
    from benchmarks.suite import names, read
    from techniques.recipe import RECIPES

    say("suites")
    for name in names():
        try:
            say(f"  {name:40}{read(name).title}")
        except Problem as problem:  # one bad file must not hide the others
            say(f"  {name:40}cannot be read: {problem}")
    say("experiments of papers, which 'reproduce' runs")
    for name, experiment in experiments().items():
        say(f"  {name:40}{experiment.title}")
    say("recipes")
    for name, recipe in RECIPES.items():
        slots = recipe.settings()
        say(f"  {name:26}{', '.join(slot['technique'] for slot in slots.values())}")
    say("papers, whose claims 'reproduce' judges")
    for key in claims.names():
        try:
            say(f"  {key:26}{len(claims.read(key).claims)} claims")
        except Problem as problem:
            say(f"  {key:26}cannot be read: {problem}")
    say("data sets")
    for name, data in DATA_SETS.items():
        say(f"  {name:26}{data.about}")
    return 0


def _plan(options: argparse.Namespace) -> int:
    from benchmarks.plan import stacks, tuning_trials
    from benchmarks.progress import say
    from benchmarks.run import outcome
    from benchmarks.store import DONE

    suite, device, _ = suite_of(options)
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
    from benchmarks.plan import shard_of
    from benchmarks.report import write_report
    from benchmarks.run import Interrupted, run

    executor = _executor(options)
    suite, device, command = suite_of(options)
    cells = shard_of(suite, device, *options.shard) if options.shard else None
    try:
        crashed = run(
            suite,
            device=device,
            executor=executor(device),
            results=options.results,
            reports=options.reports,
            cells=cells,
        )
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return 130
    if options.shard:
        number, of = options.shard
        print(
            f"{suite.name}: part {number} of {of} is trained, {len(cells)} cells; when all are, "
            f"'python -m benchmarks report {options.suite}' writes the report",
            file=sys.stderr,
        )
    elif suite.paper:
        from benchmarks import paper_pages, sweeps

        sweeps.archive(suite, device, options.results, options.reports)
        paper_pages.write_report(suite.paper, options.reports)
    else:
        write_report(suite, device, command, options.results, options.reports)
    return 1 if crashed else 0


def _reproduce(options: argparse.Namespace) -> int:
    from benchmarks import reproduction
    from benchmarks.options import device_of
    from benchmarks.run import Interrupted

    if options.shard:
        raise Problem("--shard: 'run SUITE --shard i/n' trains a part of one of the paper's suites")
    papers, device = reproduction.known(options.paper), device_of(options)
    executor = _executor(options)
    try:
        crashed = reproduction.reproduce(
            papers,
            options.scale,
            device=device,
            executor=lambda: executor(device),
            results=options.results,
            reports=options.reports,
            at_most=options.at_most,
            only=options.only,
        )
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return 130
    reproduction.summary(options.reports)
    return 1 if crashed else 0


def _executor(options: argparse.Namespace):
    """What gives the executor asked for, on a device; faults of the options show here."""
    tls = {option: getattr(options, f"tls_{option}") for option in TLS}
    n = options.workers
    if options.scheduler is None:
        from benchmarks.executors import in_process, in_workers

        for option in TLS:
            if tls[option] is not None:
                flag = option.replace("_", "-")
                raise Problem(f"--tls-{flag}: it goes with --scheduler tls://HOST:PORT")

        def local(device: str):
            wanted = n if n is not None else cores() if device == "cpu" else 1
            return in_workers(options.results, wanted) if wanted else in_process(options.results)

        return local
    from benchmarks.cluster import in_cluster, scheduler_at

    local_cluster = options.scheduler == "local-cluster"
    if n is not None and not local_cluster:
        raise Problem("--workers: the workers of --scheduler are started beside it; leave it out")
    if n == 0:
        raise Problem("--workers: 0 must be at least 1 for a local cluster")
    address = scheduler_at(options.scheduler, options.scheduler_timeout)
    return lambda _: in_cluster(
        address,
        options.results,
        timeout=options.scheduler_timeout,
        n_workers=n or cores(),
        **tls,
    )


def _status(options: argparse.Namespace) -> int:
    from benchmarks.status import show

    suite, device, _ = suite_of(options)
    show(suite, device, options.results, options.reports, options.watch)
    return 0


def _export(options: argparse.Namespace) -> int:
    from benchmarks.export import chosen_cells, to_tensorboard

    suite, device, _ = suite_of(options)
    to_tensorboard(
        suite,
        device,
        role=options.role,
        cells=chosen_cells(suite, options.recipe, options.depth),
        folder=options.tensorboard,
        results=options.results,
        reports=options.reports,
    )
    return 0


def _report(options: argparse.Namespace) -> int:
    from benchmarks.report import write_report

    write_report(*suite_of(options), options.results, options.reports)
    return 0


def _portraits(options: argparse.Namespace) -> int:
    from benchmarks.report import take_portraits, write_report

    suite, device, command = suite_of(options)
    take_portraits(suite, device, options.results, options.reports)
    write_report(suite, device, command, options.results, options.reports)
    return 0


def _reports(options: argparse.Namespace) -> int:
    from benchmarks.report import write_all

    write_all(options.reports)
    return 0


def _cite(options: argparse.Namespace) -> int:
    from benchmarks.cite import cite
    from benchmarks.progress import say

    say(cite(options.reports, options.report, options.table, options.row, options.depth))
    return 0


def _performance(options: argparse.Namespace) -> int:
    from benchmarks.performance.report import performance

    try:
        performance(options.reports, options.repeats, cores())
    except ModuleNotFoundError as error:
        raise Problem(
            f"performance: the package {error.name} is missing; 'make performance' installs it, "
            "and the peers"
        ) from None
    return 0


if __name__ == "__main__":
    sys.exit(main())
