"""From records to tables: one row a trial, then one row a cell of technique and depth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

import pandas as pd

from benchmarks.plan import Cell, Choice
from benchmarks.statistics import median_interval
from benchmarks.suite import Suite
from benchmarks.trial import Trial

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
    frames = []
    for trial, record in _reported(trials, records):
        frame = pd.DataFrame(record["curves"])
        # once the loss is not finite, an error of 100 % is what NaN counts as, not a measurement
        for part in ("train", "valid"):
            frame.loc[frame[f"{part}_loss"].isna(), f"{part}_error_pct"] = None
        frame.insert(0, "technique", trial.technique)
        frame.insert(1, "depth", trial.depth)
        frame.insert(2, "seed", trial.seed)
        frames.append(frame)
    columns = ["technique", "depth", "seed", "update", "batch_loss", "train_loss"]
    columns += ["train_error_pct", "valid_loss", "valid_error_pct"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def layers_table(trials: Sequence[Trial], records: Mapping[str, dict]) -> pd.DataFrame:
    """One row a hidden layer (1 is the first), probe and reporting run."""
    frames = []
    for trial, record in _reported(trials, records):
        for probe in record["probes"]:
            frame = pd.DataFrame(probe)
            # NaN is neither inside nor outside a range, so it says nothing of saturation
            frame.loc[frame["activation_mean"].isna(), "saturated"] = None
            frame.insert(0, "technique", trial.technique)
            frame.insert(1, "depth", trial.depth)
            frame.insert(2, "seed", trial.seed)
            frame.insert(4, "layer", range(1, len(frame) + 1))
            frames.append(frame)
    columns = ["technique", "depth", "seed", "update", "layer"]
    columns += ["gradient_rms", "activation_mean", "activation_sd", "saturated"]
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)[columns]


def _reported(trials: Sequence[Trial], records: Mapping[str, dict]):
    for trial in trials:
        record = records.get(trial.key)
        if trial.role == "report" and record is not None and record["status"] != "crashed":
            yield trial, record


def test_error_table(suite: Suite, trials: pd.DataFrame) -> pd.DataFrame:
    """T1: median test error over the reporting seeds, read at each run's best validation point.

    A diverged run counts with the error of chance; a crashed or missing one is not in n.
    """
    reported = trials[trials["role"] == "report"]
    rows = []
    for technique, depth in suite.cells:
        cell = reported[(reported["technique"] == technique) & (reported["depth"] == depth)]
        done = cell[cell["status"].isin(["ok", "diverged"])]
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
    first_update, last_update = 0, suite.budget.updates
    rows = []
    for technique, depth in suite.cells:
        cell = layers[(layers["technique"] == technique) & (layers["depth"] == depth)]
        row: dict[str, object] = {"technique": technique, "depth": depth}
        for name, update in (("start", first_update), ("end", last_update)):
            seen = cell[cell["update"] == update].sort_values(["seed", "layer"])
            by_seed = [g["gradient_rms"].astype(float) for _, g in seen.groupby("seed")]
            ratios = [
                math.log10(rms.iloc[0] / rms.iloc[-1])
                for rms in by_seed
                if rms.iloc[0] > 0 and rms.iloc[-1] > 0
            ]
            row[f"n_{name}"] = len(ratios)
            row[f"ratio_log10_{name}"] = median(ratios) if ratios else None
            row[f"first_layer_rms_{name}"] = _median([rms.iloc[0] for rms in by_seed])
            row[f"n_vanished_{name}"] = sum(bool(rms.iloc[0] == 0) for rms in by_seed)
        rows.append(row)
    return pd.DataFrame(rows)


def saturation_table(suite: Suite, layers: pd.DataFrame) -> pd.DataFrame:
    """T3: saturated share of the top hidden layer and of the worst one, in %, start and end."""
    rows = []
    for technique, depth in suite.cells:
        cell = layers[(layers["technique"] == technique) & (layers["depth"] == depth)]
        row: dict[str, object] = {"technique": technique, "depth": depth}
        for name, update in (("start", 0), ("end", suite.budget.updates)):
            seen = cell[cell["update"] == update]
            top = seen[seen["layer"] == depth]["saturated"].astype(float)
            worst = seen.groupby("seed")["saturated"].max().astype(float)
            row[f"n_{name}"] = int(top.notna().sum())
            row[f"top_layer_pct_{name}"] = _median(100 * top)
            row[f"worst_layer_pct_{name}"] = _median(100 * worst)
        rows.append(row)
    return pd.DataFrame(rows)


def learning_rates_table(
    suite: Suite, trials: pd.DataFrame, choices: Mapping[Cell, Choice]
) -> pd.DataFrame:
    """T4: the whole grid of every cell, with the median validation error that chose from it."""
    tuned = trials[trials["role"] == "tune"]
    rows = []
    for technique, depth in suite.cells:
        choice = choices.get((technique, depth))
        for lr in suite.tuning.lr:
            chosen = choice is not None and choice.lr == lr
            cell = tuned[
                (tuned["technique"] == technique) & (tuned["depth"] == depth) & (tuned["lr"] == lr)
            ]
            done = cell[cell["status"].isin(["ok", "diverged"])]
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
                }
            )
    return pd.DataFrame(rows)


def timings_table(suite: Suite, trials: pd.DataFrame) -> pd.DataFrame:
    """T5: median seconds of a reporting run, its share of its stack's; of one machine and load."""
    reported = trials[(trials["role"] == "report") & trials["seconds_train"].notna()]
    rows = []
    for technique, depth in suite.cells:
        cell = reported[(reported["technique"] == technique) & (reported["depth"] == depth)]
        row: dict[str, object] = {"technique": technique, "depth": depth, "n": len(cell)}
        for name in ("seconds_train", "seconds_pretrain", "cpu_seconds"):
            row[name] = _median(cell[name].astype(float))
        rows.append(row)
    return pd.DataFrame(rows)


def _median(values: Sequence[float]) -> float | None:
    known = [v for v in values if not math.isnan(v)]
    return median(known) if known else None
