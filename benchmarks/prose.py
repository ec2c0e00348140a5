"""What a report says in words about its trials, all of it counted from records and tables."""

from __future__ import annotations

import pandas as pd

from benchmarks.markup import markdown, markdown_table
from benchmarks.suite import Suite
from benchmarks.trial import PROTOCOL

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


def bibtex(suite: Suite, done: list[dict]) -> str:
    """An entry that cites this report."""
    newest = max(r["env"]["started"] for r in done)
    note = f"Version {VERSION}, protocol {PROTOCOL}, {len(done)} trials, newest {newest}"
    return (
        f"@misc{{layerbylayer-{suite.name},\n"
        "  author = {{The Layer by Layer maintainers}},\n"
        f"  title = {{Layer by Layer: report {suite.name}}},\n"
        f"  year = {{{newest[:4]}}},\n"
        f"  note = {{{note}}},\n"
        "}"
    )
