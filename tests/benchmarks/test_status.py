"""Status of a suite: counts and estimates worked by hand; it reads while others write."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import store
from benchmarks.__main__ import main
from benchmarks.archive import save_archive
from benchmarks.plan import choose, reporting_trials, tuning_trials
from benchmarks.run import archive_of
from benchmarks.status import Records, show, status_of, text_of
from benchmarks.suite import Suite, read
from benchmarks.trial import Trial
from techniques.recipe import RECIPES
from tests.benchmarks.test_report import record as whole_record

SUITE = """
name = "seen"
title = "Seen from outside"
data = { name = "mnist5k", n_train = 140, n_valid = 100 }
recipes = ["plain", "relu"]
depths = [1, 3]
width = 4
seeds = 3
budget = { updates = 10, batch_size = 10, evaluate_every = 10, probe_at = [0, 10] }
tuning = { lr = [0.1, 1.0], seeds = 1 }
"""
NOW = 1_800_000_000.0


def written(folder: Path, text: str = SUITE) -> Suite:
    (folder / "seen.toml").write_text(text)
    return read(str(folder / "seen.toml"))


@pytest.fixture
def suite(tmp_path) -> Suite:
    return written(tmp_path)


def record(trial: Trial, cpu_seconds: float, status: str = "ok") -> dict:
    made = whole_record(trial, 10.0, status)
    made["result"]["cpu_seconds"] = cpu_seconds
    return made


def put(results: Path, made: dict, at: float = NOW - 100) -> Path:
    store.save(results, made)
    path = store.path_of(results, made["key"])
    os.utime(path, (at, at))
    return path


def crash(trial: Trial) -> dict:
    made = record(trial, 0.0)
    for part in ("result", "curves", "probes"):
        del made[part]
    return {**made, "status": "crashed", "error": "MemoryError"}


def table(suite: Suite, folder: Path, records: Records | None = None) -> list[str]:
    if records is None:
        records = Records(folder / "results", archive_of(folder / "reports", suite))
    return text_of(status_of(suite, "cpu", records), NOW).splitlines()


def test_counts_and_estimates_are_those_worked_by_hand(suite, tmp_path):
    results = tmp_path / "results"
    tuning = {(t.cell, t.lr): t for t in tuning_trials(suite, "cpu")}
    known = {}
    for lr, seconds in ((0.1, 1.0), (1.0, 3.0)):
        trial = tuning[("plain", 1), lr]
        known[trial.key] = record(trial, seconds, "ok" if lr == 0.1 else "diverged")
        put(results, known[trial.key], NOW - 59)
    reporting = reporting_trials(suite, "cpu", choose(tuning.values(), known))
    assert [t.cell for t in reporting] == [("plain", 1)] * 3 and reporting[0].lr == 0.1
    put(results, record(reporting[0], 8.0), NOW - 5)
    put(results, crash(tuning[("relu", 3), 0.1]), NOW - 61)
    # plain, depth 1: 12 s for three trials, 4 s each, two left. Depth 3 has five left, which cost
    # by its 784 x 4 + 2 x 4 x 4 + 4 x 10 weights to 784 x 4 + 4 x 10: 5 x 4 x 3208 / 3176 = 20.2 s.
    # relu has nothing to go by, so it takes the same: 5 x 4 + 20.2
    assert table(suite, tmp_path) == [
        "seen: Seen from outside",
        "recipe  tuning  reporting  diverged  crashed  CPU s/trial  CPU left",
        "plain      2/4        1/6         1        0            3      0:28",
        "relu       0/4        0/6         0        1                   0:40",
        "all        2/8       1/12         1        1            3      1:08",
        "3 of 20 trials stored",
        # 3 of 17 left in a minute
        "last minute: 3 trials; at that rate 5:40 left",
        "last record: 0:05 ago, at " + time.strftime("%F %T", time.localtime(NOW - 5)),
    ]
    # once relu has a trial of its own, 100 s at depth 3, its other four there take 400 s, and the
    # five at depth 1 take 5 x 100 x 3176 / 3208 = 495 s
    put(results, record(tuning[("relu", 3), 1.0], 100.0))
    assert table(suite, tmp_path)[3].split() == ["relu", "1/4", "0/6", "0", "1", "100", "14:55"]


def test_pretraining_is_shared_by_the_rates_of_a_seed_but_not_by_reporting_seeds(tmp_path):
    """Per weight: training is 6 x 10 x 10 + 2 x 2 x 2 x 100 = 1,400 operations, pretraining
    10 x 10 x 140 = 14,000, ten times that. Tuning pretrains once for two rates, 12 units in 12 s;
    each reporting trial once for itself, 11 units."""
    suite = written(tmp_path, SUITE.replace('"plain", "relu"', '"rbm"').replace("[1, 3]", "[1]"))
    for trial in tuning_trials(suite, "cpu"):
        put(tmp_path / "results", record(trial, 6.0))
    assert RECIPES["rbm"].pretraining.epochs == 10
    assert table(suite, tmp_path)[2].split() == ["rbm", "2/2", "0/3", "0", "0", "6", "0:33"]


def test_an_empty_store_has_no_estimate_and_stays_as_it_is(suite, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    assert table(suite, tmp_path)[2:] == [
        "plain      0/4        0/6         0        0                      ?",
        "relu       0/4        0/6         0        0                      ?",
        "all        0/8       0/12         0        0                      ?",
        "0 of 20 trials stored",
        "last minute: 0 trials; at that rate ? left",
        "last record: none in the store",
    ]
    assert sorted(tmp_path.rglob("*")) == before and capsys.readouterr().err == ""


def test_a_suite_of_one_cell_and_one_trial_of_each_kind_is_complete(tmp_path):
    text = SUITE.replace('"plain", "relu"', '"plain"').replace("[1, 3]", "[1]")
    suite = written(tmp_path, text.replace("seeds = 3", "seeds = 1").replace("[0.1, 1.0]", "[0.1]"))
    (tuning,) = tuning_trials(suite, "cpu")
    put(tmp_path / "results", record(tuning, 2.0))
    assert "1 of 2 trials stored" in table(suite, tmp_path)  # tuned, and not complete
    (reporting,) = reporting_trials(
        suite, "cpu", choose([tuning], {tuning.key: record(tuning, 2.0)})
    )
    put(tmp_path / "results", record(reporting, 4.0))
    assert table(suite, tmp_path)[2:5] == [
        "plain      1/1        1/1         0        0            3      0:00",
        "all        1/1        1/1         0        0            3      0:00",
        "2 of 2 trials stored: complete",
    ]


def test_what_is_in_the_archive_counts_but_not_as_new_and_a_crash_does_not_hide_it(suite, tmp_path):
    trial, other = tuning_trials(suite, "cpu")[:2]
    save_archive(archive_of(tmp_path / "reports", suite), [record(trial, 1.0), record(other, 1.0)])
    put(tmp_path / "results", crash(trial))
    put(tmp_path / "results", record(other, 5.0))  # the store goes first
    lines = table(suite, tmp_path)
    assert lines[2].split() == ["plain", "2/4", "0/6", "0", "0", "3", "0:24"]
    assert "last minute: 0 trials; at that rate ? left" in lines


def test_a_damaged_record_is_missing_named_once_and_counts_when_it_is_mended(
    suite, tmp_path, capsys
):
    trial = tuning_trials(suite, "cpu")[0]
    path = put(tmp_path / "results", record(trial, 1.0))
    good = path.read_bytes()
    path.write_bytes(good[:-20])
    records = Records(tmp_path / "results", archive_of(tmp_path / "reports", suite))
    for _ in range(3):
        assert "0 of 20 trials stored" in table(suite, tmp_path, records)
    assert capsys.readouterr().err == f"{path}: damaged record, its trial will be run again\n"
    store.write_atomically(path, good)
    assert "1 of 20 trials stored" in table(suite, tmp_path, records)
    assert capsys.readouterr().err == ""


def test_a_second_look_reads_only_what_is_new(suite, tmp_path, monkeypatch):
    first, second, *_ = tuning_trials(suite, "cpu")
    put(tmp_path / "results", record(first, 1.0))
    records = Records(tmp_path / "results", archive_of(tmp_path / "reports", suite))
    table(suite, tmp_path, records)
    put(tmp_path / "results", record(second, 1.0))
    read_keys, load = [], store.load
    monkeypatch.setattr(
        store, "load", lambda f, keys, *parts: read_keys.extend(keys) or load(f, keys, *parts)
    )
    assert "2 of 20 trials stored" in table(suite, tmp_path, records)
    assert second.key in read_keys and first.key not in read_keys


def test_stacks_in_flight_are_counted_where_the_store_has_marks(suite, tmp_path):
    marks = tmp_path / "results" / ".in-flight"
    marks.mkdir(parents=True)
    assert "0 of 20 trials stored, 0 stacks in flight" in table(suite, tmp_path)
    (marks / "a").touch(), (marks / "b").touch()
    assert "0 of 20 trials stored, 2 stacks in flight" in table(suite, tmp_path)


def test_a_recipes_name_is_shown_as_it_is(tmp_path, monkeypatch):
    name = "[bold]a|b[/bold] {0} *c*"
    monkeypatch.setitem(RECIPES, name, RECIPES["plain"])
    suite = written(tmp_path, SUITE.replace('"relu"', f'"{name}"'))
    assert table(suite, tmp_path)[3].startswith(f"{name}     0/4 ")


def command(folder: Path, name: str, *options: str) -> list[str]:
    return [
        sys.executable, "-m", "benchmarks", name, str(folder / "seen.toml"),
        "--results", str(folder / "results"), "--reports", str(folder / "reports"), *options,
    ]  # fmt: skip


def test_a_run_is_seen_from_another_process_until_it_is_complete(tmp_path, capsys):
    written(tmp_path, SUITE.replace("updates = 10", "updates = 500").replace(", 10]", ", 500]"))
    run = subprocess.Popen(command(tmp_path, "run", "--workers", "0"), stderr=subprocess.DEVNULL)
    seen, out = [], ""
    try:
        while ": complete\n" not in out:
            assert run.poll() in (None, 0)
            assert main(command(tmp_path, "status")[3:]) == 0
            out, err = capsys.readouterr()
            assert err == ""
            seen.append(int(re.search(r"^(\d+) of 20 trials stored", out, re.M)[1]))
            time.sleep(0.05)
    finally:
        run.kill()  # the report that it writes at last is no matter here
        run.wait()
    assert seen == sorted(seen) and any(0 < n < 20 for n in seen) and seen[-1] == 20
    assert "last record: 0:" in out


def test_watching_goes_on_until_ctrl_c_and_ends_cleanly(suite, tmp_path):
    watching = subprocess.Popen(
        command(tmp_path, "status", "--watch", "1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # what a shell starts in the background ignores Ctrl-C, and hands that down to the tests
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    titles = 0
    while titles < 2:
        titles += watching.stdout.readline().startswith("seen: ")
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=20)
    assert watching.returncode == 130 and "Traceback" not in told


def test_watching_ends_when_nobody_reads(suite, tmp_path, monkeypatch):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", os.fdopen(write_end, "w"))
        slept = []
        patch.setattr(time, "sleep", lambda seconds: slept.append(seconds) or pytest.fail("on"))
        show(suite, "cpu", tmp_path / "results", tmp_path / "reports", every=1)
        assert slept == [] and sys.stdout.name == os.devnull


@pytest.mark.parametrize("seconds", ["0", "soon", "-1"])
def test_watching_takes_whole_seconds(seconds, capsys):
    assert main(["status", "smoke", "--watch", seconds]) == 2
    assert "must be a whole number from 1 on" in capsys.readouterr().err


def test_a_damaged_archive_is_one_line(suite, tmp_path, capsys):
    archive = archive_of(tmp_path / "reports", suite)
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"no gzip")
    assert main(command(tmp_path, "status")[3:]) == 2
    err = capsys.readouterr().err
    assert f"{archive}: damaged" in err and err.count("\n") == 1
