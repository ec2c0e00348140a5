"""From records to tables: one row a trial, then one row a cell of technique and depth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import pandas as pd

from benchmarks.archive import condensed
from benchmarks.datasets import DATA_SETS
from benchmarks.plan import Cell, Choice
from benchmarks.statistics import median_interval
from benchmarks.store import DONE
from benchmarks.suite import Suite
from benchmarks.trial import Trial
from techniques.network import build

TRIAL_RESULTS = [
    "test_error_pct",
    "test_error_last_pct",
    "valid_error_pct",
    "train_error_pct",
    "trained",
    "best_update",
    "seconds_train",
    "seconds_pretrain",
    "cpu_seconds",
]


CURVES = [  # in the order of their names, as in the records
    "batch_loss",
    "train_error_pct",
    "train_loss",
    "update",
    "valid_error_pct",
    "valid_loss",
]
PROBED = ["gradient_rms", "activation_mean", "activation_sd", "saturated"]


def trials_table(trials: Sequence[Trial], records: Mapping[str, dict]) -> pd.DataFrame:
    """One row a planned trial; a status of crashed or missing comes with empty results."""
    rows = []
    for trial in trials:
        record = records.get(trial.key, {"status": "missing"})
        result = record.get("result", {})
        rows.append(
            {
                "key": trial.key,
                "technique": trial.technique,
                "depth": trial.depth,
                "lr": trial.lr,
                "seed": trial.seed,
                "role": trial.role,
                "status": record["status"],
                **{name: result.get(name) for name in TRIAL_RESULTS},
            }
        )
    columns = ["key", "technique", "depth", "lr", "seed", "role", "status", *TRIAL_RESULTS]
    return pd.DataFrame(rows, columns=columns)


def curves_table(trials: Sequence[Trial], records: Mapping[str, dict]) -> pd.DataFrame:
    """One row an evaluation of a reporting run."""
    columns: dict[str, list] = {name: [] for name in ("technique", "depth", "seed", *CURVES)}
    for trial, record in _reported(trials, records):
        curves = record["curves"]
        _extend(columns, trial, len(curves["update"]))
        for name in CURVES:
            columns[name] += curves[name]
    frame = pd.DataFrame(columns)
    # once the loss is not finite, an error of 100 % is what NaN counts as, not a measurement
    for part in ("train", "valid"):
        frame[f"{part}_error_pct"] = frame[f"{part}_error_pct"].where(frame[f"{part}_loss"].notna())
    return frame


def layers_table(trials: Sequence[Trial], records: Mapping[str, dict]) -> pd.DataFrame:
    """One row a hidden layer (1 is the first), probe and reporting run."""
    columns: dict[str, list] = {
        name: [] for name in ("technique", "depth", "seed", "update", "layer", *PROBED)
    }
    for trial, record in _reported(trials, records):
        for probe in record["probes"]:
            n = len(probe["gradient_rms"])
            _extend(columns, trial, n)
            columns["update"] += [probe["update"]] * n
            columns["layer"] += range(1, n + 1)
            for name in PROBED:
                columns[name] += probe[name]
    frame = pd.DataFrame(columns)
    # NaN is neither inside nor outside a range, so it says nothing of saturation
    frame["saturated"] = frame["saturated"].where(frame["activation_mean"].notna())
    return frame


def _extend(columns: dict[str, list], trial: Trial, n: int) -> None:
    """Whose the next n rows are."""
    columns["technique"] += [trial.technique] * n
    columns["depth"] += [trial.depth] * n
    columns["seed"] += [trial.seed] * n


def _reported(trials: Sequence[Trial], records: Mapping[str, dict]):
    for trial in trials:
        record = records.get(trial.key)
        if trial.role == "report" and record is not None and record["status"] != "crashed":
            yield trial, condensed(record)


def cells_of(frame: pd.DataFrame, *keys: str) -> Callable[..., pd.DataFrame]:
    """A function from a technique, a depth (and what else is named) to its rows, maybe none.

    Frames are divided once: to search them for every cell took half of a report's time.
    """
    groups = dict(list(frame.groupby(["technique", "depth", *keys], sort=False)))
    return lambda *cell: groups.get(cell, frame[:0])


def test_error_table(suite: Suite, trials: pd.DataFrame) -> pd.DataFrame:
    """T1: median test error over the reporting seeds, read at each run's best validation point.

    A diverged run counts with the error of chance; a crashed or missing one is not in n.
    """
    cells = cells_of(trials[(trials["role"] == "report") & trials["status"].isin(DONE)])
    rows = []
    for technique, depth in suite.cells:
        done = cells(technique, depth)
        row = {
            "technique": technique,
            "depth": depth,
            "n": len(done),
            "n_trained": int((done["trained"] == True).sum()),  # noqa: E712 it may be empty
            "n_diverged": int((done["status"] == "diverged").sum()),
            "n_missing": suite.seeds - len(done),
        }
        if len(done):
            interval = median_interval(done["test_error_pct"].astype(float).tolist())
            row |= {
                "test_error_pct": interval.median,
                "low": interval.low,
                "high": interval.high,
                "coverage": interval.coverage,
                "test_error_last_pct": median(done["test_error_last_pct"].astype(float)),
                "train_error_pct": median(done["train_error_pct"].astype(float)),
            }
        rows.append(row)
    columns = ["technique", "depth", "n", "n_trained", "test_error_pct", "low", "high", "coverage"]
    columns += ["test_error_last_pct", "train_error_pct", "n_diverged", "n_missing"]
    return pd.DataFrame(rows, columns=columns)


def gradients_table(suite: Suite, layers: pd.DataFrame) -> pd.DataFrame:
    """T2: log10 of first over last hidden layer's rms weight gradient, at the start and the end.

    0 is ideal and -3 a gradient a thousandfold smaller below. A run in which either is zero or
    not finite has no ratio; ``n_vanished`` counts those whose first layer's gradient was zero.
    """
    outer = layers[(layers["layer"] == 1) | (layers["layer"] == layers["depth"])]
    cells = cells_of(outer.sort_values(["seed", "layer"], kind="stable"), "update")
    rows = []
    for technique, depth in suite.cells:
        row: dict[str, object] = {"technique": technique, "depth": depth}
        for name, update in (("start", 0), ("end", suite.budget.updates)):
            rms = cells(technique, depth, update)["gradient_rms"].astype(float).tolist()
            # of a single hidden layer first and last are the same row
            first, last = (rms, rms) if depth == 1 else (rms[::2], rms[1::2])
            pairs = zip(first, last, strict=True)
            ratios = [math.log10(a / b) for a, b in pairs if a > 0 and b > 0]
            row[f"n_{name}"] = len(ratios)
            row[f"ratio_log10_{name}"] = median(ratios) if ratios else None
            row[f"first_layer_rms_{name}"] = _median(first)
            row[f"n_vanished_{name}"] = sum(rms == 0 for rms in first)
        rows.append(row)
    return pd.DataFrame(rows)


def saturation_table(suite: Suite, layers: pd.DataFrame) -> pd.DataFrame:
    """T3: saturated share of the top hidden layer and of the worst one, in %, start and end."""
    keys = ["technique", "depth", "update", "seed"]
    layers = layers.assign(saturated=layers["saturated"].astype(float))
    tops = cells_of(layers[layers["layer"] == layers["depth"]], "update")
    worsts = cells_of(layers.groupby(keys, as_index=False)["saturated"].max(), "update")
    rows = []
    for technique, depth in suite.cells:
        row: dict[str, object] = {"technique": technique, "depth": depth}
        for name, update in (("start", 0), ("end", suite.budget.updates)):
            top = tops(technique, depth, update)["saturated"]
            row[f"n_{name}"] = int(top.notna().sum())
            row[f"top_layer_pct_{name}"] = _median(100 * top)
            row[f"worst_layer_pct_{name}"] = _median(
                100 * worsts(technique, depth, update)["saturated"]
            )
        rows.append(row)
    return pd.DataFrame(rows)


def learning_rates_table(
    suite: Suite, trials: pd.DataFrame, choices: Mapping[Cell, Choice]
) -> pd.DataFrame:
    """T4: the whole grid of every cell, with the median validation error that chose from it."""
    cells = cells_of(trials[(trials["role"] == "tune") & trials["status"].isin(DONE)], "lr")
    rows = []
    for technique, depth in suite.cells:
        choice = choices.get((technique, depth))
        for lr in suite.tuning.lr:
            chosen = choice is not None and choice.lr == lr
            done = cells(technique, depth, lr)
            rows.append(
                {
                    "technique": technique,
                    "depth": depth,
                    "lr": lr,
                    "n": len(done),
                    "n_diverged": int((done["status"] == "diverged").sum()),
                    "valid_error_pct": _median(done["valid_error_pct"].astype(float)),
                    "chosen": chosen,
                    "on_edge": chosen and choice.on_edge,
                    "n_missing": suite.tuning.seeds - len(done),
                }
            )
    return pd.DataFrame(rows)


def timings_table(suite: Suite, trials: pd.DataFrame) -> pd.DataFrame:
    """T5: median seconds of a reporting run, its share of its stack's; of one machine and load."""
    cells = cells_of(trials[(trials["role"] == "report") & trials["seconds_train"].notna()])
    rows = []
    for technique, depth in suite.cells:
        cell = cells(technique, depth)
        row: dict[str, object] = {"technique": technique, "depth": depth, "n": len(cell)}
        for name in ("seconds_train", "seconds_pretrain", "cpu_seconds"):
            row[name] = _median(cell[name].astype(float))
        rows.append(row)
    return pd.DataFrame(rows)


def row_id(technique: str, report: str, depth: int | None = None) -> str:
    """The name of a row that never changes: ``rbm@depth/d10``."""
    return f"{technique}@{report}" + ("" if depth is None else f"/d{depth}")


def identified(report: str, table: pd.DataFrame) -> pd.DataFrame:
    """A table with the ids of its rows in a last column; rows of one cell are told apart."""

    def name(row: dict) -> str:
        text = row_id(row.get("technique", row.get("factor")), report, row.get("depth"))
        if "lr" in row:
            text += f"/lr{row['lr']:g}"
        if "response" in row:
            text += f"/{row['response']}/{row['condition'].replace(' ', '-') or 'main'}"
        return text

    named = table.drop(columns="depth") if "deepest" in table else table  # there it is a result
    return table.assign(row=[name(row) for row in named.to_dict("records")])


def parameters_of(suite: Suite) -> dict[Cell, int | None]:
    """Trained numbers of a network of each cell; None where the size of an input is not stated."""
    data = DATA_SETS[suite.data.name]
    found: dict[Cell, int | None] = {}
    for technique, depth in suite.cells:
        if not data.picture:
            found[technique, depth] = None
            continue
        network = build(
            suite.recipe(technique),
            n_inputs=math.prod(data.picture),
            n_classes=len(data.classes),
            widths=suite.widths or [suite.width] * depth,
            seeds=[0],
        )
        found[technique, depth] = sum(tensor.numel() for tensor in network.trainable())
    return found


def _median(values: Sequence[float]) -> float | None:
    known = [v for v in values if not math.isnan(v)]
    return median(known) if known else None
