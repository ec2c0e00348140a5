"""Times contenders side by side: interleaved, each in a process with its own number of threads.

Processes stay alive and idle between their turns. Before and after every turn the whole machine's
CPU seconds are read: what neither the contender nor this process used was somebody else's, and a
group that had to share the machine is no basis for a verdict.
"""

from __future__ import annotations

import importlib
import math
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

# Share of the machine's CPU time that others may have. Ticks of the system's clock, 10 ms, and the
# system's own work make up to a hundredth of what is found on an idle machine.
IDLE = 0.05
IDLE_CORES = 0.25  # and no more than this of one core: with many, the share alone would be lenient
PAUSE = 0.05  # seconds between turns, and after several threads until they stop spinning:
PAUSE_AFTER_THREADS = 0.3


@dataclass(frozen=True)
class Contender:
    """A job and where it runs; ``job`` is the name of a function of ours.py or peers.py."""

    name: str
    job: str
    options: dict = field(default_factory=dict)
    home: str = "ours"  # contenders of one home and number of threads share a process
    threads: int = 1
    processes: int = 1  # that many processes do the work at the same time, each all of it


@dataclass(frozen=True)
class Group:
    """Contenders that are timed in turn."""

    name: str
    contenders: tuple[Contender, ...]
    seconds: float = 0.5  # that a turn should take at least


@dataclass
class Timings:
    """What was seen of one contender: one entry a repeat, or why there is none."""

    work: float = 0.0  # in all of a turn
    times: int = 0  # that a turn ran the job in each process
    wall: list[float] = field(default_factory=list)  # seconds
    cpu: list[float] = field(default_factory=list)  # seconds, of all threads and processes
    bare: list[float] = field(default_factory=list)  # wall seconds of the work proper, if known
    failed: str | None = None


@dataclass
class Measured:
    """A group's timings by contender, and how much of the machine others had meanwhile."""

    timings: dict[str, Timings]
    others: float  # share of the machine's CPU time, stolen time included


class Laboratory:
    """The processes that contenders run in."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[str, int, int], tuple[multiprocessing.Process, Connection]] = {}

    def __enter__(self) -> Laboratory:
        return self

    def __exit__(self, *_: object) -> None:
        for process, _ in self._rooms.values():
            process.kill()
            process.join()

    def measure(
        self, group: Group, repeats: int, tell: Callable[[str], None] = lambda _: None
    ) -> Measured:
        """Prepare all contenders, then let them have their turns, in another order each time."""
        timings = {c.name: Timings() for c in group.contenders}
        for contender in group.contenders:
            tell(f"preparing {contender.name}")
            self._prepare(contender, group.seconds, timings[contender.name])
        there = [c for c in group.contenders if timings[c.name].failed is None]
        busy = whole = 0.0
        for repeat in range(repeats):
            for i in range(len(there)):
                contender = there[(i + repeat) % len(there)]
                if timings[contender.name].failed is not None:
                    continue
                tell(f"{contender.name}, {repeat + 1} of {repeats}")
                others, seconds = self._turn(contender, timings[contender.name])
                busy, whole = busy + others, whole + seconds
                time.sleep(PAUSE if contender.threads == 1 else PAUSE_AFTER_THREADS)
        self._forget()
        return Measured(timings, max(0.0, busy / whole) if whole else math.nan)

    def _forget(self) -> None:
        """Drop all jobs, and every process but the first of its kind."""
        for key, (process, connection) in list(self._rooms.items()):
            if key[2] == 0 and process.is_alive():
                connection.send(("forget",))
            else:
                process.kill()
                process.join()
                del self._rooms[key]

    def _room(self, contender: Contender, number: int) -> Connection:
        key = (contender.home, contender.threads, number)
        if key not in self._rooms or not self._rooms[key][0].is_alive():
            context = multiprocessing.get_context("spawn")
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, *key))
            process.start()
            there.close()
            self._rooms[key] = process, here
        return self._rooms[key][1]

    def _prepare(self, contender: Contender, seconds: float, timings: Timings) -> None:
        times = None  # the first process finds out how many a turn takes; the others do as many
        for number in range(contender.processes):
            try:
                room = self._room(contender, number)
                room.send(
                    ("prepare", contender.name, contender.job, contender.options, seconds, times)
                )
                answer = room.recv()
            except (EOFError, OSError):
                answer = "its process died"
            if isinstance(answer, str):
                timings.failed = answer
                return
            times, amount = answer
            timings.times = times
            timings.work += times * amount

    def _turn(self, contender: Contender, timings: Timings) -> tuple[float, float]:
        """CPU seconds that others used, and that the machine had, meanwhile.

        A job that raises, or whose process dies, costs the contender all its timings.
        """
        busy, own, started = _busy(), time.process_time(), time.perf_counter()
        try:
            rooms = [self._room(contender, number) for number in range(contender.processes)]
            for room in rooms:
                room.send(("run", contender.name))
            answers = [room.recv() for room in rooms]
        except (EOFError, OSError):
            answers = ["its process died"]
        wall = time.perf_counter() - started
        failures = [answer for answer in answers if isinstance(answer, str)]
        if failures:
            timings.failed = failures[0]
            timings.wall, timings.cpu, timings.bare = [], [], []
            return 0.0, 0.0
        cpu = sum(seconds for seconds, _ in answers)
        timings.wall.append(wall)
        timings.cpu.append(cpu)
        if answers[0][1] is not None:
            timings.bare.append(max(bare for _, bare in answers))
        own = time.process_time() - own
        return _busy() - busy - cpu - own, wall * (os.cpu_count() or 1)


def _busy() -> float:
    """CPU seconds used on the whole machine since it started, those stolen from it included."""
    import psutil  # here, so that a report can be written without

    times = psutil.cpu_times()
    # a guest's time is part of the user's already
    not_busy = ("idle", "iowait", "guest", "guest_nice")
    return sum(times) - sum(getattr(times, name, 0.0) for name in not_busy)


def busy_share(seconds: float = 1.0) -> float:
    """How busy the machine is now, from 0 to 1."""
    import psutil

    return psutil.cpu_percent(interval=seconds) / 100


def _serve(connection: Connection, home: str, threads: int, number: int) -> None:
    """A process's life: prepare jobs, run them when told, until the other end goes away."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)  # read when the libraries are loaded, below
    if home == "xla" and hasattr(os, "sched_setaffinity"):  # it takes all cores that it sees
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1 - number]})
    if home == "ours":
        from benchmarks.executors import prepare_process

        prepare_process()
    jobs = {}
    while True:
        try:
            what, *rest = connection.recv()
        except EOFError:
            return
        if what == "forget":
            jobs.clear()
        elif what == "run":
            try:
                job, times = jobs[rest[0]]  # not there if it was prepared by one that died
                before = _cpu_seconds()
                bare = job.run(times)
            except Exception as error:  # noqa: BLE001 as below
                connection.send(f"{type(error).__name__}: {error}"[:200])
                continue
            connection.send((_cpu_seconds() - before, bare))
        else:
            name, function, options, seconds, times = rest
            try:
                job, times = _prepared(function, options, seconds, times)
            except Exception as error:  # noqa: BLE001 a peer that does not work is a finding
                connection.send(f"{type(error).__name__}: {error}"[:200])
                continue
            jobs[name] = job, times
            connection.send((times, job.amount))


def _prepared(function: str, options: dict, seconds: float, times: int | None):
    """The job, run once or twice so that it is warm, and how often a turn is to run it."""
    module, _, name = function.partition(".")
    job = getattr(importlib.import_module(f"benchmarks.performance.{module}"), name)(**options)
    started = time.perf_counter()
    job.run(1)
    once = time.perf_counter() - started
    if times is not None:
        return job, times
    if once < 4 * seconds:  # warm only now
        started = time.perf_counter()
        job.run(1)
        once = time.perf_counter() - started
    return job, max(1, math.ceil(seconds / once))


def _cpu_seconds() -> float:
    """Of this process, all its threads, and its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
