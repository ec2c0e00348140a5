"""What is timed in one run of ``make performance``, what is compared with what, and the targets."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from benchmarks.performance.measure import IDLE, IDLE_CORES, Contender, Group, Measured, Timings
from benchmarks.performance.ours import step_operations

Case = tuple[int, int, int]  # depth, width, batch size
CASES: tuple[Case, ...] = (
    (20, 100, 100), (20, 100, 10), (20, 50, 60), (20, 50, 100), (20, 50, 10),
    (5, 100, 100), (5, 100, 10), (3, 1000, 100), (3, 1000, 10),
)  # fmt: skip
STACKS = (1, 10, 30)
TRIAL_OPERATIONS = 3e11  # of a stack's whole trials at most: larger ones take too long a turn
SEEDS = 10  # of a comparison on the whole machine
N_EXAMPLES = 1800  # a multiple of every batch size
LIMIT = "large matrix product"

# at least, as ratios of rates (design targets of the project)
STEP_OF_LIMIT = {(20, 100, 100): 0.60, (3, 1000, 100): 0.80}
SEEDS_OF_LOOP = {(20, 100, 100): 4.5, (20, 50, 60): 8.0}
RBM_OF_SKLEARN, RBM_OF_PRODUCTS, GREEDY_OF_LEARNERGY = 1.4, 0.75, 5.0
WORKERS_OF_IDEAL = 0.95
# at most, as a share of the training time
RUNNER_OVERHEAD = 0.03


def updates_of_a_trial(case: Case) -> int:
    """A fifth to a half of the suites' trials, or a turn would take minutes."""
    _, width, batch_size = case
    if width == 1000:
        return {100: 100, 10: 200}[batch_size]
    return {100: 200, 60: 200, 10: 400}[batch_size]


def label(case: Case) -> str:
    """A case in words."""
    return f"{case[0]} x {case[1]}, batch {case[2]}"


def thread_counts(cores: int) -> list[int]:
    """1, 2, 4, ... and all cores: among them a plain loop has its best."""
    return sorted({2**i for i in range(cores.bit_length()) if 2**i <= cores} | {cores})


def seeds_on(cores: int) -> tuple[int, int]:
    """Processes and runs in each, for SEEDS runs on the whole machine or, evenly, a few more."""
    processes = min(cores, SEEDS)
    return processes, -(-SEEDS // processes)


def seeds_text(cores: int) -> str:
    """How many runs a comparison on the whole machine trains, in words."""
    processes, runs = seeds_on(cores)
    return f"{processes * runs} seeds"


def _threads(n: int) -> str:
    return f"{n} thread{'s' if n > 1 else ''}"


def groups(cores: int) -> list[Group]:
    """Everything that is timed."""
    return [
        *(_steps(case, cores) for case in CASES),
        *(_trials(case, cores) for case in CASES),
        _rbm(cores),
        _greedy(cores),
        Group("runner", (Contender("runner", "ours.runner"),)),
        *(growth.group for growth in growths(cores)),
    ]


LOOPS = ("Module + DataLoader", "Module")


def _loops(job: str, options: dict, cores: int, kinds: tuple[str, ...] = LOOPS) -> list[Contender]:
    """A plain loop with each number of threads, and as many loops as cores side by side."""
    loops = []
    for name in kinds:
        own = options | {"loader": name == "Module + DataLoader"}
        loops += [
            Contender(f"{name}, {_threads(t)}", job, own, "torch", threads=t)
            for t in thread_counts(cores)
        ]
        if cores > 1:
            loops.append(
                Contender(f"{name}, {cores} processes", job, own, "torch", processes=cores)
            )
    return loops


def _steps(case: Case, cores: int) -> Group:
    shape = dict(zip(("depth", "width", "batch_size"), case, strict=True))
    data = {"n_examples": N_EXAMPLES}
    few = 30 * case[2]  # ten runs' epoch takes long
    in_stacks = [
        contender
        for runs in STACKS
        for contender in (
            Contender(f"products of {runs}", "ours.products_of_a_step", {**shape, "runs": runs}),
            Contender(f"stack of {runs}", "ours.training_step", {**shape, **data, "runs": runs}),
        )
    ]
    processes, runs = seeds_on(cores)
    share = {"runs": runs}
    return Group(
        f"step {label(case)}",
        (
            Contender(LIMIT, "ours.largest_product", home="torch"),
            Contender("large product, NumPy", "peers.numpy_product", home="torch"),
            Contender("large product, XLA", "peers.xla_product", home="xla"),
            *in_stacks,
            Contender(
                "autograd, stack of 10",
                "ours.training_step",
                {**shape, **data, "runs": 10, "readable": True},
            ),
            Contender(
                "whole machine",
                "ours.training_step",
                {**shape, **data, **share},
                processes=processes,
            ),
            Contender(
                "products, whole machine",
                "ours.products_of_a_step",
                {**shape, **share},
                processes=processes,
            ),
            *_loops("peers.plain_loop", {**shape, **data}, cores),
            Contender(
                "vmap of 10", "peers.vmap", {**shape, "n_examples": few, "runs": 10}, "torch"
            ),
            *(
                Contender(name, "peers.keras_on_jax", {**shape, **data}, "xla", processes=n)
                for name, n in {
                    "Keras on JAX": 1,
                    f"Keras on JAX, {cores} processes": cores,
                }.items()
            ),
            Contender("scikit-learn", "peers.sklearn_mlp", {**shape, **data}, "sklearn"),
        ),
        seconds=0.3,
    )


def _short_enough(case: Case, runs: int) -> bool:
    """Whether whole trials of so many runs are timed at this case."""
    return runs * updates_of_a_trial(case) * step_operations(*case) <= TRIAL_OPERATIONS


def _trials(case: Case, cores: int) -> Group:
    shape = dict(zip(("depth", "width", "batch_size"), case, strict=True))
    options = {**shape, "updates": updates_of_a_trial(case)}
    processes, runs = seeds_on(cores)
    share = {"runs": runs}
    return Group(
        f"trials {label(case)}",
        (
            *(
                Contender(f"stack of {runs}", "ours.whole_trials", {**options, "runs": runs})
                for runs in STACKS
                if _short_enough(case, runs)
            ),
            Contender("one worker", "ours.whole_trials", {**options, **share}),
            Contender(
                "whole machine", "ours.whole_trials", {**options, **share}, processes=processes
            ),
            *_loops("peers.plain_trials", options, cores, kinds=("Module + DataLoader",)),
            Contender(
                "Module, 1 thread", "peers.plain_trials", {**options, "loader": False}, "torch"
            ),
        ),
        seconds=0.3,
    )


RBMS = ((500, 1), (100, 1), (100, 5))  # hidden units, runs in a stack


def _rbm(cores: int) -> Group:
    contenders = []
    for n_hidden, runs in RBMS:
        shape = {"widths": (n_hidden,), "batch_size": 100, "runs": runs}
        epoch = {**shape, "n_examples": N_EXAMPLES}
        name = f"784-{n_hidden}, stack of {runs}"
        contenders += [
            Contender(f"products {name}", "ours.products_of_pretraining", shape),
            Contender(name, "ours.pretraining", epoch),
        ]
    for n_hidden in sorted({n for n, _ in RBMS}):
        own = {"batch_size": 100, "n_examples": N_EXAMPLES}
        contenders += [
            Contender(
                f"scikit-learn 784-{n_hidden}",
                "peers.sklearn_rbm",
                {**own, "width": n_hidden},
                "sklearn",
            ),
            Contender(
                f"learnergy 784-{n_hidden}",
                "peers.learnergy_dbn",
                {**own, "widths": (n_hidden,)},
                "torch",
            ),
        ]
    return Group("rbm", tuple(contenders))


def _greedy(cores: int) -> Group:
    shape = {"widths": (500,) * 3, "batch_size": 100}
    options = {**shape, "n_examples": N_EXAMPLES}
    own, products = {**options, "runs": 1}, {**shape, "runs": 1}
    return Group(
        "greedy",
        (
            Contender("products of 1", "ours.products_of_pretraining", products),
            Contender("stack of 1", "ours.pretraining", own),
            Contender("whole machine", "ours.pretraining", own, processes=cores),
            *(
                Contender(
                    f"learnergy, {_threads(t)}", "peers.learnergy_dbn", options, "torch", threads=t
                )
                for t in thread_counts(cores)
            ),
            Contender(
                f"learnergy, {cores} processes",
                "peers.learnergy_dbn",
                options,
                "torch",
                processes=cores,
            ),
        ),
    )


class Growth(NamedTuple):
    """Seconds of one job against something that is doubled."""

    name: str
    x: str
    y: str
    group: Group
    values: tuple[int, ...]  # of x, for each contender of the group
    fit_from: int  # the exponent is fitted to the values from here
    fit_to: int  # to here


def growths(cores: int) -> list[Growth]:
    """How costs grow with depth, width, runs, workers and trials."""
    base = {"depth": 20, "width": 100, "batch_size": 100, "runs": 10, "n_examples": N_EXAMPLES}

    def steps(name: str, values: tuple[int, ...], **fixed: int) -> Growth:
        contenders = tuple(
            Contender(str(v), "ours.training_step", {**base, **fixed, name: v}) for v in values
        )
        others = {"depth": "width 100, 10 runs", "width": "depth 5, 10 runs", "runs": "20 x 100"}
        y = f"seconds an update ({others[name]})"
        half = values[len(values) // 2]
        return Growth(
            name, name, y, Group(f"growth {name}", contenders, 0.3), values, half, values[-1]
        )

    def sweeps(name: str, values: tuple[int, ...], **fixed: int) -> Growth:
        contenders = tuple(
            Contender(str(v), "ours.sweep", {"updates": 144, **fixed, name: v}) for v in values
        )
        others = {"workers": "48 trials", "trials": f"{cores} workers"}
        y = f"seconds a sweep ({others[name]} of 5 x 100)"
        first = values[0] if name == "workers" else values[len(values) // 2]
        last = cores if name == "workers" else values[-1]  # more workers than cores are no help
        return Growth(name, name, y, Group(f"growth {name}", contenders, 0.3), values, first, last)

    return [
        steps("depth", (1, 2, 5, 10, 20, 40)),
        steps("width", (25, 50, 100, 200, 400, 800), depth=5),
        steps("runs", (1, 2, 5, 10, 20, 40)),
        sweeps("workers", tuple(sorted({*thread_counts(cores), 2 * cores})), trials=48),
        sweeps("trials", (12, 24, 48, 96), workers=cores),
    ]


class Comparison(NamedTuple):
    """One row of ratios.csv: the rate of one contender over the best of others."""

    what: str
    against: str
    group: str
    ours: str
    theirs: tuple[str, ...]  # the best of them counts; none: the job's own bare work
    clock: str = "wall"
    at_least: float | None = None
    at_most: float | None = None
    bound: str | None = None  # contender that has the matrix products of ``ours`` and nothing else


def comparisons(cores: int) -> list[Comparison]:
    """All rows, in the order of the report."""
    return [
        *(row for case in CASES for row in _step_rows(case, cores)),
        *(row for case in CASES for row in _trial_rows(case, cores)),
        *_rbm_rows(),
        *_greedy_rows(cores),
        *_sweep_rows(cores),
        Comparison(
            "runner overhead, suite quick at depth 2",
            "its training time",
            "runner",
            "runner",
            (),
            at_most=RUNNER_OVERHEAD,
        ),
    ]


def _sweep_rows(cores: int) -> list[Comparison]:
    if cores == 1:
        return []
    what = f"{cores} workers, a sweep of 48 trials, their start included"
    return [Comparison(what, "one worker", "growth workers", str(cores), ("1",))]


def _loop_names(kind: str, cores: int) -> tuple[str, ...]:
    return tuple(f"{kind}, {_threads(t)}" for t in thread_counts(cores))


def _step_rows(case: Case, cores: int) -> list[Comparison]:
    group, name = f"step {label(case)}", f"training step {label(case)}"
    rows = []
    for runs in STACKS:
        what = f"{name}, stack of {runs}, one core"
        target = STEP_OF_LIMIT.get(case) if runs == 10 else None
        rows += [
            Comparison(
                what,
                f"{LIMIT}, one core",
                group,
                f"stack of {runs}",
                (LIMIT,),
                at_least=target,
                bound=f"products of {runs}",
            ),
            Comparison(
                what,
                "its matrix products alone",
                group,
                f"stack of {runs}",
                (f"products of {runs}",),
            ),
        ]
    what = f"{name}, stack of 10, one core"
    on_one_core = {
        "the readable step, by autograd": ("autograd, stack of 10",),
        "Module + DataLoader, one thread": ("Module + DataLoader, 1 thread",),
        "Module without loader, one thread": ("Module, 1 thread",),
        "torch.func.vmap, 10 runs, one thread": ("vmap of 10",),
        "Keras on JAX, one core": ("Keras on JAX",),
        "scikit-learn MLPClassifier, one thread": ("scikit-learn",),
    }
    rows += [
        Comparison(what, against, group, "stack of 10", theirs)
        for against, theirs in on_one_core.items()
    ]
    what = f"{seeds_text(cores)} of {label(case)}, training, whole machine"
    bound = "products, whole machine"
    rows += _whole_machine_rows(what, group, cores, SEEDS_OF_LOOP.get(case), bound)
    keras = f"Keras on JAX, {cores} processes"
    rows.append(Comparison(what, keras, group, "whole machine", (keras,), bound=bound))
    return rows


def _trial_rows(case: Case, cores: int) -> list[Comparison]:
    group = f"trials {label(case)}"
    rows = [
        Comparison(
            f"whole trials {label(case)}, stack of {runs}, one core",
            "Module + DataLoader, one thread",
            group,
            f"stack of {runs}",
            ("Module + DataLoader, 1 thread",),
        )
        for runs in STACKS
        if _short_enough(case, runs)
    ]
    what = f"{seeds_text(cores)} of {label(case)}, whole trials, whole machine"
    rows += _whole_machine_rows(what, group, cores, SEEDS_OF_LOOP.get(case), kinds=LOOPS[:1])
    rows.append(
        Comparison(what, "Module alone, one thread", group, "whole machine", ("Module, 1 thread",))
    )
    if cores > 1:
        processes, runs = seeds_on(cores)
        rows.append(
            Comparison(
                f"{processes} processes, whole trials {label(case)}, stacks of {runs}",
                "one process",
                group,
                "whole machine",
                ("one worker",),
                at_least=WORKERS_OF_IDEAL * processes if case == CASES[0] else None,
            )
        )
    return rows


def _whole_machine_rows(
    what: str,
    group: str,
    cores: int,
    target: float | None,
    bound: str | None = None,
    kinds: tuple[str, ...] = LOOPS,
) -> list[Comparison]:
    rows = []
    for kind in kinds:
        name = "Module alone" if kind == "Module" else kind
        rows.append(
            Comparison(
                what,
                f"{name}, best number of threads",
                group,
                "whole machine",
                _loop_names(kind, cores),
                at_least=target if kind == "Module + DataLoader" else None,
                bound=bound,
            )
        )
        if cores > 1:
            rows.append(
                Comparison(
                    what,
                    f"{name}, {cores} processes",
                    group,
                    "whole machine",
                    (f"{kind}, {cores} processes",),
                )
            )
    return rows


def _rbm_rows() -> list[Comparison]:
    rows = []
    for n_hidden, runs in RBMS:
        name = f"784-{n_hidden}, stack of {runs}"
        what, headline = f"RBM epoch {name}, one core", (n_hidden, runs) == (500, 1)
        rows += [
            Comparison(
                what,
                "its five matrix products alone",
                "rbm",
                name,
                (f"products {name}",),
                at_least=RBM_OF_PRODUCTS if headline else None,
            ),
            Comparison(
                what,
                "scikit-learn BernoulliRBM (PCD-1), CPU seconds",
                "rbm",
                name,
                (f"scikit-learn 784-{n_hidden}",),
                clock="cpu",
                at_least=RBM_OF_SKLEARN if headline else None,
                bound=f"products {name}",
            ),
            Comparison(
                what,
                "learnergy RBM (CD-1), CPU seconds",
                "rbm",
                name,
                (f"learnergy 784-{n_hidden}",),
                clock="cpu",
            ),
        ]
    return rows


def _greedy_rows(cores: int) -> list[Comparison]:
    theirs = _loop_names("learnergy", cores)
    return [
        Comparison(
            "greedy pretraining 3 x 500, one network, one core",
            "learnergy DBN, best number of threads",
            "greedy",
            "stack of 1",
            theirs,
            at_least=GREEDY_OF_LEARNERGY,
            bound="products of 1",
        ),
        Comparison(
            f"greedy pretraining 3 x 500, {cores} networks, whole machine",
            "learnergy DBN, best number of threads",
            "greedy",
            "whole machine",
            theirs,
        ),
        Comparison(
            f"greedy pretraining 3 x 500, {cores} networks, whole machine",
            f"learnergy DBN, {cores} processes",
            "greedy",
            "whole machine",
            (f"learnergy, {cores} processes",),
        ),
    ]


COLUMNS = ["what", "against", "ratio", "low", "high", "target", "met", "idle"]


def is_idle(seen: Measured, cores: int) -> bool:
    """Whether others left the machine alone while a group was measured."""
    return seen.others <= min(IDLE, IDLE_CORES / cores)


def ratios(
    rows: Sequence[Comparison], measured: Mapping[str, Measured], cores: int
) -> pd.DataFrame:
    """The columns of ratios.csv: median over the repeats, least, greatest; empty if not measured.

    ``met`` is empty where there is no target, and where the machine was busy: no verdict then.
    """
    found = [_row(row, measured[row.group], cores) for row in rows]
    return pd.DataFrame(found, columns=COLUMNS)


def _row(row: Comparison, seen: Measured, cores: int) -> dict[str, object]:
    found = _repeats(row, seen.timings)
    idle = is_idle(seen, cores)
    target, met = "", ""
    if row.at_least is not None:
        target = f">= {row.at_least:g}"
    elif row.at_most is not None:
        target = f"<= {row.at_most:g}"
    ratio = statistics.median(found) if found else None
    if target and found and idle:
        good = ratio >= row.at_least if row.at_least is not None else ratio <= row.at_most
        met = "yes" if good else "no"
    return {
        "what": row.what,
        "against": row.against,
        "ratio": ratio,
        "low": min(found, default=None),
        "high": max(found, default=None),
        "target": target,
        "met": met,
        "idle": "yes" if idle else "no",
    }


def _repeats(row: Comparison, timings: Mapping[str, Timings]) -> list[float]:
    """The ratio in each repeat, whose turns were close in time; none if one side failed."""
    ours = timings[row.ours]
    if ours.failed is not None:
        return []
    if not row.theirs:
        return [(w - bare) / bare for w, bare in zip(ours.wall, ours.bare, strict=True)]
    there = [timings[name] for name in row.theirs if timings[name].failed is None]
    if not there:
        return []
    best = max(there, key=lambda t: statistics.median(_rates(t, row.clock)))
    mine, other = _rates(ours, row.clock), _rates(best, row.clock)
    return [a / b for a, b in zip(mine, other, strict=True)]


def bounds(rows: Sequence[Comparison], measured: Mapping[str, Measured]) -> list[float | None]:
    """What each ratio would be if this program did its matrix products and nothing else."""
    found = []
    for row in rows:
        at_best = [] if row.bound is None else _repeats(
            row._replace(ours=row.bound), measured[row.group].timings
        )  # fmt: skip
        found.append(statistics.median(at_best) if at_best else None)
    return found


def _rates(timings: Timings, clock: str) -> list[float]:
    return [timings.work / seconds for seconds in getattr(timings, clock)]
