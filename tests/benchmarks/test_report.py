"""Known records give known tables; failures stay visible; the same records give the same bytes."""

import json
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from matplotlib.axes import Axes

from benchmarks import figures, store
from benchmarks.__main__ import main
from benchmarks.archive import condensed, save_archive
from benchmarks.markup import code, latex, markdown
from benchmarks.palette import family, panels
from benchmarks.plan import choose, reporting_trials, tuning_trials
from benchmarks.problem import Problem
from benchmarks.report import write_all, write_report
from benchmarks.suite import Suite, read
from benchmarks.trial import Trial
from techniques.recipe import BASELINE, RECIPES

SUITE = """
name = "known"
title = "Made-up numbers"
data = { name = "mnist5k" }
recipes = ["plain", "relu", "batch-norm"]
depths = [1, 2]
width = 4
seeds = 6
budget = { updates = 10, batch_size = 10, evaluate_every = 5, probe_at = [0, 10] }
tuning = { lr = [0.1, 1.0], seeds = 1 }
"""


def record(trial: Trial, error: float, status: str = "ok", trained: bool = True) -> dict:
    """What training would have stored, with this test error; a gradient 100 times smaller below."""
    diverged = status == "diverged"
    rms = [[1e-4 / 100, 1e-4][-trial.depth :], [1e-3] * trial.depth]
    return {
        "schema": 1,
        "key": trial.key,
        "config": trial.config,
        "env": {"commit": "c0ffee", "torch": "2", "started": "2026-01-02T03:04:05Z"},
        "error": None,
        "status": status,
        "result": {
            "test_error_pct": 90.0 if diverged else error,
            "test_error_last_pct": 90.0 if diverged else error + 1,
            "test_wrong": None if diverged else int(10 * error),
            "test_wrong_last": None if diverged else int(10 * error + 10),
            "n_test": 1000,
            "valid_error_pct": 90.0 if diverged else error,
            "train_error_pct": 90.0 if diverged else error / 2,
            "best_update": None if diverged else 5,
            "trained": trained and not diverged,
            "chance_error_pct": 90.0,
            "seconds_train": 1.5,
            "seconds_pretrain": 0.0,
            "cpu_seconds": 1.25,
        },
        "curves": {
            "update": [0, 5, 10],
            "batch_loss": [None, 2.0, None if diverged else 1.0],
            "train_loss": [2.3, 2.0, None if diverged else 1.0],
            "train_error_pct": [90.0, error, error],
            "valid_loss": [2.3, 2.0, None if diverged else 1.0],
            "valid_error_pct": [90.0, error, 100.0 if diverged else error + 1],
        },
        "probes": [
            {
                "update": update,
                "gradient_rms": rms[i],
                "activation_mean": [None if diverged and i else 0.5] * trial.depth,
                "activation_sd": [0.1] * trial.depth,
                # the first layer is saturated by half as much again as the last
                "saturated": [0.3 * (i + 1), 0.2 * (i + 1)][-trial.depth :],
            }
            for i, update in enumerate((0, 10))
        ],
    }


@pytest.fixture
def known(tmp_path) -> Suite:
    """A suite with all its records in tmp_path/results: two cells with a diverged and a crash."""
    path = tmp_path / "known.toml"
    path.write_text(SUITE)
    suite = read(str(path))
    tuning = tuning_trials(suite, "cpu")
    made = {t.key: record(t, 20.0 if t.lr == 1.0 else 30.0) for t in tuning}
    reporting = reporting_trials(suite, "cpu", choose(tuning, made))
    for t in reporting:
        if t.technique == "plain" and t.depth == 2:
            made[t.key] = record(t, 89.0 + t.seed / 10, trained=False)
        elif t.technique == "relu" and t.depth == 2:
            made[t.key] = record(t, 5.0 + t.seed, "diverged" if t.seed == 0 else "ok")
        elif t.technique == "batch-norm" and t.depth == 2 and t.seed == 5:
            made[t.key] = {
                **{k: v for k, v in record(t, 0).items() if k in ("schema", "key", "config")},
                "env": {}, "status": "crashed", "error": "Traceback\nMemoryError: it was too big",
            }  # fmt: skip
        else:
            made[t.key] = record(t, 5.0 + t.seed)
    for one in made.values():
        store.save(tmp_path / "results", one)
    return suite


def write(suite: Suite, tmp_path) -> None:
    command = "make compare SUITE=known.toml"
    write_report(suite, "cpu", command, tmp_path / "results", tmp_path / "reports")


def test_known_records_give_the_known_table(known, tmp_path, capsys):
    write(known, tmp_path)
    t1 = pd.read_csv(tmp_path / "reports/known/tables/T1-test-error.csv")
    t1 = t1.set_index(["technique", "depth"])
    contract = ["n", "n_trained", "test_error_pct", "low", "high"]
    assert list(t1.columns[:5]) == contract
    # seeds 0 .. 5 have errors 5 .. 10: median 7.5; for n = 6 the interval is the whole range
    assert t1.loc[("relu", 1), contract].tolist() == [6, 6, 7.5, 5, 10]
    assert t1.loc[("relu", 1), "coverage"] == 1 - 2 / 2**6
    # seed 0 diverged, so 90 in place of 5: 6 7 8 9 10 90
    assert t1.loc[("relu", 2), contract].tolist() == [6, 5, 8.5, 6, 90]
    assert t1.loc[("relu", 2), "n_diverged"] == 1
    # seed 5 crashed: 5 6 7 8 9 are left, and the range of five covers 1 - 2/2^5
    assert t1.loc[("batch-norm", 2), contract].tolist() == [5, 5, 7, 5, 9]
    assert t1.loc[("batch-norm", 2), ["n_missing", "coverage"]].tolist() == [1, 1 - 2 / 2**5]
    assert t1.loc[("plain", 2), "n_trained"] == 0
    out, err = capsys.readouterr()
    assert "crashed: batch-norm, depth 2, lr 1, seed 5: MemoryError: it was too big" in err
    readme = (tmp_path / "reports/known/README.md").read_text()
    for told in (
        "| relu | 7.5 [5.0, 10.0] | 8.5 [6.0, 90.0] 5/6, 1 diverged |",
        "| batch-norm | 7.5 [5.0, 10.0] | 7.0 [5.0, 9.0] 5/5 |",
        "| plain | 7.5 [5.0, 10.0] | 89.2 [89.0, 89.5] 0/6 |",
        "1 report trials crashed, 1 report trials diverged, 34 report trials ok, 12 tune trials ok",
        "93.8 % or 96.9 %",
    ):
        assert told in readme, told
    assert "8.5 [6.0, 90.0] 5/6, 1 diverged" in out


def test_the_other_tables_and_the_trials_are_what_was_recorded(known, tmp_path):
    write(known, tmp_path)
    folder = tmp_path / "reports/known"
    t2 = pd.read_csv(folder / "tables/T2-gradients.csv").set_index(["technique", "depth"])
    assert t2.loc[("plain", 2), "ratio_log10_start"] == pytest.approx(-2)
    assert t2.loc[("plain", 2), "ratio_log10_end"] == pytest.approx(0)
    assert t2.loc[("plain", 1), "ratio_log10_start"] == 0
    t3 = pd.read_csv(folder / "tables/T3-saturation.csv").set_index(["technique", "depth"])
    columns = ["n_start", "top_layer_pct_start", "worst_layer_pct_start"]
    assert t3.loc[("relu", 2), columns].tolist() == pytest.approx([6, 20, 30])
    # at the end of a diverged run there is nothing to be saturated
    columns = ["n_end", "top_layer_pct_end", "worst_layer_pct_end"]
    assert t3.loc[("relu", 2), columns].tolist() == pytest.approx([5, 40, 60])
    t4 = pd.read_csv(folder / "tables/T4-learning-rates.csv").set_index(
        ["technique", "depth", "lr"]
    )
    columns = ["valid_error_pct", "chosen", "on_edge"]
    assert t4.loc[("plain", 1, 1.0), columns].tolist() == [20, True, True]
    assert t4.loc[("plain", 1, 0.1), columns].tolist() == [30, False, False]
    t5 = pd.read_csv(folder / "tables/T5-time.csv")
    assert (t5["seconds_train"] == 1.5).all() and t5["n"].tolist() == [6, 6, 6, 6, 6, 5]
    trials = pd.read_csv(folder / "data/trials.csv")
    assert list(trials.columns[:7]) == [
        "key", "technique", "depth", "lr", "seed", "role", "status"
    ]  # fmt: skip
    assert {"valid_error_pct", "test_error_pct", "seconds_train", "seconds_pretrain"} <= set(trials)
    assert len(trials) == 12 + 36 and trials["key"].is_unique
    assert trials["status"].value_counts().to_dict() == {"ok": 46, "diverged": 1, "crashed": 1}
    curves = pd.read_csv(folder / "data/curves.csv.gz")
    assert len(curves) == 35 * 3
    # the 100 % that NaN is counted as is no measurement
    assert curves["valid_error_pct"].max() < 100 and curves["valid_error_pct"].isna().sum() == 1
    layers = pd.read_csv(folder / "data/layers.csv.gz")
    assert len(layers) == (18 * 1 + 17 * 2) * 2


def _without_pages_of_all(reports: Path) -> None:
    """Leave the reports of suites alone."""
    for name in ("techniques.md", "index.html", "papers.md", "papers.html", "papers.csv"):
        (reports / name).unlink()
    shutil.rmtree(reports / "papers")


def test_the_same_records_give_the_same_bytes(known, tmp_path):
    def files() -> dict:
        folder = tmp_path / "reports"
        return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    write(known, tmp_path)
    first = files()
    # pages, checklist, settings, results, entry, checksums; tables as CSV and TeX, macros
    assert len(first) == 7 + 10 + 12 + 1 + 9 + 4  # figures, data
    write(known, tmp_path)
    assert files() == first
    shutil.rmtree(tmp_path / "results")  # from the archive alone
    write_all(tmp_path / "reports")
    page = tmp_path / "reports" / "techniques.md"
    assert page.read_text().startswith("# The catalogue")
    _without_pages_of_all(tmp_path / "reports")
    assert files() == first
    moved = tmp_path / "elsewhere"
    (tmp_path / "reports").rename(moved)
    write_all(moved)
    _without_pages_of_all(moved)
    assert {p.relative_to(moved): p.read_bytes() for p in moved.rglob("*") if p.is_file()} == first


def test_tables_of_before_go_and_what_another_program_is_writing_stays(known, tmp_path):
    write(known, tmp_path)
    tables = tmp_path / "reports/known/tables"
    (tables / "T0-of-before.csv").write_text("old\n")
    (tables / f"{store.TEMPORARY}x").write_text("half of a tab")
    write(known, tmp_path)
    assert not (tables / "T0-of-before.csv").exists()
    assert (tables / f"{store.TEMPORARY}x").read_text() == "half of a tab"


def test_records_that_a_suite_no_longer_asks_for_stay_in_the_archive(known, tmp_path):
    write(known, tmp_path)
    archive = tmp_path / "reports/known/data/records.jsonl.gz"
    before = store.load_archive(archive)
    write(known.model_copy(update={"seeds": 3}), tmp_path)
    assert store.load_archive(archive) == before
    assert len(before) == 48


def test_a_report_is_the_same_from_the_store_as_from_its_archive_which_holds_less(known, tmp_path):
    """Losses and probes of seven digits become four in both, and tuning trials have no probes."""
    results = tmp_path / "results"
    for path in results.glob("*/*.json"):
        one = json.loads(path.read_bytes())
        if one["status"] == "crashed":
            continue
        long = 1.234567 + int(one["key"][:2], 16) / 1e5
        one["curves"]["valid_loss"][1] = long
        one["curves"]["valid_error_pct"][1] = long
        one["probes"][0]["gradient_rms"][0] = long / 1e20
        store.save(results, one)
    write(known, tmp_path)
    folder = tmp_path / "reports/known"
    whole = {p.stem: json.loads(p.read_bytes()) for p in results.glob("*/*.json")}
    kept = store.load_archive(folder / "data/records.jsonl.gz")
    assert kept.keys() == whole.keys()
    for key, one in kept.items():
        full = whole[key]
        assert {**one, "curves": 0, "probes": 0} == {**full, "curves": 0, "probes": 0} or (
            full["status"] == "crashed"
        )
        if full["status"] == "crashed":
            assert one == full
            continue
        # an error is a count over a number of examples, and stays what it is
        assert one["curves"]["valid_error_pct"] == full["curves"]["valid_error_pct"]
        assert one["curves"]["valid_loss"][1] == float(f"{full['curves']['valid_loss'][1]:.4g}")
        assert one["curves"]["batch_loss"] == full["curves"]["batch_loss"]  # with its None
        if one["config"]["seed"] >= 1000:
            assert one["probes"] == []
        else:
            rms = full["probes"][0]["gradient_rms"][0]
            assert one["probes"][0]["gradient_rms"][0] == float(f"{rms:.4g}") != rms
            assert [p["update"] for p in one["probes"]] == [0, 10]
        assert condensed(one) == one
    assert sum(not one.get("probes") for one in kept.values()) == 12 + 1  # tuning, and the crash
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    write_all(tmp_path / "reports")  # from the archive alone
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    shutil.rmtree(results)
    write(known, tmp_path)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_an_archive_has_the_same_bytes_whatever_order_records_come_in(known, tmp_path):
    records = [json.loads(p.read_bytes()) for p in (tmp_path / "results").glob("*/*.json")]
    for name, order in (("a", records), ("b", records[::-1])):
        save_archive(tmp_path / f"{name}.gz", order)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    save_archive(tmp_path / "c.gz", store.load_archive(tmp_path / "a.gz").values())
    assert (tmp_path / "c.gz").read_bytes() == (tmp_path / "a.gz").read_bytes()


@pytest.mark.parametrize("older", [{"protocol": 1}, {"revisions": {"Sigmoid": 1}}])
def test_records_that_no_longer_count_leave_the_archive(known, tmp_path, older):
    write(known, tmp_path)
    archive = tmp_path / "reports/known/data/records.jsonl.gz"
    before = store.load_archive(archive)
    one = next(iter(before.values()))
    old = {**one, "key": "0" * 32, "config": {**one["config"], **older}}
    save_archive(archive, [*before.values(), old])
    write(known, tmp_path)
    assert store.load_archive(archive) == before


@pytest.mark.parametrize("name, value", [("PROTOCOL", 1), ("REVISIONS", {"Relu": 1})])
def test_a_report_whose_keys_have_changed_is_left_as_it_is(
    known, tmp_path, monkeypatch, name, value
):
    write(known, tmp_path)
    folder = tmp_path / "reports/known"
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    monkeypatch.setattr(f"benchmarks.trial.{name}", value)
    told = "left as they are: .*known: [0-9]+ of its 47 trials are not in its archive .* 'make comp"
    with pytest.raises(Problem, match=told):
        write_all(tmp_path / "reports")
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("damage", ["cut", "gone", "no settings"])
def test_a_damaged_report_is_named_and_left_and_the_others_are_written(known, tmp_path, damage):
    write(known.model_copy(update={"name": "aaa"}), tmp_path)
    write(known, tmp_path)
    folder, other = tmp_path / "reports/aaa", tmp_path / "reports/known"
    archive = folder / "data/records.jsonl.gz"
    if damage == "cut":
        archive.write_bytes(archive.read_bytes()[:-200])
    elif damage == "gone":
        archive.unlink()
    else:
        (folder / "suite.json").write_text("{}")
    readme = (folder / "README.md").read_bytes()
    (other / "README.md").unlink()
    with pytest.raises(Problem, match="left as they are: .*aaa") as caught:
        write_all(tmp_path / "reports")
    assert str(other) not in str(caught.value)
    assert (folder / "README.md").read_bytes() == readme
    assert (other / "README.md").exists()


def test_a_damaged_archive_is_never_written_again_without_what_is_lost(known, tmp_path):
    write(known, tmp_path)
    archive = tmp_path / "reports/known/data/records.jsonl.gz"
    damaged = archive.read_bytes()[:-200]
    archive.write_bytes(damaged)
    with pytest.raises(Problem, match="records.jsonl.gz: damaged after .* restore it"):
        write(known, tmp_path)
    assert archive.read_bytes() == damaged


def test_other_seeds_get_a_report_of_their_own(tmp_path):
    from benchmarks.__main__ import _parser
    from benchmarks.options import suite_of

    path = tmp_path / "known.toml"
    path.write_text(SUITE)
    options = _parser().parse_args(["run", str(path), "--seeds", "3"])
    suite, device, command = suite_of(options)
    assert (suite.name, suite.seeds, device) == ("known-3-seeds", 3, "cpu")
    assert command == f"make compare SUITE={path} ARGS='--seeds 3'"


def test_figures_are_svg_that_parses_and_names_every_technique(known, tmp_path):
    write(known, tmp_path)
    for path in sorted((tmp_path / "reports/known/figures").iterdir()):
        root = ElementTree.parse(path).getroot()
        assert root.tag.endswith("svg")
        text = path.read_text()
        for technique in known.recipes:  # matplotlib keeps the text of glyphs as comments
            assert f"<!-- {technique} -->" in text, (path.name, technique)
        assert "<dc:date>" not in text


def test_latex_tables_are_booktabs_with_every_special_character_escaped(known, tmp_path):
    write(known, tmp_path)
    for path in (tmp_path / "reports/known/tables").glob("T*.tex"):
        text = path.read_text()
        rules = [r for r in ("\\toprule", "\\midrule", "\\bottomrule") if text.count(r) == 1]
        assert len(rules) == 3
        rows = [line for line in text.splitlines() if line.endswith("\\\\")]
        columns = 4 if path.name.startswith("T7") else 3  # with the depth reached
        assert len(rows) == 4 and {row.count("&") for row in rows} == {columns - 1}
        assert text.isascii()
    assert latex("50% of a_b & {c} #1 $x^2$ ~\\") == (
        r"50\% of a\_b \& \{c\} \#1 \$x\textasciicircum{}2\$ \textasciitilde{}\textbackslash{}"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex: apt-get install texlive")
def test_latex_tables_compile(known, tmp_path):
    write(known, tmp_path)
    tables = sorted((tmp_path / "reports/known/tables").glob("*.tex"))
    inputs = "\n".join(f"\\input{{{path}}}" for path in tables)
    document = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}{inputs}\\end{{document}}"  # fmt: skip  # noqa: E501
    (tmp_path / "all.tex").write_text(document)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]


HOSTILE = [
    "a_b|c<script>*", "[x](http://e.com)", "[x][y]", "![x](y.png)", "[^1]", "[ ]", "[x]: y",
    "[1, 2](y)", "[1, 2]: y", "&lt;b&gt; &amp; &#42; a & b", "~~gone~~", "$x^2$ $$y$$",
    "`code` ``", "__a__ **b**", "back\\slash\\", "\\[x\\]", "<!-- x -->", "é 中文 \u202e → ∞",
    "{% raw %} {{ x }}", "50 % #1", "'\"", "two\nlines", "a" * 200, "[" * 100 + "_" * 100,
]  # fmt: skip


def shown(cells: list[str]) -> list[str]:
    """What a reader of a table's first row sees, cell by cell; fails where there is markup."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = parser.parse(f"| {' | '.join(cells)} |\n|{' --- |' * len(cells)}\n\n[^1]: z\n")
    texts = []
    for token in tokens[: next(i for i, t in enumerate(tokens) if t.type == "table_close")]:
        if token.type == "inline":
            assert {t.type for t in token.children} <= {"text", "text_special"}, token.content
            texts.append("".join(t.content for t in token.children))
    return texts


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_any_text_as_it_is(text):
    assert shown([markdown(text), "x"]) == [text.replace("\n", " "), "x"]


def test_markdown_leaves_intervals_readable_and_nothing_else_in_brackets():
    for text in ("7.5 [5.0, 10.0] 5/6", "[-1, +2.5]", "[100, never]"):
        assert markdown(text) == text and shown([text]) == [text]
    assert markdown("a_b|c<script>*") == r"a\_b\|c\<script\>\*"
    assert markdown("a & b [x] [1, 2](y)") == r"a \& b \[x\] \[1, 2\](y)"


@pytest.mark.parametrize("text", ["make x", "a`b", "`", "``a``", "a\\_b"])
def test_code_shows_any_text_as_it_is(text):
    (token,) = MarkdownIt("commonmark").parse(code(text))[1].children
    assert (token.type, token.content) == ("code_inline", text)


def test_an_empty_sweep_and_a_half_done_one_make_no_traceback(known, tmp_path, capsys):
    config = str(tmp_path / "known.toml")
    places = ["--results", str(tmp_path / "none"), "--reports", str(tmp_path / "reports")]
    assert main(["report", config, *places]) == 2
    assert "no trial is stored" in capsys.readouterr().err
    kept = tmp_path / "half"
    for trial in tuning_trials(known, "cpu"):
        if trial.technique != "relu":
            path = store.path_of(tmp_path / "results", trial.key)
            store.save(kept, json.loads(path.read_text()))
    assert main(["report", config, "--results", str(kept), *places[2:]]) == 0
    readme = (tmp_path / "reports/known/README.md").read_text()
    assert "| relu | missing | missing |" in readme


def test_the_projects_readme_gets_the_table_of_suite_depth_between_its_markers(known, tmp_path):
    depth = known.model_copy(update={"name": "depth"})
    write(depth, tmp_path)
    readme = tmp_path / "README.md"
    start = "<!-- headline: written by make reports -->"
    readme.write_text(f"before\n{start}\nold\n<!-- headline ends -->\nafter\n")
    write_all(tmp_path / "reports")
    text = readme.read_text()
    assert "| relu | 7.5 | 8.5 (5/6) |" in text and "| plain | 7.5 | 89.2 (0/6) |" in text
    assert text.startswith("before\n") and text.endswith("<!-- headline ends -->\nafter\n")
    assert "old" not in text
    write_all(tmp_path / "reports")
    assert readme.read_text() == text


def test_every_recipe_has_a_panel():
    assert family(BASELINE) == "plain"
    assert family(RECIPES["relu"]) == "activation"
    assert family(RECIPES["combined"]) == "combination"
    shown = [name for members in panels(RECIPES).values() for name in members]
    assert sorted(shown) == sorted(set(RECIPES) - {"plain"})


def test_committed_reports_are_what_their_records_give(tmp_path):
    """The tables of every committed report, made again from its archive."""
    from benchmarks.options import ROOT

    tracked = subprocess.run(
        ["git", "ls-files", "reports/*/suite.json"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    assert "reports/depth/suite.json" in tracked
    for settings in tracked:
        folder = (ROOT / settings).parent
        shutil.copytree(folder, tmp_path / "reports" / folder.name)
    papers = ROOT / "reports" / "papers"  # what a suite's claims come to depends on them, too
    for archive in papers.glob("*/*.jsonl.gz"):
        (tmp_path / "reports" / "papers" / archive.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(archive, tmp_path / "reports" / "papers" / archive.parent.name)
    write_all(tmp_path / "reports")
    kinds = ("*.csv", "README.md", "report.html")
    pages = [path for kind in kinds for path in papers.glob(f"*/{kind}")]
    assert len(pages) > 120
    for path in [*pages, *(papers.parent / f"papers.{kind}" for kind in ("csv", "md"))]:
        again = tmp_path / "reports" / path.relative_to(papers.parent)
        assert again.read_bytes() == path.read_bytes(), path
    for settings in tracked:
        folder = (ROOT / settings).parent
        for path in [*sorted(folder.rglob("*.csv")), folder / "README.md"]:
            again = tmp_path / "reports" / folder.name / path.relative_to(folder)
            assert again.read_bytes() == path.read_bytes(), path


def test_a_factorial_report_has_the_effects_and_no_curves(tmp_path):
    text = SUITE.replace('recipes = ["plain", "relu", "batch-norm"]', 'factors = ["init", "relu"]')
    (tmp_path / "known.toml").write_text(text)
    suite = read(str(tmp_path / "known.toml"))
    assert suite.recipes == ("plain", "init", "relu", "init+relu")
    errors = {"plain": 80.0, "init": 50.0, "relu": 40.0, "init+relu": 35.0}
    tuning = tuning_trials(suite, "cpu")
    records = {t.key: record(t, 10.0) for t in tuning}
    for trial in reporting_trials(suite, "cpu", choose(tuning, records)):
        records[trial.key] = record(trial, errors[trial.technique])
    for content in records.values():
        store.save(tmp_path / "results", content)
    write_report(suite, "cpu", "make again", tmp_path / "results", tmp_path / "reports")
    folder = tmp_path / "reports" / "known"
    table = pd.read_csv(folder / "tables" / "T6-effects.csv", keep_default_na=False)
    init = table[(table["factor"] == "init") & (table["depth"] == 2)]
    init = init[init["response"] == "test_error_pct"].set_index("condition")["effect"]
    assert init.to_dict() == {
        "": -17.5,
        "alone": -30,
        "without relu": -30,
        "with relu": -5,
        "with - without relu": 25,
    }
    readme = (folder / "README.md").read_text()
    assert "-17.5 [-17.5, -17.5]" in readme and "F1" not in readme
    drawn = sorted(path.name for path in (folder / "figures").iterdir())
    assert drawn == ["F4-which-replaces-which.svg", "F5-effects-by-depth.svg"]
    for name in drawn:
        assert f"figures/{name}" in readme


def test_the_trainability_map_shows_each_share_and_is_the_same_each_time(monkeypatch):
    suite = read("depth")
    rows = [(name, depth, 10, 10 if depth < 8 else 3) for name, depth in suite.cells]
    t1 = pd.DataFrame(rows, columns=["technique", "depth", "n", "n_trained"])
    drawn, texts = [], []
    monkeypatch.setattr(Axes, "imshow", seen_by(drawn, Axes.imshow))
    monkeypatch.setattr(Axes, "text", seen_by(texts, Axes.text))
    picture = figures.trainability_map(suite, t1)
    left, right = (values for (_, values, *_) in drawn)
    assert left.shape == (31, 9) and right.shape == (30, 9)
    assert (left[:, :4] == 1).all() and (left[:, 4:] == 0.3).all()
    not_run = len(suite.recipes) * len(suite.depths) - len(suite.cells)
    assert np.isnan(right).sum() == not_run > 0 and not np.isnan(left).any()
    assert sum(text == "0.3" for _, _, _, text in texts) == (t1["n_trained"] == 3).sum()
    assert figures.trainability_map(suite, t1) == picture
    t1.loc[4, "n_trained"] = 4
    assert figures.trainability_map(suite, t1) != picture


def seen_by(calls, method):
    def spy(*arguments, **options):
        calls.append(arguments)
        return method(*arguments, **options)

    return spy
