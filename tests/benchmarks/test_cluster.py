"""The driver of a Dask cluster and its workers: on this machine, and in a scripted world."""

from __future__ import annotations

import pickle
import subprocess
import time
from dataclasses import replace

import psutil
import pytest

from benchmarks import cluster as cluster_module
from benchmarks import store
from benchmarks.__main__ import main
from benchmarks.cluster import _sweep, work
from benchmarks.environment import versions
from benchmarks.executors import ATTEMPTS
from benchmarks.plan import stacks, tuning_trials
from benchmarks.problem import Problem
from benchmarks.suite import read
from tests.benchmarks.sweeps import (
    N_TRIALS,
    SUITE,
    command,
    complete,
    finished,
    lasting,
    result_tables,
    until,
)

pytest.importorskip("distributed", reason="pip install dask distributed")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    """Result tables of a local run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    complete(folder, "--workers", "2")
    return result_tables(folder)


def test_a_local_cluster_gives_what_local_workers_give(tmp_path, undisturbed):
    done = complete(tmp_path, "--scheduler", "local-cluster", "--workers", "2")
    assert "Traceback" not in done.stderr and "distributed" not in done.stderr
    assert result_tables(tmp_path) == undisturbed
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
