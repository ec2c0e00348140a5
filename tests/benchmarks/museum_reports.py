"""Reports for the tests of the museum: made up by hand, or the committed ones."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import tables
from benchmarks.options import ROOT
from benchmarks.portraits import FILE, Portrait, save
from benchmarks.suite import Suite

UPDATES = (0, 5, 10)


def committed(reports: Path) -> Path:
    """A copy of what the museum reads of every committed report."""
    tracked = subprocess.run(
        ["git", "ls-files", "reports/*/suite.json"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    for settings in tracked:
        folder = (ROOT / settings).parent
        ignore = shutil.ignore_patterns("records.jsonl.gz", "figures")
        shutil.copytree(folder, reports / folder.name, ignore=ignore)
    for page in (ROOT / "reports" / "papers").glob("*/report.html"):
        (reports / "papers" / page.parent.name).mkdir(parents=True)
        shutil.copy(page, reports / "papers" / page.parent.name)
    return reports


def made_up(
    reports: Path,
    runs: Mapping[tuple[str, int], Sequence[float | None]],
    *,
    name: str = "made-up",
    title: str = "Made up",
    seeds: int = 3,
) -> Path:
    """A report with these final errors by recipe and depth; None is a run that diverged.

    A run's error is 90 %, then one more than at the end, then as given; a diverged one has no
    number after the start. The gradient is a tenth in each layer of that above, the last one's 1,
    and in the end 0 in the first. Half of all units are saturated.
    """
    recipes = list(dict.fromkeys(recipe for recipe, _ in runs))
    budget = {"updates": 10, "batch_size": 10, "evaluate_every": 5, "probe_at": [0, 10]}
    suite = Suite.model_validate(
        {
            "name": name,
            "title": title,
            "data": {"name": "mnist5k"},
            "recipes": recipes,
            "depths": sorted({depth for _, depth in runs}),
            "width": 4,
            "budget": budget,
            "tuning": {"lr": [0.1, 1.0], "seeds": 1},
            "seeds": seeds,
        }
    )
    trials, curves, layers, rates = [], [], [], []
    for (recipe, depth), errors in runs.items():
        cell = {"technique": recipe, "depth": depth}
        rates += [cell | {"lr": lr, "chosen": lr == 1.0} for lr in suite.tuning.lr]
        for seed, error in enumerate(errors):
            run = cell | {"seed": seed}
            trials.append(
                run
                | {
                    "role": "report",
                    "status": "diverged" if error is None else "ok",
                    "trained": error is not None and error < 45,
                    "test_error_pct": 90.0 if error is None else error,
                    "test_error_last_pct": 90.0,
                    "train_error_pct": 90.0,
                }
            )
            for update in UPDATES:
                now = {0: 90.0, 5: None if error is None else error + 1, 10: error}[update]
                curves.append(run | {"update": update, "valid_error_pct": now})
            for update in (0, 10):
                lost = error is None and update
                for layer in range(1, depth + 1):
                    gradient = 0.0 if update and layer == 1 else 10.0 ** (layer - depth)
                    probe = {"gradient_rms": gradient, "saturated": 0.5}
                    layers.append(
                        run
                        | {"update": update, "layer": layer}
                        | (dict.fromkeys(probe, None) if lost else probe)
                    )
    columns = ["technique", "depth", "role", "status", "trained", "test_error_pct"]
    columns += ["test_error_last_pct", "train_error_pct"]
    t1 = tables.test_error_table(suite, pd.DataFrame(trials, columns=columns))
    folder = reports / name
    for part in ("tables", "data"):
        (folder / part).mkdir(parents=True)
    settings = {"device": "cpu", "command": "make", "suite": suite.model_dump(mode="json")}
    (folder / "suite.json").write_text(json.dumps(settings))
    keys = [{"key": f"{recipe} {depth}"} for recipe, depth in runs]
    pd.DataFrame(keys).to_csv(folder / "data" / "trials.csv", index=False)
    t1.to_csv(folder / "tables" / "T1-test-error.csv", index=False)
    pd.DataFrame(rates).to_csv(folder / "tables" / "T4-learning-rates.csv", index=False)
    own = ["technique", "depth", "seed", "update"]
    _save(folder / "data" / "curves.csv.gz", curves, [*own, "valid_error_pct"])
    _save(folder / "data" / "layers.csv.gz", layers, [*own, "layer", "gradient_rms", "saturated"])
    return folder


def with_filters(folder: Path, filters: Mapping[tuple[str, int], Sequence]) -> None:
    """Store portraits of runs beside a report; filters (before and after, unit, side, side)."""
    found = [
        Portrait(
            key=f"{recipe} {depth}",
            technique=recipe,
            seed=0,
            as_recorded=True,
            low=0.0,
            high=1.0,
            histogram=np.zeros((2, depth, 3), np.int32),
            filters=np.array(pictures, np.int8),
        )
        for (recipe, depth), pictures in filters.items()
    ]
    save(folder / FILE, found)


def _save(path: Path, rows: list[dict], columns: list[str]) -> None:
    text = pd.DataFrame(rows, columns=columns).to_csv(index=False)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
