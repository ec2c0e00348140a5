"""The papers' pages: what each printed beside ours, with a verdict, written from kept records.

``reports/papers/<key>/`` has the claims with their verdicts and the measured cells of one paper;
``reports/papers.md`` and ``papers.csv`` have the claims of all. Pages are there for a browser, too.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks import claims, paper_figures, store, sweeps, webpage
from benchmarks.claims import Paper
from benchmarks.experiment import Experiment, experiments
from benchmarks.markup import filled, markdown, markdown_page, markdown_table
from benchmarks.metrics import METRICS, Results
from benchmarks.references import OF_CLAIMS, PATH, references
from benchmarks.statistics import median_interval, wilson_interval
from benchmarks.sweeps import SCALES, Sweep
from benchmarks.verdicts import Outcome, Verdict, last_changed, verdicts

FOLDER = "papers"
COLUMNS = ("paper", "claim", "where", "kind", "published", "verified", "ours", "low", "high", "n",
           "scale", "verdict")  # fmt: skip
NOT_RUN = "(not run)"
SHARE = "share of runs"  # unit of what is 0 or 1 of a run
SHOWN = ("test_error_pct", "train_error_pct", "trained")  # of a suite, besides what claims use


def judged(paper: Paper, reports: Path) -> tuple[list[Verdict], dict[str, Results]]:
    """The verdict on each claim, and the results that were there to go by.

    Also those of the paper's sweeps that no claim is about, which its discussion can cite.
    """
    own = {name for name, sweep in sweeps.by_name().items() if sweep.paper == paper.key}
    names = sorted({claim.suite for claim in paper.claims} | own)
    found = {name: sweeps.results_from(sweeps.by_name()[name], reports) for name in names}
    there = {name: results for name, results in found.items() if results is not None}
    return verdicts(paper, there, last_changed(paper.path)), there


def write_report(key: str, reports: Path) -> None:
    """``reports/papers/<key>/``: README.md, report.html, claims.csv and cells.csv."""
    paper = claims.read(key)
    found, results = judged(paper, reports)
    own = [s for scale in SCALES for s in sweeps.of_paper(key, scale)]
    cells = {name: _cells(name, there, paper) for name, there in results.items()}
    discussion = _discussion_of(paper)
    words = {
        "key": key,
        "reference": references(PATH, OF_CLAIMS)[key],
        "claims": _claims_table(found),
        "verdicts": found,
        "counts": counted(found),
        "cells": {name: _cells_table(table) for name, table in cells.items()},
        "sweeps": {s.name: _said(s) for s in own},
        "borrowed": _borrowed(paper),
        "missing": _missing(own, reports),
        "discussion": _discussed(discussion, results) if discussion.exists() else "",
    }
    folder = reports / FOLDER / key
    store.prepare_folder(folder)
    readme = markdown_page("paper.md.j2", **words)
    store.write_atomically(folder / "README.md", readme)
    store.write_atomically(folder / "report.html", _for_browsers(readme, {}))
    store.write_atomically(folder / "claims.csv", _csv(_row(key, v) for v in found))
    table = pd.concat(cells.values()) if cells else pd.DataFrame()
    text = table.to_csv(index=False, lineterminator="\n")
    store.write_atomically(folder / "cells.csv", text.encode())


def write_overview(reports: Path) -> None:
    """``reports/papers.md``, its two pictures, ``papers.html`` and ``papers.csv``: all claims."""
    works = references(PATH, OF_CLAIMS)
    by_paper = {key: judged(claims.read(key), reports)[0] for key in claims.names()}
    outcomes = [v for found in by_paper.values() for v in found]
    of_papers = [s for s in sweeps.by_name().values() if s.paper]
    words = {
        "sections": [(key, works[key], _claims_table(v)) for key, v in by_paper.items()],
        "counted": _counted_table(outcomes),
        "counts": [(key, works[key], counted(v)) for key, v in by_paper.items()],
        "n": len(outcomes),
        "n_papers": len(by_paper),
        "left": _missing(sorted(of_papers, key=sweeps.hours), reports),
        "contrary": {key: left for key, found in by_paper.items() if (left := _contrary(found))},
        "discussed": {key for key in by_paper if _discussion_of(claims.read(key)).exists()},
    }
    store.prepare_folder(reports / FOLDER)
    drawn = {f"{FOLDER}/verdicts.svg": paper_figures.verdict_map(by_paper)}
    if any(map(paper_figures.was_measured, outcomes)):
        drawn[f"{FOLDER}/numbers.svg"] = paper_figures.distances(by_paper)
    for name, picture in drawn.items():
        store.write_atomically(reports / name, picture)
    overview = markdown_page("papers.md.j2", drawn=set(drawn), **words)
    store.write_atomically(reports / "papers.md", overview)
    store.write_atomically(reports / "papers.html", _for_browsers(overview, drawn))
    rows = (_row(key, v) for key, found in by_paper.items() for v in found)
    store.write_atomically(reports / "papers.csv", _csv(rows))


def _for_browsers(page: bytes, figures: Mapping[str, bytes]) -> bytes:
    """The same as a web page, which leads to the web pages of other reports."""
    return webpage.page(page.decode().replace("/README.md", "/report.html"), figures)


@dataclass(frozen=True)
class _Missing:
    """What has not been run of a sweep; hours of one core for the whole of it, roughly."""

    sweep: Sweep
    trials: int
    of: int
    hours: str


def _missing(among: Iterable[Sweep], reports: Path) -> dict[str, _Missing]:
    """Sweeps with trials that are not archived, by name."""
    found = (
        _Missing(
            s, sweeps.n_missing(s, reports), sweeps.n_trials(s), sweeps.roughly(sweeps.hours(s))
        )
        for s in among
    )
    return {missing.sweep.name: missing for missing in found if missing.trials}


def _borrowed(paper: Paper) -> dict[str, str]:
    """Where the protocols of suites are told that claims are about and this paper does not own."""
    used = {claim.suite: sweeps.by_name()[claim.suite].paper for claim in paper.claims}
    return {
        name: f"../{owner}/README.md#protocols" if owner else f"../../{name}/README.md"
        for name, owner in used.items()
        if owner != paper.key
    }


def _discussion_of(paper: Paper) -> Path:
    return paper.path.with_suffix(".md")


def _contrary(found: Iterable[Verdict]) -> list[Verdict]:
    return [v for v in found if v.outcome in (Outcome.NOT_REPRODUCED, Outcome.INCONCLUSIVE)]


def write_all(reports: Path) -> None:
    """Every paper's report, and the overview."""
    for key in claims.names():
        write_report(key, reports)
    write_overview(reports)


def _discussed(path: Path, results: Mapping[str, Results]) -> str:
    """A paper's discussion; ``{{ cell(suite, recipe, depth, metric) }}`` is a measured figure."""

    def cell(name: str, technique: str, depth: int, metric: str) -> str:
        if name not in results:
            return NOT_RUN
        measure = claims.metric(name, metric)
        values = measure.by_seed(results[name].of(technique, [depth])).dropna()
        return _digits(*_level(measure.unit, values.tolist())) if len(values) else NOT_RUN

    text = filled(path.read_text(encoding="utf-8"), cell=cell)
    return text.replace(f"{NOT_RUN} %", NOT_RUN)


def _cells(name: str, results: Results, paper: Paper) -> pd.DataFrame:
    """One row a cell and metric: median over seeds and its interval."""
    if name in experiments():
        metrics = list(experiments()[name].quantities)
    else:
        used = {c.metric for c in paper.claims if c.suite == name}
        metrics = [m for m in METRICS if m in used or m in SHOWN]
    cells = dict.fromkeys(zip(results.trials["technique"], results.trials["depth"], strict=True))
    if sweeps.by_name()[name].paper != paper.key:  # a suite with much else in it
        claimed = {(c.recipe, c.depth) for claim in paper.claims for c in claim.cells.values()}
        cells = [cell for cell in cells if cell in claimed]
    rows = []
    for technique, depth in cells:
        own = results.of(technique, [depth])
        for metric in metrics:
            if own.trials.empty or metric == "depth_reached":
                continue
            values = claims.metric(name, metric).by_seed(own).dropna().astype(float)
            row = {"suite": name, "technique": technique, "depth": depth, "metric": metric}
            row |= {"unit": claims.metric(name, metric).unit, "n": len(values)}
            row["n_diverged"] = int((own.trials["status"] == "diverged").sum())
            if len(values):
                middle, low, high = _level(row["unit"], values.tolist())
                row |= {"median": middle, "low": low, "high": high}
            rows.append(row)
    columns = ["suite", "technique", "depth", "metric", "unit", "n", "n_diverged", "median", "low",
               "high"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _cells_table(cells: pd.DataFrame) -> str:
    """The same, a column a metric."""
    metrics = list(dict.fromkeys(cells["metric"]))
    units = dict(zip(cells["metric"], cells["unit"], strict=True))
    rows = []
    for (technique, depth), group in cells.groupby(["technique", "depth"], sort=False):
        by = group.set_index("metric")
        diverged = int(by["n_diverged"].max())
        n = f"{by['n'].max()}" + (f" ({diverged} diverged)" if diverged else "")
        texts = [_range(by.loc[m]) if m in by.index and by.loc[m, "n"] else "–" for m in metrics]
        rows.append([technique, str(depth), n, *texts])
    return markdown_table(["", "depth", "n", *(f"{m}, {units[m]}" for m in metrics)], rows)


def _claims_table(found: Iterable[Verdict]) -> str:
    rows = []
    for v in found:
        mark = "" if v.claim.verified == "text" else f" ({v.claim.verified})"
        printed = (
            "–" if v.claim.published is None else f"{v.claim.published:g} {v.claim.unit}{mark}"
        )
        ours = "–" if v.ours is None else f"{_digits(v.ours, v.low, v.high)} {v.unit}"
        if v.ours is not None and _scaled_down(v):
            ours += " (reduced)"
        rows.append([v.claim.id, v.outcome.value, printed, ours, str(v.n), sweeps.scale_of(v),
                     v.claim.kind, v.claim.where])  # fmt: skip
    header = ["claim", "verdict", "published", "ours", "n", "scale", "kind", "where"]
    return markdown_table(header, rows, prose=("verdict", "scale", "kind", "where"))


def _level(unit: str, values: list[float]) -> tuple[float, float | None, float | None]:
    """The median with its interval; of zeros and ones the share."""
    if unit == SHARE:
        share = wilson_interval(int(sum(values)), len(values))
        return share.share, share.low, share.high
    found = median_interval(values)
    return found.median, found.low, found.high


def _range(row: pd.Series) -> str:
    return _digits(row["median"], row["low"], row["high"])


def _digits(middle: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{middle:.4g}"
    return f"{middle:.4g} [{low:.4g}, {high:.4g}]"


def counted(found: Iterable[Verdict]) -> dict[str, int]:
    """How many verdicts of each outcome, by its name."""
    counts = Counter(v.outcome for v in found)
    return {outcome.value: counts[outcome] for outcome in Outcome}


def _counted_table(found: list[Verdict]) -> str:
    rows = {scale: counted(v for v in found if sweeps.scale_of(v) == scale) for scale in SCALES}
    rows["all"] = counted(found)
    texts = [[name, *map(str, counts.values())] for name, counts in rows.items()]
    return markdown_table(["scale", *(outcome.value for outcome in Outcome)], texts)


def _said(sweep: Sweep) -> list[str]:
    """Its settings in words, a line each."""
    if isinstance(sweep, Experiment):
        lines = [f"{sweep.title} ({sweep.scale} scale), {sweep.seeds} seeds"]
        lines += [f"depth: {sweep.depth_means}"]
        for name, settings in sweep.conditions.items():
            said = ", ".join(f"{k} {v}" for k, v in settings.items())
            lines.append(f"`{name}`: {markdown(said) or 'no settings'}")
        lines += [f"`{n}` ({q.unit}): {q.meaning}" for n, q in sweep.quantities.items()]
        return lines
    budget, data = sweep.budget, sweep.data
    rates = ", ".join(f"{lr:g}" for lr in sweep.tuning.lr)
    n = sweep.tuning.seeds
    steps = {r: getattr(sweep.recipe(r).optimisation, "scale", 1) for r in sweep.recipes}
    scaled = [f"{scale:g} times that for {name}" for name, scale in steps.items() if scale != 1]
    return [
        f"{sweep.title} ({sweep.scale} scale), {sweep.seeds} seeds",
        f"data {data.name}, {data.n_train} examples to train on and {data.n_valid} for validation",
        f"hidden layers {', '.join(map(str, sweep.widths or sweep.depths))}"
        + ("" if sweep.widths else f", of {sweep.width} units"),
        f"{budget.updates} updates, batches of {budget.batch_size}",
        f"learning rate {rates}"
        + (f", chosen by validation error of {n} more seed{'s' * (n > 1)}" if n else ", not tuned")
        + (f" (steps: {', '.join(scaled)})" if scaled else ""),
    ]  # fmt: skip


def _row(key: str, v: Verdict) -> list[object]:
    ours = [None, None, None, 0] if _scaled_down(v) else [v.ours, v.low, v.high, v.n]
    return [key, v.claim.id, v.claim.where, v.claim.kind, v.claim.published, v.claim.verified,
            *ours, sweeps.scale_of(v), v.outcome.value]  # fmt: skip


def _scaled_down(v: Verdict) -> bool:
    """Whether its trials are of reduced scale, and it is about the paper's own protocol."""
    return v.claim.scale == "paper" and sweeps.by_name()[v.claim.suite].scale != "paper"


def _csv(rows: Iterable[list[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode()
