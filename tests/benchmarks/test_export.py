"""What TensorBoard reads back is what the records say, however often it is exported."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from benchmarks import store
from benchmarks.__main__ import main
from benchmarks.export import EVENTS
from benchmarks.plan import choose, reporting_trials, tuning_trials
from benchmarks.suite import Suite, read
from benchmarks.trial import Trial
from techniques.recipe import RECIPES
from tests.benchmarks.test_report import record

NAME = "a/../*b*"
SUITE = f"""
name = "shown"
title = "Made-up numbers"
data = {{ name = "mnist5k" }}
recipes = ["plain", "relu", "{NAME}"]
depths = [1, 2]
depths_of = {{ relu = [1] }}
width = 4
seeds = 2
budget = {{ updates = 10, batch_size = 10, evaluate_every = 5, probe_at = [0, 10] }}
tuning = {{ lr = [0.1, 1.0], seeds = 1 }}
"""
STARTED = 1767323045.0  # 2026-01-02T03:04:05Z: date -u -d @1767323045


@pytest.fixture
def known(tmp_path, monkeypatch) -> dict[str, tuple[Trial, dict]]:
    """The records of a suite by the folder of their run; plain at depth 2 has a diverged one, and
    its second seed is missing."""
    monkeypatch.setitem(RECIPES, NAME, RECIPES["plain"].but(activation=RECIPES["tanh"].activation))
    (tmp_path / "shown.toml").write_text(SUITE)
    suite: Suite = read(str(tmp_path / "shown.toml"))
    tuning = tuning_trials(suite, "cpu")
    made = {t.key: record(t, 20.0 if t.lr == 1.0 else 30.0) for t in tuning}
    reporting = reporting_trials(suite, "cpu", choose(tuning, made))
    trials = [t for t in [*tuning, *reporting] if (t.cell, t.seed) != (("plain", 2), 1)]
    found = {}
    for t in trials:
        diverged = t.cell == ("plain", 2) and t.role == "report"
        one = made.get(t.key) or record(t, 5.0 + t.seed, "diverged" if diverged else "ok")
        store.save(tmp_path / "results", one)
        recipe = t.technique if t.technique in ("plain", "relu") else "a%2F..%2F%2Ab%2A"
        folder = f"shown/{recipe}/depth-{t.depth}/{t.role}-lr-{t.lr}-seed-{t.seed}"
        found[folder] = t, one
    return found


def export(folder: Path, *options: str) -> int:
    return main([
        "export", str(folder / "shown.toml"), "--tensorboard", str(folder / "runs"),
        "--results", str(folder / "results"), "--reports", str(folder / "reports"), *options,
    ])  # fmt: skip


def runs(folder: Path) -> set[str]:
    return {str(p.parent.relative_to(folder / "runs")) for p in (folder / "runs").rglob(EVENTS)}


def expected(one: dict) -> dict[str, list[tuple[int, float]]]:
    """Every point that TensorBoard should have, by tag; TensorBoard holds float32."""
    curves, points = one["curves"], {}
    for tag, name in [
        ("loss/batch", "batch_loss"), ("loss/train", "train_loss"), ("loss/valid", "valid_loss"),
        ("error_pct/train", "train_error_pct"), ("error_pct/valid", "valid_error_pct"),
    ]:  # fmt: skip
        points[tag] = list(zip(curves["update"], curves[name], strict=True))
    for probe in one["probes"]:
        for layer in range(one["config"]["depth"]):
            for name in ("gradient_rms", "saturated"):
                value = probe[name][layer]
                points.setdefault(f"{name}/layer-{layer + 1}", []).append((probe["update"], value))
    if one["status"] == "diverged":  # at the last update nothing is a number any more
        points = {
            tag: [(update, value) for update, value in seen if update < 10 or "gradient" in tag]
            for tag, seen in points.items()
        }
    return {
        tag: [(update, float(np.float32(v))) for update, v in seen if v is not None]
        for tag, seen in points.items()
    }


def test_every_point_is_read_back_at_its_update_and_no_other(known, tmp_path, capsys):
    assert export(tmp_path) == 0
    assert capsys.readouterr().out == (
        f"9 of 10 trials are stored, and written to {tmp_path / 'runs' / 'shown'}: "
        f"tensorboard --logdir {tmp_path / 'runs'}\n"
    )
    assert runs(tmp_path) == {folder for folder, (t, _) in known.items() if t.role == "report"}
    for folder in runs(tmp_path):
        trial, one = known[folder]
        seen = EventAccumulator(str(tmp_path / "runs" / folder), size_guidance={"scalars": 0})
        seen.Reload()
        points = {
            tag: [(e.step, e.value) for e in seen.Scalars(tag)] for tag in seen.Tags()["scalars"]
        }
        assert points == expected(one), folder
        times = {e.wall_time for tag in points for e in seen.Scalars(tag)}
        assert times == {STARTED} and seen.FirstEventTimestamp() == STARTED
        assert seen.Tags()["tensors"] == ["trial/text_summary"]
        (text,) = seen.Tensors("trial/text_summary")[0].tensor_proto.string_val
        said = json.loads(text)
        assert said["technique"] == trial.technique and said["role"] == "report"
        for part in ("key", "status", "config", "result", "env"):
            assert said[part] == one[part]
        assert all(line.startswith("    ") for line in text.decode().splitlines())  # verbatim
    diverged = [known[f][1]["status"] for f in runs(tmp_path) if "plain/depth-2" in f]
    assert diverged == ["diverged"]


def test_exported_twice_it_is_the_same_bytes_and_nothing_else_is_touched(known, tmp_path):
    def snapshot() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in (tmp_path / "runs").rglob("*") if p.is_file()}

    assert export(tmp_path) == 0
    notes = next((tmp_path / "runs").rglob(EVENTS)).parent / "notes.txt"
    notes.write_text("mine")
    (tmp_path / "runs" / "other").mkdir()
    (tmp_path / "runs" / "other" / "events.out.tfevents.1").write_bytes(b"mine")
    before = snapshot()
    assert len(before) == 9 + 2
    assert export(tmp_path) == 0
    assert snapshot() == before


def test_a_run_of_another_program_in_the_way_is_told_before_anything_is_written(
    known, tmp_path, capsys
):
    last = max(folder for folder, (t, _) in known.items() if t.role == "report")
    other = tmp_path / "runs" / last / "events.out.tfevents.1"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"mine")
    assert export(tmp_path) == 2
    assert capsys.readouterr().err.startswith(f"error: {other}: a run of another program")
    assert runs(tmp_path) == set() and other.read_bytes() == b"mine"


@pytest.mark.parametrize(
    "options, wanted",
    [
        (["--recipe", "plain"], lambda t: t.technique == "plain" and t.role == "report"),
        (["--depth", "2"], lambda t: t.depth == 2 and t.role == "report"),
        (
            ["--recipe", "relu", "--recipe", NAME, "--depth", "1"],
            lambda t: t.technique != "plain" and t.depth == 1 and t.role == "report",
        ),
        (
            ["--role", "tune", "--recipe", "relu"],
            lambda t: t.cell[0] == "relu" and t.role == "tune",
        ),
    ],
)
def test_it_is_narrowed_by_recipe_depth_and_role(options, wanted, known, tmp_path, capsys):
    assert export(tmp_path, *options) == 0
    chosen = {folder for folder, (t, _) in known.items() if wanted(t)}
    assert chosen and runs(tmp_path) == chosen
    missing = sum("plain/depth-2" in folder for folder in chosen if "report" in folder)
    assert capsys.readouterr().out.startswith(f"{len(chosen)} of {len(chosen) + missing} trials")


@pytest.mark.parametrize(
    "options, told",
    [
        (["--recipe", "sigmoid"], "--recipe: sigmoid is not in suite shown; allowed: plain, relu"),
        (["--depth", "3"], "--depth: 3 is not in suite shown; allowed: 1, 2"),
        (["--depth", "0"], "argument --depth: '0' must be a whole number from 1 on"),
        (["--recipe", "relu", "--depth", "2"], "--depth: suite shown has no such depth of relu"),
        (["--role", "both"], "argument --role: invalid choice: 'both'"),
        (["--results", "/nowhere"], "suite shown: none of these trials is stored in /nowhere"),
    ],
)
def test_bad_input_is_one_line_and_code_2(options, told, known, tmp_path, capsys):
    assert export(tmp_path, *options) == 2
    out, err = capsys.readouterr()
    assert out == "" and told in err and err.startswith("error: ") and err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_without_tensorboard_one_line_says_what_installs_it(known, tmp_path, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert export(tmp_path) == 2
    err = capsys.readouterr().err
    assert "the package tensorboard is missing" in err and err.count("\n") == 1
    assert err.endswith("-m pip install tensorboard' installs it\n")
    assert not (tmp_path / "runs").exists()
