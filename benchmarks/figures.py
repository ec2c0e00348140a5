"""The figures of a report, as SVG of the same bytes for the same records.

One panel per family of techniques, each with the plain network in grey for comparison, so that no
panel holds more lines than can be told apart; or one per technique, of a chosen few. Nothing is
wider than two columns of a paper, so that it can be read in one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from benchmarks.factorial import RESPONSES
from benchmarks.measures import normalised_scores, score_profile
from benchmarks.palette import (
    COLOURS,
    DARK_INK,
    DASHES,
    FAINT,
    GREY,
    GRID,
    LIGHT_INK,
    MARKERS,
    NOTHING,
    PAPER,
    panels,
)
from benchmarks.pictures import smaller_svg
from benchmarks.statistics import median_interval
from benchmarks.suite import Suite

STYLE = {
    "svg.hashsalt": "layer by layer",  # element ids would differ from run to run
    "svg.fonttype": "path",  # looks the same wherever it is cited
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
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
        axes.errorbar(rows["depth"], y, bars, elinewidth=0.8, **style)
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


def chosen(suite: Suite, names: Sequence[str], most: int = 13) -> list[str]:
    """All recipes of a suite if there are few, else those of these names, or the first."""
    if len(suite.recipes) <= most:
        return list(suite.recipes)
    return [name for name in suite.recipes if name in names] or list(suite.recipes[:most])


def rate_sensitivity(suite: Suite, rates: pd.DataFrame, names: Sequence[str]) -> bytes:
    """F7: median validation error of the tuning runs against the learning rate, from T4."""
    depths = _few(sorted(suite.depths), most=4)
    styles = {
        depth: {"color": COLOURS[i], "marker": MARKERS[i], "linestyle": DASHES[i]}
        for i, depth in enumerate(depths)
    }

    def draw(axes: Axes, name: str) -> bool:
        own = rates[(rates["technique"] == name) & rates["valid_error_pct"].notna()]
        if own.empty:
            return False
        for depth, style in styles.items():
            rows = own[own["depth"] == depth].sort_values("lr")
            label = f"{depth} hidden layer{'s' if depth > 1 else ''}"
            axes.plot(rows["lr"], rows["valid_error_pct"], label=label, **style)
            best = rows[rows["chosen"]]
            axes.plot(  # a ring round the one that was chosen
                best["lr"], best["valid_error_pct"], "o", markersize=9, color=style["color"],
                fillstyle="none",
            )  # fmt: skip
        return True

    def dress(axes: Axes) -> None:
        axes.set_xscale("log")
        axes.set_yscale("log")
        _percent_axis(axes, rates["valid_error_pct"].replace(0, np.nan).min())

    return _multiples(names, draw, dress, x="learning rate", y="validation error, %", legend=True)


def score_profiles(trials: pd.DataFrame, names: Sequence[str], chance: float) -> bytes:
    """F8: share of a technique's runs, over all depths, with a score above each threshold.

    The score is 0 at chance and 1 at the least median test error of the suite. Only depths at
    which all of these techniques were run count.
    """
    done = trials[(trials["role"] == "report") & trials["test_error_pct"].notna()]
    here = done[done["technique"].isin(names)]
    n_at = here.groupby("depth")["technique"].nunique()
    common = here[here["depth"].isin(n_at[n_at == here["technique"].nunique()].index)]
    medians = done.groupby(["technique", "depth"])["test_error_pct"].median()
    best = medians.astype(float).min()
    thresholds = np.linspace(0, 1, 51)
    profiles, areas = {}, {}
    for name in names:
        errors = common[common["technique"] == name]["test_error_pct"].astype(float)
        if len(errors) and best < chance:
            scores = normalised_scores(errors, chance, best)
            profiles[name] = score_profile(scores, thresholds)
            areas[name] = scores.mean()  # the integral of the share above each threshold

    def draw(axes: Axes, name: str) -> bool:
        for other in profiles:
            axes.plot(thresholds, profiles[other], color=FAINT, linewidth=0.6)
        if name in profiles:
            axes.plot(thresholds, profiles[name], color=COLOURS[0], linewidth=2)
            axes.text(
                0.04, 0.06, f"area {areas[name]:.2f}", transform=axes.transAxes,
                fontsize=8, color=COLOURS[0],
            )  # fmt: skip
        return name in profiles

    def dress(axes: Axes) -> None:
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])
        axes.set_ylim(0, 1.03)
        axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])

    return _multiples(names, draw, dress, x="score", y="share of runs above it")


def saturation_by_layer(
    suite: Suite, layers: pd.DataFrame, names: Sequence[str], depth: int
) -> bytes:
    """F9: saturated share of each layer's units before the first update and after the last."""
    shares = layers.assign(share=100 * layers["saturated"].astype(float))

    def dress(axes: Axes) -> None:
        axes.set_ylim(-4, 104)
        axes.set_yticks([0, 50, 100])

    return _start_and_end(suite, shares, "share", names, depth, dress, y="saturated units, %")


def gradient_start_and_end(
    suite: Suite, layers: pd.DataFrame, names: Sequence[str], depth: int
) -> bytes:
    """F10: rms weight gradient of each layer before the first update and after the last."""
    positive = layers[layers["gradient_rms"] > 0]  # zero has no place on a logarithmic scale

    def dress(axes: Axes) -> None:
        axes.set_yscale("log")

    return _start_and_end(suite, positive, "gradient_rms", names, depth, dress, y="rms of dL/dW")


def _start_and_end(
    suite: Suite,
    layers: pd.DataFrame,
    column: str,
    names: Sequence[str],
    depth: int,
    dress: Callable[[Axes], None],
    *,
    y: str,
) -> bytes:
    """Medians over the runs of something that each layer has, in a panel a technique."""
    at = layers[(layers["depth"] == depth) & layers[column].notna()]
    looks = {
        0: {"color": GREY, "linestyle": "--", "marker": "x", "label": "before the first update"},
        suite.budget.updates: {"color": COLOURS[0], "marker": "o", "label": "after the last"},
    }

    def draw(axes: Axes, name: str) -> bool:
        own = at[at["technique"] == name]
        if own.empty:
            return False
        for update, style in looks.items():
            by_layer = own[own["update"] == update].groupby("layer")[column].median()
            axes.plot(by_layer.index, by_layer, markevery=max(1, depth // 6), **style)
        return True

    def dress_both(axes: Axes) -> None:
        axes.set_xlim(1 - 0.05 * depth, depth + 0.05 * depth)
        axes.xaxis.set_major_locator(FixedLocator(_few(range(1, depth + 1), most=5)))
        dress(axes)

    x = f"hidden layer, 1 is the first of {depth}"
    return _multiples(names, draw, dress_both, x=x, y=y, legend=True)


def errors_over_seeds(trials: pd.DataFrame, names: Sequence[str], depth: int) -> bytes:
    """F11: every reporting run's test error at one depth, in a row a technique."""
    done = trials[
        (trials["role"] == "report") & (trials["depth"] == depth) & trials["test_error_pct"].notna()
    ]
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(4.6, 0.9 + 0.27 * len(names)), layout="constrained")
        axes.set_xscale("log")
        all_errors = done[done["technique"].isin(names)]["test_error_pct"]
        _percent_axis(axes, all_errors[all_errors > 0].min(), axes.xaxis)
        for row, name in enumerate(names):
            cell = done[done["technique"] == name].sort_values("seed")
            if cell.empty:
                axes.text(
                    0.02, row, "no results", transform=axes.get_yaxis_transform(), va="center",
                    fontsize=7, color=GREY,
                )  # fmt: skip
                continue
            errors = cell["test_error_pct"].astype(float).to_numpy()
            # by seed, from above: equal errors do not hide one another
            at = row + 0.25 * np.linspace(-1, 1, len(errors)) if len(errors) > 1 else [row]
            trained = (cell["trained"] == True).to_numpy()  # noqa: E712 it may hold None
            for mask, mark in ((trained, "o"), (~trained, "x")):
                axes.plot(
                    errors[mask], np.asarray(at)[mask], mark, color=COLOURS[0], markersize=3.5,
                    fillstyle="none",
                )  # fmt: skip
            # below the runs, which it would hide where all are alike
            axes.plot(np.median(errors), row, "|", color=COLOURS[1], markersize=16, mew=2, zorder=1)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlabel(f"test error, %, with {depth} hidden layer{'s' if depth > 1 else ''}")
        return svg(figure)


def _multiples(
    names: Sequence[str],
    draw: Callable[[Axes, str], bool],
    dress: Callable[[Axes], None],
    *,
    x: str,
    y: str,
    legend: bool = False,
) -> bytes:
    """A small panel per technique, in rows of three with common axes."""
    n_columns = min(3, len(names))
    n_rows = -(-len(names) // n_columns)
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(
            n_rows,
            n_columns,
            figsize=(0.5 + 1.95 * n_columns, 0.8 + 1.45 * n_rows),
            sharex=True,
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for axes in grid.flat[len(names) :]:
            axes.set_visible(False)
        for index, (axes, name) in enumerate(zip(grid.flat, names, strict=False)):
            dress(axes)  # first: a scale that is logarithmic from the start takes nothing amiss
            if not draw(axes, name):
                axes.text(
                    0.5, 0.5, "no results", transform=axes.transAxes, ha="center", fontsize=7,
                    color=GREY,
                )  # fmt: skip
            axes.set_title(name, fontsize=9, loc="left", fontweight="bold")
            axes.tick_params(labelsize=8, labelbottom=index + n_columns >= len(names))
        figure.supxlabel(x, fontsize=9)
        figure.supylabel(y, fontsize=9)
        if legend:
            found = {}  # all panels have the same, but for those without results
            for axes in grid.flat:
                handles, labels = axes.get_legend_handles_labels()
                found |= dict(zip(labels, handles, strict=True))
            figure.legend(
                found.values(),
                found.keys(),
                loc="outside upper center",
                ncols=2,
                frameon=False,
                fontsize=8,
                handlelength=3.2,
            )
        return svg(figure)


def of_trials(
    suite: Suite,
    trials: pd.DataFrame,
    layers: pd.DataFrame,
    rates: pd.DataFrame,
    names: Sequence[str],
    depth: int,
    chance: float,
) -> Mapping[str, bytes]:
    """F7 to F11, of these techniques and, where they are of one depth, of this."""
    return {
        "figures/F7-learning-rates.svg": rate_sensitivity(suite, rates, names),
        "figures/F8-score-profiles.svg": score_profiles(trials, names, chance),
        "figures/F9-saturation-by-layer.svg": saturation_by_layer(suite, layers, names, depth),
        "figures/F10-gradient-start-and-end.svg": gradient_start_and_end(
            suite, layers, names, depth
        ),
        "figures/F11-errors-over-seeds.svg": errors_over_seeds(trials, names, depth),
    }


def _depth_axis(axes: Axes, suite: Suite) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(_few(sorted(suite.depths))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:.0f}")


def _percent_axis(axes: Axes, lowest: float, axis: Axis | None = None) -> None:
    """Percent on a logarithmic scale, of y or of the axis given."""
    axis = axis or axes.yaxis
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    floor = max((t for t in ticks if not lowest < t), default=ticks[0])
    (axes.set_ylim if axis is axes.yaxis else axes.set_xlim)(floor, 115)
    axis.set_major_locator(FixedLocator([t for t in ticks if t >= floor]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def _few(values, most: int = 7) -> list[int]:
    """At most so many of the values, with the first and the last, evenly picked."""
    values = list(values)
    if len(values) <= most:
        return values
    picked = np.linspace(0, len(values) - 1, most).round().astype(int)
    return [values[i] for i in picked]


def svg(figure: Figure) -> bytes:
    """The figure as a file; closes it."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return smaller_svg(out.getvalue()).encode()
