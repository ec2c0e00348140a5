"""Writes a suite's report from its records: tables, figures and a README; trains nothing."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import jinja2
import pandas as pd

from benchmarks import catalogue, figures, store, tables
from benchmarks.factorial import RESPONSES, effects_table
from benchmarks.markup import latex_table, markdown, markdown_table, text_table
from benchmarks.performance import report as performance
from benchmarks.plan import Cell, Choice
from benchmarks.probes import PROBE_EXAMPLES
from benchmarks.problem import Problem
from benchmarks.progress import say
from benchmarks.prose import bibtex, coverage, failures, provenance, recipes, summary
from benchmarks.run import archive_of, outcome
from benchmarks.suite import Suite
from benchmarks.trial import Trial, is_current

TEMPLATES = Path(__file__).parent / "templates"


def write_report(suite: Suite, device: str, command: str, results: Path, reports: Path) -> None:
    """Write ``reports/<suite>/`` from the store and the archive, and print the headline table.

    ``command`` is what makes the same again, for the report to say. Raises Problem if there is no
    finished trial.
    """
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
    store.save_archive(archive, (kept | records).values())
    settings = {"device": device, "command": command, "suite": suite.model_dump(mode="json")}
    text = json.dumps(settings, indent=1) + "\n"
    store.write_atomically(reports / suite.name / "suite.json", text.encode())
    headline = _write(suite, device, command, trials, choices, records, reports)
    say(f"{suite.title}\n\n{headline}\nreport: {_shown(reports / suite.name / 'README.md')}")


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
    t1 = reports / HEADLINE_SUITE / "tables" / "T1-test-error.csv"
    page = catalogue.page(pd.read_csv(t1) if t1.exists() else None)
    store.write_atomically(reports / catalogue.PAGE, page.encode())
    if left:
        raise Problem(f"left as they are: {'; '.join(left)}")


def _write_again(settings: Path, reports: Path) -> None:
    suite, device, command = _settings(settings)
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


def _settings(path: Path) -> tuple[Suite, str, str]:
    """Suite, device and command that a report was made from."""
    try:
        stored = json.loads(path.read_bytes())
        suite = Suite.model_validate_json(json.dumps(stored["suite"]))
        return suite, str(stored["device"]), str(stored["command"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Problem(f"{path}: not the settings of a report ({str(error)[:100]})") from None


def _write(
    suite: Suite,
    device: str,
    command: str,
    trials: list[Trial],
    choices: Mapping[Cell, Choice],
    records: Mapping[str, dict],
    reports: Path,
) -> str:
    """All files of a report but its archive; the headline table as text."""
    folder = reports / suite.name
    frame = tables.trials_table(trials, records)
    curves, layers = tables.curves_table(trials, records), tables.layers_table(trials, records)
    t1 = tables.test_error_table(suite, frame)
    t2 = tables.gradients_table(suite, layers)
    t3 = tables.saturation_table(suite, layers)
    t4 = tables.learning_rates_table(suite, frame, choices)
    t5 = tables.timings_table(suite, frame)
    done = [r for r in records.values() if r["status"] in store.DONE]
    depth = _figure_depth(suite, t1)
    t6 = effects_table(suite.factors, frame) if suite.factors else None

    grids = {
        "t1": _grid(suite, t1, _error_cell),
        "t2_start": _grid(suite, t2, lambda r: _number(r["ratio_log10_start"], ".1f")),
        "t2_end": _grid(suite, t2, lambda r: _number(r["ratio_log10_end"], ".1f")),
        "t3_start": _grid(suite, t3, lambda r: _number(r["top_layer_pct_start"], ".0f")),
        "t3_end": _grid(suite, t3, lambda r: _number(r["top_layer_pct_end"], ".0f")),
        "t4": _grid(suite, t4[t4["chosen"]], _rate_cell),
        "t5": _grid(suite, t5, _seconds_cell),
    }
    if t6 is not None:
        grids["t6"] = _effects_grid(suite, t6, "")
        grids["t6_error"] = _effects_grid(suite, t6, "test_error_pct")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown; what comes from outside goes through markdown
    )
    environment.filters["md"] = markdown
    readme = environment.get_template("report.md.j2").render(
        suite=suite,
        command=command,
        summary=summary(suite, t1),
        coverage=coverage(t1),
        chance=done[0]["result"]["chance_error_pct"],
        n_test=done[0]["result"]["n_test"],
        figure_depth=depth,
        deepest=max(suite.depths),
        probe_examples=min(PROBE_EXAMPLES, suite.data.n_train),
        n_train_seen=min(suite.data.n_train, suite.data.n_valid),
        recipes=recipes(suite),
        failures=failures(frame),
        provenance=provenance(suite, device, command, done),
        bibtex=bibtex(suite, done),
        **{name: markdown_table(header, rows) for name, (header, rows) in grids.items()},
    )
    captions = {
        "T1-test-error": (  # name -> grid as text, table, caption
            "t1",
            t1,
            f"Test error in \\%: median and interval of {suite.seeds} runs, or k/n runs trained",
        ),
        "T2-gradients": ("t2_start", t2, "$\\log_{10}$ of first over last layer's gradient, start"),
        "T3-saturation": ("t3_end", t3, "Saturated units of the top hidden layer in \\%, end"),
        "T4-learning-rates": ("t4", t4, "Learning rates chosen; * on the edge of the grid"),
        "T5-time": ("t5", t5, "Seconds of training + pretraining per run"),
    }
    if t6 is not None:
        captions["T6-effects"] = ("t6", t6, "Main effects: change by adding an idea, points")
    files: dict[str, bytes] = {"README.md": readme.encode()}
    for name, (grid, table, caption) in captions.items():
        files[f"tables/{name}.csv"] = _csv(table)
        files[f"tables/{name}.tex"] = latex_table(*grids[grid], caption, name).encode()
    if t6 is not None:  # with so many recipes curves could not be told apart
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
        }
    files |= {
        "data/trials.csv": _csv(frame),
        "data/curves.csv.gz": gzip.compress(_csv(curves), mtime=0),
        "data/layers.csv.gz": gzip.compress(_csv(layers), mtime=0),
    }
    for name, content in files.items():
        store.write_atomically(folder / name, content)
    keep = {folder / name for name in files}
    for stale in [*folder.glob("tables/*"), *folder.glob("figures/*")]:
        if stale not in keep:
            stale.unlink()
    return text_table(*grids["t1"])


def _number(value: float | None, form: str) -> str:
    if value is None or pd.isna(value):
        return "–"
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


def _grid(
    suite: Suite, table: pd.DataFrame, cell: Callable[[pd.Series], str]
) -> tuple[list[str], list[list[str]]]:
    """Techniques down, depths across: header and rows of text."""
    texts = {(row["technique"], row["depth"]): cell(row) for _, row in table.iterrows()}
    header = ["hidden layers", *map(str, suite.depths)]
    rows = [
        [technique, *(texts.get((technique, depth), "–") for depth in suite.depths)]
        for technique in suite.recipes
    ]
    return header, rows


def _effects_grid(
    suite: Suite, effects: pd.DataFrame, response: str
) -> tuple[list[str], list[list[str]]]:
    """Main effects on every response, or, for one response, interactions at the greatest depth."""

    def cell(rows: pd.DataFrame) -> str:
        if rows.empty or not rows["n"].iloc[0]:
            return "–"
        row = rows.iloc[0]
        if row["n"] < 2:
            return f"{row['effect']:+.1f}"
        return f"{row['effect']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]"

    if not response:
        keys = [(depth, r) for r in RESPONSES for depth in suite.depths]
        header = ["idea added", *(f"{RESPONSES[r]}, {depth} layers" for depth, r in keys)]
        main = effects[effects["condition"] == ""].set_index(["depth", "response", "factor"])
        rows = [
            [f, *(cell(main.loc[[(d, r, f)]] if (d, r, f) in main.index else main[:0])
                  for d, r in keys)]
            for f in suite.factors
        ]  # fmt: skip
        return header, rows
    at = effects[(effects["response"] == response) & (effects["depth"] == max(suite.depths))]
    header = ["idea added", *(f"with - without {f}" for f in suite.factors)]
    rows = []
    for factor in suite.factors:
        own = at[at["factor"] == factor]
        cells = [cell(own[own["condition"] == f"with - without {f}"]) for f in suite.factors]
        rows.append([factor, *cells])
    return header, rows


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode()


def _figure_depth(suite: Suite, t1: pd.DataFrame) -> int:
    """The greatest depth at which half of the techniques trained in half of their runs."""
    works = t1[(t1["n"] > 0) & (2 * t1["n_trained"] >= t1["n"])]
    counts = works.groupby("depth").size()
    enough = counts[2 * counts >= len(suite.recipes)].index
    return int(max(enough, default=min(suite.depths)))


def _shown(path: Path) -> Path:
    """Relative to where the user is, if it is below there."""
    here = Path.cwd()
    return path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path


HEADLINE_SUITE = "depth"
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
    readme, source = reports.parent / "README.md", reports / HEADLINE_SUITE
    if not (source / "tables" / "T1-test-error.csv").exists() or not readme.exists():
        return
    text = readme.read_text(encoding="utf-8")
    if MARKERS[0] not in text:
        return
    try:
        suite, _, _ = _settings(source / "suite.json")
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
    header, rows = _grid(suite, t1, cell)
    shown = [row for row in rows if row[0] in HEADLINE_RECIPES]
    table = markdown_table(header, shown)
    new = f"{before}{MARKERS[0]}\n{table}{MARKERS[1]}{after}"
    if new != text:
        store.write_atomically(readme, new.encode())
