"""Where stacks run: in this process, or in worker processes of one thread each.

An executor is opened with ``with``, takes stacks, and yields each with its records when it is done,
in any order. Whoever trains a stack writes its records to the store before handing them over, so
nothing that was finished can be lost. benchmarks/cluster.py has the one for Dask.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from benchmarks import store
from benchmarks.trial import Trial

ATTEMPTS = 3  # for a stack whose worker dies under it
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>

Stack = tuple[Trial, ...]
Execute = Callable[[Sequence[Stack]], Iterator[tuple[Stack, list[dict]]]]
Executor = AbstractContextManager[Execute]


def train(stack: Stack, folder: Path) -> list[dict]:
    """Records of a stack: those that are stored, and of the rest what training gives.

    A stack that raises gives records that say "crashed": its trials are missing, and tried again
    next time. Nothing is written.
    """
    from benchmarks.datasets import pixels_sha256
    from benchmarks.environment import environment
    from benchmarks.experiment import measure_stack
    from benchmarks.train import train_stack

    stored = store.load(folder, [trial.key for trial in stack])
    records = [record for record in stored.values() if record["status"] in store.DONE]
    known = {record["key"] for record in records}
    missing = tuple(trial for trial in stack if trial.key not in known)
    if not missing:  # another program has trained it since this one looked
        return records
    started = environment()
    try:
        if isinstance(missing[0], Trial):
            outcomes = train_stack(missing)
            data = missing[0].data
            started["pixels_sha256"] = pixels_sha256(data.name, data.n_train, data.n_valid)
        else:
            outcomes = measure_stack(missing)
    except Exception as error:  # noqa: BLE001 a stack's fault must not cost the others
        text = "".join(traceback.format_exception(error)).strip()
        # names of files may hold what is no Unicode, and no JSON then
        text = text.encode(errors="backslashreplace").decode()
        return records + crashed(missing, text, started)
    return records + [
        {
            "schema": store.SCHEMA,
            "key": trial.key,
            "config": trial.config,
            "env": started,
            "error": None,
            **outcome,
        }
        for trial, outcome in zip(missing, outcomes, strict=True)
    ]


def crashed(stack: Stack, error: str, env: dict | None = None) -> list[dict]:
    """Records that say that a stack did not finish, and why."""
    return [
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


def save_new(folder: Path, records: Sequence[dict]) -> None:
    """Write the records that the store does not have yet."""
    stored = store.load(folder, [record["key"] for record in records])
    for record in records:
        there = stored.get(record["key"])
        if there is None or there["status"] not in store.DONE:
            store.save(folder, record)


class Waiting:
    """Stacks still to do, in their order, but last those that another program has in hand.

    A mark in the store says that a stack is in hand. It only orders the work: whoever finds nothing
    else left takes a marked stack too, so that one left by a kill delays nothing.
    """

    def __init__(self, stacks: Sequence[Stack], folder: Path) -> None:
        self.stacks = deque((stack, 1) for stack in stacks)
        self.folder = folder

    def __len__(self) -> int:
        return len(self.stacks)

    def take(self) -> tuple[Stack, int]:
        """The next stack, now marked, and which attempt at it this is."""
        for turn in range(len(self.stacks)):
            if store.mark(self.folder, self.stacks[turn][0][0].key):
                break
        else:
            turn = 0
        taken = self.stacks[turn]
        del self.stacks[turn]
        return taken

    def done(self, stack: Stack) -> None:
        """A stack has been trained, or given up."""
        store.unmark(self.folder, stack[0].key)

    def put_back(self, stack: Stack, attempt: int) -> None:
        """A stack was not begun."""
        self.done(stack)
        self.stacks.appendleft((stack, attempt))

    def died(self, stack: Stack, attempt: int) -> bool:
        """Put back a stack whose worker died under it; False if that was the last attempt."""
        self.done(stack)
        if attempt < ATTEMPTS:
            self.stacks.append((stack, attempt + 1))
        return attempt < ATTEMPTS


@contextmanager
def in_process(folder: Path) -> Iterator[Execute]:
    """One stack after another, here."""

    def execute(stacks: Sequence[Stack]) -> Iterator[tuple[Stack, list[dict]]]:
        prepare_process()
        waiting = Waiting(stacks, folder)
        while waiting:
            stack, _ = waiting.take()
            try:
                records = train(stack, folder)
                save_new(folder, records)
            finally:
                waiting.done(stack)
            yield stack, records

    yield execute


class _Worker(NamedTuple):
    process: multiprocessing.Process
    connection: Connection


@contextmanager
def in_workers(folder: Path, n_workers: int) -> Iterator[Execute]:
    """Each stack by the next free worker; a dead worker is replaced. They end with the context."""
    idle: list[_Worker] = []
    running: dict[_Worker, tuple[Stack, int]] = {}

    def execute(stacks: Sequence[Stack]) -> Iterator[tuple[Stack, list[dict]]]:
        waiting = Waiting(stacks, folder)
        idle.extend(_start(folder) for _ in range(min(n_workers, len(stacks)) - len(idle)))
        try:
            while waiting or running:
                while waiting and idle:
                    worker = idle.pop()
                    if not worker.process.is_alive():  # it died idle: no stack is to blame
                        worker = _start(folder)
                    running[worker] = waiting.take()
                    try:
                        worker.connection.send(running[worker][0])
                    except (
                        OSError
                    ):  # it died just now: seen below, where its end of the pipe is gone
                        pass
                ready = wait([w.connection for w in running])
                for worker in [w for w in running if w.connection in ready]:
                    stack, attempt = running[worker]
                    try:
                        records = worker.connection.recv()
                    except (EOFError, OSError):  # it died: killed, or out of memory
                        worker.process.join()
                        del running[worker]
                        idle.append(_start(folder))
                        if waiting.died(stack, attempt):
                            continue
                        code = worker.process.exitcode
                        error = f"the worker died {ATTEMPTS} times, at last with exit code {code}"
                        records = crashed(stack, error)
                        save_new(folder, records)
                    else:
                        del running[worker]
                        idle.append(worker)
                        waiting.done(stack)
                        if isinstance(records, OSError):  # a full disk: the others meet it as well
                            raise records
                    yield stack, records
        finally:
            for stack, _ in running.values():
                waiting.done(stack)

    try:
        yield execute
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
        try:
            records = train(stack, folder)
            save_new(folder, records)
        except OSError as error:
            records = error
        connection.send(records)


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
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Have glibc keep what a step frees for the next step, instead of handing it to the system.

    A Dask worker is started with MALLOC_TRIM_THRESHOLD_=65536, under which every layer's memory is
    asked for and cleared anew in every step: training takes 1.4 to 2 times as long.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:  # other C libraries have their own ways
        for parameter, n_bytes in ((_M_MMAP_THRESHOLD, 32 << 20), (_M_TRIM_THRESHOLD, 64 << 20)):
            mallopt(parameter, n_bytes)  # where glibc's own adjustment to use would end
