"""What changed between two reports: settings, environment, and test errors with their significance.

Works on two report folders alone, of two versions of the program or two machines, and trains
nothing. Runs of one seed share their draws, so cells are compared by differences within seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.problem import Problem

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05  # after Holm's correction over all cells
MARGIN = 1.0  # points of test error within which two cells count as equivalent


def add(commands) -> None:
    """The command, to the parsers of commands."""
    text = "Say what changed between two reports, and whether it matters."
    parser = commands.add_parser(
        "diff",
        help=text,
        description=f"{text} Test errors are B - A in points, paired by seed: median, the interval "
        "of the median, the exact signed-rank p with Holm's correction over all cells, and the p "
        f"of two one-sided t-tests that the mean is within {MARGIN:g} point of 0 (not corrected).",
        epilog=f"Exit codes: 0 no cell differs, 1 one does (corrected p < {ALPHA:g}), 2 bad input. "
        "0 does not show that all are alike: what cannot be told, and cells of fewer than 6 seeds "
        "that both have, are counted in the last line.",
    )
    for name in "AB":
        parser.add_argument(
            f"report_{name.lower()}",
            metavar=f"REPORT_{name}",
            type=Path,
            help="folder of a report, such as reports/depth",
        )
    parser.set_defaults(command=_diff)


def _diff(options: argparse.Namespace) -> int:
    from benchmarks.progress import say

    lines, differ = compared(read(options.report_a), read(options.report_b))
    say("\n".join(lines))
    return 1 if differ else 0


@dataclass(frozen=True)
class Report:
    """A report as its folder has it."""

    folder: Path
    settings: Mapping[str, object]  # suite.json
    trials: pd.DataFrame  # data/trials.csv
    records: Mapping[str, dict]  # key -> status, config, env, result


@dataclass(frozen=True)
class Cell:
    """One technique at one depth in both reports, over the seeds that both have."""

    technique: str
    depth: int
    trained: tuple[int, int]  # of n, in A and B
    lr: tuple[str, str]
    differences: tuple[float, ...]  # B - A, points of test error, by seed
    p: float | None  # exact signed-rank, corrected over all cells; None: n too small
    p_equivalent: float | None

    @property
    def verdict(self) -> str:
        """What the differences show."""
        if not any(self.differences):
            return "equal"
        if self.p is None:
            return "n too small"
        if self.p < ALPHA:
            return "differs"
        within = self.p_equivalent is not None and self.p_equivalent < ALPHA
        return "equivalent" if within else "cannot tell"


def read(folder: Path) -> Report:
    """A report's folder. Raises Problem where it is none, or is damaged."""
    import pandas as pd

    from benchmarks import store

    path = folder / "suite.json"
    try:
        settings = json.loads(path.read_bytes())
        flat = dict(_flat(settings["suite"]))
        path = folder / "data" / "trials.csv"
        trials = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"technique": str})
        columns = ["key", "technique", "depth", "lr", "seed", "role", "status"]
        trials[[*columns, "test_error_pct", "trained"]]  # those that are asked for below
        whole = trials["depth"].astype(int), trials["seed"].astype(int)
        trials = trials.assign(
            depth=whole[0], seed=whole[1], test_error_pct=trials["test_error_pct"].astype(float)
        )
    except FileNotFoundError:
        raise Problem(f"{folder}: no report: it has no {path.relative_to(folder)}") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Problem(f"{path}: not of a report ({str(error)[:100]})") from None
    archive = folder / "data" / "records.jsonl.gz"
    records = store.load_archive(archive, ("status", "config", "env", "result"))
    if not records or not flat:
        raise Problem(f"{folder}: no report: it has no records in {archive.name}")
    return Report(folder, settings, trials, records)


def compared(a: Report, b: Report) -> tuple[list[str], bool]:
    """What to print, and whether a cell differs.

    Raises Problem if the two have no cell and seed in common.
    """
    from benchmarks.markup import text_table

    cells = cells_of(a.trials, b.trials)
    if not cells:
        raise Problem(f"{a.folder} and {b.folder} have no finished run of the same cell and seed")
    lines = [f"A  {a.folder}", f"B  {b.folder}"]
    for heading, rows in (
        ("trials", _trials(a, b)),
        ("settings", _settings(a, b)),
        ("environment", _environment(a, b)),
    ):
        header = ["", "A", "B"]
        lines += ["", heading, text_table(header, rows) if rows else "no difference"]
    changed = [cell for cell in cells if cell.verdict != "equal"]
    lines += ["", "test error, points, B - A"]
    header = [
        "technique",
        "layers",
        "n",
        "trained",
        "lr",
        "median",
        "interval",
        "p",
        "p equiv.",
        "",
    ]
    lines.append(
        text_table(header, [_row(cell) for cell in changed]) if changed else "no difference"
    )
    counts = {}
    for cell in cells:
        counts[cell.verdict] = counts.get(cell.verdict, 0) + 1
    told = ", ".join(f"{counts[v]} {_PLURAL.get(v, v)}" for v in VERDICTS if v in counts)
    lines += ["", f"{len(cells)} cells: {told}"]
    return [_printable(line) for line in lines], "differs" in counts


VERDICTS = ("equal", "equivalent", "differs", "cannot tell", "n too small")
_PLURAL = {"differs": "differ"}


def cells_of(a: pd.DataFrame, b: pd.DataFrame) -> list[Cell]:
    """The cells that both have, in A's order, with every p corrected over all of them."""
    from benchmarks.statistics import equivalence, holm, paired_differences, signed_rank

    runs_a, runs_b = _finished(a), _finished(b)
    both = {}
    for cell, seeds in runs_a.items():
        shared = sorted(seeds.keys() & runs_b.get(cell, {}).keys())
        if shared:
            both[cell] = [(seeds[seed], runs_b[cell][seed]) for seed in shared]
    differences = {
        cell: paired_differences([r["error"] for _, r in pairs], [r["error"] for r, _ in pairs])
        for cell, pairs in both.items()
    }
    corrected = holm([signed_rank(d) for d in differences.values()])
    return [
        Cell(
            *cell,
            trained=tuple(sum(pair[i]["trained"] for pair in pairs) for i in (0, 1)),
            lr=tuple(", ".join(sorted({f"{p[i]['lr']:g}" for p in pairs})) for i in (0, 1)),
            differences=tuple(differences[cell]),
            p=p,
            p_equivalent=equivalence(differences[cell], -MARGIN, MARGIN),
        )
        for (cell, pairs), p in zip(both.items(), corrected, strict=True)
    ]


def _finished(trials: pd.DataFrame) -> dict[tuple[str, int], dict[int, dict]]:
    """Cell -> seed -> what a finished reporting run came to."""
    from benchmarks.store import DONE

    found: dict[tuple[str, int], dict[int, dict]] = {}
    done = trials[(trials["role"] == "report") & trials["status"].isin(DONE)]
    for row in done[done["test_error_pct"].notna()].to_dict("records"):
        found.setdefault((row["technique"], row["depth"]), {})[row["seed"]] = {
            "error": row["test_error_pct"],
            "trained": str(row["trained"]) == "True",
            "lr": float(row["lr"]),
        }
    return found


def _row(cell: Cell) -> list[str]:
    from benchmarks.statistics import median_interval

    found, n = median_interval(cell.differences), len(cell.differences)
    return [
        cell.technique,
        str(cell.depth),
        str(n),
        _change(*(str(k) for k in cell.trained)),
        _change(*cell.lr),
        f"{found.median:+.2f}",
        f"[{found.low:+.2f}, {found.high:+.2f}]",
        _p(cell.p),
        _p(cell.p_equivalent),
        cell.verdict,
    ]


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"


def _p(p: float | None) -> str:
    if p is None:
        return "–"
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _trials(a: Report, b: Report) -> list[list[str]]:
    """How many of each role came to which end, and whether the same trials gave the same."""
    counts = [r.trials.groupby(["role", "status"]).size().to_dict() for r in (a, b)]
    rows = [
        [f"{role} {status}", *(str(c.get((role, status), 0)) for c in counts)]
        for role, status in sorted(counts[0].keys() | counts[1].keys())
    ]
    keys = [set(r.trials["key"]) & r.records.keys() for r in (a, b)]
    shared = keys[0] & keys[1]
    other = sum(
        a.records[key]["status"] != b.records[key]["status"]
        or _numbers(a.records[key]) != _numbers(b.records[key])
        for key in shared
    )
    rows.append(["keys only here", *(str(len(own - shared)) for own in keys)])
    rows.append([f"of {len(shared)} common keys, with another result", "", str(other)])
    return rows


def _numbers(record: dict) -> dict:
    """A record's result but for its times, which never repeat."""
    result = record.get("result") or {}
    return {name: value for name, value in result.items() if "seconds" not in name}


def _settings(a: Report, b: Report) -> list[list[str]]:
    """What the two suites, and the recipes of one name in both, say differently."""
    rows = []
    flat = [dict(_flat(dict(r.settings))) for r in (a, b)]
    rows += _unlike(*flat)
    configs = [_recipes(r) for r in (a, b)]
    for technique in configs[0].keys() & configs[1].keys():
        flat = [dict(_flat(config[technique])) for config in configs]
        rows += [[f"{technique}: {name}", *values] for name, *values in _unlike(*flat)]
    return sorted(rows)


def _recipes(report: Report) -> dict[str, dict]:
    """Technique -> what decides its numbers, but for what the suite says of all."""
    found = {}
    for key, technique in zip(report.trials["key"], report.trials["technique"], strict=True):
        if technique not in found and key in report.records:
            config = report.records[key]["config"]
            found[technique] = {
                name: config[name]
                for name in ("protocol", "revisions", "recipe", "dtype")
                if name in config
            }
            data = config.get("data")
            if isinstance(data, dict):
                found[technique]["data.sha256"] = data.get("sha256")
    return found


def _environment(a: Report, b: Report) -> list[list[str]]:
    """What the records say differently of where they were made."""
    values: list[dict[str, set[str]]] = [{}, {}]
    for into, report in zip(values, (a, b), strict=True):
        for key in set(report.trials["key"]) & report.records.keys():
            for field, value in report.records[key]["env"].items():
                if field != "started":
                    into.setdefault(field, set()).add(str(value))
    return _unlike(*({k: ", ".join(sorted(v)) for k, v in found.items()} for found in values))


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Nested tables as lines of path and value; a list is one value."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _flat(part, f"{path}.{name}" if path else str(name))
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)


def _unlike(a: Mapping[str, str], b: Mapping[str, str]) -> list[list[str]]:
    """Rows of what is not the same in both; of lists only what the other lacks."""
    rows = []
    for name in sorted(a.keys() | b.keys()):
        if a.get(name) != b.get(name):
            rows.append([name, *_shortened(a.get(name, "–"), b.get(name, "–"))])
    return rows


def _shortened(a: str, b: str) -> list[str]:
    """Two values, or of two lists what each has alone, at most 60 characters of it."""
    try:
        lists = json.loads(a), json.loads(b)
    except ValueError:
        lists = ()
    if len(lists) == 2 and all(isinstance(one, list) for one in lists):
        own = [[v for v in one if v not in other] for one, other in (lists, lists[::-1])]
        if any(own):
            a, b = (f"+ {', '.join(map(str, values))}" if values else "–" for values in own)
    return [text if len(text) <= 60 else f"{text[:57]}..." for text in (a, b)]


def _printable(line: str) -> str:
    """Without what would move the cursor or colour the terminal; a table has several lines."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in line)
