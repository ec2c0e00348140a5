"""The figures of a report, as SVG of the same bytes for the same records.

One panel per family of techniques, each with the plain network in grey for comparison, so that no
panel holds more lines than can be told apart.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from benchmarks.factorial import RESPONSES
from benchmarks.palette import COLOURS, GREY, MARKERS, panels
from benchmarks.statistics import median_interval
from benchmarks.suite import Suite

STYLE = {
    "svg.hashsalt": "layer by layer",  # element ids would differ from run to run
    "svg.fonttype": "path",  # looks the same wherever it is cited
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
}


def error_against_depth(suite: Suite, table: pd.DataFrame) -> bytes:
    """F1: median test error and its interval, from T1."""

    def draw(axes: Axes, technique: str, style: dict) -> bool:
        rows = table[(table["technique"] == technique) & (table["n"] > 0)].sort_values("depth")
        if rows.empty:
            return False
        y = rows["test_error_pct"]
        bars = [y - rows["low"], rows["high"] - y]
        axes.errorbar(rows["depth"], y, bars, capsize=2, elinewidth=0.8, **style)
        return True

    def dress(axes: Axes) -> None:
        _depth_axis(axes, suite)
        axes.set_yscale("log")
        lowest = table["low"].min()
        _percent_axis(axes, lowest)

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
                ink = "white" if value < 0.5 else "black"
                axes.text(j, i, text, ha="center", va="center", fontsize=6, color=ink)
            axes.set_facecolor("#d9d9d9")
            axes.set_ylim(n_rows - 0.5, -0.5)  # both columns alike, though one may be shorter
            axes.set_xticks(range(len(depths)), [str(d) for d in depths], fontsize=7.5)
            axes.set_yticks(range(len(shown)), shown, fontsize=7.5)
            axes.tick_params(length=0)
            axes.xaxis.tick_top()
            axes.spines[["left", "bottom"]].set_visible(False)
            for i in range(len(shown), n_rows):  # below a shorter column there is nothing
                axes.axhspan(i - 0.5, i + 0.5, color="white", zorder=2)
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
        _percent_axis(axes, shown[shown > 0].min())

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
        axes.xaxis.set_major_locator(FixedLocator(_few(range(1, depth + 1))))

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
                        color="white" if dark else "black",
                    )  # fmt: skip
            axes.set_xticks(range(n + 1), columns, rotation=40, ha="right", fontsize=8)
            axes.set_yticks(range(n), [f"add {factor}" for factor in suite.factors])
            axes.grid(visible=False)
            axes.set_facecolor("#d9d9d9")
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
    """A panel per family, in rows of three with common axes; ``draw`` says if it had results."""
    groups = panels({name: suite.recipe(name) for name in suite.recipes}) or {"plain": []}
    n_columns = min(3, len(groups))
    n_rows = -(-len(groups) // n_columns)
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(
            n_rows,
            n_columns,
            figsize=(0.6 + 2.9 * n_columns, 0.5 + 2.5 * n_rows),
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
                    "linestyle": ["-", ":"][i // len(COLOURS) % 2],
                    "label": technique,
                }
                if not draw(axes, technique, style):
                    missing.append(technique)
            dress(axes)
            axes.set_title(title, fontsize=9, loc="left", fontweight="bold")
            if axes.get_legend_handles_labels()[0]:
                axes.legend(fontsize=7.5, framealpha=0.8, edgecolor="none", handlelength=2.6)
            if missing:
                axes.text(
                    0.02, 0.02, f"no results: {', '.join(missing)}",
                    transform=axes.transAxes, fontsize=7, color=GREY,
                )  # fmt: skip
            if index + n_columns >= len(groups):
                axes.set_xlabel(x)
                axes.tick_params(labelbottom=True)
        figure.supylabel(y, fontsize=9)
        return svg(figure)


def _depth_axis(axes: Axes, suite: Suite) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(_few(sorted(suite.depths), most=9)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:.0f}")


def _percent_axis(axes: Axes, lowest: float) -> None:
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    floor = max((t for t in ticks if not lowest < t), default=ticks[0])
    axes.set_ylim(floor, 115)
    axes.yaxis.set_major_locator(FixedLocator([t for t in ticks if t >= floor]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")


def _few(values, most: int = 7) -> list[int]:
    """At most so many of the values, with the first and the last, evenly picked."""
    values = list(values)
    if len(values) <= most:
        return values
    picked = np.linspace(0, len(values) - 1, most).round().astype(int)
    return [values[i] for i in picked]


def svg(figure: Figure) -> bytes:
    """The figure as a file; closes it."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return out.getvalue()
