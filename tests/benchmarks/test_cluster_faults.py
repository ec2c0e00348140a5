"""Sweeps on a Dask cluster on loopback, with schedulers and workers started and killed for real."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.cluster import _answer, _ended, _Task
from benchmarks.problem import Lost
from tests.benchmarks.sweeps import (
    N_TRIALS,
    ROOT,
    command,
    complete,
    finished,
    lasting,
    records,
    result_tables,
    trained,
    until,
)

pytest.importorskip("distributed", reason="pip install dask distributed")
pytestmark = pytest.mark.slow


class Cluster:
    """A scheduler on loopback and the workers that a test starts for it."""

    def __init__(self, folder: Path, *tls: str) -> None:
        self.folder, self.tls = folder, tls
        self.file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen] = []
        self.scheduler = self.start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        until(self.file.exists)

    @property
    def address(self) -> str:
        return json.loads(self.file.read_text())["address"]

    def start(
        self, *words: str, cwd: Path = ROOT, prefix: tuple[str, ...] = ()
    ) -> subprocess.Popen:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "dask", *words, "--host", "127.0.0.1",
             "--no-dashboard", *self.tls],
            cwd=cwd, stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "a"),
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )  # fmt: skip
        self.processes.append(process)
        return process

    def worker(self, *words: str, resources: str = "trial=1", **options) -> subprocess.Popen:
        return self.start(
            "worker", "--scheduler-file", str(self.file), "--nthreads", "1", "--memory-limit", "0",
            "--resources", resources, "--local-directory", str(self.folder / "scratch"), *words,
            **options,
        )  # fmt: skip

    def training(self) -> list[psutil.Process]:
        """The processes that train: children of the nannies."""
        found = []
        for process in self.processes[1:]:
            if process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    if "resource_tracker" not in " ".join(child.cmdline()):
                        found.append(child)
        return found

    def close(self) -> None:
        for process in self.processes:
            for child in (
                psutil.Process(process.pid).children(recursive=True)
                if (process.poll() is None)
                else ()
            ):
                child.kill()
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    found = Cluster(tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[int, dict[str, bytes]]:
    """Result tables of local runs, by the number of updates."""
    found = {}
    for updates in (20, 4000):
        folder = tmp_path_factory.mktemp("undisturbed")
        complete(folder, "--workers", "2", text=lasting(updates))
        found[updates] = result_tables(folder)
    return found


def run_here(folder: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(folder, *options), capture_output=True, text=True)


def test_a_cluster_without_workers_and_one_whose_workers_offer_nothing(cluster, tmp_path):
    options = ("--scheduler", str(cluster.file), "--scheduler-timeout", "2")
    done = run_here(tmp_path, *options)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"{cluster.address} has no worker; 'python -m dask worker" in done.stderr
    assert "--resources trial=1', in the project, starts one; 0 of 16 trials saved" in done.stderr
    cluster.worker(resources="GPU=1")
    time.sleep(4)
    done = run_here(tmp_path, *options)
    assert done.returncode == 2
    assert f"none of the 1 workers of {cluster.address} offers trial=1" in done.stderr


def copy_of_the_project(folder: Path) -> Path:
    for name in ("benchmarks", "techniques"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_a_worker_of_other_code_is_refused_and_the_others_go_on(cluster, tmp_path, undisturbed):
    other = copy_of_the_project(tmp_path / "other")
    with (other / "techniques" / "optimisation" / "sgd.py").open("a") as file:
        file.write("\n# another momentum\n")
    cluster.worker(cwd=other)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cluster.worker(cwd=elsewhere)  # the project is not there
    time.sleep(5)
    done = run_here(tmp_path, "--scheduler", str(cluster.file), "--scheduler-timeout", "8")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "is refused: code is " in done.stderr
    assert "is refused: No module named 'benchmarks'; start it in the project's" in done.stderr
    assert "has no worker that may take part (tcp://127.0.0.1:" in done.stderr
    assert not records(tmp_path)
    cluster.worker()  # a fit one
    done = complete(tmp_path, "--scheduler", cluster.address, "--scheduler-timeout", "30")
    assert "is refused: code is " in done.stderr
    assert result_tables(tmp_path) == undisturbed[20]


def test_results_come_back_without_a_shared_file_system(cluster, tmp_path, undisturbed):
    """The worker sees an empty folder of its own where the submitting machine has its store."""
    (tmp_path / "results").mkdir()
    hide = f'mount -t tmpfs none {tmp_path / "results"} && exec "$@"'
    prefix = ("unshare", "--mount", "bash", "-c", hide, "bash")
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("this needs a mount namespace of its own: run as root")
    cluster.worker(prefix=prefix)
    complete(tmp_path, "--scheduler", str(cluster.file), "--scheduler-timeout", "30")
    assert result_tables(tmp_path) == undisturbed[20]
    assert len(finished(tmp_path)) == N_TRIALS


def test_an_answer_lost_with_its_worker_is_no_loss_of_the_scheduler(cluster):
    """A worker may be killed between its answer and the driver's taking it."""
    from distributed import Client, wait

    worker = cluster.worker("--no-nanny")
    with Client(cluster.address) as client:
        client.wait_for_workers(1, timeout=60)
        (address,) = client.scheduler_info(n_workers=-1)["workers"]
        future = client.submit(eval, "[]", pure=False, workers=[address])
        wait([future])
        running = {future: _Task((), 1, address)}
        assert _ended(cluster.address, running, {address}) == [future] and _answer(future) == []
        worker.kill()
        until(lambda: future.status == "lost")
        assert _ended(cluster.address, running, set()) == [future] and _answer(future) is None

        cluster.scheduler.kill()  # and now another comes in its place
        cluster.scheduler.wait()
        until(lambda: client.status != "running")
        cluster.start("scheduler", "--port", cluster.address.rpartition(":")[2])
        until(lambda: client.status == "running")
        assert future.status == "cancelled" and _answer(future) is None
        with pytest.raises(Lost, match="the scheduler .* (was restarted|went away)"):
            _ended(cluster.address, running, {address})


def test_tls_passes_through(tmp_path, undisturbed):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=layer-by-layer", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
         "-out", str(cert)], capture_output=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    tls = ("--tls-ca-file", str(cert), "--tls-cert", str(cert), "--tls-key", str(key))
    found = Cluster(tmp_path, "--protocol", "tls", *tls)
    try:
        found.worker()
        assert found.address.startswith("tls://127.0.0.1:")
        done = run_here(tmp_path, "--scheduler", found.address, "--scheduler-timeout", "3")
        assert done.returncode == 2 and "cannot be reached" in done.stderr
        done = complete(tmp_path, "--scheduler", found.address, "--scheduler-timeout", "30", *tls)
        assert result_tables(tmp_path) == undisturbed[20]
    finally:
        found.close()


def in_flight(folder: Path) -> list[Path]:
    return list((folder / "results" / ".in-flight").glob("*"))


def started(folder: Path, cluster: Cluster, *options: str) -> subprocess.Popen:
    """A driver on the cluster, once it has some records and a stack is in hand."""
    words = command(
        folder, "--scheduler", cluster.address, "--scheduler-timeout", "60", *options,
        text=lasting(4000),
    )  # fmt: skip
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    until(lambda: len(records(folder)) >= 4 and in_flight(folder))
    return process


def ends_well(process: subprocess.Popen, folder: Path, expected: dict[str, bytes]) -> str:
    _, told = process.communicate(timeout=240)
    assert process.returncode == 0, told
    assert "Traceback" not in told and result_tables(folder) == expected
    return told


@pytest.mark.parametrize("which", ["one", "all"])
def test_workers_killed_at_work_cost_only_what_they_had_in_hand(
    which, cluster, tmp_path, undisturbed
):
    cluster.worker(), cluster.worker()
    process = started(tmp_path, cluster)
    before = finished(tmp_path)
    for child in cluster.training()[: 1 if which == "one" else None]:
        child.kill()  # their nannies start others
    ends_well(process, tmp_path, undisturbed[4000])
    assert before.items() <= finished(tmp_path).items()


def test_workers_without_nannies_killed_are_missed_and_then_found_again(
    cluster, tmp_path, undisturbed
):
    first = cluster.worker("--no-nanny")
    process = started(tmp_path, cluster)
    before = finished(tmp_path)
    first.kill()
    time.sleep(3)
    cluster.worker("--no-nanny")
    ends_well(process, tmp_path, undisturbed[4000])
    assert before.items() <= finished(tmp_path).items() and len(finished(tmp_path)) == N_TRIALS


def test_a_scheduler_that_is_killed_ends_the_run_in_words_and_it_goes_on(
    cluster, tmp_path, undisturbed
):
    cluster.worker(), cluster.worker()
    process = started(tmp_path, cluster)
    before = finished(tmp_path)
    cluster.scheduler.kill()
    _, told = process.communicate(timeout=90)
    assert process.returncode == 130, told
    assert f"the scheduler {cluster.address} went away; " in told and "Traceback" not in told
    assert "trials saved; the same command goes on from there" in told
    cluster.file.unlink()
    cluster.scheduler = cluster.start(
        "scheduler", "--port", "0", "--scheduler-file", str(cluster.file)
    )
    until(cluster.file.exists)
    cluster.worker()
    done = complete(tmp_path, "--scheduler", cluster.address, text=lasting(4000))
    assert "16 trials, 0 stored" not in done.stderr
    assert before.items() <= finished(tmp_path).items()
    assert result_tables(tmp_path) == undisturbed[4000]


def test_a_driver_that_is_killed_leaves_a_cluster_that_serves_the_next(
    cluster, tmp_path, undisturbed
):
    cluster.worker(), cluster.worker()
    process = started(tmp_path, cluster)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = finished(tmp_path)
    complete(tmp_path, "--scheduler", cluster.address, text=lasting(4000))
    assert before.items() <= finished(tmp_path).items()
    assert result_tables(tmp_path) == undisturbed[4000]


def test_a_worker_that_stands_still_for_a_minute_is_waited_for(cluster, tmp_path, undisturbed):
    cluster.worker(), cluster.worker()
    process = started(tmp_path, cluster)
    (still,) = cluster.training()[:1]
    still.suspend()
    time.sleep(60)
    still.resume()
    ends_well(process, tmp_path, undisturbed[4000])
    assert len(finished(tmp_path)) == N_TRIALS


def test_two_drivers_on_one_cluster_and_store_share_the_work(cluster, tmp_path, monkeypatch):
    text = lasting(1000).replace("[1, 3]", "[1, 2, 3, 4, 5, 6]")  # 12 stacks to tune, 12 to report
    complete(tmp_path / "undisturbed", "--workers", "2", text=text)
    monkeypatch.setenv("LOG", str(tmp_path / "log of training"))
    monkeypatch.setenv("RESULTS", str(tmp_path / "results"))
    for _ in range(2):
        cluster.worker("--preload", str(ROOT / "tests" / "benchmarks" / "logged.py"))
    both = [
        subprocess.Popen(
            command(tmp_path, "--scheduler", cluster.address, text=text),
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in both:
        ends_well(process, tmp_path, result_tables(tmp_path / "undisturbed"))
    counts = trained(tmp_path / "log of training")
    assert len(counts) == 12 * (4 + 3) and max(counts.values()) <= 2
    # who is done first takes what the other still has in hand: a stack for each of two workers
    assert sum(n == 2 for n in counts.values()) <= 2 * (4 + 3)


POISON = """
import os, benchmarks.train
def poisoned(trials, train_stack=benchmarks.train.train_stack):
    if trials[0].cell == ("rbm", 3):
        os.kill(os.getpid(), 9)
    return train_stack(trials)
if benchmarks.train.train_stack.__name__ != "poisoned":  # Dask loads this twice
    benchmarks.train.train_stack = poisoned
"""


def test_a_stack_that_kills_its_workers_fails_alone(cluster, tmp_path):
    (tmp_path / "poison.py").write_text(POISON)
    for _ in range(2):
        cluster.worker("--preload", str(tmp_path / "poison.py"))
    done = run_here(tmp_path, "--scheduler", cluster.address)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.count("crashed: rbm, depth 3") == 4
    assert "the worker died 3 times, at last tcp://127.0.0.1:" in done.stderr
    found = [json.loads(path.read_text()) for path in records(tmp_path)]
    crashes = [record for record in found if record["status"] == "crashed"]
    assert len(crashes) == 4 and len(found) == N_TRIALS - 3, {r["error"] for r in crashes}
