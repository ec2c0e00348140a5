"""The figures of a dozen chosen recipes, a small panel or a row for each: F7 to F11."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from benchmarks.drawing import STYLE, few, percent_axis, svg
from benchmarks.measures import normalised_scores, score_profile
from benchmarks.palette import COLOURS, DASHES, FAINT, GREY, MARKERS
from benchmarks.suite import Suite


def chosen(suite: Suite, names: Sequence[str], most: int = 13) -> list[str]:
    """All recipes of a suite if there are few, else those of these names, or the first."""
    if len(suite.recipes) <= most:
        return list(suite.recipes)
    return [name for name in suite.recipes if name in names] or list(suite.recipes[:most])


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


def rate_sensitivity(suite: Suite, rates: pd.DataFrame, names: Sequence[str]) -> bytes:
    """F7: median validation error of the tuning runs against the learning rate, from T4."""
    depths = few(sorted(suite.depths), most=4)
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
        percent_axis(axes, rates["valid_error_pct"].replace(0, np.nan).min())

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
        axes.xaxis.set_major_locator(FixedLocator(few(range(1, depth + 1), most=5)))
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
        percent_axis(axes, all_errors[all_errors > 0].min(), axes.xaxis)
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
