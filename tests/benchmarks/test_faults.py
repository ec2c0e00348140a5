"""Sweeps that are killed, starved and tampered with, for real: they end as undisturbed ones do.

After each fault the same command completes, its result tables equal byte for byte those of a run
that nothing happened to, and no finished trial is trained again.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.executors import in_process, in_workers
from benchmarks.plan import LARGEST_MEMORY, memory_of, shard_of, stacks, tuning_trials
from benchmarks.run import run
from benchmarks.suite import read
from tests.benchmarks.sweeps import (
    N_TRIALS,
    SUITE,
    command,
    complete,
    finished,
    lasting,
    logged,
    records,
    result_tables,
    trained,
    until,
)

slow = pytest.mark.slow
LONG = 1000  # updates that take a stack some tenths of a second
LONGER = 6000  # some seconds


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[int, dict[str, bytes]]:
    """Result tables by the number of updates, made when first asked for."""

    class Made(dict):
        def __missing__(self, updates: int) -> dict[str, bytes]:
            folder = tmp_path_factory.mktemp("undisturbed")
            complete(folder, "--workers", "2", text=lasting(updates))
            self[updates] = result_tables(folder)
            return self[updates]

    return Made()


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    try:
        children = psutil.Process(process.pid).children()
        return [c for c in children if "spawn_main" in " ".join(c.cmdline())]
    except psutil.NoSuchProcess:
        return []


@slow
def test_all_workers_killed_at_once_are_replaced(tmp_path, undisturbed):
    process = logged(tmp_path, "--workers", "2", text=lasting(LONGER))
    until(lambda: len(records(tmp_path)) >= 4)
    before = finished(tmp_path)
    victims = workers_of(process)
    assert len(victims) == 2
    for victim in victims:
        victim.kill()
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in told, told
    assert before.items() <= finished(tmp_path).items()
    # what two workers had in hand, two stacks of at most four runs, was begun twice
    assert sum(n > 1 for n in trained(tmp_path / "log").values()) <= 8
    assert result_tables(tmp_path) == undisturbed[LONGER]


def test_workers_end_with_a_killed_driver_in_the_middle_of_a_stack(tmp_path):
    process = logged(tmp_path, "--workers", "2", text=lasting(500_000))
    until(lambda: (tmp_path / "log").exists())
    workers = workers_of(process)
    assert workers
    process.kill()
    process.communicate(timeout=5)
    until(lambda: not any(worker.is_running() for worker in workers), 5)
    assert not records(tmp_path)


def test_two_programs_on_one_store_share_the_work(tmp_path, undisturbed):
    both = [logged(tmp_path, "--workers", "0", text=lasting(LONG)) for _ in range(2)]
    for process in both:
        _, told = process.communicate(timeout=120)
        assert process.returncode == 0 and "Traceback" not in told, told
    counts = trained(tmp_path / "log")
    assert len(counts) == N_TRIALS and max(counts.values()) <= 2
    # at the end of tuning and of reporting each may take what the other still has in hand
    assert sum(n == 2 for n in counts.values()) <= 2 * 4
    assert result_tables(tmp_path) == undisturbed[LONG]


def test_a_run_goes_on_when_nobody_reads_what_it_says(tmp_path, undisturbed):
    """As after `| tee log`, when that is killed."""
    process = subprocess.Popen(command(tmp_path, "--workers", "2"), stderr=subprocess.PIPE)
    process.stderr.close()
    assert process.wait(timeout=120) == 0
    assert len(finished(tmp_path)) == N_TRIALS and result_tables(tmp_path) == undisturbed[20]


def test_a_file_that_may_not_grow_ends_the_run_in_one_line(tmp_path, undisturbed):
    """What a full disk does, without a disk to fill: records are larger than 1,500 bytes."""

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

    words = command(tmp_path, "--workers", "2")
    done = subprocess.run(words, capture_output=True, text=True, preexec_fn=limited)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "File too large; 0 of 16 trials saved; the same command goes on" in line
    assert not records(tmp_path) and not list((tmp_path / "results").rglob(".tmp-*"))
    complete(tmp_path, "--workers", "2")
    assert result_tables(tmp_path) == undisturbed[20]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 80 kB in place of the results folder."""
    folder = tmp_path / "results"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=80k", "none", str(folder)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("this mounts a small file system: run as root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def test_a_full_disk_keeps_what_is_stored_and_the_run_goes_on_when_there_is_room(
    tmp_path, small_disk, undisturbed
):
    words = command(tmp_path, "--workers", "2")
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "No space left on device; " in done.stderr and "trials saved; the same" in done.stderr
    before = finished(tmp_path)
    assert 0 < len(before) < N_TRIALS
    remount(small_disk, "size=8m")
    complete(tmp_path, "--workers", "2")
    assert before.items() <= finished(tmp_path).items()
    assert result_tables(tmp_path) == undisturbed[20]


def test_a_store_that_is_read_only_is_told_before_training(tmp_path, small_disk, undisturbed):
    remount(small_disk, "size=8m,ro")
    done = subprocess.run(command(tmp_path, "--workers", "2"), capture_output=True, text=True)
    assert done.returncode == 2
    told = f"error: {small_disk}: cannot be written to (Read-only file system)\n"
    assert done.stderr.endswith(told) and "trials" not in done.stderr
    remount(small_disk, "size=8m,rw")
    process = logged(tmp_path, "--workers", "2", text=lasting(LONG))
    until(lambda: len(records(tmp_path)) >= 4)
    remount(small_disk, "size=8m,ro")  # and while it runs
    _, told = process.communicate(timeout=60)
    assert process.returncode == 2 and "Traceback" not in told
    assert "Read-only file system; " in told and "trials saved; the same command" in told
    remount(small_disk, "size=8m,rw")
    before = finished(tmp_path)
    complete(tmp_path, "--workers", "2", text=lasting(LONG))
    assert before.items() <= finished(tmp_path).items()
    assert result_tables(tmp_path) == undisturbed[LONG]


def test_records_damaged_by_hand_are_told_and_trained_again_and_no_others(tmp_path, undisturbed):
    complete(tmp_path, "--workers", "2")
    (tmp_path / "reports" / "mini" / "data" / "records.jsonl.gz").unlink()
    before = finished(tmp_path)
    damaged = list(before)[::9]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-100])
    done = complete(tmp_path, "--workers", "0")
    for path in damaged:
        assert f"{path}: damaged record, its trial will be run again" in done.stderr
        before.pop(path)
    assert before.items() <= finished(tmp_path).items()
    assert len(finished(tmp_path)) == N_TRIALS
    assert result_tables(tmp_path) == undisturbed[20]


def test_a_clock_set_back_changes_nothing(tmp_path, undisturbed, monkeypatch):
    """Between two runs, so that the store's files are of tomorrow, and during one."""
    complete(tmp_path, "--workers", "2")
    tomorrow = time.time() + 86400
    fresh = tmp_path / "results" / ".tmp-of-another-writer"
    fresh.write_text("half")
    for path in [*records(tmp_path), fresh]:
        os.utime(path, (tomorrow, tomorrow))
    before = finished(tmp_path)
    assert "16 trials, 16 stored" in complete(tmp_path, "--workers", "2").stderr
    assert finished(tmp_path) == before and fresh.exists()

    clock = iter(range(2_000_000_000, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    again = tmp_path / "again"
    command(again)
    suite = read(str(again / "mini.toml"))
    places = {"results": again / "results", "reports": again / "reports"}
    assert run(suite, device="cpu", executor=in_process(again / "results"), **places) == 0
    monkeypatch.undo()
    assert "16 trials, 16 stored" in complete(again).stderr
    assert result_tables(again) == undisturbed[20]


def test_a_suite_edited_between_two_runs_trains_what_is_new_and_finds_the_old(
    tmp_path, undisturbed
):
    complete(tmp_path, "--workers", "2")
    edited = SUITE.replace("depths = [1, 3]", "depths = [1, 2, 3]").replace(
        "seeds = 3", "seeds = 4"
    )
    process = logged(tmp_path, "--workers", "2", text=edited)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    # a depth of both recipes, tuned and reported, and one more seed of the old cells
    assert len(trained(tmp_path / "log")) == 2 * (4 + 4) + 4
    assert result_tables(tmp_path) != undisturbed[20]
    done = complete(tmp_path, "--workers", "2")
    assert "16 trials, 16 stored" in done.stderr and "12 trials, 12 stored" in done.stderr
    assert result_tables(tmp_path) == undisturbed[20]


def test_parts_together_are_the_whole(tmp_path, undisturbed):
    """As jobs of an array, each with a store of its own, merged in the end."""
    folders = [tmp_path / str(number) for number in (1, 2)]
    for number, folder in enumerate(folders, 1):
        done = complete(folder, "--workers", "1", "--shard", f"{number}/2")
        assert f"part {number} of 2 is trained" in done.stderr
        assert not (folder / "reports" / "mini" / "README.md").exists()
    one, other = (str(folder / "results") for folder in folders)
    program = [sys.executable, "-m", "benchmarks"]
    subprocess.run([*program, "store", "merge", other, "--results", one], check=True)
    assert len(finished(folders[0])) == N_TRIALS
    done = complete(folders[0], "--workers", "1")
    assert "16 trials, 16 stored" in done.stderr and "12 trials, 12 stored" in done.stderr
    assert result_tables(folders[0]) == undisturbed[20]


def test_parts_cover_every_cell_once_and_weigh_about_the_same():
    suite = read("depth")
    parts = [shard_of(suite, "cpu", number, 8) for number in range(1, 9)]
    assert sorted(cell for part in parts for cell in part) == sorted(suite.cells)
    depths = [sum(depth for _, depth in part) for part in parts]
    assert max(depths) < 1.2 * min(depths)
    assert shard_of(suite, "cpu", 1, 1) == set(suite.cells)


def test_large_networks_go_in_small_stacks():
    suite = read("quick").model_copy(update={"width": 2000, "depths": (10,)})
    trials = tuning_trials(suite, "cpu")
    for stack in stacks(trials):
        assert len(stack) == 1 or len(stack) * memory_of(stack[0]) <= LARGEST_MEMORY["cpu"]
    assert {len(stack) for stack in stacks(trials)} != {6}
    small = tuning_trials(read("quick"), "cpu")
    assert {len(stack) for stack in stacks(small)} == {6}


def test_a_stack_that_finds_no_memory_costs_only_itself(tmp_path):
    """Weights of 3 layers of 300,000 units are 600 GB, which no machine here has."""
    huge = replace(tuning_trials(read("smoke"), "cpu")[0], width=300_000, depth=3)
    usual = stacks(tuning_trials(read("smoke"), "cpu"))[-2:]
    with in_workers(tmp_path, 1) as execute:
        done = dict(execute([(huge,), *usual]))
    (record,) = done.pop((huge,))
    assert record["status"] == "crashed" and "can't allocate memory" in record["error"]
    assert {r["status"] for records in done.values() for r in records} == {"ok"}


@slow
def test_a_worker_that_stands_still_for_a_minute_is_waited_for(tmp_path, undisturbed):
    process = logged(tmp_path, "--workers", "2", text=lasting(LONGER))
    until(lambda: len(records(tmp_path)) >= 4)
    still = workers_of(process)[0]
    still.suspend()
    time.sleep(60)
    still.resume()
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in told, told
    assert max(trained(tmp_path / "log").values()) == 1
    assert result_tables(tmp_path) == undisturbed[LONGER]


@slow
def test_thirty_kills_at_random_moments(tmp_path, undisturbed):
    """Of the driver, of a worker, of all workers, of everything; until 30 have hit."""
    chance = random.Random(20061)
    kills: Counter[str] = Counter()
    sweep = 0
    while kills.total() < 30:
        folder = tmp_path / str(sweep)
        sweep += 1
        code = None
        while code != 0:  # the same command, again and again
            process = logged(folder, "--workers", "2", text=lasting(LONGER))
            while process.poll() is None:
                time.sleep(chance.uniform(0.5, 6))
                before = finished(folder)
                whom = chance.choice(["driver", "a worker", "all workers", "everything"])
                victims = workers_of(process)
                if process.poll() is not None or kills.total() >= 30:
                    break
                if whom == "driver":
                    process.kill()
                elif whom == "everything":
                    os.killpg(process.pid, signal.SIGKILL)
                elif victims:
                    for victim in victims[: 1 if whom == "a worker" else None]:
                        victim.kill()
                else:
                    continue
                kills[whom] += 1
            _, told = process.communicate(timeout=120)
            code = process.returncode
            # 1: a stack was killed with three workers, and is tried again by the next run
            assert code in (0, 1, -signal.SIGKILL) and "Traceback" not in told, told
            assert before.items() <= finished(folder).items()
        trained(folder / "log")
        assert result_tables(folder) == undisturbed[LONGER], f"after {kills}"
    assert min(kills[whom] for whom in ("driver", "a worker", "all workers", "everything")) >= 3
