"""Experiments of papers are planned, stored, resumed and judged as a suite's trials are."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.archive import save_archive
from benchmarks.claims import Ordinal, Paper, Trend
from benchmarks.executors import in_process
from benchmarks.experiment import (
    Experiment,
    Measurement,
    Quantity,
    cost,
    experiments,
    measure_stack,
    stacks,
)
from benchmarks.metrics import metric, results_of_experiment
from benchmarks.run import archive_of, known_records, run
from benchmarks.verdicts import Outcome, verdicts
from techniques.recipe import RECIPES

CALLS: list[tuple] = []


def measure(settings, depth, seeds, device):
    """A number that is easy to check, and what was asked for."""
    CALLS.append((settings["offset"], depth, tuple(seeds), device.type))
    if settings.get("breaks"):
        raise RuntimeError("no such luck")
    return [{"height": settings["offset"] + depth + seed / 100} for seed in seeds]


TOY = Experiment(
    name="toy",
    paper="hinton2006dbn",
    title="Heights",
    scale="reduced",
    conditions={"low": {"offset": 1.0}, "high": {"offset": 5.0}},
    depths=(2, 4),
    seeds=10,
    quantities={"height": Quantity("m", "how high")},
    measure=measure,
    seconds=3.0,
    at_once=4,
)


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    CALLS.clear()
    monkeypatch.setitem(experiments(), "toy", TOY)


def complete(folder: Path) -> tuple[int, dict[str, dict]]:
    crashed = run(
        experiments()["toy"],
        device="cpu",
        executor=in_process(folder / "results"),
        results=folder / "results",
        reports=folder / "reports",
    )
    trials = experiments()["toy"].trials("cpu")
    return crashed, known_records(trials, folder / "results", {})


def test_every_seed_of_every_cell_is_measured_once_and_stored(tmp_path):
    crashed, records = complete(tmp_path)
    assert crashed == 0
    assert len(records) == 2 * 2 * 10
    assert {record["status"] for record in records.values()} == {"ok"}
    trial = Measurement("toy", "high", 4, 7, "cpu")
    assert records[trial.key]["result"]["height"] == pytest.approx(9.07)
    assert len(CALLS) == 2 * 2 * 3  # ten seeds, four at once
    complete(tmp_path)
    assert len(CALLS) == 12  # the second time all are stored


def test_what_is_archived_beside_the_report_counts_as_stored(tmp_path):
    _, records = complete(tmp_path)
    save_archive(archive_of(tmp_path / "reports", TOY), records.values())
    run(
        TOY,
        device="cpu",
        executor=in_process(tmp_path / "elsewhere"),
        results=tmp_path / "elsewhere",
        reports=tmp_path / "reports",
    )
    assert len(CALLS) == 12


def test_one_that_raises_is_missing_and_costs_no_other(tmp_path, monkeypatch):
    broken = replace(TOY, conditions=TOY.conditions | {"ill": {"offset": 0.0, "breaks": True}})
    monkeypatch.setitem(experiments(), "toy", broken)
    crashed, records = complete(tmp_path)
    assert crashed == 2 * 10
    ill = records[Measurement("toy", "ill", 2, 0, "cpu").key]
    assert ill["status"] == "crashed" and "no such luck" in ill["error"]
    assert records[Measurement("toy", "low", 2, 0, "cpu").key]["status"] == "ok"


def test_a_number_that_is_not_finite_is_kept_as_diverged(monkeypatch):
    def infinite(settings, depth, seeds, device):
        return [{"height": math.inf} for _ in seeds]

    monkeypatch.setitem(experiments(), "toy", replace(TOY, measure=infinite))
    [outcome] = measure_stack([Measurement("toy", "low", 2, 0, "cpu")])
    assert outcome["status"] == "diverged"
    assert outcome["result"]["height"] is None


def test_quantities_must_be_those_that_are_described(monkeypatch):
    def other(settings, depth, seeds, device):
        return [{"width": 1.0} for _ in seeds]

    monkeypatch.setitem(experiments(), "toy", replace(TOY, measure=other))
    with pytest.raises(ValueError, match=r"measured \['width'\], not \['height'\]"):
        measure_stack([Measurement("toy", "low", 2, 0, "cpu")])


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"title": "Otherwise"}, True),
        ({"seeds": 12}, True),
        ({"conditions": {"low": {"offset": 1.0}, "third": {"offset": 9.0}}}, True),
        ({"conditions": {"low": {"offset": 1.5}}}, False),
        ({"revision": 2}, False),
    ],
)
def test_the_key_is_of_what_decides_the_numbers(changed, same, monkeypatch):
    before = Measurement("toy", "low", 2, 0, "cpu").key
    monkeypatch.setitem(experiments(), "toy", replace(TOY, **changed))
    assert (Measurement("toy", "low", 2, 0, "cpu").key == before) is same


def test_depth_seed_and_device_are_in_the_key():
    first = Measurement("toy", "low", 2, 0, "cpu")
    others = [replace(first, depth=4), replace(first, seed=1), replace(first, device="cuda")]
    assert len({trial.key for trial in [first, *others]}) == 4


def test_a_recipes_settings_are_in_the_key(monkeypatch):
    conditions = {"low": {"offset": 1.0, "recipe": "rbm"}}
    monkeypatch.setitem(experiments(), "toy", replace(TOY, conditions=conditions))
    before = Measurement("toy", "low", 2, 0, "cpu")
    assert before.config["recipe"]["pretraining"]["technique"] == "Rbm"
    key = before.key
    other = RECIPES["rbm"].but(pretraining=replace(RECIPES["rbm"].pretraining, epochs=99))
    monkeypatch.setitem(RECIPES, "rbm", other)
    assert Measurement("toy", "low", 2, 0, "cpu").key != key


def test_stacks_hold_one_cell_and_no_more_than_fit():
    found = stacks(TOY.trials("cpu"))
    assert sorted(len(stack) for stack in found) == [2] * 4 + [4] * 8
    assert all(len({trial.cell for trial in stack}) == 1 for stack in found)
    assert cost(found[0]) == 3.0 * len(found[0])


def test_claims_can_be_about_an_experiment(tmp_path):
    _, records = complete(tmp_path)
    results = results_of_experiment(TOY, TOY.trials("cpu"), records)
    said = {"where": "Table 1", "statement": "low is below high", "verified": "text"}
    said |= {"suite": "toy", "metric": "height", "scale": "reduced", "kind": "ordinal"}
    low, high = {"recipe": "low", "depth": 2}, {"recipe": "high", "depth": 2}
    right = Ordinal(id="right", lower=low, higher=high, margin=1.0, **said)
    wrong = Ordinal(id="wrong", lower=high, higher=low, margin=1.0, **said)
    found = verdicts(Paper("hinton2006dbn", Path("x.toml"), (right, wrong)), {"toy": results}, {})
    assert [v.outcome for v in found] == [Outcome.REPRODUCED, Outcome.NOT_REPRODUCED]
    assert found[0].ours == pytest.approx(4.0)
    assert found[0].unit == "m"
    with pytest.raises(ValueError, match="margin: height has no default"):
        Ordinal(id="no-margin", lower=low, higher=high, **said)


def test_a_trend_is_per_one_of_what_the_experiment_varies(tmp_path, monkeypatch):
    steps = replace(TOY, depths=(2, 4, 6), depth_means="rungs", depth_unit="rung")
    monkeypatch.setitem(experiments(), "toy", steps)
    _, records = complete(tmp_path)
    results = results_of_experiment(steps, steps.trials("cpu"), records)
    said = {"where": "Table 1", "statement": "higher", "verified": "text", "suite": "toy"}
    said |= {"metric": "height", "scale": "reduced", "kind": "trend", "recipe": "low"}
    claim = Trend(id="rises", depths=[2, 4, 6], sign="rising", **said)
    (found,) = verdicts(Paper("hinton2006dbn", Path("x.toml"), (claim,)), {"toy": results}, {})
    assert found.outcome == Outcome.REPRODUCED and found.ours == pytest.approx(1.0)
    assert found.unit == "m per rung"


def test_equal_counts_of_errors_tie_though_float32_had_them_differ(tmp_path):
    _, records = complete(tmp_path)
    shares = replace(TOY, quantities={"height": Quantity("%", "errors", 1000)})
    for i, stored in enumerate(records.values()):
        stored["result"]["height"] = [7.9000001, 7.8999996][i % 2]
    found = results_of_experiment(shares, TOY.trials("cpu"), records).trials["height"]
    assert set(found) == {7.9}
    tiny = replace(TOY, quantities={"height": Quantity("nats", "no share, and may be tiny")})
    assert len(set(results_of_experiment(tiny, TOY.trials("cpu"), records).trials["height"])) == 2


def test_an_experiments_quantities_are_its_metrics():
    assert metric("toy", "height").meaning == "how high"
    with pytest.raises(KeyError):
        metric("toy", "test_error_pct")


def test_every_experiment_is_whole():
    for name, experiment in experiments().items():
        assert experiment.name == name
        assert experiment.scale in ("reduced", "paper")
        assert experiment.conditions and experiment.depths and experiment.quantities
        assert experiment.seconds > 0
        keys = [trial.key for trial in experiment.trials("cpu")]
        assert len(set(keys)) == len(keys), f"{name}: two conditions have equal settings"
