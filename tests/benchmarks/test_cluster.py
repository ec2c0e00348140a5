"""Sweeps on a Dask cluster on loopback, with schedulers and workers started and killed for real."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks import cluster as cluster_module
from benchmarks import store
from benchmarks.__main__ import main
from benchmarks.cluster import _answer, _ended, _sweep, _Task, work
from benchmarks.environment import versions
from benchmarks.executors import ATTEMPTS
from benchmarks.plan import stacks, tuning_trials
from benchmarks.problem import Lost, Problem
from benchmarks.suite import read
from tests.benchmarks.sweeps import (
    N_TRIALS,
    ROOT,
    SUITE,
    command,
    complete,
    finished,
    lasting,
    records,
    result_tables,
    until,
)

pytest.importorskip("distributed", reason="pip install dask distributed")
slow = pytest.mark.slow


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


def test_a_local_cluster_gives_what_local_workers_give(tmp_path, undisturbed):
    done = complete(tmp_path, "--scheduler", "local-cluster", "--workers", "2")
    assert "Traceback" not in done.stderr and "distributed" not in done.stderr
    assert result_tables(tmp_path) == undisturbed[20]
    before = finished(tmp_path)
    assert len(before) == N_TRIALS
    again = complete(tmp_path, "--scheduler", "local-cluster", "--workers", "2")
    assert "12 trials, 12 stored" in again.stderr and finished(tmp_path) == before


def test_a_local_cluster_listens_on_loopback_only(tmp_path):
    words = command(tmp_path, "--scheduler", "local-cluster", text=lasting(20_000))
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: list((tmp_path / "results" / ".in-flight").glob("*")))
        driver = psutil.Process(process.pid)
        children = driver.children(recursive=True)
        sockets = [
            connection for p in [driver, *children] for connection in p.net_connections("inet")
        ]
        listening = {c.laddr.ip for c in sockets if c.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        assert {c.raddr.ip for c in sockets if c.raddr} == {"127.0.0.1"}
        started = time.monotonic()
        process.terminate()
        _, told = process.communicate(timeout=30)
        assert time.monotonic() - started < 5
        assert process.returncode == 130 and "of 16 trials saved; the same command" in told
        assert "Traceback" not in told
        assert not list((tmp_path / "results" / ".in-flight").glob("*"))
        until(lambda: not any(p.is_running() for p in children), 5)
    finally:
        process.kill()


@pytest.mark.parametrize(
    "where, told",
    [
        ("somewhere", "'somewhere' is no scheduler; allowed: tcp://HOST:PORT, tls://HOST:PORT"),
        ("tcp://127.0.0.1", "is no scheduler"),
        ("http://127.0.0.1:80", "is no scheduler"),
        ("none.json", "none.json: there is no such file after 1 seconds"),
        ("damaged.json", "damaged.json: it names no scheduler (JSONDecodeError"),
        ("tcp://127.0.0.1:1", "tcp://127.0.0.1:1 cannot be reached (Timed out"),
        ("tls://127.0.0.1:1", "tls://127.0.0.1:1 cannot be reached ("),
    ],
)
def test_a_scheduler_that_is_not_there_is_one_line_in_time(
    where, told, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.json").write_text('{"address')
    started = time.monotonic()
    words = ["run", "smoke", "--scheduler", where, "--scheduler-timeout", "1"]
    assert main([*words, "--results", "results", "--reports", "reports"]) == 2
    assert time.monotonic() - started < 5
    err = capsys.readouterr().err
    assert told in err and err.startswith("error: --scheduler: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "words, told",
    [
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "--workers: the workers of"),
        (["--scheduler", "tcp://127.0.0.1:1", "--device", "auto"], "--device: auto cannot be told"),
        (["--tls-key", "key.pem"], "--tls-key: it goes with --scheduler tls://HOST:PORT"),
        (["--shard", "3/2"], "'3/2' must be i/n with i from 1 to n, as in 2/8"),
        (["--shard", "0/2"], "'0' must be a whole number from 1 on"),
        (["--shard", "2"], "'2' must be i/n"),
    ],
)
def test_options_that_do_not_go_together_are_told(words, told, capsys):
    assert main(["run", "smoke", *words]) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1


@pytest.fixture
def todo(tmp_path) -> list:
    (tmp_path / "mini.toml").write_text(SUITE)
    return stacks(tuning_trials(read(str(tmp_path / "mini.toml")), "cpu"))


def test_a_worker_stores_before_it_answers_and_looks_there_first(todo, tmp_path, monkeypatch):
    (stack, *_) = todo
    sent = (versions(), pickle.dumps(stack), str(tmp_path))
    records = work(*sent)
    assert [record["key"] for record in records] == [trial.key for trial in stack]
    assert store.load(tmp_path, [trial.key for trial in stack]) == {r["key"]: r for r in records}
    monkeypatch.setattr("benchmarks.train.train_stack", lambda _: pytest.fail("trained again"))
    assert work(*sent) == records
    assert work({"code": "other"}, *sent[1:]) == f"code is {versions()['code']}, not other"


def test_a_worker_that_cannot_store_answers_all_the_same(todo, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "save", full)
    records = work(versions(), pickle.dumps(todo[0]), str(tmp_path))
    assert [record["status"] for record in records] == ["ok"] * len(todo[0])


def test_a_worker_without_the_device_says_so(todo, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for device in ("cuda", "mps"):
        pickled = pickle.dumps((replace(todo[0][0], device=device),))
        assert work(versions(), pickled, str(tmp_path)) == f"it has no {device.upper()} device"


class Future:
    """What a client has of a task."""

    def __init__(self, status: str, answer: object) -> None:
        self.status, self.answer = status, answer

    def result(self, timeout: float) -> object:
        return self.answer

    def release(self) -> None: ...

    cancel = release


class Scripted:
    """A client, its scheduler and their workers, in a world where each look takes some time."""

    status = "running"

    def __init__(self, monkeypatch, answer, *workers: str, seconds: float = 0) -> None:
        self.answer, self.seconds = answer, seconds  # what a stack takes
        self.now, self.n_looks = 0.0, 0
        self.at_work: list[tuple[float, Future]] = []  # and when each will have ended
        self.workers = {w: {"resources": {"trial": 1}, "status": "running"} for w in workers}
        monkeypatch.setattr("distributed.wait", lambda *_, **__: self.sleep(100))
        monkeypatch.setattr(cluster_module, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now, self.n_looks = self.now + seconds, self.n_looks + 1
        assert self.n_looks < 1000, "it waits forever"
        for end, future in self.at_work:
            future.status = "finished" if self.now >= end else "pending"

    def scheduler_info(self, n_workers: int) -> dict:
        return {"workers": dict(self.workers)}

    def submit(self, _, work: str, sent: dict, workers: list[str], **__) -> Future:
        (worker,) = workers
        answer = self.answer(worker, pickle.loads(sent["pickled"]))
        if answer is None:  # it dies, and another comes
            del self.workers[worker]
            self.workers[worker + "+"] = {"resources": {"trial": 1}, "status": "running"}
        future = Future(
            "finished" if answer is not None and not self.seconds else "pending", answer
        )
        if answer is not None:
            self.at_work.append((self.now + self.seconds, future))
        return future


def trained_there(stack) -> list[dict]:
    return [
        {"schema": 1, "key": t.key, "status": "ok", "config": {}, "env": {}, "error": None,
         "result": {}, "curves": {}, "probes": []}
        for t in stack
    ]  # fmt: skip


def test_deaths_are_counted_by_stack_and_refusals_are_none(todo, tmp_path, monkeypatch, capsys):
    poison, given = todo[1], []

    def answer(worker: str, stack) -> list[dict] | str | None:
        given.append((worker.rstrip("+"), todo.index(stack)))
        if worker == "a":
            return "code is other"
        return None if stack == poison else trained_there(stack)

    client = Scripted(monkeypatch, answer, "a", "b")
    done = dict(_sweep(client, "tcp://there", tmp_path, 60, todo))
    assert capsys.readouterr().err == "worker a is refused: code is other\n"
    # what was refused is the next again; what kills is the last
    assert given[:3] == [("a", 0), ("b", 1), ("b", 0)]
    assert [n for _, n in given[3:]] == [*range(2, len(todo)), 1, 1] and ATTEMPTS == 3
    assert done.keys() == set(todo) and len(given) == len(todo) + 1 + 2
    for stack, made in done.items():
        assert {r["status"] for r in made} == {"crashed" if stack == poison else "ok"}
        assert store.load(tmp_path, [t.key for t in stack]) == {r["key"]: r for r in made}
    assert not list((tmp_path / store.IN_FLIGHT).iterdir())


def test_a_worker_has_one_stack_at_a_time(todo, tmp_path, monkeypatch):
    def answer(worker: str, stack) -> list[dict]:
        begun.setdefault(worker, []).append(client.now)
        return trained_there(stack)

    begun = {}
    client = Scripted(monkeypatch, answer, "a", "b", seconds=300)
    assert len(dict(_sweep(client, "tcp://there", tmp_path, 60, todo))) == len(todo) == 4
    assert begun == {"a": [0, 300], "b": [0, 300]}


def test_the_wait_for_a_worker_is_counted_from_when_the_last_went(todo, tmp_path, monkeypatch):
    """A stack takes 100 seconds there, and a run waits for 60."""

    def answer(_, stack) -> list[dict]:
        client.workers.clear()
        gone_at.append(client.now)
        return trained_there(stack)

    gone_at = []
    client = Scripted(monkeypatch, answer, "a")
    with pytest.raises(Problem, match="tcp://there has no worker"):
        dict(_sweep(client, "tcp://there", tmp_path, 60, todo))
    assert gone_at == [0] and 160 <= client.now < 161


def test_only_workers_that_run_and_offer_to_take_part_are_given_stacks(todo, tmp_path, monkeypatch):
    client = Scripted(monkeypatch, lambda *_: pytest.fail("it was given a stack"), "a", "b", "c")
    client.workers["a"]["status"] = "closing_gracefully"
    client.workers["b"]["resources"] = {"GPU": 1}
    client.workers["c"]["resources"] = {}
    with pytest.raises(Problem, match="none of the 3 workers of tcp://there offers trial=1"):
        dict(_sweep(client, "tcp://there", tmp_path, 60, todo))


def run_here(folder: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(folder, *options), capture_output=True, text=True)


@slow
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


@slow
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


@slow
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


@slow
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


@slow
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


@slow
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


@slow
def test_workers_without_nannies_killed_are_missed_and_then_found_again(
    cluster, tmp_path, undisturbed
):
    first = cluster.worker("--no-nanny")
    process = started(tmp_path, cluster)
    first.kill()
    time.sleep(3)
    cluster.worker("--no-nanny")
    ends_well(process, tmp_path, undisturbed[4000])


@slow
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


@slow
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


@slow
def test_a_worker_that_stands_still_for_a_minute_is_waited_for(cluster, tmp_path, undisturbed):
    cluster.worker(), cluster.worker()
    process = started(tmp_path, cluster)
    (still,) = cluster.training()[:1]
    still.suspend()
    time.sleep(60)
    still.resume()
    ends_well(process, tmp_path, undisturbed[4000])
    assert len(finished(tmp_path)) == N_TRIALS


@slow
def test_two_drivers_on_one_cluster_and_store_share_the_work(cluster, tmp_path, undisturbed):
    cluster.worker(), cluster.worker()
    both = [
        subprocess.Popen(
            command(tmp_path, "--scheduler", cluster.address, text=lasting(4000)),
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in both:
        ends_well(process, tmp_path, undisturbed[4000])


POISON = """
import os, benchmarks.train
def poisoned(trials, train_stack=benchmarks.train.train_stack):
    if trials[0].cell == ("rbm", 3):
        os.kill(os.getpid(), 9)
    return train_stack(trials)
if benchmarks.train.train_stack.__name__ != "poisoned":  # Dask loads this twice
    benchmarks.train.train_stack = poisoned
"""


@slow
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
