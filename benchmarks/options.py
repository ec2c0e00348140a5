"""What several commands of the command line share: their parser, options and checks."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NoReturn

from benchmarks.problem import Problem

ROOT = Path(__file__).parent.parent


class Parser(argparse.ArgumentParser):
    """Of the program and of each command."""

    def error(self, message: str) -> NoReturn:
        """One line, like every other complaint about input."""
        raise Problem(f"{self.prog}: {message}; see --help")


def add_suite(parser: argparse.ArgumentParser) -> None:
    """The suite, and what it is run on."""
    parser.add_argument("suite", metavar="SUITE", help="a suite's name, or a TOML file")
    parser.add_argument(
        "--seeds",
        type=positive,
        help="this many reporting seeds instead; the report goes to SUITE-<N>-seeds",
    )
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda", "mps"],
        default="cpu",
        help="where to train; auto takes a GPU if there is one (default: cpu); "
        "the report of another device than the CPU goes to SUITE-<device>",
    )
    add_results(parser)
    add_reports(parser)


def add_results(parser: argparse.ArgumentParser) -> None:
    """The store."""
    parser.add_argument(
        "--results",
        type=Path,
        default=ROOT / "results",
        help="folder of the trials' records (default: results/ in the project)",
    )


def add_reports(parser: argparse.ArgumentParser) -> None:
    """Where reports go, and their archives are found."""
    parser.add_argument(
        "--reports",
        type=Path,
        default=ROOT / "reports",
        help="folder of the reports (default: reports/ in the project)",
    )


def positive(text: str) -> int:
    """From 1 on."""
    return _whole(text, least=1)


def count(text: str) -> int:
    """From 0 on."""
    return _whole(text, least=0)


def repeats(text: str) -> int:
    """From 5 on: what quartiles need."""
    return _whole(text, least=5)


def positive_number(text: str) -> float:
    """Any above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} must be a number above 0")
    return number


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} must be a whole number from {least} on")
    return int(text)


def shard(text: str) -> tuple[int, int]:
    """Which part of how many, such as 2/8."""
    number, slash, of = text.partition("/")
    if not slash or not 1 <= positive(number) <= positive(of):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} must be i/n with i from 1 to n, as in 2/8")
    return int(number), int(of)


def suite_of(options: argparse.Namespace):
    """The suite asked for, its device, and the command that gives the same again.

    Options that change what the report is about change its name, so that none overwrites another.
    """
    from benchmarks.experiment import experiments
    from benchmarks.suite import FIRST_TUNING_SEED, read

    if found := experiments().get(options.suite):
        command = f"python -m benchmarks reproduce --scale {found.scale} --only {found.name}"
        raise Problem(f"{found.name}: an experiment, and no suite; run by '{command}'")
    suite, device = read(options.suite), device_of(options)
    command, name = f"make compare SUITE={options.suite}", suite.name
    extra = []
    if options.seeds is not None:
        if options.seeds > FIRST_TUNING_SEED:
            raise Problem(f"--seeds: {options.seeds} must be at most {FIRST_TUNING_SEED}")
        if suite.paper:
            raise Problem(f"--seeds: those of {options.suite} are a paper's, see its claims file")
        name += f"-{options.seeds}-seeds"
        suite = suite.model_copy(update={"seeds": options.seeds})
        extra.append(f"--seeds {options.seeds}")
    if device != "cpu":
        name += f"-{device}"
        extra.append(f"--device {device}")
    if extra:
        command += f" ARGS='{' '.join(extra)}'"
    return suite.model_copy(update={"name": name}), device, command


def device_of(options: argparse.Namespace) -> str:
    """The device asked for. Raises Problem if it is not there."""
    import torch

    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if getattr(options, "scheduler", None) not in (None, "local-cluster"):
        if options.device == "auto":  # what this machine has says nothing of the workers'
            raise Problem("--device: auto cannot be told of a cluster; allowed: cpu, cuda, mps")
        return options.device
    if options.device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[options.device]:
        usable = ", ".join(name for name, is_there in there.items() if is_there)
        raise Problem(f"--device: {options.device} is not available here; allowed: auto, {usable}")
    return options.device


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
