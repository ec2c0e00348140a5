"""What a claim can be about: a few named numbers, each one value per seed, from a suite's results.

Every metric is a function of the results of one technique, at one depth or, for ``depth_reached``,
at several. A seed for which it does not exist (no ratio, where both gradients are zero) has NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks.experiment import Experiment, Measurement, experiments
from benchmarks.measures import depth_reached, updates_to_target
from benchmarks.store import DONE
from benchmarks.suite import Suite
from benchmarks.tables import curves_table, layers_table, trials_table
from benchmarks.trial import TRAINED_BELOW, Trial


@dataclass(frozen=True)
class Results:
    """What a suite's trials came to, as the tables of ``benchmarks.tables`` have it."""

    scale: str  # "reduced", or "paper" where the suite has the paper's own protocol
    chance_error_pct: float
    n_test: int  # examples that test errors are shares of
    n_seen: int  # the same of training errors
    trials: pd.DataFrame  # with a column ``started``, UTC, of every trial
    layers: pd.DataFrame
    curves: pd.DataFrame

    def of(self, technique: str, depths: Sequence[int]) -> Results:
        """The finished reporting runs of one technique at these depths."""

        def part(frame: pd.DataFrame) -> pd.DataFrame:
            return frame[(frame["technique"] == technique) & frame["depth"].isin(depths)]

        trials = part(self.trials)
        trials = trials[(trials["role"] == "report") & trials["status"].isin(DONE)]
        return replace(self, trials=trials, layers=part(self.layers), curves=part(self.curves))


def results_of(
    suite: Suite, trials: Sequence[Trial], records: Mapping[str, dict]
) -> Results | None:
    """The results of a suite's trials, as ``benchmarks.run.outcome`` gives them; None if none."""
    done = [record for record in records.values() if record["status"] in DONE]
    if not done:
        return None
    frame = trials_table(trials, records)
    started = {key: record["env"].get("started") for key, record in records.items()}
    return Results(
        suite.scale,
        done[0]["result"]["chance_error_pct"],
        done[0]["result"]["n_test"],
        min(suite.data.n_train, suite.data.n_valid),
        frame.assign(started=frame["key"].map(started)),
        layers_table(trials, records),
        curves_table(trials, records),
    )


def results_of_experiment(
    experiment: Experiment, trials: Sequence[Measurement], records: Mapping[str, dict]
) -> Results | None:
    """The same of an experiment's measurements; its quantities are columns of ``trials``.

    Shares in % come from float32, wrong in the seventh digit. They are rounded to five decimals,
    which tell any two counts of errors apart, so that equal counts tie.
    """
    rows = []
    for trial in trials:
        record = records.get(trial.key, {"status": "missing"})
        result = record.get("result", {})
        rows.append(
            {
                "key": trial.key,
                "technique": trial.technique,
                "depth": trial.depth,
                "seed": trial.seed,
                "role": trial.role,
                "status": record["status"],
                **{name: result.get(name) for name in experiment.quantities},
                "started": record.get("env", {}).get("started"),
            }
        )
    frame = pd.DataFrame(rows)
    if not frame["status"].isin(DONE).any():
        return None
    shares = [n for n, q in experiment.quantities.items() if q.unit in ("%", "points")]
    frame[shares] = frame[shares].astype(float).round(5)
    nothing = pd.DataFrame(columns=["technique", "depth"])
    return Results(experiment.scale, math.nan, 0, 0, frame, nothing, nothing)


@dataclass(frozen=True)
class Metric:
    """How a metric is computed, said and judged."""

    unit: str
    meaning: str
    by_seed: Callable[[Results], pd.Series]  # index: seed
    # field of Results with the n that an error is a share of, or that n
    examples: str | int | None = None
    signed: bool = False  # whether 0 means "no effect", so that its sign alone says something
    per: str = "layer"  # what the depths of a trend count


def _of_trials(column: str) -> Callable[[Results], pd.Series]:
    return lambda results: results.trials.set_index("seed")[column].astype(float)


def _updates_to_trained(results: Results) -> pd.Series:
    target = TRAINED_BELOW * results.chance_error_pct
    statuses = results.trials.set_index("seed")["status"]
    return pd.Series(
        {
            seed: updates_to_target(
                curve["update"], curve["train_error_pct"].astype(float), target, statuses[seed]
            )
            for seed, curve in results.curves.sort_values("update").groupby("seed")
        },
        dtype=float,
    )


def _train_loss_log10(results: Results) -> pd.Series:
    """A diverged run counts as one that always knows the share of the commonest class."""
    lowest = results.curves.groupby("seed")["train_loss"].min().astype(float)
    diverged = results.trials.set_index("seed")["status"] == "diverged"
    lowest[diverged.reindex(lowest.index, fill_value=False)] = -math.log(
        1 - results.chance_error_pct / 100
    )
    with np.errstate(divide="ignore"):
        return np.log10(lowest)


def _depth_reached(results: Results) -> pd.Series:
    trained = results.trials.pivot(index="seed", columns="depth", values="trained").dropna()
    reached = depth_reached(trained.columns.tolist(), trained.astype(bool))
    return pd.Series(reached, trained.index, dtype=float)


def _at(results: Results, end: bool) -> pd.DataFrame:
    """Rows of the layers' table at the first probe, or at the last."""
    update = results.layers["update"]
    return results.layers[update == (update.max() if end else update.min())]


def _gradients(results: Results, end: bool) -> pd.DataFrame:
    """log10 of the rms weight gradient, seeds down, layers across; -inf where it is zero."""
    rms = _at(results, end).pivot(index="seed", columns="layer", values="gradient_rms")
    with np.errstate(divide="ignore"):
        return np.log10(rms.astype(float))


def _gradient_ratio(end: bool) -> Callable[[Results], pd.Series]:
    def ratio(results: Results) -> pd.Series:
        logs = _gradients(results, end)
        return logs[logs.columns.min()] - logs[logs.columns.max()]  # NaN where both are zero

    return ratio


def _gradient_slope(results: Results) -> pd.Series:
    """log10 of the factor that the gradient's rms grows by from a layer to the next one up."""
    logs = _gradients(results, end=False)
    centred = logs.columns.to_numpy() - logs.columns.to_numpy().mean()
    return (logs.where(np.isfinite(logs)) * centred).sum(axis=1, skipna=False) / (centred @ centred)


def _top_saturation(end: bool) -> Callable[[Results], pd.Series]:
    def share(results: Results) -> pd.Series:
        seen = _at(results, end)
        top = seen[seen["layer"] == seen["layer"].max()].set_index("seed")
        return 100 * top["saturated"].astype(float)

    return share


def _top_saturation_change(results: Results) -> pd.Series:
    return _top_saturation(True)(results) - _top_saturation(False)(results)


METRICS = {
    "test_error_pct": Metric(
        "%", "test error at the best validation point", _of_trials("test_error_pct"), "n_test"
    ),
    "train_error_pct": Metric(
        "%", "lowest training error of the run", _of_trials("train_error_pct"), "n_seen"
    ),
    "trained": Metric(
        "share of runs", "whether training error fell to half of chance", _of_trials("trained")
    ),
    "updates_to_trained": Metric(
        "updates", "first evaluation at which the run had trained", _updates_to_trained
    ),
    "depth_reached": Metric(
        "layers", "greatest depth up to which the seed's runs all trained", _depth_reached
    ),
    "gradient_ratio_log10_start": Metric(
        "decades",
        "log10 of first over last hidden layer's rms gradient before training",
        _gradient_ratio(end=False),
        signed=True,
    ),
    "gradient_ratio_log10_end": Metric(
        "decades",
        "log10 of first over last hidden layer's rms gradient after training",
        _gradient_ratio(end=True),
        signed=True,
    ),
    "gradient_slope_log10_start": Metric(
        "decades a layer",
        "growth of the rms gradient from layer to layer, bottom to top, before training",
        _gradient_slope,
        signed=True,
    ),
    "top_saturation_pct_start": Metric(
        "%", "saturated share of the top hidden layer before training", _top_saturation(end=False)
    ),
    "top_saturation_pct_end": Metric(
        "%", "saturated share of the top hidden layer after training", _top_saturation(end=True)
    ),
    "top_saturation_change_pct": Metric(
        "points",
        "change of the top hidden layer's saturated share by training",
        _top_saturation_change,
        signed=True,
    ),
    "train_loss_log10": Metric(
        "decades", "log10 of the run's lowest training cross-entropy, in nats", _train_loss_log10
    ),
}


def metric(suite: str, name: str) -> Metric:
    """A metric of a suite, or a quantity of an experiment. Raises KeyError."""
    if suite not in experiments():
        return METRICS[name]
    experiment = experiments()[suite]
    quantity = experiment.quantities[name]
    return Metric(
        quantity.unit,
        quantity.meaning,
        _of_trials(name),
        quantity.examples,
        quantity.signed,
        experiment.depth_unit,
    )


def metric_names(suite: str) -> list[str]:
    """What ``metric`` knows of a suite or an experiment."""
    return list(experiments()[suite].quantities if suite in experiments() else METRICS)
