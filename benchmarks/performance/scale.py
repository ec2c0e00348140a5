"""What sweeps cost beside their training: python -m benchmarks.performance.scale

Suite ``quick`` is trained for real by one worker, by two, and by two on a Dask cluster. Then a
sweep of 100,000 trials is run by the program itself, but with a stand-in for training that answers
at once with a stored trial of the same depth: what is left is planning, carrying and storing. The
measurements go to docs/scale.json, the page made of them to docs/scale.md. Takes a quarter of an
hour; nothing else should run on the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import benchmarks.train
from benchmarks import store
from benchmarks.cluster import in_cluster
from benchmarks.environment import environment, peak_memory
from benchmarks.executors import Executor, in_process, in_workers
from benchmarks.options import ROOT
from benchmarks.run import run
from benchmarks.suite import Suite, read
from benchmarks.trial import Trial
from techniques.recipe import RECIPES

PAGE = ROOT / "docs" / "scale.md"
DATA = ROOT / "docs" / "scale.json"
N_DASK_TRIALS = 10_000
PLACES = ("one process", "one worker", "two workers", "Dask, two workers")


def large_suite(n_trials: int) -> Suite:
    """A suite of so many trials: 50 recipes, 5 depths, 4 rates and as many seeds as it takes."""
    depths = tuple(sorted(_models()))[::2][:5]
    suite = read("depth")
    recipes = tuple(name for name in RECIPES if name not in suite.depths_of)[:50]
    seeds = n_trials // (len(recipes) * len(depths) * 8)
    changed = suite.model_dump() | {
        "name": "scale",
        "recipes": recipes,
        "depths": depths,
        "depths_of": {},
        "tuning": {"lr": (0.01, 0.03, 0.1, 0.3), "seeds": seeds},
        "seeds": 4 * seeds,
    }
    return Suite.model_validate(changed)


@cache
def _models() -> dict[int, dict]:
    """A stored trial of each depth, to answer with."""
    archive = store.load_archive(ROOT / "reports" / "depth" / "data" / "records.jsonl.gz")
    whole = (record for record in archive.values() if record["probes"])  # not one of tuning
    return {record["config"]["depth"]: record for record in whole}


def _answer_at_once(trials: tuple[Trial, ...]) -> list[dict]:
    models = _models()
    parts = ("status", "result", "curves", "probes")
    return [{part: models[trial.depth][part] for part in parts} for trial in trials]


def executor_of(place: str, folder: Path) -> Executor:
    """Where stacks run, by its name in the tables."""
    if place == "one process":
        return in_process(folder)
    if place == "Dask, two workers":
        return in_cluster("local-cluster", folder, timeout=60, n_workers=2)
    return in_workers(folder, 1 if place == "one worker" else 2)


def sweep(suite: Suite, place: str, folder: Path) -> float:
    """Seconds that a sweep takes, from plan to last record."""
    started = time.perf_counter()
    executor = executor_of(place, folder)
    crashed = run(suite, device="cpu", executor=executor, results=folder, reports=folder / "none")
    assert crashed == 0
    return time.perf_counter() - started


def measure(place: str, kind: str, folder: Path, n_trials: int) -> dict[str, float]:
    """One sweep in a process of its own, so that its memory can be told."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.performance.scale", place, kind, folder, str(n_trials)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def one(place: str, kind: str, folder: Path, n_trials: int) -> dict[str, float]:
    """What ``measure`` asks for, in this process."""
    suite = read("quick") if kind == "real" else large_suite(n_trials)
    if kind != "real":
        benchmarks.train.train_stack = _answer_at_once
    seconds = sweep(suite, place, folder)
    found = {"seconds": seconds, "peak_mib": peak_memory() / 2**20}
    if kind == "real":
        done = [json.loads(path.read_bytes()) for path in folder.rglob("[0-9a-f]*.json")]
        found["trials"] = len(done)
        found["training"] = sum(
            r["result"]["seconds_train"] + r["result"]["seconds_pretrain"] for r in done
        )
    return found


def main() -> None:
    """Measure, and write the page."""
    found: dict[str, dict] = {"environment": environment(), "real": {}, "stand-in": {}}
    found["environment"]["load_before"] = os.getloadavg()[0]
    folder = Path(tempfile.mkdtemp(dir=ROOT / "results" if (ROOT / "results").is_dir() else None))
    try:
        for place in PLACES:
            print(f"quick, {place}", file=sys.stderr, flush=True)
            found["real"][place] = measure(place, "real", folder / f"real {place}", 0)
        for place in PLACES[1:]:
            print(f"{N_DASK_TRIALS:,} stand-ins, {place}", file=sys.stderr, flush=True)
            found["stand-in"][place] = measure(
                place, "stand-in", folder / f"few {place}", N_DASK_TRIALS
            )
        print("100,000 stand-ins", file=sys.stderr, flush=True)
        large = folder / "large"
        found["first"] = measure("one process", "stand-in", large, 100_000)
        found["bytes"] = sum(path.stat().st_size for path in large.rglob("*.json"))
        found["again"] = measure("one process", "stand-in", large, 100_000)  # finds all stored
    finally:
        shutil.rmtree(folder)
    archive = store.load_archive(ROOT / "reports" / "depth" / "data" / "records.jsonl.gz")
    done = [r["result"]["cpu_seconds"] for r in archive.values() if r["status"] in store.DONE]
    found["trial_cpu_seconds"] = sum(done) / len(done)
    store.write_atomically(DATA, (json.dumps(found, indent=1) + "\n").encode())
    write_page()


def write_page() -> None:
    """docs/scale.md from docs/scale.json."""
    from benchmarks.markup import markdown_page  # with Jinja, which workers do without

    found = json.loads(DATA.read_bytes())
    page = markdown_page(
        "scale.md.j2",
        **{name.replace("-", "_"): value for name, value in found.items()},
        n_few=N_DASK_TRIALS,
        n_many=100_000,
    )
    store.write_atomically(PAGE, page)


if __name__ == "__mp_main__":  # a worker of a sweep of stand-ins, or of the real one
    if "stand-in" in sys.argv:
        benchmarks.train.train_stack = _answer_at_once

if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] == "page":
        write_page()
    else:
        place, kind, where, n_trials = sys.argv[1:]
        print(json.dumps(one(place, kind, Path(where), int(n_trials))))
