"""Runs the comparison, keeps what was measured, and writes ``reports/performance/`` from it."""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import pandas as pd

from benchmarks.environment import environment
from benchmarks.markup import markdown_page, markdown_table, text_table
from benchmarks.performance import figures
from benchmarks.performance.comparisons import (
    CASES,
    LIMIT,
    STACKS,
    bounds,
    comparisons,
    groups,
    growths,
    is_idle,
    label,
    ratios,
    seeds_on,
    seeds_text,
)
from benchmarks.performance.measure import (
    IDLE,
    IDLE_CORES,
    Laboratory,
    Measured,
    Timings,
    busy_share,
)
from benchmarks.problem import Problem
from benchmarks.progress import Progress, say
from benchmarks.store import write_atomically

FOLDER, DATA = "performance", "data/measurements.json"
PACKAGES = ["torch", "numpy", "scikit-learn", "keras", "jax", "jaxlib", "learnergy"]


def measure_all(repeats: int, cores: int) -> dict:
    """Time everything; what was measured and where, as plain data."""
    where = {
        **environment(),
        "cores": cores,
        "repeats": repeats,
        "busy_before": busy_share(),
        "load_before": os.getloadavg()[0],
        "packages": {name: _version(name) for name in PACKAGES},
    }
    if where["busy_before"] > IDLE:
        print(
            f"the machine is busy ({100 * where['busy_before']:.0f} % of its CPU time): "
            "rows measured while it is get no verdict",
            file=sys.stderr,
        )
    found: dict[str, Measured] = {}
    todo = groups(cores)
    progress = Progress("performance", [((g.name, 0), 1, 1.0) for g in todo], unit="groups")
    try:
        with Laboratory() as laboratory:
            for group in todo:
                found[group.name] = laboratory.measure(group, repeats)
                progress.advance((group.name, 0), 1, 1.0)
                for name, timings in found[group.name].timings.items():
                    if timings.failed is not None:
                        print(f"not measured: {name}: {timings.failed}", file=sys.stderr)
    finally:
        progress.close()
    where["load_after"] = os.getloadavg()[0]
    return {"environment": where, "groups": {name: asdict(m) for name, m in found.items()}}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def performance(reports: Path, repeats: int, cores: int) -> None:
    """Measure, write the report, and print the targets."""
    stored = measure_all(repeats, cores)
    text = json.dumps(stored, indent=1) + "\n"
    write_atomically(reports / FOLDER / DATA, text.encode())
    table = write_report(reports)
    say(f"{table}\nreport: {reports / FOLDER / 'README.md'}")


def write_report(reports: Path) -> str:
    """Write the report from what is stored; the table of targets as text.

    Raises Problem if what is stored cannot be read, or is of other comparisons than today's.
    """
    folder = reports / FOLDER
    try:
        stored = json.loads((folder / DATA).read_bytes())
        where = stored["environment"]
        measured = {
            name: Measured({c: Timings(**t) for c, t in group["timings"].items()}, group["others"])
            for name, group in stored["groups"].items()
        }
        cores = where["cores"]
        for group in groups(cores):
            absent = {c.name for c in group.contenders} - measured[group.name].timings.keys()
            if absent:
                raise KeyError(f"{group.name}: {sorted(absent)[0]}")
        rows = comparisons(cores)
        table = ratios(rows, measured, cores)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Problem(
            f"{folder / DATA}: cannot be read as measurements ({error}); 'make performance' "
            "measures again"
        ) from None
    at_best = bounds(rows, measured)
    header, targets = _targets(table, at_best)
    readme = markdown_page(
        "performance.md.j2",
        where=where,
        idle=IDLE,
        idle_cores=IDLE_CORES,
        keras=_keras(table),
        seeds=seeds_text(cores),
        verdict=_verdict(table),
        targets=markdown_table(header, targets),
        limits=markdown_table(*_limits(measured)),
        one_core=markdown_table(*_one_core(table)),
        whole_machine=markdown_table(*_whole_machine(table, cores)),
        pretraining=markdown_table(*_list(table, ("RBM", "greedy"))),
        runner=markdown_table(
            *_list(table, ("runner", f"{cores} workers", f"{seeds_on(cores)[0]} processes"))
        ),
        times=markdown_table(*_times(measured)),
        failed=_failed(measured),
        provenance=markdown_table(["", ""], _provenance(where, measured)),
    )
    files = {
        "README.md": readme,
        "ratios.csv": _csv(table),
        "timings.csv": _csv(timings_table(measured)),
        "figures/P1-rates.svg": figures.rates_on_one_core(measured),
        "figures/P2-growth.svg": figures.costs_grow(growths(cores), measured),
    }
    for name, content in files.items():
        write_atomically(folder / name, content)
    return text_table(header, targets)


def timings_table(measured: Mapping[str, Measured]) -> pd.DataFrame:
    """One row a contender: seconds of one job, and work done in a second."""
    rows = []
    for group, seen in measured.items():
        for name, timings in seen.timings.items():
            row = {"group": group, "contender": name, "repeats": len(timings.wall)}
            for clock in ("wall", "cpu"):
                each = [s / timings.times for s in getattr(timings, clock)]
                row |= {
                    f"{clock}_seconds": statistics.median(each) if each else None,
                    f"{clock}_low": min(each, default=None),
                    f"{clock}_high": max(each, default=None),
                }
            row["work_per_second"] = figures.rate(timings)
            row["others_share"] = round(seen.others, 4)
            row["failed"] = timings.failed
            rows.append(row)
    return pd.DataFrame(rows)


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n", float_format="%.6g").encode()


def _number(value: float | None) -> str:
    if value is None or pd.isna(value):
        return "–"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _ratio_cell(row: pd.Series) -> str:
    if pd.isna(row["ratio"]):
        return "–"
    return f"{_number(row['ratio'])} [{_number(row['low'])}, {_number(row['high'])}]"


def _targets(table: pd.DataFrame, at_best: list[float | None]) -> tuple[list[str], list[list[str]]]:
    header = ["what", "against", "ratio", "target", "met", "by products alone"]
    rows = []
    for (_, row), best in zip(table.iterrows(), at_best, strict=True):
        if row["target"]:
            met = row["met"] or ("not measured" if pd.isna(row["ratio"]) else "machine busy")
            rows.append(
                [row["what"], row["against"], _ratio_cell(row), row["target"], met, _number(best)]
            )
    return header, rows


def _verdict(table: pd.DataFrame) -> str:
    aimed = table[table["target"] != ""]
    met, missed = (aimed["met"] == "yes").sum(), (aimed["met"] == "no").sum()
    text = f"{met} of {len(aimed)} targets met, {missed} missed"
    rest = len(aimed) - met - missed
    return text + (f", {rest} without a verdict" if rest else "")


def _limits(measured: Mapping[str, Measured]) -> tuple[list[str], list[list[str]]]:
    header = ["GFLOP/s", "large product", "NumPy's", "XLA's"]
    names = [LIMIT, "large product, NumPy", "large product, XLA"]
    for runs in STACKS:
        header += [f"products, {runs}", f"step, {runs}"]
        names += [f"products of {runs}", f"stack of {runs}"]
    header.append("autograd, 10")
    names.append("autograd, stack of 10")
    rows = []
    for case in CASES:
        timings = measured[f"step {label(case)}"].timings
        rates = [figures.rate(timings[name]) for name in names]
        rows.append([label(case), *("–" if r is None else f"{r / 1e9:.0f}" for r in rates)])
    return header, rows


def _grid(
    table: pd.DataFrame, whats: dict[str, str], againsts: dict[str, str], corner: str
) -> tuple[list[str], list[list[str]]]:
    """Ratios as a grid; keys are as in the table, values as shown."""
    cells = {(row["what"], row["against"]): _ratio_cell(row) for _, row in table.iterrows()}
    rows = [
        [text, *(cells.get((what, against), "–") for against in againsts)]
        for what, text in whats.items()
    ]
    return [corner, *againsts.values()], rows


def _one_core(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    whats = {f"training step {label(case)}, stack of 10, one core": label(case) for case in CASES}
    againsts = {
        "the readable step, by autograd": "autograd",
        "Module + DataLoader, one thread": "Module + DataLoader",
        "Module without loader, one thread": "Module alone",
        "torch.func.vmap, 10 runs, one thread": "torch.func.vmap",
        "Keras on JAX, one core": "Keras on JAX",
        "scikit-learn MLPClassifier, one thread": "scikit-learn",
    }
    return _grid(table, whats, againsts, "one core, stack of 10")


def _keras(table: pd.DataFrame) -> str:
    """In how many cases one core trains more with Keras than with this program."""
    rows = table[table["against"] == "Keras on JAX, one core"]
    there = rows[rows["ratio"].notna()]
    faster = int((there["ratio"] < 1).sum())
    return f"Keras on JAX is the faster in {faster} of {len(there)} cases"


def _whole_machine(table: pd.DataFrame, cores: int) -> tuple[list[str], list[list[str]]]:
    whats = {}
    for case in CASES:
        start = f"{seeds_text(cores)} of {label(case)}"
        whats[f"{start}, training, whole machine"] = f"{label(case)}, training"
        whats[f"{start}, whole trials, whole machine"] = f"{label(case)}, trials"
    againsts = {}
    for name in ("Module + DataLoader", "Module alone"):
        againsts[f"{name}, best number of threads"] = f"{name}, best threads"
        if cores > 1:
            againsts[f"{name}, {cores} processes"] = f"{name}, {cores} processes"
    againsts["Module alone, one thread"] = "Module alone, one thread"
    againsts[f"Keras on JAX, {cores} processes"] = f"Keras on JAX, {cores} processes"
    return _grid(table, whats, againsts, f"{seeds_text(cores)}, whole machine")


def _list(table: pd.DataFrame, starts: tuple[str, ...]) -> tuple[list[str], list[list[str]]]:
    shown = table[table["what"].str.startswith(starts)]
    rows = [[row["what"], row["against"], _ratio_cell(row)] for _, row in shown.iterrows()]
    return ["what", "against", "ratio"], rows


def _times(measured: Mapping[str, Measured]) -> tuple[list[str], list[list[str]]]:
    """Milliseconds of an update of one run, wall and CPU, by the work that was done."""
    from benchmarks.performance.ours import step_operations

    names = {
        "stack of 1": "stack of 1",
        "stack of 10": "stack of 10",
        "stack of 30": "stack of 30",
        "whole machine": "whole machine",
        "Module + DataLoader, 1 thread": "Module + DataLoader",
        "vmap of 10": "vmap of 10",
        "Keras on JAX": "Keras on JAX",
        "scikit-learn": "scikit-learn",
    }
    rows = []
    for case in CASES:
        cells = []
        for name in names:
            timings = measured[f"step {label(case)}"].timings[name]
            if not timings.wall:
                cells.append("–")
                continue
            updates = timings.work / step_operations(*case)
            wall, cpu = (
                1e3 * statistics.median(seconds) / updates
                for seconds in (timings.wall, timings.cpu)
            )
            cells.append(f"{wall:.3g} ({cpu:.3g})")
        rows.append([label(case), *cells])
    return ["ms an update and run: wall (CPU)", *names.values()], rows


def _failed(measured: Mapping[str, Measured]) -> list[str]:
    failed = {
        f"{name}: {timings.failed}"
        for seen in measured.values()
        for name, timings in seen.timings.items()
        if timings.failed is not None
    }
    return sorted(failed)


def _provenance(where: Mapping, measured: Mapping[str, Measured]) -> list[list[str]]:
    shares = {name: seen.others for name, seen in measured.items()}
    most = max(shares, key=shares.get)
    busy = [name for name, seen in measured.items() if not is_idle(seen, where["cores"])]
    rows = {
        "measured": where["started"],
        "machine": f"{where['cpu']}, {where['cores']} cores, {where['system']}, "
        f"torch uses {where['cpu_capability']}",
        "Python": where["python"],
        "packages": ", ".join(f"{name} {version}" for name, version in where["packages"].items()),
        "commit": f"{where['commit']}{', with local changes' if where['dirty'] else ''}",
        "busy before": f"{100 * where['busy_before']:.1f} % of the machine, load "
        f"{where['load_before']:.2f}",
        "used by others meanwhile": f"{100 * statistics.median(shares.values()):.1f} % of the "
        f"machine's CPU time (median of the groups), {100 * shares[most]:.1f} % at most ({most})",
        "groups without a verdict": ", ".join(busy) or "none",
        "repeats": str(where["repeats"]),
    }
    return [[name, value] for name, value in rows.items()]
