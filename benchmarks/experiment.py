"""An experiment: what a paper measured that is no training of a classifier by a recipe.

``benchmarks/experiments/<name>.py`` has one function that measures, and says under which
conditions, how often and what the numbers mean. Its measurements are planned, stored and resumed
as a suite's trials are, and claims can be about them: a condition stands in a recipe's place, and
``depth`` is whatever whole number the paper varies.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import torch

from benchmarks.suite import KNOWN
from benchmarks.trial import PROTOCOL, key_of, revisions_of

PACKAGE = "benchmarks.experiments"

Settings = Mapping[str, object]


@dataclass(frozen=True)
class Quantity:
    """A number that an experiment measures."""

    unit: str
    meaning: str
    examples: int | None = None  # of an error in %: the number of examples it is a share of
    signed: bool = False  # whether 0 means "no effect", so that its sign alone says something


@dataclass(frozen=True)
class Experiment:
    """What is measured, under which conditions and how often.

    measure: settings of a condition, depth, seeds, device -> for each seed the quantities by name.
    It may not use global random state, nor depend on which other seeds it is given. The setting
    ``recipe``, where it is a recipe's name, brings the recipe's own settings into the key.
    """

    name: str
    paper: str  # citation key
    title: str
    scale: str  # "reduced", or "paper" for the paper's own protocol
    conditions: Mapping[str, Settings]
    depths: tuple[int, ...]
    seeds: int
    quantities: Mapping[str, Quantity]
    measure: Callable[[Settings, int, Sequence[int], torch.device], list[dict[str, float]]]
    seconds: float  # that one seed of one condition takes on one core, roughly
    depth_means: str = "hidden layers"
    depth_unit: str = "layer"  # one of what ``depth`` counts
    revision: int = 1  # raised by hand when the same settings give other numbers than before
    at_once: int = 1  # seeds that are measured together; others may not change what one gives

    @property
    def measured_by(self) -> str:
        """The function, as records name it."""
        return f"{self.measure.__module__}.{self.measure.__name__}"

    @property
    def cells(self) -> list[tuple[str, int]]:
        """Condition and depth of every row."""
        return [(name, depth) for name in self.conditions for depth in self.depths]

    def trials(self, device: str) -> list[Measurement]:
        """All that is to be measured."""
        return [
            Measurement(self.name, condition, depth, seed, device)
            for condition, depth in self.cells
            for seed in range(self.seeds)
        ]


@dataclass(frozen=True)
class Measurement:
    """One seed of one condition: to an experiment what a trial is to a suite."""

    experiment: str
    technique: str  # the condition: a label, not part of the key
    depth: int
    seed: int
    device: str
    role: str = "report"
    lr: float = math.nan  # it is among the settings, if there is one

    @property
    def config(self) -> dict[str, object]:
        """All that decides the numbers, as plain data, and nothing else."""
        experiment = find(self.experiment)
        settings = dict(experiment.conditions[self.technique])
        name = settings.get("recipe")
        recipe = KNOWN[name].settings() if name in KNOWN else {}
        revisions = revisions_of(recipe)
        return {
            "protocol": PROTOCOL,
            **({"revisions": revisions} if revisions else {}),
            "experiment": experiment.measured_by,
            "revision": experiment.revision,
            "settings": settings,
            **({"recipe": recipe} if recipe else {}),  # what the name in the settings stands for
            "depth": self.depth,
            "seed": self.seed,
            "device": self.device,
        }

    @cached_property
    def key(self) -> str:
        """What its record is found by."""
        return key_of(self.config)

    @property
    def cell(self) -> tuple[str, int]:
        """The row of the tables that it belongs to."""
        return self.technique, self.depth


@cache
def experiments() -> dict[str, Experiment]:
    """All of them by name; each module says ``EXPERIMENTS``."""
    found: dict[str, Experiment] = {}
    package = importlib.import_module(PACKAGE)
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        for experiment in importlib.import_module(f"{PACKAGE}.{module}").EXPERIMENTS:
            if experiment.name in found:
                raise ValueError(f"two experiments are called {experiment.name!r}")
            found[experiment.name] = experiment
    return found


def find(name: str) -> Experiment:
    """The experiment of this name. Raises KeyError."""
    return experiments()[name]


def stacks(trials: Sequence[Measurement]) -> list[tuple[Measurement, ...]]:
    """Measurements of one cell, as many at once as the experiment says."""
    cells: dict[tuple, list[Measurement]] = {}
    for trial in trials:
        cells.setdefault(trial.cell, []).append(trial)
    found = []
    for group in cells.values():
        size = find(group[0].experiment).at_once
        found += [tuple(group[i : i + size]) for i in range(0, len(group), size)]
    return found


def cost(stack: Sequence[Measurement]) -> float:
    """Seconds, roughly."""
    return find(stack[0].experiment).seconds * len(stack)


def measure_stack(stack: Sequence[Measurement]) -> list[dict]:
    """Status, result, curves and probes of each, as ``train_stack`` gives them for trials.

    A number that is not finite is stored as none, and the measurement as diverged.
    """
    first = stack[0]
    experiment = find(first.experiment)
    started, cpu_started = time.perf_counter(), time.process_time()
    settings = experiment.conditions[first.technique]
    seeds = [trial.seed for trial in stack]
    found = experiment.measure(settings, first.depth, seeds, torch.device(first.device))
    seconds = (time.perf_counter() - started) / len(stack)
    cpu_seconds = (time.process_time() - cpu_started) / len(stack)
    outcomes = []
    for numbers in found:
        if numbers.keys() != experiment.quantities.keys():
            said = sorted(experiment.quantities)
            raise ValueError(f"{experiment.name}: measured {sorted(numbers)}, not {said}")
        finite = all(math.isfinite(value) for value in numbers.values())
        stored = {n: float(f"{v:.9g}") if math.isfinite(v) else None for n, v in numbers.items()}
        result = {**stored, "seconds_train": round(seconds, 4), "seconds_pretrain": 0.0}
        result["cpu_seconds"] = round(cpu_seconds, 4)
        outcomes.append(
            {
                "status": "ok" if finite else "diverged",
                "result": result,
                "curves": {},
                "probes": [],
            }
        )
    return outcomes
