"""Stacks on a Dask cluster: any scheduler that is running, or one of this machine's own.

The scheduler carries stacks there and records back, and tells which workers there are; which stack
goes to which worker is decided here, one at a time for each, so that the order holds and a stack
that kills its workers is known. A worker looks into its own store first and writes to it before it
answers, so nothing is trained twice because an answer was lost. Records come back with the answer:
no file system needs to be shared.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import pickle
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.problem import Lost, Problem
from benchmarks.progress import say

if TYPE_CHECKING:
    from distributed import Client, Future

    from benchmarks.executors import Execute, Stack

RESOURCE = "trial"  # a worker offers one of it (--resources trial=1) and each stack takes one
_SECONDS_BETWEEN_LOOKS = 1.0  # at which workers there are
# Evaluated by the worker: a function that it cannot unpickle, since it has not this package or
# another Python, would end it, whereas an import that fails is an answer.
_WORK = "__import__('benchmarks.cluster', fromlist=['work']).work(expected, pickled, folder)"


def work(expected: dict[str, str], pickled: bytes, folder: str) -> list[dict] | str:
    """On a worker: a stack's records, stored there already; or why this worker cannot train it."""
    from benchmarks.environment import versions
    from benchmarks.options import ROOT

    own = versions()
    differing = [f"{k} is {own.get(k)}, not {v}" for k, v in expected.items() if own.get(k) != v]
    if differing:
        return ", ".join(differing)

    import torch

    from benchmarks.executors import prepare_process, save_new, train

    stack = pickle.loads(pickled)
    if stack[0].device == "cuda" and not torch.cuda.is_available():
        return "it has no CUDA device"
    if stack[0].device == "mps" and not torch.backends.mps.is_available():
        return "it has no MPS device"
    prepare_process()
    # the submitting machine's store if it is there too, by a shared file system; else one's own
    store = Path(folder) if Path(folder).is_dir() else ROOT / "results"
    records = train(stack, store)
    try:
        save_new(store, records)
    except OSError:  # full, or not to be written to: the answer has the records all the same
        pass
    return records


def scheduler_at(where: str, timeout: float) -> str:
    """The address meant by ``--scheduler``; "local-cluster" is left as it is.

    Raises Problem for what is no address, and for a file that has none within ``timeout`` seconds.
    """
    if where == "local-cluster" or re.fullmatch(r"(tcp|tls)://[^/\s]+:\d{1,5}", where):
        return where
    if not where.endswith(".json"):
        raise Problem(
            f"--scheduler: {where!r} is no scheduler; allowed: tcp://HOST:PORT, tls://HOST:PORT, "
            "a scheduler file (FILE.json), local-cluster"
        )
    deadline = time.monotonic() + timeout
    while True:  # a scheduler that was just started has not written it yet
        try:
            return str(json.loads(Path(where).read_bytes())["address"])
        except FileNotFoundError:
            fault = f"there is no such file after {timeout:g} seconds"
        except (OSError, ValueError, KeyError, TypeError) as error:
            fault = f"it names no scheduler ({type(error).__name__}: {error})"
        if time.monotonic() > deadline:
            raise Problem(f"--scheduler: {where}: {fault}; 'dask scheduler' writes it") from None
        time.sleep(0.2)


@contextmanager
def in_cluster(
    scheduler: str,
    folder: Path,
    *,
    timeout: float,
    n_workers: int = 0,
    ca_file: Path | None = None,
    cert: Path | None = None,
    key: Path | None = None,
) -> Iterator[Execute]:
    """Each stack by the next free worker of a cluster; their records end up in ``folder``.

    ``n_workers`` is for "local-cluster" alone. Raises Problem for a scheduler that cannot be
    reached, and for a cluster that has no fit worker for ``timeout`` seconds; Lost if the scheduler
    goes away.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise Problem(
            f"--scheduler: the package {error.name} is missing; "
            "'pip install dask distributed' installs it"
        ) from None
    tls = {"tls_ca_file": ca_file, "tls_client_cert": cert, "tls_client_key": key}
    tls = {option: str(path) for option, path in tls.items() if path is not None}
    with ExitStack() as opened:
        logging.disable(logging.CRITICAL)  # Dask's: what is lost, this program tells itself
        opened.callback(logging.disable, logging.NOTSET)
        try:
            if scheduler == "local-cluster":
                cluster = opened.enter_context(_local_cluster(n_workers))
                scheduler = cluster.scheduler_address
            # with none given, Dask takes those of its own configuration
            security = distributed.Security(**tls, require_encryption=True) if tls else None
            client = distributed.Client(scheduler, timeout=timeout, security=security)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise Problem(f"--scheduler: {scheduler} cannot be reached ({reason})") from None
        opened.callback(client.close, timeout=2)

        def execute(stacks: Sequence[Stack]) -> Iterator[tuple[Stack, list[dict]]]:
            return _sweep(client, scheduler, folder.resolve(), timeout, stacks)

        yield execute


@contextmanager
def _local_cluster(n_workers: int):
    from distributed import LocalCluster

    cluster = LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        worker_dashboard_address=None,
        memory_limit=0,
        resources={RESOURCE: 1},
        silence_logs=logging.CRITICAL,
    )
    try:
        yield cluster
    finally:
        # asked to stop, a worker would first end the stack that it has in hand
        for nanny in cluster.workers.values():
            nanny.auto_restart = False
        for process in multiprocessing.active_children():
            process.kill()
        cluster.close(timeout=2)


class _Task(NamedTuple):
    stack: Stack
    attempt: int
    worker: str  # its address


def _sweep(
    client: Client, scheduler: str, folder: Path, timeout: float, stacks: Sequence[Stack]
) -> Iterator[tuple[Stack, list[dict]]]:
    from benchmarks.environment import versions
    from benchmarks.executors import ATTEMPTS, Waiting, crashed, save_new

    expected = versions()
    waiting = Waiting(stacks, folder)
    running: dict[Future, _Task] = {}
    refused: dict[str, str] = {}
    looked_at = idle_since = time.monotonic()
    fit, unfit = _workers(client, scheduler)
    try:
        while waiting or running:
            now = time.monotonic()
            if now - looked_at > _SECONDS_BETWEEN_LOOKS or not running:
                fit, unfit = _workers(client, scheduler)
                looked_at = now
            busy = {task.worker for task in running.values()}
            for worker in sorted(fit - busy - refused.keys())[: len(waiting)]:
                stack, attempt = waiting.take()
                sent = {"expected": expected, "pickled": pickle.dumps(stack), "folder": str(folder)}
                future = client.submit(
                    eval, _WORK, sent, pure=False, workers=[worker], resources={RESOURCE: 1}
                )
                running[future] = _Task(stack, attempt, worker)
            if not running:
                if time.monotonic() - idle_since > timeout:
                    raise Problem(_no_worker(scheduler, unfit, refused))
                time.sleep(0.2)
                continue
            for future in _ended(scheduler, running, fit | unfit):
                stack, attempt, worker = running.pop(future)
                answer = _answer(future)  # None: the worker died
                future.release()
                if isinstance(answer, str):
                    refused[worker] = answer
                    say(f"worker {worker} is refused: {answer}", "stderr")
                    waiting.put_back(stack, attempt)
                    continue
                if answer is None:
                    if waiting.died(stack, attempt):
                        continue
                    answer = crashed(stack, f"the worker died {ATTEMPTS} times, at last {worker}")
                save_new(folder, answer)
                waiting.done(stack)
                yield stack, answer
            idle_since = time.monotonic()
    finally:
        for future, task in running.items():
            future.cancel()
            waiting.done(task.stack)


def _workers(client: Client, scheduler: str) -> tuple[set[str], set[str]]:
    """Addresses of the workers that stacks can be given to, and of the others."""
    if client.status != "running":
        raise Lost(f"the scheduler {scheduler} went away")
    try:
        seen = client.scheduler_info(n_workers=-1)["workers"]
    except (OSError, TimeoutError) as error:
        raise Lost(f"the scheduler {scheduler} went away ({type(error).__name__})") from None
    fit = {
        address
        for address, info in seen.items()
        if info.get("resources", {}).get(RESOURCE, 0) >= 1 and info.get("status") == "running"
    }
    return fit, seen.keys() - fit


def _ended(scheduler: str, running: dict[Future, _Task], alive: set[str]) -> list[Future]:
    """Those that have an answer or have lost their worker, after a second at most."""
    from concurrent.futures import CancelledError

    from distributed import wait

    try:
        wait(list(running), timeout=_SECONDS_BETWEEN_LOOKS, return_when="FIRST_COMPLETED")
    except TimeoutError:
        pass
    except (CancelledError, OSError):
        raise Lost(f"the scheduler {scheduler} went away") from None
    if any(future.status == "cancelled" for future in running):  # by another in its place
        raise Lost(f"the scheduler {scheduler} was restarted")
    return [f for f, task in running.items() if f.status != "pending" or task.worker not in alive]


def _answer(future: Future) -> list[dict] | str | None:
    """What a worker answered; None if it died, or died with the answer."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    if future.status in ("pending", "lost"):
        return None
    try:
        return future.result(timeout=10)
    except (TimeoutError, KilledWorker):
        return None
    except (CancelledError, CommClosedError):  # the scheduler went: seen at the next look
        return None
    except ModuleNotFoundError as error:
        return f"{error}; start it in the project's folder, with the project's packages"
    except Exception as error:  # noqa: BLE001 of carrying it: ``work`` records those of training
        return f"{type(error).__name__}: {error}"


def _no_worker(scheduler: str, unfit: set[str], refused: dict[str, str]) -> str:
    start = f"python -m dask worker {scheduler} --nthreads 1 --resources {RESOURCE}=1"
    if refused:
        told = "; ".join(f"{worker}: {why}" for worker, why in sorted(refused.items())[:3])
        return f"--scheduler: {scheduler} has no worker that may take part ({told})"
    if unfit:
        return (
            f"--scheduler: none of the {len(unfit)} workers of {scheduler} offers "
            f"{RESOURCE}=1 or runs; start them with '{start}'"
        )
    return f"--scheduler: {scheduler} has no worker; '{start}', in the project, starts one"
