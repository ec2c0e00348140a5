"""From a suite to trials, from trials to stacks; and which learning rate each cell is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from math import inf, nan
from statistics import median
from typing import NamedTuple

from benchmarks.suite import FIRST_TUNING_SEED, Suite
from benchmarks.trial import EVALUATED_ROWS, Trial

# Runs in a stack. On a CPU more gain little speed, and a stack is what a kill can cost; a GPU is
# filled only by many small networks at once.
LARGEST_STACK = {"cpu": 12, "cuda": 240, "mps": 240}
# Operations that a stack may take, by cost: some ten minutes of a core, which a kill can cost, and
# for which the others may have to wait at the end. Runs that take longer are alone in theirs.
LARGEST_COST = {"cpu": 4e13, "cuda": inf, "mps": inf}
# Bytes that a stack may take, by memory_of: there is one a worker, and a worker a core.
LARGEST_MEMORY = {"cpu": 1 << 30, "cuda": 16 << 30, "mps": 4 << 30}

Cell = tuple[str, int]  # technique, depth


class Choice(NamedTuple):
    """The learning rate of a cell and how it was found."""

    lr: float
    on_edge: bool  # smallest or largest of the grid: a better one may lie outside
    valid_error_pct: float  # median over the tuning seeds, at each run's best evaluation
    by_lr: dict[float, float]  # the same for the whole grid


def tuning_trials(suite: Suite, device: str) -> list[Trial]:
    """Every learning rate with every tuning seed, in every cell."""
    seeds = range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + suite.tuning.seeds)
    return [
        replace(_template(suite, *cell, device), role="tune", lr=lr, seed=seed)
        for cell in suite.cells
        for lr in suite.tuning.lr
        for seed in seeds
    ]


def reporting_trials(suite: Suite, device: str, choices: Mapping[Cell, Choice]) -> list[Trial]:
    """The chosen learning rate with every reporting seed, in every cell that has one.

    Where the suite gives one rate there is nothing to choose.
    """
    if not suite.tuning.seeds:
        only = Choice(suite.tuning.lr[0], on_edge=False, valid_error_pct=nan, by_lr={})
        choices = dict.fromkeys(suite.cells, only)
    return [
        replace(_template(suite, *cell, device), role="report", lr=choices[cell].lr, seed=seed)
        for cell in suite.cells
        if cell in choices
        for seed in range(suite.seeds)
    ]


def shard_of(suite: Suite, device: str, number: int, of: int) -> set[Cell]:
    """The cells of one of ``of`` parts of about equal cost, counted from 1; together they are all.

    A cell is tuned and reported by the same part, so no part waits for another.
    """
    trials = {cell: _template(suite, *cell, device) for cell in suite.cells}
    ordered = sorted(trials, key=lambda cell: (-cost([trials[cell]]), cell))
    return set(ordered[number - 1 :: of])


def _template(suite: Suite, technique: str, depth: int, device: str) -> Trial:
    return Trial(
        technique=technique,
        role="",
        recipe=suite.recipe(technique),
        data=suite.data,
        depth=depth,
        width=suite.width,
        widths=suite.widths,
        budget=suite.budget,
        lr=0.0,
        seed=0,
        device=device,
    )


def choose(trials: Iterable[Trial], records: Mapping[str, dict]) -> dict[Cell, Choice]:
    """For each cell whose tuning is complete, the rate of the least median validation error.

    A diverged run counts as chance; of equal rates the smallest wins. A cell with a trial that
    crashed or is still missing gets no choice.
    """
    choices = {}
    for cell, group in groupby(sorted(trials, key=lambda t: t.cell), key=lambda t: t.cell):
        errors: dict[float, list[float]] = {}
        complete = True
        for trial in group:
            record = records.get(trial.key)
            if record is None or record["status"] == "crashed":
                complete = False
                break
            errors.setdefault(trial.lr, []).append(record["result"]["valid_error_pct"])
        if not complete:
            continue
        by_lr = {lr: median(errors[lr]) for lr in sorted(errors)}
        lr = min(by_lr, key=lambda lr: (by_lr[lr], lr))
        on_edge = len(by_lr) > 1 and lr in (min(by_lr), max(by_lr))
        choices[cell] = Choice(lr, on_edge, by_lr[lr], by_lr)
    return choices


def stacks(trials: Iterable[Trial]) -> list[tuple[Trial, ...]]:
    """Trials that differ in seed and learning rate only, together; the costliest stack first."""

    def shape(trial: Trial) -> tuple:
        config = {k: v for k, v in trial.config.items() if k not in ("lr", "seed")}
        return (trial.cell, repr(config))

    found = []
    for _, group in groupby(sorted(trials, key=shape), key=shape):
        runs = sorted(group, key=lambda t: (t.seed, t.lr))
        device = runs[0].device
        in_memory = LARGEST_MEMORY[device] // memory_of(runs[0])
        in_time = LARGEST_COST[device] // cost(runs[:1])
        n_stacks = -(-len(runs) // int(max(1, min(in_memory, in_time, LARGEST_STACK[device]))))
        size = -(-len(runs) // n_stacks)  # of equal size, so that no worker is left with a rest
        found += [tuple(runs[i : i + size]) for i in range(0, len(runs), size)]
    return sorted(found, key=cost, reverse=True)


def memory_of(trial: Trial) -> int:
    """Bytes that a run adds to its stack, roughly, at most: it bounds stacks, never results."""
    widths, weights = trial.layers, _weights(trial)
    rows = max(trial.budget.batch_size, EVALUATED_ROWS)
    # weights, gradient, two of the optimiser, the best ones, those that take their place, and what
    # an RBM has beside them; pre-activation, activation and gradient of each layer, for a batch
    floats = 8 * weights + 3 * sum(widths) * rows
    if trial.recipe.pretraining is not None:  # what a layer takes in and gives, on all examples
        floats += 2 * max(widths) * trial.data.n_train
    return 4 * floats


def _weights(trial: Trial) -> int:
    """As if inputs were as many as MNIST's, and classes too."""
    sizes = (784, *trial.layers, 10)
    return sum(fan_in * fan_out for fan_in, fan_out in pairwise(sizes))


def cost(stack: Sequence[Trial]) -> float:
    """Floating-point operations of a stack, roughly: for order and progress, never for results."""
    trial = stack[0]
    weights = _weights(trial)
    budget = trial.budget
    evaluations = budget.updates / budget.evaluate_every + 1
    total = len(stack) * weights * 6 * budget.updates * budget.batch_size
    total += len(stack) * weights * 2 * evaluations * 2 * trial.data.n_valid
    if trial.recipe.pretraining is not None:
        n_seeds, epochs = (
            len({t.seed for t in stack}),
            getattr(trial.recipe.pretraining, "epochs", 1),
        )
        total += n_seeds * weights * 10 * epochs * trial.data.n_train
    return total
