"""What is cited is what was measured: ids, results.json and its schema, macros, checksums."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from benchmarks import store
from benchmarks.__main__ import main
from benchmarks.markup import Grid, latex, latex_macros, macro_key, markdown
from benchmarks.options import ROOT
from benchmarks.plan import choose, reporting_trials, tuning_trials
from benchmarks.report import write_all, write_report
from benchmarks.suite import read
from tests.benchmarks.test_report import SUITE, known, record, write  # noqa: F401 a fixture

SCHEMA = json.loads((ROOT / "benchmarks" / "results.schema.json").read_text())
TYPES = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
    "boolean": bool, "null": type(None),
}  # fmt: skip


def check(value, schema: dict, where: str = "") -> None:
    """The part of JSON Schema that the schema uses; each keyword that it does not know is told."""
    if "$ref" in schema:
        return check(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], where)
    known_words = {"type", "const", "enum", "pattern", "required", "properties", "items",
                   "additionalProperties", "description", "title", "$schema", "$defs"}  # fmt: skip
    assert set(schema) <= known_words, where
    if "type" in schema:
        names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        right = [isinstance(value, TYPES[n]) and (n == "boolean" or value is not True and
                 value is not False) for n in names]  # fmt: skip
        assert any(right), (where, value)
    assert "const" not in schema or value == schema["const"], where
    assert "enum" not in schema or value in schema["enum"], where
    assert "pattern" not in schema or re.search(schema["pattern"], value), where
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value), where
        others = schema.get("additionalProperties", True)
        for key, part in value.items():
            if key in schema.get("properties", {}):
                check(part, schema["properties"][key], f"{where}.{key}")
            else:
                assert others is not False, f"{where}.{key}"
                check(part, others if isinstance(others, dict) else {}, f"{where}.{key}")
    for i, part in enumerate(value if isinstance(value, list) else []):
        check(part, schema.get("items", {}), f"{where}[{i}]")


@pytest.fixture
def report(known, tmp_path) -> Path:  # noqa: F811
    write(known, tmp_path)
    return tmp_path / "reports" / "known"


def test_results_are_as_the_schema_says_and_what_the_tables_say(report):
    said = json.loads((report / "results.json").read_text())
    check(said, SCHEMA)
    digest = hashlib.sha256((report / "data/records.jsonl.gz").read_bytes()).hexdigest()
    assert said["archive_sha256"] == digest and said["report"] == f"known-{digest[:8]}"
    assert said["trials"] == {"ok": 46, "diverged": 1, "crashed": 1, "missing": 0}
    cells = {cell["row"]: cell for cell in said["cells"]}
    cell = cells["relu@known/d2"]
    assert cell["test_error_pct"] == {"median": 8.5, "low": 6, "high": 90, "coverage": 1 - 2 / 2**6}
    assert (cell["n"], cell["n_trained"], cell["n_diverged"], cell["lr"]) == (6, 5, 1, 1.0)
    assert cells["plain@known/d1"]["points_saved"] is None
    assert cells["plain@known/d2"]["updates_to_target"]["median"] == "never"
    assert said["tables"]["T1"][0]["cells"]["relu"]["d2"] == "8.5 [6.0, 90.0] 5/6, 1 diverged"
    with pytest.raises(AssertionError, match="extra"):
        check({**said, "extra": 1}, SCHEMA)


def test_committed_results_are_as_the_schema_says():
    committed = [ROOT / "reports" / name / "results.json" for name in ("depth", "factorial")]
    for path in committed:
        assert path.exists()  # else nothing would be checked
        check(json.loads(path.read_text()), SCHEMA, path.parent.name)


def test_every_row_of_every_table_has_an_id_and_its_failures(report):
    for path in sorted((report / "tables").glob("*.csv")):
        table = pd.read_csv(path)
        assert table.columns[-1] == "row" and table["row"].is_unique, path
        assert "n_missing" in table and any(c == "n" or c.startswith("n_") for c in table), path
    t1 = pd.read_csv(report / "tables/T1-test-error.csv")
    assert t1["row"].tolist()[:2] == ["plain@known/d1", "plain@known/d2"]
    t4 = pd.read_csv(report / "tables/T4-learning-rates.csv")
    assert t4["row"][0] == "plain@known/d1/lr0.1"


def test_the_manifest_names_every_file_and_holds(report):
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "manifest.sha256"],
        cwd=report, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    listed = {line.split("  ")[1] for line in (report / "manifest.sha256").read_text().splitlines()}
    there = {str(p.relative_to(report)) for p in report.rglob("*") if p.is_file()}
    assert listed == there - {"manifest.sha256"}


def test_the_entry_and_the_checklist(report):
    entry = (report / "cite.bib").read_text()
    said = json.loads((report / "results.json").read_text())
    for told in (said["report"], said["archive_sha256"], "commit c0ffee", "version = {0.1.0}",
                 "protocol 2", "47 trials", "year = {2026}"):  # fmt: skip
        assert told in entry, told
    assert entry.startswith("@misc{") and entry.count("{") == entry.count("}")
    assert entry in (report / "README.md").read_text()
    checklist = (report / "CHECKLIST.md").read_text()
    # 784 x 4 + 4, 4 x 10 + 10; validation error beside test error, n
    assert r"| plain | 1 | 3,190 | 1\* | 7.5 | 7.5 | 6 | 1.50 |" in checklist
    assert "| 7.0 | 7.0 | 5 (0 diverged, 1 missing) | 1.50 |" in checklist
    assert "6 of 6 cells" in checklist and "0.1, 1.0, 1 tuning run each" in checklist


def test_cite_prints_the_cell_its_runs_and_an_entry(report, capsys):
    places = ["--reports", str(report.parent)]
    assert main(["cite", "known", "T1", "--row", "relu", "--depth", "2", *places]) == 0
    out = capsys.readouterr().out
    trials = pd.read_csv(report / "data/trials.csv")
    own = (trials["technique"] == "relu") & (trials["depth"] == 2) & (trials["role"] == "report")
    assert f"runs    6: {' '.join(trials[own]['key'])}" in out
    for told in ("relu@known/d2", "8.5 [6.0, 90.0] 5/6, 1 diverged", "order statistics",
                 "n 6, n_trained 5, test_error_pct 8.5, low 6.0, high 90.0", "@misc{"):  # fmt: skip
        assert told in out, told
    assert main(["cite", "known", "T9", "--row", "relu", "--depth", "1", *places]) == 0
    assert "runs    12: " in capsys.readouterr().out  # and those that it is compared with
    assert main(["cite", "known", "T4", "--row", "relu", "--depth", "1", *places]) == 0
    out = capsys.readouterr().out
    assert "runs    2: " in out and out.count("values  ") == 2
    assert main(["cite", "known", "T7", "--row", "relu", *places]) == 0
    assert "cell    all: ≥ 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["other", "T1", "--row", "relu"], "report 'other': not in .*; allowed: known; 'make"),
        (["known", "T99", "--row", "relu"], "table: 'T99' is not in report known; allowed: T1, T2"),
        (["known", "T1", "--row", "rely"], "--row: 'rely' is not in T1 .*; allowed: relu, "),
        (["known", "T1", "--row", "relu"], "--depth: T1 needs one; allowed: 1, 2$"),
        (["known", "T1", "--row", "relu", "--depth", "3"], "--depth: 3 is not .*; allowed: 1, 2$"),
        (["known", "T1", "--row", "relu", "--depth", "0"], "whole number from 1 on"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(report, capsys, arguments, told):
    assert main(["cite", *arguments, "--reports", str(report.parent)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and re.search(told, err.strip()), err


def test_a_damaged_results_file_is_told(report, capsys):
    (report / "results.json").write_text("{}")
    assert main(["cite", "known", "T1", "--row", "relu", "--reports", str(report.parent)]) == 2
    assert "results.json: damaged" in capsys.readouterr().err


NASTY = 'a_b & 50% #1 $x^2$ {c} ~ \\d <e> | "f" é ł 中 [g](h) *i*'
LONG = "n" * 200


def grid(name: str = "T1-test") -> Grid:
    rows = {NASTY: [NASTY, "1.0"], LONG: ["[0, 1]", "–"], "*": ["x", "y"], "[s]": ["x", "y"]}
    return Grid("T1", name, NASTY, NASTY, {"d1": NASTY, "d2": LONG}, rows, frozenset({("*", "d1")}))


def test_markup_of_names_that_are_markup():
    text = grid().latex()
    assert text.isascii() and "\\textbf{x}" in text and "[U+4E2D]" in text and "\\'{e}" in text
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [2] * 5
    assert any(row.startswith("{}[s]") for row in rows) and any(r.startswith("{}*") for r in rows)
    lines = grid().markdown().splitlines()
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines] == [4] * 6
    assert r"\[g\](h)" in lines[2] and "**x**" in lines[4]
    assert markdown("&lt;b&gt; a & b") == r"\&lt;b\&gt; a \& b"
    assert latex('<>|"') == r"\textless{}\textgreater{}\textbar{}''"
    assert macro_key("init+relu") == "init+relu" and macro_key("a_b#c") == "a-b-c"


needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="no pdflatex: apt-get install texlive-latex-base"
)


def compiled(folder: Path, body: str, *options: str) -> subprocess.CompletedProcess:
    document = (
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
        f"{body}\n\\end{{document}}\n"
    )
    (folder / "all.tex").write_text(document)
    return subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", *options, "all.tex"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip


@needs_latex
def test_nasty_names_compile(tmp_path):
    (tmp_path / "t.tex").write_text(grid().latex())
    (tmp_path / "macros.tex").write_text(latex_macros("known", [grid()]))
    cell = f"\\LbLcell{{T1}}{{{macro_key(NASTY)}}}{{d1}}"
    done = compiled(tmp_path, f"\\input{{t}}\\input{{macros}}{cell}", "-halt-on-error")
    assert done.returncode == 0, done.stdout[-2000:]


@needs_latex
def test_macros_give_cells_and_unknown_ones_are_errors(report, tmp_path):
    other = latex_macros("other", [Grid("T1", "T1", "", "", {"d1": "1"}, {"relu": ["SECOND"]})])
    (tmp_path / "other.tex").write_text(other)
    macros = f"\\input{{{report}/tables/macros}}"
    # the macro and the text that it should be are as wide as one another, and no other is
    asked = [
        ("\\LbLcell{T1}{relu}{d1}", "SECOND"),
        ("\\LbLcell[known]{T1}{relu}{d2}", "8.5 [6.0, 90.0] 5/6, 1 diverged"),
        ("\\LbLcell[other]{T1}{relu}{d1}", "SECOND"),
        ("\\LbLcell[known]{T1}{relu}{d1}", "7.5 [5.0, 10.0]"),
        ("\\gdef\\LbLreport{known}\\LbLcell{T1}{relu}{d1}", "7.5 [5.0, 10.0]"),
    ]
    body = f"{macros}\\input{{other}}" + "".join(
        f"\\sbox0{{{cell}}}\\sbox2{{{text}}}\\ifdim\\wd0=\\wd2 \\typeout{{SAME}}\\fi\n"
        for cell, text in asked
    )
    done = compiled(tmp_path, f"{body}x", "-halt-on-error")
    assert done.returncode == 0, done.stdout[-2000:]
    assert done.stdout.count("SAME\n") == len(asked)
    done = compiled(tmp_path, macros + "\\LbLcell{T1}{nobody}{d1}")
    assert "Package LbL Error: No cell T1, nobody, d1 in report known" in done.stdout


@pytest.mark.parametrize("case", ["one seed", "all diverged", "nothing reported"])
def test_poor_results_make_a_report_that_says_so(case, tmp_path):
    seeds = 1 if case == "one seed" else 6
    (tmp_path / "known.toml").write_text(SUITE.replace("seeds = 6", f"seeds = {seeds}", 1))
    suite = read(str(tmp_path / "known.toml"))
    status = "diverged" if case == "all diverged" else "ok"
    tuning = tuning_trials(suite, "cpu")
    made = {t.key: record(t, 20.0, status) for t in tuning}
    if case != "nothing reported":
        for t in reporting_trials(suite, "cpu", choose(tuning, made)):
            made[t.key] = record(t, 5.0 + t.seed, status)
    for one in made.values():
        store.save(tmp_path / "results", one)
    write_report(suite, "cpu", "make it", tmp_path / "results", tmp_path / "reports")
    readme = (tmp_path / "reports/known/README.md").read_text()
    told = {
        "one seed": ["| relu | 5.0 [5.0, 5.0] |", "n = 1 too small", "n too small for a test"],
        "all diverged": ["90.0 [90.0, 90.0] 0/6, 6 diverged", "never 0/6", "| 0/6 [0, 39] |"],
        "nothing reported": [
            "| relu | missing | missing |\n",
            "| relu | missing | missing | missing |",
        ],
    }  # fmt: skip
    for text in told[case]:
        assert text in readme, text
    for line in readme.splitlines():
        assert "| nan" not in line.lower() and "<na>" not in line.lower(), line
    check(json.loads((tmp_path / "reports/known/results.json").read_text()), SCHEMA)
    before = {p: p.read_bytes() for p in (tmp_path / "reports/known").rglob("*") if p.is_file()}
    write_all(tmp_path / "reports")
    assert {p: p.read_bytes() for p in before} == before


def test_the_citation_file_has_what_the_standard_requires_and_nothing_it_does_not_know():
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(cff)  # required by CFF 1.2.0
    assert set(cff) <= {
        "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi",
        "identifiers", "keywords", "license", "license-url", "message", "preferred-citation",
        "references", "repository", "repository-artifact", "repository-code", "title", "type",
        "url", "version",
    }  # fmt: skip
    assert cff["cff-version"] == "1.2.0" and cff["type"] in ("software", "dataset")
    people = {"family-names", "given-names", "name-particle", "name-suffix", "orcid", "affiliation"}
    for author in cff["authors"]:
        assert set(author) <= people or set(author) <= {"name", "website", "email"}
    assert all(isinstance(word, str) for word in cff["keywords"])
    assert len(set(cff["keywords"])) == len(cff["keywords"])
