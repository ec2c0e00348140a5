"""What makes a report citable: its id, BibTeX, results as JSON, checksums; and one cell of it.

A report's id is the suite's name with the first digits of the SHA-256 of its archive of trials:
the same id is the same trials. ``cite`` reads what is committed, and needs no trials.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from benchmarks.grids import ALL
from benchmarks.markup import Grid, latex
from benchmarks.problem import Problem
from benchmarks.prose import VERSION
from benchmarks.store import DONE
from benchmarks.suite import Suite
from benchmarks.tables import row_id
from benchmarks.trial import PROTOCOL

RESULTS = "results.json"
SCHEMA = 1  # of results.json, which results.schema.json describes


def about(suite: Suite, device: str, command: str, done: Sequence[dict], archive: bytes) -> dict:
    """What results.json says of a report as a whole; ``done`` are its finished records."""
    digest = hashlib.sha256(archive).hexdigest()
    return {
        "schema": SCHEMA,
        "report": f"{suite.name}-{digest[:8]}",
        "suite": suite.name,
        "title": suite.title,
        "baseline": suite.recipes[0],
        "version": VERSION,
        "protocol": PROTOCOL,
        "scale": "reduced",
        "device": device,
        "command": command,
        "archive_sha256": digest,
        "commits": sorted({r["env"]["commit"] for r in done if r["env"].get("commit")}),
        "newest_trial": max(r["env"]["started"] for r in done),
        "data": {
            "name": suite.data.name,
            "n_train": suite.data.n_train,
            "n_valid": suite.data.n_valid,
            "n_test": done[0]["result"]["n_test"],
            "sha256": done[0]["config"]["data"]["sha256"],
        },
    }


def results_json(
    said: Mapping, frame: pd.DataFrame, tables: Mapping[str, pd.DataFrame], grids: Iterable[Grid]
) -> bytes:
    """Every cell's numbers, every claim's verdict, and all that the tables print."""
    report = said["suite"]
    counts = frame["status"].value_counts()
    printed: dict[str, list] = {}
    for grid in grids:
        rows = {
            name: dict(zip(grid.columns, texts, strict=True)) for name, texts in grid.rows.items()
        }
        printed.setdefault(grid.table, []).append(
            {"name": grid.name, "caption": grid.caption, "cells": rows}
        )
    t8 = _indexed(tables["T8-cost-to-target"])
    t9 = _indexed(tables["T9-pairwise"])
    t4 = _indexed(tables["T4-learning-rates"].query("chosen"))
    cells = []
    for row in tables["T1-test-error"].to_dict("records"):
        cell = (row["technique"], row["depth"])
        rate = t4.get(cell, {})
        cells.append(
            {
                "row": row_id(*cell[:1], report, cell[1]),
                "technique": cell[0],
                "depth": cell[1],
                "lr": rate.get("lr"),
                "lr_on_edge": rate.get("on_edge"),
                **{name: row[name] for name in ("n", "n_trained", "n_diverged", "n_missing")},
                "test_error_pct": _interval(row, "test_error_pct", ""),
                "test_error_last_pct": row["test_error_last_pct"],
                "train_error_pct": row["train_error_pct"],
                "gradients_to_target": _interval(t8[cell], "gradients", "gradients_"),
                "updates_to_target": _interval(t8[cell], "updates", "updates_"),
                "n_reached": t8[cell]["n_reached"],
                "points_saved": _interval(t9.get(cell, {}), "saved_points", ""),
                "p_holm": t9.get(cell, {}).get("p_holm"),
            }
        )
    content = {
        **said,
        "trials": {s: int(counts.get(s, 0)) for s in (*DONE, "crashed", "missing")},
        "cells": cells,
        "claims": tables.get("T10-claims", pd.DataFrame()).to_dict("records"),
        "tables": printed,
    }
    return _lines(_plain(content)).encode()


def _lines(content: Mapping) -> str:
    """JSON with a field a line, of a list of objects an object a line: small, and to be diffed."""

    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    fields = []
    for name, value in content.items():
        said = text(value)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            said = "[\n" + ",\n".join(map(text, value)) + "\n]"
        fields.append(f"{text(name)}: {said}")
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _indexed(table: pd.DataFrame) -> dict[tuple[str, int], dict]:
    return {(row["technique"], row["depth"]): row for row in table.to_dict("records")}


def _interval(row: Mapping, value: str, prefix: str) -> dict | None:
    """Value and interval, None where there is no result."""
    if pd.isna(row.get(value)):
        return None
    return {
        "median": row[value],
        "low": row[f"{prefix}low"],
        "high": row[f"{prefix}high"],
        "coverage": row["coverage"],
    }


def _plain(content: object) -> object:
    """As JSON has it: what is missing is null, and infinity, "never", a word."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_plain(value) for value in content]
    if content is None or (not isinstance(content, str) and pd.isna(content)):
        return None
    if isinstance(content, float) and math.isinf(content):
        return "never"
    return content.item() if hasattr(content, "item") else content


def bibtex(said: Mapping, cell: str = "") -> str:
    """An entry that cites a report, or one cell of it."""
    n = said["trials"]["ok"] + said["trials"]["diverged"]
    notes = [
        f"report {said['report']}, protocol {said['protocol']}",
        *([cell] if cell else []),
        f"{n} trials, newest {said['newest_trial']}",
        f"commit {', '.join(c[:12] for c in said['commits'][:3]) or 'not recorded'}"
        + (f" and {len(said['commits']) - 3} more" if len(said["commits"]) > 3 else ""),
        f"SHA-256 of data/records.jsonl.gz {said['archive_sha256']}",
    ]
    title = latex(f"Layer by Layer, report {said['suite']}: {said['title']}")
    return (
        f"@misc{{layerbylayer-{said['report']},\n"
        "  author = {{The Layer by Layer maintainers}},\n"
        f"  title = {{{{{title}}}}},\n"
        f"  year = {{{said['newest_trial'][:4]}}},\n"
        f"  version = {{{said['version']}}},\n"
        f"  note = {{{latex('; '.join(notes))}}},\n"
        "}\n"
    )


def manifest(files: Mapping[str, bytes]) -> bytes:
    """Checksums that ``sha256sum --check`` reads."""
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    return "".join(lines).encode()


# ---- one cell --------------------------------------------------------------------------------


def cite(reports: Path, report: str, table: str, row: str, depth: int | None) -> str:
    """A cell with its interval, n, the keys of its runs, and an entry to cite it by.

    Raises Problem, in one line, for what is not there, with what is.
    """
    said = _read(reports, report)
    grids = said["tables"].get(table)
    if grids is None:
        raise Problem(f"table: {table!r} is not in report {report}; allowed: "
                      f"{', '.join(said['tables'])}")  # fmt: skip
    if not any(row in grid["cells"] for grid in grids):
        known = list(grids[0]["cells"])
        near = ", ".join(get_close_matches(row, known, n=5, cutoff=0))
        more = f" and {len(known) - 5} more" if len(known) > 5 else ""
        raise Problem(f"--row: {row!r} is not in {table} of report {report}; allowed: {near}{more}")
    cells = {
        key: (text, grid["caption"])
        for grid in grids
        for key, text in grid["cells"].get(row, {}).items()
    }
    key = _column(report, table, row, depth, cells)
    name = row_id(row, report, depth)
    at = [k for k in cells if k == key or (depth is not None and k.startswith(f"{key}-"))]
    values = _values(reports / report, table, name)
    keys = _runs(said, reports / report, table, row, depth)
    lines = [f"report  {said['report']}", f"row     {table} {name}"]
    for found in at:
        lines.append(f"cell    {found}: {cells[found][0]}\n        {cells[found][1]}")
    lines += [f"values  {text}" for text in values]
    lines.append(f"runs    {len(keys)}{': ' if keys else ''}{' '.join(keys)}")
    whole = f"table {table}, row {name}: {cells[at[0]][0]}"
    return "\n".join([*lines, "", bibtex(said, whole)])


def _read(reports: Path, report: str) -> dict:
    known = sorted(path.parent.name for path in reports.glob(f"*/{RESULTS}"))
    if report not in known:
        raise Problem(
            f"report {report!r}: not in {reports}; allowed: {', '.join(known) or 'none yet'}; "
            f"'make compare SUITE={report}' writes it"
        )
    path = reports / report / RESULTS
    try:
        said = json.loads(path.read_bytes())
        if said["schema"] != SCHEMA:
            raise ValueError(f"schema {said['schema']}, and {SCHEMA} is known")
        return said
    except (ValueError, KeyError, TypeError) as error:
        raise Problem(f"{path}: damaged ({error}); 'make reports' writes it again") from None


def _column(
    report: str, table: str, row: str, depth: int | None, cells: Mapping[str, tuple[str, str]]
) -> str:
    """Key of the cell's column, once it is known to be there."""
    depths = [key[1:] for key, (text, _) in cells.items() if key[1:].isdigit() and text != "–"]
    if depth is None:
        if ALL not in cells:
            raise Problem(f"--depth: {table} needs one; allowed: {', '.join(depths)}")
        return ALL
    if str(depth) not in depths:
        allowed = f"allowed: {', '.join(depths)}" if depths else "leave it out"
        raise Problem(f"--depth: {depth} is not in row {row!r} of {table} of report {report}; "
                      f"{allowed}")  # fmt: skip
    return f"d{depth}"


def _values(folder: Path, table: str, name: str) -> list[str]:
    """The lines of the table's CSV files of this row, as column and value."""
    found = []
    for path in sorted(folder.glob(f"tables/{table}-*.csv")):
        # as text: a citation has the digits of the file
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        mine = rows[(rows["row"] == name) | rows["row"].str.startswith(f"{name}/lr")
                    | (rows["row"] == f"{name}/test_error_pct/main")]  # fmt: skip
        for line in mine.to_dict("records"):
            found.append(", ".join(f"{k} {v}" for k, v in line.items() if v and k != "row"))
    return found


def _runs(said: Mapping, folder: Path, table: str, row: str, depth: int | None) -> list[str]:
    """Keys of the runs behind a cell: T4 comes from tuning, all else from reporting runs."""
    trials = pd.read_csv(folder / "data" / "trials.csv")
    role = "tune" if table == "T4" else "report"
    trials = trials[(trials["role"] == role) & trials["status"].isin(DONE)]
    if table == "T6":  # an effect is of all combinations
        return trials[trials["depth"] == depth]["key"].tolist()
    mine = [row_id(row, said["suite"], depth)]
    if table == "T9":  # and of what it is compared with
        mine.append(row_id(said["baseline"], said["suite"], depth))
    if table == "T10":
        claims = {f"{claim['paper']}:{claim['claim']}": claim for claim in said["claims"]}
        mine = claims[row]["cells"].split()
    names = [
        {row_id(technique, said["suite"]), row_id(technique, said["suite"], at)}
        for technique, at in zip(trials["technique"], trials["depth"], strict=True)
    ]
    return trials[[not found.isdisjoint(mine) for found in names]]["key"].tolist()
