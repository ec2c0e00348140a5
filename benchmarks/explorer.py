"""What the museum's explorer shows: every suite's reporting runs, from its tables, as plain data.

    {"schema": 1,
     "most": techniques that can be told apart at once,
     "styles": {"plain": {colour, symbol, dash}, "others": [the same, ...]},
     "story": {"depth": ..., "techniques": [...]},           what is shown first
     "suites": {name: {"title", "seeds", "depths", "updates": [of the evaluations],
                       "families": {family: [recipe, ...]},
                       "cells": {recipe: {depth: cell}}}}}

A cell that was not run is not there. One that was:

    {"runs": [finished, trained, diverged, missing],
     "error": [median, low, high], in %, and "lr", if any run has finished,
     "curve": [medians, lows, highs] of the validation error in %, one for each of ``updates``,
     "start", "end": {"gradient": [medians, lows, highs], "saturated": the same, in %}, by layer,
     "filters": {"side": pixels,
                 "start", "end": [base64 of int8, row by row, 127 the largest weight]}}

``filters`` is there for the cells that the report has portraits of (``benchmarks.portraits``).
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from benchmarks.catalogue import SUITE
from benchmarks.palette import COLOURS, GREY, MARKERS, family
from benchmarks.portraits import FILE, Portrait, load
from benchmarks.problem import Problem
from benchmarks.statistics import median_interval
from benchmarks.suite import Suite, stored

SCHEMA = 1
STORY = {"depth": 20, "techniques": ["plain", "rbm", "batch-norm", "residual"]}
# matplotlib's name of a marker -> d3's of the same or the nearest
_SYMBOLS = {"o": "circle", "s": "square", "^": "triangle", "D": "diamond", "v": "wye", "P": "cross"}
_DASHES = ["", "7 3", "2 3", "9 3 2 3", "14 4", "4 2"]

Intervals = list[list[float | None]]  # medians, lows, highs


def explorer_data(reports: Path) -> dict:
    """The data of every suite below ``reports``.

    Raises Problem naming a file that is damaged or missing.
    """
    settings = sorted(reports.glob("*/suite.json"), key=lambda p: (p.parent.name != SUITE, p))
    looks = zip(COLOURS, MARKERS, _DASHES, strict=False)
    return {
        "schema": SCHEMA,
        "most": len(COLOURS),
        "styles": {
            "plain": {"colour": GREY, "symbol": "times", "dash": "5 4"},
            "others": [
                {"colour": colour, "symbol": _SYMBOLS[marker], "dash": dash}
                for colour, marker, dash in looks
            ],
        },
        "story": STORY,
        "suites": {
            path.parent.name: _suite_data(path.parent, stored(path)[0]) for path in settings
        },
    }


def _suite_data(folder: Path, suite: Suite) -> dict:
    errors = _read(folder / "tables" / "T1-test-error.csv", "technique", "depth", "n", "n_trained")
    rates = _read(folder / "tables" / "T4-learning-rates.csv", "technique", "depth", "lr", "chosen")
    curves = _read(folder / "data" / "curves.csv.gz", "update", "valid_error_pct")
    layers = _read(folder / "data" / "layers.csv.gz", "update", "layer", "gradient_rms")
    layers["saturated_pct"] = 100 * layers["saturated"].astype(float)
    keys = dict.fromkeys(_read(folder / "data" / "trials.csv", "key")["key"])
    portraits = {
        (portrait.technique, portrait.histogram.shape[1]): portrait
        for portrait in load(folder / FILE, keys)
    }

    lr = rates[rates["chosen"]].set_index(["technique", "depth"])["lr"].to_dict()
    curve = _by(curves, "update", "valid_error_pct")
    probed = {
        (name, update): _by(layers[layers["update"] == update], "layer", column)
        for name, column in (("gradient", "gradient_rms"), ("saturated", "saturated_pct"))
        for update in (0, suite.budget.updates)
    }
    updates = sorted({*range(0, suite.budget.updates, suite.budget.evaluate_every)})
    updates.append(suite.budget.updates)

    cells: dict[str, dict[str, dict]] = {name: {} for name in suite.recipes}
    for row in errors.to_dict("records"):
        name, depth = at = (row["technique"], row["depth"])
        if at not in suite.cells:
            continue
        trained, diverged = int(row["n_trained"]), int(row["n_diverged"])
        cell = {"runs": [int(row["n"]), trained, diverged, int(row["n_missing"])]}
        if row["n"]:
            # to the tenth, and halves to even, as the reports have it
            cell["error"] = [float(f"{row[c]:.1f}") for c in ("test_error_pct", "low", "high")]
            if at in lr:
                cell["lr"] = lr[at]
            cell["curve"] = _intervals(curve.get(at, {}), updates)
            for moment, update in (("start", 0), ("end", suite.budget.updates)):
                cell[moment] = {
                    name: _intervals(probed[name, update].get(at, {}), range(1, depth + 1))
                    for name in ("gradient", "saturated")
                }
        if at in portraits:
            cell["filters"] = _filters(portraits[at])
        cells[name][str(depth)] = cell

    families: dict[str, list[str]] = {}
    for name in suite.recipes:
        families.setdefault(family(suite.recipe(name)), []).append(name)
    return {
        "title": suite.title,
        "seeds": suite.seeds,
        "depths": sorted(suite.depths),
        "updates": updates,
        "families": families,
        "cells": cells,
    }


def _read(path: Path, *columns: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise Problem(f"{path}: cannot be read ({error})") from None
    if lacking := set(columns) - set(table.columns):
        raise Problem(f"{path}: has no column {min(lacking)}")
    return table


def _by(table: pd.DataFrame, key: str, value: str) -> dict[tuple, dict[int, list[float]]]:
    """Cell -> update or layer -> the values of its runs that are numbers, in ascending order."""
    found: dict[tuple, dict[int, list[float]]] = {}
    known = table[table[value].notna()].sort_values(value, kind="stable")
    columns = [known[name].tolist() for name in ("technique", "depth", key, value)]
    for technique, depth, at, number in zip(*columns, strict=True):
        found.setdefault((technique, depth), {}).setdefault(at, []).append(number)
    return found


def _intervals(values: Mapping[int, list[float]], at: Sequence[int]) -> Intervals:
    """Median and its interval over the runs at each place; None where no run has a number."""
    triples = [_interval(values[place]) if place in values else (None,) * 3 for place in at]
    return [list(column) for column in zip(*triples, strict=True)]


def _interval(ascending: list[float]) -> tuple[float | None, ...]:
    low_rank, high_rank = _ranks(len(ascending))
    middle = len(ascending) - 1
    median = (ascending[middle // 2] + ascending[(middle + 1) // 2]) / 2
    return _short(median), _short(ascending[low_rank]), _short(ascending[high_rank])


@cache
def _ranks(n: int) -> tuple[int, int]:
    """Which of n values in ascending order bound the interval of their median."""
    ranks = median_interval(range(n))
    return int(ranks.low), int(ranks.high)


def _short(number: float) -> float | None:
    """Rounded to what can be seen; an integer where it is one, which is shorter to write."""
    if not math.isfinite(number):
        return None
    rounded = float(f"{number:.3g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e6 else rounded


def _filters(portrait: Portrait) -> dict:
    """Pictures of a run's first units, before the first update and after the last."""
    before, after = (
        [base64.b64encode(picture.tobytes()).decode() for picture in moment]
        for moment in portrait.filters
    )
    return {"side": portrait.filters.shape[-1], "start": before, "end": after}
