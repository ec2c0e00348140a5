"""The figures of all of a suite's recipes: F1 to F3 and F6, and F4 and F5 of factors.

One panel per family of techniques, each with the plain network in grey for comparison, so that no
panel holds more lines than can be told apart. Nothing is wider than two columns of a paper, so
that it can be read in one.
"""

from __future__ import annotations

from collections.abc import Callable

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from benchmarks.drawing import STYLE, depth_axis, few, percent_axis, svg
from benchmarks.factorial import RESPONSES
from benchmarks.palette import (
    COLOURS,
    DARK_INK,
    DASHES,
    GREY,
    LIGHT_INK,
    MARKERS,
    NOTHING,
    PAPER,
    panels,
)
from benchmarks.statistics import median_interval
from benchmarks.suite import Suite


def error_against_depth(suite: Suite, table: pd.DataFrame) -> bytes:
    """F1: median test error and its interval, from T1."""

    def draw(axes: Axes, technique: str, style: dict) -> bool:
        rows = table[(table["technique"] == technique) & (table["n"] > 0)].sort_values("depth")
        if rows.empty:
            return False
        y = rows["test_error_pct"]
        bars = [y - rows["low"], rows["high"] - y]
        axes.errorbar(rows["depth"], y, bars, elinewidth=0.8, **style)
        return True

    def dress(axes: Axes) -> None:
        depth_axis(axes, suite)
        axes.set_yscale("log")
        lowest = table["low"].min()
        percent_axis(axes, lowest)

    return _panels(suite, draw, dress, x="hidden layers", y="test error, %")


def trainability_map(suite: Suite, table: pd.DataFrame) -> bytes:
    """F6: the share of runs that trained, recipes down and depths across, from T1."""
    share = (table["n_trained"] / table["n"]).where(table["n"] > 0)
    cells = dict(zip(zip(table["technique"], table["depth"], strict=True), share, strict=True))
    names, depths = list(suite.recipes), list(suite.depths)
    n_columns = 1 + (len(names) > 20)
    n_rows = -(-len(names) // n_columns)
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure, grid = plt.subplots(
            1,
            n_columns,
            figsize=(7.4 if n_columns > 1 else 4.6, 1.1 + 0.17 * n_rows),
            squeeze=False,
            layout="constrained",
        )
        for column, axes in enumerate(grid.flat):
            shown = names[column * n_rows : (column + 1) * n_rows]
            values = np.array([[cells.get((n, d), np.nan) for d in depths] for n in shown])
            image = axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
            for (i, j), value in np.ndenumerate(values):
                text = f"{value:.2g}" if value < 1 else ""  # all of them: the colour says enough
                ink = LIGHT_INK if value < 0.5 else DARK_INK
                axes.text(j, i, text, ha="center", va="center", fontsize=6, color=ink)
            axes.set_facecolor(NOTHING)
            axes.set_ylim(n_rows - 0.5, -0.5)  # both columns alike, though one may be shorter
            axes.set_xticks(range(len(depths)), [str(d) for d in depths], fontsize=7.5)
            axes.set_yticks(range(len(shown)), shown, fontsize=7.5)
            axes.tick_params(length=0)
            axes.xaxis.tick_top()
            axes.spines[["left", "bottom"]].set_visible(False)
            for i in range(len(shown), n_rows):  # below a shorter column there is nothing
                axes.axhspan(i - 0.5, i + 0.5, color=PAPER, zorder=2)
        figure.supxlabel("hidden layers", fontsize=9)
        bar = figure.colorbar(image, ax=list(grid.flat), shrink=0.4, aspect=15)
        bar.set_label("share of runs that trained")
        return svg(figure)


def learning_curves(suite: Suite, curves: pd.DataFrame, depth: int) -> bytes:
    """F2: median validation error over the reporting runs of one depth, with its interval."""

    def draw(axes: Axes, technique: str, style: dict) -> bool:
        rows = curves[(curves["technique"] == technique) & (curves["depth"] == depth)]
        rows = rows[rows["valid_error_pct"].notna()]
        if rows.empty:
            return False
        by_update = rows.groupby("update")["valid_error_pct"]
        intervals = [median_interval(values.tolist()) for _, values in by_update]
        updates = sorted(by_update.groups)
        medians = [interval.median for interval in intervals]
        axes.plot(updates, medians, markevery=max(1, len(updates) // 5), **style)
        low, high = [i.low for i in intervals], [i.high for i in intervals]
        axes.fill_between(updates, low, high, color=style["color"], alpha=0.15, linewidth=0)
        return True

    def dress(axes: Axes) -> None:
        axes.set_xlim(-0.03 * suite.budget.updates, 1.03 * suite.budget.updates)
        axes.set_yscale("log")
        shown = curves[curves["depth"] == depth]["valid_error_pct"]
        percent_axis(axes, shown[shown > 0].min())

    return _panels(suite, draw, dress, x=f"updates, {depth} hidden layers", y="validation error, %")


def gradient_by_layer(suite: Suite, layers: pd.DataFrame, depth: int) -> bytes:
    """F3: median rms weight gradient of each layer before the first update, log scale."""
    start = layers[(layers["depth"] == depth) & (layers["update"] == 0)]

    def draw(axes: Axes, technique: str, style: dict) -> bool:
        rows = start[(start["technique"] == technique) & (start["gradient_rms"] > 0)]
        if rows.empty:
            return False
        by_layer = rows.groupby("layer")["gradient_rms"].median()
        axes.plot(by_layer.index, by_layer, markevery=max(1, depth // 6), **style)
        return True

    def dress(axes: Axes) -> None:
        axes.set_yscale("log")
        axes.set_xlim(1 - 0.03 * depth, depth + 0.03 * depth)
        axes.xaxis.set_major_locator(FixedLocator(few(range(1, depth + 1))))

    return _panels(
        suite,
        draw,
        dress,
        x=f"hidden layer, 1 is the first of {depth}",
        y="rms of dL/dW at the start",
    )


def effects_by_depth(suite: Suite, effects: pd.DataFrame) -> bytes:
    """Main effect of each factor and its interval at each depth, one panel a response."""
    main = effects[effects["condition"] == ""]
    with matplotlib.rc_context(STYLE):
        figure, panels_ = plt.subplots(1, len(RESPONSES), figsize=(7.4, 3.1), layout="constrained")
        for axes, (response, name) in zip(panels_, RESPONSES.items(), strict=True):
            axes.axhline(0, color=GREY, linewidth=0.8)
            for i, factor in enumerate(suite.factors):
                rows = main[(main["response"] == response) & (main["factor"] == factor)]
                shift = (i - (len(suite.factors) - 1) / 2) * 0.1  # side by side at each depth
                at = [suite.depths.index(depth) + shift for depth in rows["depth"]]
                axes.errorbar(
                    at,
                    rows["effect"],
                    [rows["effect"] - rows["low"], rows["high"] - rows["effect"]],
                    color=COLOURS[i],
                    marker=MARKERS[i],
                    capsize=2,
                    linestyle="none",
                    label=factor,
                )
            axes.set_xticks(range(len(suite.depths)), [str(d) for d in suite.depths])
            axes.set_xlabel("hidden layers")
            axes.set_title(name, fontsize=9, loc="left", fontweight="bold")
        panels_[0].set_ylabel("change by adding the idea, points")
        figure.legend(
            *panels_[0].get_legend_handles_labels(),
            loc="outside upper center",
            ncols=len(suite.factors),
            frameon=False,
            fontsize=8,
        )
        return svg(figure)


def which_replaces_which(suite: Suite, effects: pd.DataFrame) -> bytes:
    """Change of the test error by adding an idea (row), alone or where another is (column)."""
    error = effects[effects["response"] == "test_error_pct"]
    columns = ["alone", *(f"with {factor}" for factor in suite.factors)]
    n = len(suite.factors)
    reach = max(error["effect"].abs().max(), 1) if len(error) else 1
    with matplotlib.rc_context(STYLE):
        figure, panels_ = plt.subplots(
            1,
            len(suite.depths),
            figsize=(1.2 + 3.0 * len(suite.depths), 3.6),
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for axes, depth in zip(panels_.flat, suite.depths, strict=True):
            at = error[error["depth"] == depth].set_index(["factor", "condition"])["effect"]
            values = np.full((n, n + 1), np.nan)
            for i, factor in enumerate(suite.factors):
                for j, condition in enumerate(columns):
                    values[i, j] = at.get((factor, condition), np.nan)
            image = axes.imshow(values, cmap="PuOr_r", vmin=-reach, vmax=reach, aspect="auto")
            for (i, j), value in np.ndenumerate(values):
                if not np.isnan(value):
                    dark = abs(value) > 0.6 * reach
                    axes.text(
                        j, i, f"{round(value) + 0:+d}", ha="center", va="center", fontsize=8,
                        color=LIGHT_INK if dark else DARK_INK,
                    )  # fmt: skip
            axes.set_xticks(range(n + 1), columns, rotation=40, ha="right", fontsize=8)
            axes.set_yticks(range(n), [f"add {factor}" for factor in suite.factors])
            axes.grid(visible=False)
            axes.set_facecolor(NOTHING)
            title = f"{depth} hidden layer{'s' if depth > 1 else ''}"
            axes.set_title(title, fontsize=9, loc="left", fontweight="bold")
        bar = figure.colorbar(image, ax=list(panels_.flat), shrink=0.8)
        bar.set_label("change of test error, points")
        return svg(figure)


def _panels(
    suite: Suite,
    draw: Callable[[Axes, str, dict], bool],
    dress: Callable[[Axes], None],
    *,
    x: str,
    y: str,
) -> bytes:
    """A panel per family, in rows of two with common axes; ``draw`` says if it had results."""
    groups = panels({name: suite.recipe(name) for name in suite.recipes}) or {"plain": []}
    n_columns = min(2, len(groups))
    n_rows = -(-len(groups) // n_columns)
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(
            n_rows,
            n_columns,
            figsize=(0.5 + 3.5 * n_columns, 0.5 + 1.8 * n_rows),
            sharex=True,
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for axes in grid.flat[len(groups) :]:
            axes.set_visible(False)
        for index, (axes, (title, members)) in enumerate(
            zip(grid.flat, groups.items(), strict=False)
        ):
            missing = []
            if "plain" in suite.recipes:
                style = {"color": GREY, "linestyle": "--", "marker": "x", "label": "plain"}
                if not draw(axes, "plain", style):
                    missing.append("plain")
            for i, technique in enumerate(members):
                style = {
                    "color": COLOURS[i % len(COLOURS)],
                    "marker": MARKERS[i % len(MARKERS)],
                    "linestyle": DASHES[i % len(DASHES)],  # of two on one another both show
                    "label": technique,
                }
                if not draw(axes, technique, style):
                    missing.append(technique)
            dress(axes)
            axes.set_title(title, fontsize=9, loc="left", fontweight="bold")
            if axes.get_legend_handles_labels()[0]:
                axes.legend(  # beside the lines, never over them
                    loc="upper left",
                    bbox_to_anchor=(1, 1.05),
                    borderaxespad=0.2,
                    borderpad=0,
                    fontsize=7.5,
                    frameon=False,
                    handlelength=3,
                )
            if missing:
                axes.text(  # below the legend: in the panel it would lie on lines
                    1.04, 0, "\n".join(["no results:", *missing]),
                    transform=axes.transAxes, fontsize=7, color=GREY,
                )  # fmt: skip
            if index + n_columns >= len(groups):
                axes.set_xlabel(x)
                axes.tick_params(labelbottom=True)
        figure.supylabel(y, fontsize=9)
        return svg(figure)
