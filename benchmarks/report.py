"""Writes a suite's report from its records: tables, figures and a README; trains nothing."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from benchmarks import (
    catalogue,
    cite,
    comparisons,
    figures,
    museum,
    paper_pages,
    portraits,
    store,
    sweeps,
    tables,
    trial_figures,
    webpage,
)
from benchmarks.archive import save_archive
from benchmarks.factorial import effects_table
from benchmarks.grids import grids_of
from benchmarks.markup import latex_macros, markdown_page, markdown_table, text_table
from benchmarks.metrics import results_of
from benchmarks.performance import report as performance
from benchmarks.plan import Cell, Choice
from benchmarks.probes import PROBE_EXAMPLES
from benchmarks.problem import Problem
from benchmarks.progress import say
from benchmarks.prose import (
    bold,
    claims_said,
    coverage,
    failures,
    provenance,
    recipes,
    scores,
    summary,
)
from benchmarks.run import archive_of, outcome
from benchmarks.suite import Suite, stored
from benchmarks.trial import TRAINED_BELOW, Trial, is_current


def write_report(suite: Suite, device: str, command: str, results: Path, reports: Path) -> None:
    """Write ``reports/<suite>/`` from the store and the archive, and print the headline table.

    ``command`` is what makes the same again, for the report to say. Raises Problem if there is no
    finished trial.
    """
    if suite.paper is not None:
        raise Problem(
            f"suite {suite.name}: 'make reproduce PAPER={suite.paper}' writes its paper's report"
        )
    trials, choices, records = outcome(suite, device=device, results=results, reports=reports)
    for trial in trials:
        record = records.get(trial.key, {})
        if record.get("status") == "crashed":
            print(
                f"crashed: {trial.technique}, depth {trial.depth}, lr {trial.lr:g}, "
                f"seed {trial.seed}: {record['error'].splitlines()[-1]}",
                file=sys.stderr,
            )
    if not any(record["status"] in store.DONE for record in records.values()):
        if records:
            return  # all of them crashed, as has been said: nothing to report of
        raise Problem(f"suite {suite.name}: no trial is stored in {results}; '{command}' runs it")
    store.prepare_folder(reports / suite.name)
    # records that still count stay in the archive even if the suite no longer asks for them
    archive = archive_of(reports, suite)
    kept = {k: r for k, r in store.load_archive(archive).items() if is_current(r["config"])}
    save_archive(archive, (kept | records).values())
    settings = {"device": device, "command": command, "suite": suite.model_dump(mode="json")}
    text = json.dumps(settings, indent=1) + "\n"
    store.write_atomically(reports / suite.name / "suite.json", text.encode())
    headline = _write(suite, device, command, trials, choices, records, reports)
    say(f"{suite.title}\n\n{headline}\nreport: {_shown(reports / suite.name / 'README.md')}")


def take_portraits(suite: Suite, device: str, results: Path, reports: Path) -> None:
    """Train a few stored trials again and keep what a report's F12 and F13 are drawn from."""
    trials, _, records = outcome(suite, device=device, results=results, reports=reports)
    depth = figure_depth(
        suite, tables.test_error_table(suite, tables.trials_table(trials, records))
    )
    names = trial_figures.chosen(suite, HEADLINE_RECIPES)
    found = portraits.take_all(suite, trials, records, names, depth)
    portraits.save(reports / suite.name / portraits.FILE, found)


def write_all(reports: Path) -> None:
    """Write every report again from its own archive, and the table in the project's README.

    Raises Problem, after the others, naming the reports that were left as they are: those whose
    archive is damaged, or no longer has what the report was made of (because keys have changed).
    """
    if not reports.is_dir():
        raise Problem(f"{reports}: no such folder")
    left = []
    for settings in sorted(reports.glob("*/suite.json")):
        try:
            _write_again(settings, reports)
        except Problem as problem:
            left.append(str(problem))
        else:
            print(_shown(settings.parent), file=sys.stderr)
    if (reports / performance.FOLDER / performance.DATA).exists():
        try:
            performance.write_report(reports)
        except Problem as problem:
            left.append(str(problem))
        else:
            print(_shown(reports / performance.FOLDER), file=sys.stderr)
    _write_headline(reports)
    t1 = reports / catalogue.SUITE / "tables" / "T1-test-error.csv"
    page = catalogue.page(pd.read_csv(t1) if t1.exists() else None)
    store.write_atomically(reports / catalogue.PAGE, page.encode())
    paper_pages.write_all(reports)
    print(_shown(reports / "papers.md"), file=sys.stderr)
    try:
        print(_shown(museum.write(reports)), file=sys.stderr)
    except Problem as problem:
        left.append(str(problem))
    if left:
        raise Problem(f"left as they are: {'; '.join(dict.fromkeys(left))}")


def _write_again(settings: Path, reports: Path) -> None:
    suite, device, command = stored(settings)
    nowhere = settings.parent / "data"  # the archive is all that counts here
    trials, choices, records = outcome(suite, device=device, results=nowhere, reports=reports)
    try:
        before = pd.read_csv(settings.parent / "data" / "trials.csv")
    except (OSError, ValueError) as error:
        raise Problem(f"{settings.parent}: data/trials.csv cannot be read ({error})") from None
    was_done = set(before[before["status"].isin(store.DONE)]["key"])
    lost = was_done - {key for key, r in records.items() if r["status"] in store.DONE}
    if lost or not was_done:
        raise Problem(
            f"{settings.parent}: {len(lost)} of its {len(was_done)} trials are not in its archive "
            f"under their present keys; '{command}' trains them again"
        )
    _write(suite, device, command, trials, choices, records, reports)


def _write(
    suite: Suite,
    device: str,
    command: str,
    trials: list[Trial],
    choices: Mapping[Cell, Choice],
    records: Mapping[str, dict],
    reports: Path,
) -> str:
    """All files of a report but its archive and settings; the headline table as text."""
    folder = reports / suite.name
    frame = tables.trials_table(trials, records)
    curves, layers = tables.curves_table(trials, records), tables.layers_table(trials, records)
    done = [r for r in records.values() if r["status"] in store.DONE]
    made = _tables(suite, trials, choices, records, frame, curves, layers, reports)
    grids = grids_of(suite, made)
    t1 = made["T1-test-error"]
    depth = figure_depth(suite, t1)
    seen = portraits.load(folder / portraits.FILE, records)
    shown = trial_figures.chosen(suite, HEADLINE_RECIPES)
    chance = done[0]["result"]["chance_error_pct"]
    kept = {
        "data/records.jsonl.gz": archive_of(reports, suite).read_bytes(),
        "suite.json": (folder / "suite.json").read_bytes(),
    }
    results = cite.results_json(
        cite.about(suite, device, command, done, kept["data/records.jsonl.gz"]), frame, made, grids
    )
    said = json.loads(results)
    chosen = made["T4-learning-rates"].query("chosen")
    words = {
        "suite": suite,
        "command": command,
        "said": said,
        "summary": summary(suite, t1),
        "coverage": coverage(t1),
        "bold": bold(suite, t1, comparisons.family(suite, t1)),
        "chance": chance,
        "shown": shown,
        "portraits": portraits.about(seen),
        "n_test": done[0]["result"]["n_test"],
        "figure_depth": depth,
        "deepest": max(suite.depths),
        "probe_examples": min(PROBE_EXAMPLES, suite.data.n_train),
        "n_train_seen": min(suite.data.n_train, suite.data.n_valid),
        "recipes": recipes(suite),
        "failures": failures(frame),
        "provenance": provenance(suite, device, command, done),
        "bibtex": cite.bibtex(said),
        "n_on_edge": int(chosen["on_edge"].sum()),
        "n_cells": len(t1),
        "claims": claims_said(made["T10-claims"]) if "T10-claims" in made else "",
        "scores": scores(suite, made, frame, tables.parameters_of(suite)),
        **{grid.name.replace("-", "_"): grid.markdown() for grid in grids},
    }
    files = {
        "README.md": markdown_page("report.md.j2", **words),
        "CHECKLIST.md": markdown_page("checklist.md.j2", **words),
        cite.RESULTS: results,
        "cite.bib": cite.bibtex(said).encode(),
        "tables/macros.tex": latex_macros(suite.name, grids).encode(),
    }
    files |= {f"tables/{name}.csv": _csv(table) for name, table in made.items()}
    files |= {f"tables/{grid.name}.tex": grid.latex().encode() for grid in grids}
    if suite.factors:  # with so many recipes curves could not be told apart
        t6 = made["T6-effects"]
        files |= {
            "figures/F4-which-replaces-which.svg": figures.which_replaces_which(suite, t6),
            "figures/F5-effects-by-depth.svg": figures.effects_by_depth(suite, t6),
        }
    else:
        files |= {
            "figures/F1-error-against-depth.svg": figures.error_against_depth(suite, t1),
            "figures/F6-trainability-map.svg": figures.trainability_map(suite, t1),
            "figures/F2-learning-curves.svg": figures.learning_curves(suite, curves, depth),
            "figures/F3-gradient-by-layer.svg": figures.gradient_by_layer(
                suite, layers, max(suite.depths)
            ),
            **trial_figures.of_trials(
                suite, frame, layers, made["T4-learning-rates"], shown, depth, chance
            ),
            **portraits.drawn(seen),
        }
    files |= {
        "data/trials.csv": _csv(frame),
        "data/curves.csv.gz": gzip.compress(_csv(curves), mtime=0),
        "data/layers.csv.gz": gzip.compress(_csv(layers), mtime=0),
    }
    files["report.html"] = webpage.page(files["README.md"].decode(), files)
    files["manifest.sha256"] = cite.manifest(files | kept)
    for name, content in files.items():
        store.write_atomically(folder / name, content)
    keep = {folder / name for name in files}
    # hidden files are what another program, which reports the same sweep, is just writing
    for stale in [*folder.glob("tables/[!.]*"), *folder.glob("figures/[!.]*")]:
        if stale not in keep:
            stale.unlink(missing_ok=True)
    header, *rows = grids[0].lines
    return text_table(header, rows)


def _tables(
    suite: Suite,
    trials: list[Trial],
    choices: Mapping[Cell, Choice],
    records: Mapping[str, dict],
    frame: pd.DataFrame,
    curves: pd.DataFrame,
    layers: pd.DataFrame,
    reports: Path,
) -> dict[str, pd.DataFrame]:
    """Every table by the name of its file, with the ids of its rows."""
    t1 = tables.test_error_table(suite, frame)
    t1 = t1.merge(comparisons.against_the_best(suite, frame), on=["technique", "depth"])
    failed = t1[["technique", "depth", "n_diverged", "n_missing"]]
    chance = next(r for r in records.values() if r["status"] in store.DONE)["result"]
    target = TRAINED_BELOW * chance["chance_error_pct"]
    costs = comparisons.cost_table(suite, trials, frame, curves, target)
    seconds = [name for name in costs if name.startswith("seconds")]
    machine_free = costs.drop(columns=seconds)  # what another run gives again
    cell = ["technique", "depth", "n", "n_reached", "coverage", "n_diverged", "n_missing"]
    made = {
        "T1-test-error": t1,
        "T2-gradients": tables.gradients_table(suite, layers).merge(failed),
        "T3-saturation": tables.saturation_table(suite, layers).merge(failed),
        "T4-learning-rates": tables.learning_rates_table(suite, frame, choices),
        "T5-time": tables.timings_table(suite, frame).merge(failed),
        **({"T6-effects": effects_table(suite.factors, frame)} if suite.factors else {}),
        "T7-trainability": comparisons.trainability_table(suite, frame),
        "T7-trainable-depth": comparisons.trainable_depth_table(suite, frame),
        "T8-cost-to-target": machine_free,
        "T8-seconds-to-target": costs[[*cell[:4], *seconds, *cell[4:]]],
        "T9-pairwise": comparisons.pairwise_table(suite, frame),
    }
    made = {name: tables.identified(suite.name, table) for name, table in made.items()}
    needed = comparisons.suites_of_claims(suite)
    if needed:
        known, others = sweeps.by_name(), sorted(needed - {suite.name})
        results = {name: sweeps.results_from(known[name], reports) for name in others}
        results[suite.name] = results_of(suite, trials, records)
        there = {name: found for name, found in results.items() if found is not None}
        verdicts = comparisons.judged(suite, there)
        made["T10-claims"] = comparisons.claims_table(suite, verdicts, frame)
    return made


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode()


def figure_depth(suite: Suite, t1: pd.DataFrame) -> int:
    """The greatest depth at which half of the techniques trained in half of their runs."""
    works = t1[(t1["n"] > 0) & (2 * t1["n_trained"] >= t1["n"])]
    counts = works.groupby("depth").size()
    enough = counts[2 * counts >= len(suite.recipes)].index
    return int(max(enough, default=min(suite.depths)))


def _shown(path: Path) -> Path:
    """Relative to where the user is, if it is below there."""
    here = Path.cwd()
    return path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path


HEADLINE_RECIPES = (  # the ideas that the story is told with; the report has them all
    "plain",
    "tanh",
    "rbm",
    "autoencoder",
    "denoising",
    "glorot",
    "orthogonal",
    "relu",
    "batch-norm",
    "highway",
    "residual",
    "rezero",
    "combined",
)
MARKERS = ("<!-- headline: written by make reports -->", "<!-- headline ends -->")


def _write_headline(reports: Path) -> None:
    """The medians of suite ``depth`` between the markers of the README beside ``reports/``."""
    readme, source = reports.parent / "README.md", reports / catalogue.SUITE
    if not (source / "tables" / "T1-test-error.csv").exists() or not readme.exists():
        return
    text = readme.read_text(encoding="utf-8")
    if MARKERS[0] not in text:
        return
    try:
        suite, _, _ = stored(source / "suite.json")
    except Problem:
        return  # write_all names it
    t1 = pd.read_csv(source / "tables" / "T1-test-error.csv")

    def cell(row: pd.Series) -> str:
        if row["n"] == 0:
            return "missing"
        trained = f" ({row['n_trained']}/{row['n']})" if row["n_trained"] < row["n"] else ""
        return f"{row['test_error_pct']:.1f}{trained}"

    before, rest = text.split(MARKERS[0])
    after = rest.split(MARKERS[1])[1]
    texts = {(row["technique"], row["depth"]): cell(row) for _, row in t1.iterrows()}
    shown = [name for name in suite.recipes if name in HEADLINE_RECIPES]
    table = markdown_table(
        ["hidden layers", *map(str, suite.depths)],
        [[name, *(texts.get((name, depth), "–") for depth in suite.depths)] for name in shown],
    )
    new = f"{before}{MARKERS[0]}\n{table}{MARKERS[1]}{after}"
    if new != text:
        store.write_atomically(readme, new.encode())
