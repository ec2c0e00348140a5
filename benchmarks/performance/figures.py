"""The figures of the performance report, as SVG."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

from benchmarks.figures import STYLE, svg
from benchmarks.palette import COLOURS, GREY, MARKERS
from benchmarks.performance.comparisons import CASES, LIMIT, Growth, label
from benchmarks.performance.measure import Measured, Timings

# contender of a step's group -> how it is called in the figure
SHOWN = {
    "stack of 10": "this project, 10 runs",
    "autograd, stack of 10": "the same by autograd",
    "vmap of 10": "torch.func.vmap, 10 runs",
    "Module + DataLoader, 1 thread": "Module + DataLoader",
    "Keras on JAX": "Keras on JAX",
    "scikit-learn": "scikit-learn",
}


def rate(timings: Timings) -> float | None:
    """Median work a second; None if it was not measured."""
    return timings.work / statistics.median(timings.wall) if timings.wall else None


def rates_on_one_core(measured: Mapping[str, Measured]) -> bytes:
    """P1: floating-point operations a second of a training step, beside what the products reach."""
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.6, 4.6), layout="constrained")
        for row, case in enumerate(CASES):
            timings = measured[f"step {label(case)}"].timings
            for name, mark, colour, text in [
                (LIMIT, "|", "black", "torch's large product"),
                ("large product, XLA", "|", "#b0b0b0", "XLA's large product"),
                ("products of 10", "", "", "torch's products of this step"),
            ]:
                value = rate(timings[name])
                if value is None:
                    continue
                own = text if row == 0 else None
                if mark:
                    axes.plot(
                        value / 1e9,
                        row,
                        mark,
                        color=colour,
                        ms=17,
                        mew=1.6,
                        linestyle="",
                        label=own,
                    )
                else:
                    axes.barh(row, value / 1e9, height=0.62, color="#e3e3e3", label=own)
            for i, (name, text) in enumerate(SHOWN.items()):
                value = rate(timings[name])
                if value is not None:
                    axes.plot(
                        value / 1e9,
                        row,
                        MARKERS[i],
                        color=COLOURS[i],
                        ms=7,
                        linestyle="none",
                        label=text if row == 0 else None,
                    )
        axes.set_yticks(range(len(CASES)), [label(case) for case in CASES])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlim(left=0)
        axes.set_xlabel("GFLOP/s of a training step on one core")
        legend = figure.legend(loc="outside upper center", ncols=3, fontsize=7.5, frameon=False)
        for handle in legend.get_lines():  # strokes as long as a bar would run into each other
            handle.set_markersize(min(handle.get_markersize(), 8))
        return svg(figure)


def exponent(x: list[float], y: list[float]) -> tuple[float, float]:
    """b and log a of y = a x^b, fitted by least squares in logarithms."""
    slope, intercept = np.polyfit(np.log(x), np.log(y), 1)
    return float(slope), float(intercept)


def costs_grow(growths: list[Growth], measured: Mapping[str, Measured]) -> bytes:
    """P2: seconds against depth, width, runs, workers and trials, with fitted exponents."""
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(2, 3, figsize=(9.2, 5.4), layout="constrained")
        for axes in grid.flat[len(growths) :]:
            axes.set_visible(False)
        for axes, growth in zip(grid.flat, growths, strict=False):
            x, seconds = growth_points(growth, measured)
            if not x:
                axes.set_title(f"{growth.x}: not measured", fontsize=9, loc="left")
                continue
            y = [statistics.median(s) for s in seconds]
            errors = [
                [m - min(s) for m, s in zip(y, seconds, strict=True)],
                [max(s) - m for m, s in zip(y, seconds, strict=True)],
            ]
            axes.errorbar(x, y, errors, color=COLOURS[0], marker="o", capsize=2, linestyle="none")
            fitted = [i for i, v in enumerate(x) if growth.fit_from <= v <= growth.fit_to]
            if len(fitted) > 1:
                fitted_x = [x[i] for i in fitted]
                slope, intercept = exponent(fitted_x, [y[i] for i in fitted])
                line = [np.exp(intercept) * v**slope for v in fitted_x]
                axes.plot(fitted_x, line, "--", color=GREY)
                title = f"{growth.x}: exponent {slope:.2f}"
            else:
                title = growth.x
            axes.set_title(title, fontsize=9, loc="left", fontweight="bold")
            axes.set_xscale("log")
            axes.set_yscale("log")
            if max(y) < 10 * min(y):  # a decade at least, so that there are ticks with labels
                middle = (max(y) * min(y)) ** 0.5
                axes.set_ylim(middle / 10**0.6, middle * 10**0.6)
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_major_locator(FixedLocator(x))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter("{x:.0f}")
            axes.set_xlabel(growth.x)
            axes.set_ylabel(growth.y, fontsize=8)
        return svg(figure)


def growth_points(
    growth: Growth, measured: Mapping[str, Measured]
) -> tuple[list[float], list[list[float]]]:
    """Values of x that were measured, and for each the seconds of one job in every repeat."""
    timings = measured[growth.group.name].timings
    there = [v for v in growth.values if timings[str(v)].wall]
    return [float(v) for v in there], [
        [seconds / timings[str(v)].times for seconds in timings[str(v)].wall] for v in there
    ]
