"""Where stacks run: in this process, or in worker processes of one thread each.

An executor takes stacks and yields each with its records when it is done, in any order. Whoever
trains a stack writes its records to the store before handing them over, so nothing that was
finished can be lost. (A Dask executor will be a third function of the same form.)
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from benchmarks import store
from benchmarks.trial import Trial

ATTEMPTS = 3  # for a stack whose worker dies under it

Stack = tuple[Trial, ...]


def run_and_store(stack: Stack, folder: Path) -> list[dict]:
    """Train a stack and write its records; one that raises is recorded as crashed instead."""
    from benchmarks.datasets import pixels_sha256
    from benchmarks.environment import environment
    from benchmarks.train import train_stack

    started = environment()
    try:
        outcomes = train_stack(stack)
    except Exception as error:  # noqa: BLE001 a stack's fault must not cost the others
        text = "".join(traceback.format_exception(error)).strip()
        return record_crash(stack, folder, text, started)
    data = stack[0].data
    started["pixels_sha256"] = pixels_sha256(data.name, data.n_train, data.n_valid)
    records = [
        {
            "schema": store.SCHEMA,
            "key": trial.key,
            "config": trial.config,
            "env": started,
            "error": None,
            **outcome,
        }
        for trial, outcome in zip(stack, outcomes, strict=True)
    ]
    for record in records:
        store.save(folder, record)
    return records


def record_crash(stack: Stack, folder: Path, error: str, env: dict | None = None) -> list[dict]:
    """Write that a stack did not finish: its trials are missing, and tried again next time."""
    records = [
        {
            "schema": store.SCHEMA,
            "key": trial.key,
            "config": trial.config,
            "env": env or {},
            "status": "crashed",
            "error": error,
        }
        for trial in stack
    ]
    for record in records:
        store.save(folder, record)
    return records


def in_process(stacks: Sequence[Stack], folder: Path) -> Iterator[tuple[Stack, list[dict]]]:
    """One stack after another, here."""
    prepare_process()
    for stack in stacks:
        yield stack, run_and_store(stack, folder)


class _Worker(NamedTuple):
    process: multiprocessing.Process
    connection: Connection


def in_workers(
    stacks: Sequence[Stack], folder: Path, n_workers: int
) -> Iterator[tuple[Stack, list[dict]]]:
    """Stacks in the order given, each by the next free worker; a dead worker is replaced."""
    waiting = deque((stack, 1) for stack in stacks)
    running: dict[_Worker, tuple[Stack, int]] = {}
    idle = [_start(folder) for _ in range(min(n_workers, len(stacks)))]
    try:
        while waiting or running:
            while waiting and idle:
                worker = idle.pop()
                if not worker.process.is_alive():  # it died idle: no stack is to blame
                    worker = _start(folder)
                running[worker] = waiting.popleft()
                try:
                    worker.connection.send(running[worker][0])
                except OSError:  # it died just now: seen below, where its end of the pipe is gone
                    pass
            ready = wait([w.connection for w in running])
            for worker in [w for w in running if w.connection in ready]:
                stack, attempt = running.pop(worker)
                try:
                    records = worker.connection.recv()
                    idle.append(worker)
                except (EOFError, OSError):  # it died: killed, or out of memory
                    worker.process.join()
                    idle.append(_start(folder))
                    if attempt < ATTEMPTS:
                        waiting.append((stack, attempt + 1))
                        continue
                    code = worker.process.exitcode
                    error = f"the worker died {ATTEMPTS} times, at last with exit code {code}"
                    records = record_crash(stack, folder, error)
                yield stack, records
    finally:
        for worker in [*idle, *running]:
            worker.process.kill()  # what it had in hand is not stored; everything else is
        for worker in [*idle, *running]:
            worker.process.join()


def _start(folder: Path) -> _Worker:
    context = multiprocessing.get_context("spawn")  # fork and torch's threads do not go together
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, folder), daemon=True)
    # Ctrl-C reaches the whole process group and is the main process's to handle: workers ignore it
    # from their first moment, since this is inherited
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, previous)
    there.close()  # else the end of the worker would not be the end of the pipe
    return _Worker(process, here)


def _serve(connection: Connection, folder: Path) -> None:
    """A worker's life: take a stack, train it, answer, until the other end goes away."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    prepare_process()
    while True:
        try:
            stack = connection.recv()
        except EOFError:
            return
        connection.send(run_and_store(stack, folder))


def _leave_with_parent() -> None:
    """End this process with its parent, however that ends: its work would be done twice."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def prepare_process() -> None:
    """One thread, so that results do not depend on the machine's load or number of cores."""
    import torch

    torch.set_num_threads(1)
    # gradients of very deep sigmoid nets are denormal numbers, a hundred times slower to compute
    torch.set_flush_denormal(True)
    torch.backends.cuda.matmul.allow_tf32 = False
