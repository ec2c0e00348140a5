"""A small sweep, run by command, and what is compared of two of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SUITE = """
name = "mini"
title = "Two techniques for a moment"
data = { name = "mnist5k", n_train = 500, n_valid = 200 }
recipes = ["plain", "rbm"]
depths = [1, 3]
width = 16
seeds = 3
budget = { updates = 20, batch_size = 50, evaluate_every = 10, probe_at = [0, 20] }
tuning = { lr = [0.1, 1.0], seeds = 2 }
"""
N_TRIALS = 4 * (2 * 2 + 3)
N_STACKS = 8
RESULT_TABLES = ["T1-test-error", "T2-gradients", "T3-saturation", "T4-learning-rates"]


def lasting(updates: int) -> str:
    """The suite with as many updates: 20,000 of them take a stack some seconds."""
    return SUITE.replace("updates = 20", f"updates = {updates}").replace(
        "[0, 20]", f"[0, {updates}]"
    )


def command(folder: Path, *options: str, text: str = SUITE) -> list[str]:
    """Runs the suite, with store and reports in this folder."""
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / "mini.toml"
    path.write_text(text)
    return [
        sys.executable, "-m", "benchmarks", "run", str(path),
        "--results", str(folder / "results"), "--reports", str(folder / "reports"), *options,
    ]  # fmt: skip


def logged(folder: Path, *options: str, text: str, **more) -> subprocess.Popen:
    """The command in a session of its own, noting what it trains in ``folder/log``."""
    words = command(folder, *options, text=text)
    script = str(Path(__file__).with_name("logged.py"))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LOG": str(folder / "log"),
        "RESULTS": str(folder / "results"),
    }
    return subprocess.Popen(
        [words[0], script, *words[words.index("run") :]],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        **more,
    )


def complete(folder: Path, *options: str, text: str = SUITE) -> subprocess.CompletedProcess:
    """Run it to its end, which must be a good one."""
    done = subprocess.run(command(folder, *options, text=text), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def result_tables(folder: Path) -> dict[str, bytes]:
    """The files that must be equal byte for byte, whatever happened: all but timings."""
    tables = folder / "reports" / "mini" / "tables"
    return {
        f"{name}.{kind}": (tables / f"{name}.{kind}").read_bytes()
        for name in RESULT_TABLES
        for kind in ("csv", "tex")
    }


def records(folder: Path) -> list[Path]:
    """The files of the store."""
    return sorted((folder / "results").rglob("[0-9a-f]*.json"))


def finished(folder: Path) -> dict[Path, tuple[int, int]]:
    """Each finished trial's file as it is: one that is written again is another."""
    found = {}
    for path in records(folder):
        if json.loads(path.read_bytes())["status"] != "crashed":
            status = path.stat()
            found[path] = (status.st_ino, status.st_mtime_ns)
    return found


def trained(log: Path) -> Counter[str]:
    """How often each trial's training was begun; none after it had finished."""
    lines = [line.split() for line in log.read_text().splitlines()]
    assert {state for _, state in lines} == {"new"}
    return Counter(key for key, _ in lines)


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for it; fail if it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
