"""What a report says in words about its trials, all of it counted from records and tables."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from benchmarks.comparisons import Family, least_adjusted_p
from benchmarks.markup import markdown, markdown_table
from benchmarks.statistics import FEWEST
from benchmarks.store import DONE
from benchmarks.suite import Suite
from benchmarks.trial import PROTOCOL
from benchmarks.verdicts import ALPHA, Outcome

VERSION = "0.1.0"


def coverage(t1: pd.DataFrame) -> str:
    """What the intervals of T1 hold the median with; cells of fewer runs have less."""
    found = sorted({f"{100 * c:.1f} %" for c in t1["coverage"].dropna()})
    return " or ".join(found) or "none yet"


def summary(suite: Suite, t1: pd.DataFrame) -> str:
    """What came of it, in a sentence counted from T1."""
    parts = []
    for depth in suite.depths:
        at = t1[(t1["depth"] == depth) & (t1["n"] > 0)]
        trained = int((2 * at["n_trained"] > at["n"]).sum())
        parts.append(f"{trained} of {len(at)} at {depth}")
    return (
        "this many of the techniques that were run there trained in most of their runs, "
        f"by the number of hidden layers: {', '.join(parts)}."
    )


def recipes(suite: Suite) -> str:
    """A list item per recipe: every technique in it with all its settings."""
    lines = []
    for name in suite.recipes:
        slots = []
        for slot, technique in suite.recipe(name).settings().items():
            options = ", ".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}"
                                for k, v in technique.items() if k != "technique")  # fmt: skip
            slots.append(f"{slot} {technique['technique']}({options})")
        lines.append(f"  - `{name}`: {'; '.join(map(markdown, slots))}\n")
    return "".join(lines)


def failures(frame: pd.DataFrame) -> str:
    """How many trials of each role came to which end."""
    counts = frame.groupby("role")["status"].value_counts()
    parts = [f"{n} {role} trials {status}" for (role, status), n in sorted(counts.items())]
    return (
        f"{', '.join(parts)}. Diverged runs are in the tables, at chance; "
        "crashed and missing ones are not, and lower n."
    )


def provenance(suite: Suite, device: str, command: str, done: list[dict]) -> str:
    """A table of what the records say of where they were made, as Markdown."""

    def all_of(field: str) -> str:
        values = sorted({str(r["env"][field]) for r in done if r["env"].get(field) is not None})
        return ", ".join(values[:6]) + (f" and {len(values) - 6} more" if len(values) > 6 else "")

    dirty = sum(bool(r["env"].get("dirty")) for r in done)
    cpu = sum(r["result"]["cpu_seconds"] for r in done)
    rows = [
        ("trials", f"{len(done)} done, protocol {PROTOCOL}"),
        ("newest trial", max(r["env"]["started"] for r in done)),
        ("data", f"{suite.data.name}, SHA-256 of its source {done[0]['config']['data']['sha256']}"),
        ("split as seen", f"SHA-256 {all_of('pixels_sha256') or 'not recorded'}"),
        ("commit", all_of("commit") + (f"; {dirty} with local changes" if dirty else "")),
        ("Python, torch, numpy", "; ".join(map(all_of, ("python", "torch", "numpy")))),
        ("machine", "; ".join(map(all_of, ("system", "cpu", "cpu_capability")))),
        ("device", device if device == "cpu" else f"{device}, {all_of('gpu')}"),
        ("threads per run", all_of("threads")),
        ("CPU time", f"{cpu / 3600:.2f} hours in all"),
        ("command", command),
    ]
    return markdown_table(["", ""], [list(row) for row in rows])


def bold(suite: Suite, t1: pd.DataFrame, most: Family) -> str:
    """What bold means in T1, and whether any cell could be it."""
    text = (
        "**Bold**: not significantly worse than the best at that depth (paired by seed, exact "
        f"signed-rank test, p < {ALPHA:g} adjusted by Holm's method over all techniques of the "
        "depth); never merely the least."
    )
    if t1["bold"].any():
        return text
    if most.runs < FEWEST:
        return f"{text} None is: there are fewer than {FEWEST} runs a cell, n too small for a test."
    if not most.tests:
        return f"{text} None is: there is nothing to compare."
    needed = next(n for n in range(FEWEST, 100) if least_adjusted_p(most.tests, n) < ALPHA)
    return (
        f"{text} None is: {most.tests} comparisons of {most.runs} runs have an adjusted p of "
        f"{most.least:.2g} or more whatever the runs are, so that no technique could be told from "
        f"the best ({needed} seeds would do)."
    )


def claims_said(table: pd.DataFrame) -> str:
    """How many claims came to which verdict."""
    counts = table["verdict"].value_counts()
    return ", ".join(f"{counts[o.value]} {o.value}" for o in Outcome if o.value in counts)


def scores(
    suite: Suite,
    tables: Mapping[str, pd.DataFrame],
    trials: pd.DataFrame,
    parameters: Mapping[tuple[str, int], int | None],
) -> str:
    """A table of size, rate found, and validation beside test score of every cell, as Markdown."""
    rates = tables["T4-learning-rates"].query("chosen").set_index(["technique", "depth"])
    done = trials[(trials["role"] == "report") & trials["status"].isin(DONE)]
    valid = done.astype({"valid_error_pct": float}).groupby(["technique", "depth"])
    medians = valid["valid_error_pct"].median()
    times = tables["T5-time"].set_index(["technique", "depth"])

    def number(value: float | None, form: str) -> str:
        return "–" if value is None or pd.isna(value) else format(value, form)

    rows = []
    for row in tables["T1-test-error"].to_dict("records"):
        cell = (row["technique"], row["depth"])
        rate = rates.loc[cell] if cell in rates.index else None
        seconds = (
            times.loc[cell, ["seconds_train", "seconds_pretrain"]].astype(float).sum(skipna=False)
        )
        runs = f"{row['n']}"
        if row["n_diverged"] or row["n_missing"]:
            runs += f" ({row['n_diverged']} diverged, {row['n_missing']} missing)"
        rows.append(
            [
                *map(str, cell),
                number(parameters[cell], ",d"),
                "–" if rate is None else f"{rate['lr']:g}{'*' if rate['on_edge'] else ''}",
                number(medians.get(cell), ".1f"),
                number(row["test_error_pct"], ".1f"),
                runs,
                number(seconds, ".2f"),
            ]
        )
    header = ["technique", "hidden layers", "parameters", "learning rate", "validation error, %"]
    return markdown_table([*header, "test error, %", "runs", "seconds a run"], rows)
