"""Sweeps: nothing is trained twice, nothing that was finished is lost, crashes stay visible."""

import json
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import store
from benchmarks.archive import save_archive
from benchmarks.environment import peak_memory
from benchmarks.executors import Waiting, crashed, in_process, in_workers, save_new
from benchmarks.plan import (
    LARGEST_COST,
    LARGEST_STACK,
    choose,
    cost,
    memory_of,
    reporting_trials,
    stacks,
    tuning_trials,
)
from benchmarks.run import run
from benchmarks.suite import Suite, read
from benchmarks.train import train_stack
from benchmarks.trial import Trial
from techniques.recipe import RECIPES
from tests.benchmarks.sweeps import SUITE, command, logged, result_tables, until


@pytest.fixture
def suite(tmp_path) -> Suite:
    path = tmp_path / "mini.toml"
    path.write_text(SUITE)
    return read(str(path))


def test_the_same_command_twice_trains_nothing_and_writes_the_same_bytes(tmp_path):
    def snapshot() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    first = subprocess.run(command(tmp_path), capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    records = sorted((tmp_path / "results").rglob("*.json"))
    assert len(records) == 4 * (2 * 2 + 3)
    times = {p: p.stat().st_mtime_ns for p in records}
    before = snapshot()
    second = subprocess.run(command(tmp_path), capture_output=True, text=True)
    assert second.returncode == 0 and "12 trials, 12 stored" in second.stderr
    assert snapshot() == before
    assert {p: p.stat().st_mtime_ns for p in records} == times
    assert second.stdout == first.stdout and "hidden layers" in first.stdout


def test_results_do_not_depend_on_where_stacks_run(suite, tmp_path):
    seen = []
    for workers in (0, 1, 2):
        folder = tmp_path / str(workers)
        executor = in_workers(folder, workers) if workers else in_process(folder)
        places = {"results": folder, "reports": folder / "reports"}
        assert run(suite, device="cpu", executor=executor, **places) == 0
        records = {}
        for path in folder.rglob("*.json"):
            record = json.loads(path.read_text())
            del record["env"]
            for name in [n for n in record["result"] if "seconds" in n]:
                del record["result"][name]
            records[record["key"]] = record
        seen.append(records)
    assert seen[0] == seen[1] == seen[2]


def test_a_run_killed_in_mid_sweep_goes_on_and_ends_with_the_same_tables(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir(), killed.mkdir()
    slow = SUITE.replace("updates = 20", "updates = 400").replace("[0, 20]", "[0, 400]")
    assert subprocess.run(command(whole, text=slow), capture_output=True).returncode == 0
    process = subprocess.Popen(command(killed, text=slow), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list((killed / "results").rglob("*.json"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    n_saved = len(list((killed / "results").rglob("*.json")))
    assert 0 < n_saved < 28, "it was to be killed in the middle"
    again = subprocess.run(command(killed, text=slow), capture_output=True, text=True)
    assert again.returncode == 0
    assert "16 trials, 0 stored" not in again.stderr
    assert result_tables(killed) == result_tables(whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_much_is_saved_and_leaves_no_process(tmp_path, number):
    slow = SUITE.replace("updates = 20", "updates = 20000").replace("[0, 20]", "[0, 20000]")
    process = logged(
        tmp_path,
        text=slow,
        # what a shell starts in the background ignores Ctrl-C, and hands that down to the tests
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until((tmp_path / "log").exists)  # a worker trains
    os.killpg(process.pid, signal.SIGINT) if number == signal.SIGINT else process.terminate()
    started = time.monotonic()
    _, told = process.communicate(timeout=30)
    assert time.monotonic() - started < 5
    assert process.returncode == 130
    assert "of 16 trials saved; the same command goes on from there" in told
    assert "Traceback" not in told
    with pytest.raises(ProcessLookupError):  # the whole group goes, workers too
        while time.monotonic() - started < 5:
            os.killpg(process.pid, 0)
            time.sleep(0.05)


def test_a_stack_that_raises_is_listed_and_costs_only_itself(tmp_path):
    """Batch norm cannot train on one example at a time; the plain net can."""
    text = SUITE.replace('"rbm"', '"batch-norm"').replace("batch_size = 50", "batch_size = 1")
    done = subprocess.run(command(tmp_path, text=text), capture_output=True, text=True)
    assert done.returncode == 1
    assert "crashed: batch-norm, depth 3, lr 0.1, seed 1000: ValueError: batch norm" in done.stderr
    t1 = pd.read_csv(tmp_path / "reports/mini/tables/T1-test-error.csv").set_index("technique")
    assert t1.loc["plain", "n"].tolist() == [3, 3]
    assert t1.loc["batch-norm", "n"].tolist() == [0, 0]
    assert t1.loc["batch-norm", "n_missing"].tolist() == [3, 3]
    assert "| batch-norm | missing | missing |" in (tmp_path / "reports/mini/README.md").read_text()
    trials = pd.read_csv(tmp_path / "reports/mini/data/trials.csv")
    assert (trials[trials["technique"] == "batch-norm"]["status"] == "crashed").all()
    assert "Traceback" not in done.stderr
    # crashed is not done: the next run tries again
    again = subprocess.run(command(tmp_path, text=text), capture_output=True, text=True)
    assert again.returncode == 1 and "16 trials, 8 stored" in again.stderr


def test_a_sweep_in_which_everything_crashes_says_so(tmp_path):
    text = SUITE.replace('["plain", "rbm"]', '["batch-norm"]')
    text = text.replace("batch_size = 50", "batch_size = 1")
    done = subprocess.run(command(tmp_path, text=text), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("crashed: batch-norm") == 8 and "Traceback" not in done.stderr


@dataclass(frozen=True)
class Poison(Trial):
    """Kills the worker that takes it."""

    def __reduce__(self):
        return os._exit, (7,)


def test_a_worker_that_dies_is_replaced_and_a_stack_that_kills_them_fails_alone(suite, tmp_path):
    good = stacks(tuning_trials(suite, "cpu"))
    usual = {field.name: getattr(good[0][0], field.name) for field in fields(Trial)}
    poison = (Poison(**usual | {"seed": 77}),)
    with in_workers(tmp_path, 2) as execute:
        done = dict(execute([poison, *good]))
    assert set(done) == {poison, *good}
    (record,) = done.pop(poison)
    assert record["status"] == "crashed"
    assert record["error"] == "the worker died 3 times, at last with exit code 7"
    assert {r["status"] for records in done.values() for r in records} == {"ok"}


def test_workers_that_die_before_they_take_a_stack_or_while_idle_are_replaced(suite, tmp_path):
    """Importing torch takes seconds, in which the memory may run out."""
    todo = stacks(tuning_trials(suite, "cpu"))
    starting = []

    def kill_once_started():
        while not starting:
            starting.extend(multiprocessing.active_children())
        for child in starting:
            child.kill()

    thread = threading.Thread(target=kill_once_started)
    thread.start()
    with in_workers(tmp_path, 2) as execute:
        stream = execute(todo)
        done = dict([next(stream)])
        for child in multiprocessing.active_children():  # the one that is idle now, too
            child.kill()
            child.join()
        done |= dict(stream)
    thread.join()
    assert set(done) == set(todo)
    assert {r["status"] for records in done.values() for r in records} == {"ok"}


def test_a_worker_killed_at_work_costs_nothing_but_time(suite, tmp_path):
    budget = suite.budget.model_copy(update={"updates": 5000, "probe_at": (0, 5000)})
    slow = suite.model_copy(update={"budget": budget})
    todo = stacks(tuning_trials(slow, "cpu"))
    killed = []

    def kill_one():
        while not killed:
            time.sleep(0.5)
            for child in multiprocessing.active_children()[:1]:
                time.sleep(4)  # it is training by now
                os.kill(child.pid, signal.SIGKILL)
                killed.append(child.pid)

    thread = threading.Thread(target=kill_one)
    thread.start()
    with in_workers(tmp_path / "killed", 2) as execute:
        done = dict(execute(todo))
    thread.join()
    with in_process(tmp_path / "whole") as execute:
        expected = dict(execute(todo))
    assert killed and done.keys() == expected.keys()
    for stack in todo:
        curves = [[r["curves"] for r in where[stack]] for where in (done, expected)]
        assert curves[0] == curves[1]


def test_stacks_that_another_program_has_in_hand_come_last(suite, tmp_path):
    first, second, third, *_ = todo = stacks(tuning_trials(suite, "cpu"))
    theirs, ours = Waiting(todo, tmp_path), Waiting(todo, tmp_path)
    assert theirs.take() == (first, 1)
    assert [ours.take()[0] for _ in todo] == [second, third, *todo[3:], first]
    assert len(ours) == 0
    assert theirs.take() == (second, 1)  # marked by others like all that is left
    ours.done(third)
    assert theirs.take() == (third, 1)
    ours.put_back(third, 2)  # not begun: it is the next again, and unmarked
    assert ours.take() == (third, 2)
    assert ours.died(third, 2) and ours.take() == (third, 3)
    assert not ours.died(third, 3) and len(ours) == 0
    for stack in todo:
        ours.done(stack)
    assert list((tmp_path / store.IN_FLIGHT).iterdir()) == []


def test_a_stack_whose_worker_died_goes_last(suite, tmp_path):
    first, second, *_ = stacks(tuning_trials(suite, "cpu"))
    waiting = Waiting([first, second], tmp_path)
    assert waiting.died(*waiting.take())
    assert [waiting.take(), waiting.take()] == [(second, 1), (first, 2)]


def test_a_run_that_is_stopped_leaves_nothing_marked_as_in_hand(suite, tmp_path, monkeypatch):
    todo = stacks(tuning_trials(suite, "cpu"))
    with in_workers(tmp_path, 2) as execute:
        stream = execute(todo)
        next(stream)
        assert any((tmp_path / store.IN_FLIGHT).iterdir())  # the other worker's
        stream.close()
        assert not any((tmp_path / store.IN_FLIGHT).iterdir())

    def stopped(_):
        assert any((tmp_path / store.IN_FLIGHT).iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.train.train_stack", stopped)
    with in_process(tmp_path) as execute, pytest.raises(KeyboardInterrupt):
        dict(execute(todo))
    assert not any((tmp_path / store.IN_FLIGHT).iterdir())


def test_a_stack_trains_only_what_is_missing_of_it_and_replaces_only_crashes(
    suite, tmp_path, monkeypatch
):
    (stack, *_) = stacks(tuning_trials(suite, "cpu"))
    with in_process(tmp_path) as execute:
        ((_, whole),) = execute([stack])
    store.save(tmp_path, {**whole[0], "from": "before"})
    store.save(tmp_path, crashed((stack[1],), "killed")[0])
    store.path_of(tmp_path, stack[2].key).unlink()
    asked = []

    def noted(trials):
        asked.extend(trials)
        return train_stack(trials)

    monkeypatch.setattr("benchmarks.train.train_stack", noted)
    with in_process(tmp_path) as execute:
        ((_, records),) = execute([stack])
    assert asked == [stack[1], stack[2]]
    stored = store.load(tmp_path, [trial.key for trial in stack])
    assert stored[stack[0].key]["from"] == "before" and len(records) == len(stack)
    for before in whole:
        assert stored[before["key"]]["status"] == "ok"
        assert stored[before["key"]]["curves"] == before["curves"]
    save_new(tmp_path, crashed(stack, "too late"))
    assert store.load(tmp_path, stored) == stored


def test_the_memory_of_a_stack_is_not_underestimated(suite):
    """Peak of a training process over that of one that trains next to nothing."""
    few = {"updates": 3, "evaluate_every": 3, "probe_at": (0, 3)}
    budget = suite.budget.model_copy(update=few)
    recipe = RECIPES["rbm"].but(pretraining=replace(RECIPES["rbm"].pretraining, epochs=1))
    some = replace(tuning_trials(suite, "cpu")[0], recipe=recipe, budget=budget)
    large = replace(some, width=700, depth=3)
    runs = [replace(large, seed=seed) for seed in range(8)]
    peaks = {}
    for name, trials in {"small": [replace(large, width=2, depth=1)], "large": runs}.items():
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            peaks[name] = pool.submit(peak_of, trials).result()
    assert peaks["large"] - peaks["small"] <= 8 * memory_of(large)
    assert peaks["large"] - peaks["small"] >= 8 * memory_of(large) / 4  # nor by far over


def peak_of(trials) -> int:
    """Bytes that this process has had at most, after training."""
    train_stack(trials)
    return peak_memory()


def test_on_a_gpu_stacks_are_as_large_as_they_come(suite):
    trials = [replace(t, seed=s) for t in tuning_trials(suite, "cuda")[:1] for s in range(500)]
    assert [len(s) for s in stacks(trials)] == [167, 167, 166]


@pytest.mark.parametrize(
    "share, sizes", [(0.24, [4, 4, 2]), (0.4, [2] * 5), (0.6, [1] * 10), (3, [1] * 10)]
)
def test_long_runs_go_in_short_stacks_so_that_a_kill_costs_little(suite, share, sizes):
    trial = tuning_trials(suite, "cpu")[0]
    budget = trial.budget.model_copy(update={"updates": 10**9, "evaluate_every": 10**9})
    per_update = cost((replace(trial, budget=budget),)) / 10**9
    long = {"updates": round(share * LARGEST_COST["cpu"] / per_update)}
    budget = budget.model_copy(update=long)
    runs = [replace(trial, seed=seed, budget=budget) for seed in range(10)]
    assert cost(runs[:1]) == pytest.approx(share * LARGEST_COST["cpu"], rel=0.01)
    assert [len(stack) for stack in stacks(runs)] == sizes
    assert [len(stack) for stack in stacks([replace(run, device="cuda") for run in runs])] == [10]


def test_stacks_are_of_one_shape_of_even_size_and_the_costliest_comes_first(suite):
    trials = tuning_trials(suite.model_copy(update={"seeds": 30}), "cpu")
    choices = choose(trials, {t.key: fake(t, 50.0) for t in trials})
    found = stacks(reporting_trials(suite.model_copy(update={"seeds": 30}), "cpu", choices))
    assert {len(s) for s in found} == {10} and LARGEST_STACK["cpu"] == 12
    for stack in found:
        configs = [{k: v for k, v in t.config.items() if k not in ("lr", "seed")} for t in stack]
        assert all(c == configs[0] for c in configs)
    assert found[0][0].cell == ("rbm", 3) and found[-1][0].cell == ("plain", 1)
    assert sorted(t.key for s in found for t in s) == sorted(
        t.key for t in reporting_trials(suite.model_copy(update={"seeds": 30}), "cpu", choices)
    )


def fake(trial: Trial, valid_error_pct: float, status: str = "ok") -> dict:
    return {"status": status, "result": {"valid_error_pct": valid_error_pct}}


def test_the_learning_rate_is_the_one_of_least_median_validation_error(suite):
    suite = suite.model_copy(
        update={"tuning": suite.tuning.model_copy(update={"lr": (0.1, 0.3, 1.0), "seeds": 3})}
    )
    trials = tuning_trials(suite, "cpu")
    errors = {  # by rate, over the three seeds: medians 30, 20, 25; the mean would choose 1.0
        0.1: [30, 30, 30],
        0.3: [20, 20, 90],
        1.0: [25, 25, 25],
    }
    records = {t.key: fake(t, errors[t.lr][t.seed - 1000]) for t in trials}
    choice = choose(trials, records)["plain", 1]
    assert choice.lr == 0.3 and not choice.on_edge and choice.valid_error_pct == 20
    for t in trials:  # now the largest wins in one cell, and all are equal in another
        if t.cell == ("plain", 3):
            records[t.key] = fake(t, 90 - t.lr)
        if t.cell == ("rbm", 1):
            records[t.key] = fake(t, 90)
    choices = choose(trials, records)
    assert choices["plain", 3].lr == 1.0 and choices["plain", 3].on_edge
    assert choices["rbm", 1].lr == 0.1  # of equals the smallest
    missing = next(t for t in trials if t.cell == ("rbm", 3))
    records[missing.key] = fake(missing, 0, status="crashed")
    assert ("rbm", 3) not in choose(trials, records)
    del records[missing.key]
    assert ("rbm", 3) not in choose(trials, records)


def test_tuning_and_reporting_never_share_a_seed(suite):
    trials = tuning_trials(suite, "cpu")
    choices = choose(trials, {t.key: fake(t, 50.0) for t in trials})
    reporting = reporting_trials(suite, "cpu", choices)
    assert {t.seed for t in reporting} == {0, 1, 2}
    assert {t.seed for t in trials} == {1000, 1001}


def test_a_record_is_whole_or_not_there(tmp_path, capsys):
    parts = {"config": {"seed": 0}, "env": {}, "result": {}, "curves": {}, "probes": []}
    record = {"key": "ab" + "0" * 30, "schema": 1, "status": "ok", **parts}
    store.save(tmp_path, record)
    path = store.path_of(tmp_path, record["key"])
    assert store.load(tmp_path, [record["key"], "cd" + "0" * 30]) == {record["key"]: record}
    whole = json.dumps(record)
    for damage in ["", whole[:-9], "[]", whole.replace("ab0", "ab1"), whole.replace("curves", "c")]:
        path.write_text(damage)
        assert store.load(tmp_path, [record["key"]]) == {}
        assert f"{path}: damaged record" in capsys.readouterr().err


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "file"
    store.write_atomically(path, b"old")

    def full_disk(_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        store.write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_write_stopped_at_its_very_end_is_done_and_says_what_stopped_it(tmp_path, monkeypatch):
    replace = os.replace

    def interrupted(*paths):
        replace(*paths)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write_atomically(tmp_path / "file", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_the_store_goes_before_the_archive_but_a_crash_does_not(suite, tmp_path):
    from benchmarks.run import archive_of, known_records

    (trial,) = tuning_trials(suite, "cpu")[:1]
    parts = {"config": {"seed": 0}, "env": {}, "result": {}, "curves": {}, "probes": []}
    old = {"key": trial.key, "schema": 1, "status": "ok", **parts, "from": "archive"}
    new = {**old, "from": "store"}
    results, reports = tmp_path / "results", tmp_path / "reports"
    save_archive(archive_of(reports, suite), [old])
    archived = store.load_archive(archive_of(reports, suite))
    assert known_records([trial], results, archived) == {trial.key: old}
    store.save(results, new)
    assert known_records([trial], results, archived) == {trial.key: new}
    assert known_records([trial], results, archived, ["status"]) == {trial.key: {"status": "ok"}}
    store.save(results, {**new, "status": "crashed"})
    assert known_records([trial], results, archived) == {trial.key: old}


def test_what_killed_writers_leave_is_swept_after_an_hour(tmp_path, monkeypatch):
    old, fresh = tmp_path / "ab" / ".tmp-old", tmp_path / "ab" / ".tmp-fresh"
    old.parent.mkdir()
    old.write_text("half"), fresh.write_text("being written")
    os.utime(old, (time.time() - 4000,) * 2)
    store.prepare_folder(tmp_path)
    assert not old.exists() and fresh.exists()
    tomorrow = time.time() + 86400  # by this machine's clock, but not by that of the file server
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    store.prepare_folder(tmp_path)
    assert fresh.exists()


def test_a_sweep_goes_on_from_what_a_report_keeps(suite, tmp_path):
    """The results folder is not committed; the report's archive is."""
    first = subprocess.run(command(tmp_path), capture_output=True, text=True)
    assert first.returncode == 0
    (tmp_path / "results").rename(tmp_path / "lost")
    tables = result_tables(tmp_path)
    second = subprocess.run(command(tmp_path), capture_output=True, text=True)
    assert second.returncode == 0 and "12 trials, 12 stored" in second.stderr
    assert result_tables(tmp_path) == tables
    assert list((tmp_path / "results").rglob("*.json")) == []
