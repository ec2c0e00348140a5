"""The tables of a report as they are printed: what stands in each cell, and the captions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pandas as pd

from benchmarks.factorial import RESPONSES
from benchmarks.markup import Grid
from benchmarks.prose import coverage
from benchmarks.statistics import FEWEST
from benchmarks.suite import Suite
from benchmarks.verdicts import Written

REDUCED = "Reduced scale: small networks on few examples, for orderings and mechanisms."
ALL = "all"  # key of a column that is of no single depth


def grids_of(suite: Suite, tables: Mapping[str, pd.DataFrame]) -> list[Grid]:
    """Every table, in the order of the ids; ``tables`` by the names of their files."""
    t1, t4 = tables["T1-test-error"], tables["T4-learning-rates"]
    held = coverage(t1)
    medians = f"median of {suite.seeds} runs"
    interval = f"interval: order statistics of the runs, which hold the true median with {held}"
    found = [
        _by_depth(
            suite, t1, _error_cell, "T1-test-error",
            f"Test error in %: {medians} and {interval}; k/n where k of n runs trained. Bold: "
            f"not significantly worse than the best at that depth (signed-rank, Holm). {REDUCED}",
            bold=frozenset(
                (row["technique"], f"d{row['depth']}") for _, row in t1[t1["bold"]].iterrows()
            ),
        ),
        *(
            _by_depth(
                suite, tables["T2-gradients"],
                lambda r, at=at: _number(r[f"ratio_log10_{at}"], ".1f"),
                f"T2-gradients{suffix}",
                f"log10 of first over last layer's gradient, {when}: medians; no interval",
                suffix,
            )
            for at, suffix, when in (
                ("start", "", "before training"), ("end", "-end", "after training")
            )
        ),
        *(
            _by_depth(
                suite, tables["T3-saturation"],
                lambda r, at=at: _number(r[f"top_layer_pct_{at}"], ".0f"),
                f"T3-saturation{suffix}",
                f"Saturated units of the top hidden layer in %, {when}: medians; no interval",
                suffix,
            )
            for at, suffix, when in (
                ("start", "-start", "before training"), ("end", "", "after training")
            )
        ),
        _by_depth(
            suite, t4[t4["chosen"]], _rate_cell, "T4-learning-rates",
            "Learning rates chosen by validation error; * on the edge of the grid: a better one "
            "may lie outside",
        ),
        _by_depth(
            suite, tables["T5-time"], _seconds_cell, "T5-time",
            f"Seconds of training + pretraining per run: {medians}; no interval. Of one machine "
            "and load",
        ),
    ]  # fmt: skip
    if "T6-effects" in tables:
        found += _effects_grids(suite, tables["T6-effects"])
    found.append(_trainability(suite, tables["T7-trainability"], tables["T7-trainable-depth"]))
    costs, seconds = tables["T8-cost-to-target"], tables["T8-seconds-to-target"]
    clocks = {
        "gradients": (costs, "", "gradient equivalents, ", ".0f"),
        "updates": (costs, "-updates", "updates, those of single layers in ", ".0f"),
        "seconds": (seconds, "-seconds", "seconds of one machine, ", ".2f"),
    }
    found += [
        _by_depth(
            suite, table, lambda r, clock=clock, form=form: _cost_cell(r, clock, form),
            f"T8-cost-to-target{suffix}",
            f"Cost until training error is half of chance, in {what}pretraining included: "
            f"{medians} and {interval}; k/n where k of n get there; never where half do not",
            suffix,
        )
        for clock, (table, suffix, what, form) in clocks.items()
    ]  # fmt: skip
    found.append(
        _by_depth(
            suite, tables["T9-pairwise"], _saved_cell, "T9-pairwise",
            f"Points of test error saved against {suite.recipes[0]}: median of the differences "
            "within seeds and its interval of order statistics; p of the exact signed-rank test, "
            "adjusted by Holm's method over all techniques at the depth",
        )
    )  # fmt: skip
    if "T10-claims" in tables:
        found.append(_claims(tables["T10-claims"]))
    return found


def _by_depth(
    suite: Suite,
    table: pd.DataFrame,
    cell: Callable[[pd.Series], str],
    name: str,
    caption: str,
    suffix: str = "",
    bold: frozenset[tuple[str, str]] = frozenset(),
) -> Grid:
    """Techniques down, depths across; a dash where a technique was not run."""
    texts = {(row["technique"], row["depth"]): cell(row) for _, row in table.iterrows()}
    return Grid(
        name.partition("-")[0],
        name,
        caption,
        "hidden layers",
        {f"d{depth}{suffix}": str(depth) for depth in suite.depths},
        {t: [texts.get((t, depth), "–") for depth in suite.depths] for t in suite.recipes},
        bold,
    )


def _number(value: float | None, form: str) -> str:
    if value is None or pd.isna(value):
        return "–"
    if math.isinf(value):
        return "never"
    text = format(value, form)
    return text.lstrip("-") if float(text) == 0 else text  # no -0.0


def _error_cell(row: pd.Series) -> str:
    if row["n"] == 0:
        return "missing"
    text = f"{row['test_error_pct']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"
    if row["n_trained"] < row["n"] or row["n_missing"]:
        text += f" {row['n_trained']}/{row['n']}"
    if row["n_diverged"]:
        text += f", {row['n_diverged']} diverged"
    return text


def _rate_cell(row: pd.Series) -> str:
    return f"{row['lr']:g}{'*' if row['on_edge'] else ''}"


def _seconds_cell(row: pd.Series) -> str:
    if row["n"] == 0:
        return "–"
    extra = row["seconds_pretrain"]
    return f"{row['seconds_train']:.2f}" + (f" + {extra:.2f}" if extra >= 0.005 else "")


def _cost_cell(row: pd.Series, clock: str, form: str) -> str:
    if row["n"] == 0:
        return "missing"
    if pd.isna(row[clock]):
        return "not counted"
    reached = f" {row['n_reached']}/{row['n']}"
    if math.isinf(row[clock]):
        return "never" + reached
    low, high = (_number(row[f"{clock}_{end}"], form) for end in ("low", "high"))
    text = f"{_number(row[clock], form)} [{low}, {high}]"
    return text + (reached if row["n_reached"] < row["n"] or row["n_missing"] else "")


def _saved_cell(row: pd.Series) -> str:
    if row["n"] == 0:
        return "missing"
    saved, low, high = (_signed(row[name]) for name in ("saved_points", "low", "high"))
    text = f"{saved} [{low}, {high}], "
    if row["n"] < FEWEST:
        return f"{text}n = {row['n']} too small"
    return f"{text}p {probability(row['p_holm'])}" + (f", n {row['n']}" if row["n_missing"] else "")


def _signed(value: float) -> str:
    return f"{round(value, 1) + 0.0:+.1f}"  # no -0.0


def probability(p: float) -> str:
    """Two digits, and as many decimals as they need."""
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"


def _trainability(suite: Suite, table: pd.DataFrame, depths: pd.DataFrame) -> Grid:
    def cell(row: pd.Series) -> str:
        if row["n"] == 0:
            return "missing"
        return f"{row['n_trained']}/{row['n']} [{row['low']:.0f}, {row['high']:.0f}]"

    def reach(row: pd.Series) -> str:
        if row["n"] == 0:
            return "missing"
        low, high = row["low"], row["high"]
        more = "≥ " if row["censored"] else ""
        interval = "" if pd.isna(low) else f" [{low}, {high}]"
        return f"{more}{row['depth']}{interval}" + (f", n {row['n']}" if row["n_missing"] else "")

    grid = _by_depth(
        suite, table, cell, "T7-trainability",
        "Runs that trained, and Wilson's 95 % interval of the share in %. Up to: the greatest "
        "depth at which, as at all smaller ones, half of the runs train, and the bootstrap 95 % "
        "interval over seeds, from 10 seeds on; ≥ at the greatest depth that was run",
    )  # fmt: skip
    reached = {row["technique"]: reach(row) for _, row in depths.iterrows()}
    return Grid(
        grid.table,
        grid.name,
        grid.caption,
        grid.corner,
        {**grid.columns, ALL: "up to"},
        {name: [*texts, reached[name]] for name, texts in grid.rows.items()},
    )


def _effects_grids(suite: Suite, effects: pd.DataFrame) -> list[Grid]:
    """Main effects on both responses, and interactions on the error at the greatest depth."""
    by = effects.set_index(["depth", "response", "condition", "factor"]).sort_index()

    def cell(*key) -> str:
        if key not in by.index or not (row := by.loc[key])["n"]:
            return "–"
        if row["n"] < 2:
            return f"{row['effect']:+.1f}"
        return f"{row['effect']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]"

    deepest = max(suite.depths)
    suffixes = {"test_error_pct": "", "trained_pct": "-trained"}
    responses = [(depth, r) for r in RESPONSES for depth in suite.depths]
    interval = "mean over seeds, Student's 95 % interval"
    return [
        Grid(
            "T6",
            "T6-effects",
            f"Main effects: change by adding an idea, in points; {interval}",
            "idea added",
            {f"d{d}{suffixes[r]}": f"{RESPONSES[r]}, {d} layers" for d, r in responses},
            {f: [cell(d, r, "", f) for d, r in responses] for f in suite.factors},
        ),
        Grid(
            "T6",
            "T6-interactions",
            f"Interactions on the test error with {deepest} hidden layers, in points; {interval}",
            "idea added",
            {f"d{deepest}-with-{f}": f"with - without {f}" for f in suite.factors},
            {
                factor: [
                    cell(deepest, "test_error_pct", f"with - without {f}", factor)
                    for f in suite.factors
                ]
                for factor in suite.factors
            },
        ),
    ]


_WHEN = {Written.BEFORE: "", Written.AFTER: "†", Written.UNKNOWN: " (unknown which was first)"}


def _claims(table: pd.DataFrame) -> Grid:
    columns = {
        "statement": "the paper says",
        "published": "printed there",
        "ours": "ours",
        "margin": "margin",
        "n": "n",
        ALL: "verdict",
    }

    def texts(row: pd.Series) -> list[str]:
        memory = "‡" if row["verified"] == "memory" else ""
        printed, statement = "–", row["statement"] + memory
        if not pd.isna(row["published"]):
            printed = f"{row['published']:g} {row['published_unit']}{memory}"
        ours = "–"
        if not pd.isna(row["ours"]):
            unit = row["unit"]
            ours = f"{row['ours']:.3g} [{row['low']:.3g}, {row['high']:.3g}] {unit}"
        margin = "–" if pd.isna(row["margin"]) else f"{row['margin']:.3g}"
        n = str(row["n"])
        if row["n_diverged"] or row["n_missing"]:
            n += f" ({row['n_diverged']} diverged, {row['n_missing']} missing)"
        verdict = row["verdict"] + _WHEN[row["written"]]
        if row["scale"] == "paper" and row["verdict"] == "NOT TESTED":
            verdict += " (reduced scale)"
        return [statement, printed, ours, margin, n, verdict]

    return Grid(
        "T10",
        "T10-claims",
        "Claims of papers. Ours: median difference, slope or level with its interval of order "
        "statistics, share of runs with Wilson's, or mean with Student's 90 % interval; the margin "
        "is what would matter. † written after the runs, ‡ the paper quoted from memory. "
        f"{REDUCED}",
        "claim",
        columns,
        {f"{row['paper']}:{row['claim']}": texts(row) for _, row in table.iterrows()},
        prose=frozenset({"statement"}),
    )
