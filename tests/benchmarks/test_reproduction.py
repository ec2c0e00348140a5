"""A paper's report: its claims judged, its cells, and all papers on one page."""

import csv
import io
import re
import shutil
from contextlib import contextmanager
from dataclasses import replace

import pytest

from benchmarks import claims, paper_pages, reproduction, store, sweeps
from benchmarks.archive import save_archive
from benchmarks.executors import in_process
from benchmarks.experiment import experiments
from benchmarks.metrics import METRICS, metric_names
from benchmarks.paper_recipes import PAPER_RECIPES
from benchmarks.problem import Problem
from benchmarks.references import OF_CLAIMS, PATH, references
from benchmarks.run import Interrupted, archive_of
from benchmarks.suite import read
from techniques.recipe import RECIPES
from tests.benchmarks.test_experiment import TOY

KEY = TOY.paper  # a paper that references.bib has
CLAIMS = f"""
key = "{KEY}"

[[claims]]
id = "low-below-high"
kind = "ordinal"
where = "Table 1"
statement = "low is below high | by *far*"
verified = "memory"
published = 4.0
unit = "m"
departs = "toy"
scale = "reduced"
suite = "toy"
metric = "height"
lower = {{ recipe = "low", depth = 2 }}
higher = {{ recipe = "high", depth = 2 }}
margin = 1.0
"""


@pytest.fixture
def papers(tmp_path, monkeypatch):
    """One paper with one claim on a toy experiment; gives the folder of reports."""
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / f"{KEY}.toml").write_text(CLAIMS)
    (folder / f"{KEY}.md").write_text(
        'High is {{ cell("toy", "high", 2, "height") }} m, and of it '
        '{{ cell("elsewhere", "high", 2, "height") }} % is air.\n'
    )
    monkeypatch.setattr(claims, "FOLDER", folder)
    monkeypatch.setitem(experiments(), "toy", TOY)
    monkeypatch.setattr(sweeps, "by_name", lambda: {"toy": TOY})
    sweeps._read.cache_clear()
    yield tmp_path / "reports"
    sweeps._read.cache_clear()


def reproduce(reports, executor=None, device="cpu", **options):
    return reproduction.reproduce(
        [KEY],
        "reduced",
        device=device,
        executor=executor or (lambda: in_process(reports.parent / "results")),
        results=reports.parent / "results",
        reports=reports,
        **options,
    )


def test_a_paper_is_run_judged_and_reported(papers):
    assert reproduce(papers) == 0
    page = (papers / "papers" / KEY / "README.md").read_text()
    assert "| low-below-high | REPRODUCED | 4 m (memory) | 4 [4, 4] m | 10 | reduced |" in page
    assert r"low is below high \| by \*far\*" in page
    assert "High is 7.045 [7.01, 7.08] m, and of it (not run) is air." in page
    rows = list(csv.DictReader(io.StringIO((papers / "papers.csv").read_text())))
    assert list(rows[0]) == list(paper_pages.COLUMNS)
    assert rows[0]["paper"] == KEY
    assert rows[0]["verdict"] == "REPRODUCED"
    assert float(rows[0]["ours"]) == pytest.approx(4.0)
    overview = (papers / "papers.md").read_text()
    assert "1 claims of 1 papers" in overview
    assert "All suites have been run." in overview


def test_every_page_is_there_for_a_browser_and_leads_to_others_for_one(papers):
    reproduce(papers)
    page = (papers / "papers" / KEY / "report.html").read_text()
    assert '<td class="reproduced">REPRODUCED</td>' in page
    overview = (papers / "papers.html").read_text()
    assert '<td class="reproduced">REPRODUCED</td>' in overview and overview.count("<svg") == 1
    assert f'href="papers/{KEY}/report.html"' in overview and "README.md" not in overview
    hrefs = re.findall(r'href="([^"#]+)"', overview)
    assert hrefs and all((papers / href).exists() for href in hrefs)


def test_hours_are_told_with_two_digits_and_no_exponent():
    assert [sweeps.roughly(x) for x in (444, 3.27, 0.0333)] == ["440", "3.3", "0.033"]


def test_of_runs_that_trained_the_share_is_told_and_not_the_median():
    runs = [1.0] * 23 + [0.0] * 7
    share, low, high = paper_pages._level(METRICS["trained"].unit, runs)
    assert share == pytest.approx(23 / 30)
    assert (low, high) == pytest.approx((0.5907, 0.8821), abs=1e-4)
    assert paper_pages._level("m", runs) == (1, 1, 1)


def test_protocols_of_suites_that_a_paper_borrows_are_linked():
    borrowed = paper_pages._borrowed(claims.read("vincent2008dae"))
    assert borrowed["larochelle2007"] == "../larochelle2007/README.md#protocols"
    assert "vincent2008dae" not in borrowed
    assert paper_pages._borrowed(claims.read("bengio1994"))["depth"] == "../../depth/README.md"


def test_rates_are_also_told_in_the_terms_of_methods_that_scale_them():
    said = "\n".join(paper_pages._said(read("ba2016ln")))
    assert "learning rate 0.01, not tuned (steps: 0.1 times that for relu-adam, " in said
    assert "steps" not in "\n".join(paper_pages._said(read("he2016resnet")))


def test_reports_come_again_byte_for_byte_from_the_archive_alone(papers):
    reproduce(papers)
    before = {p: p.read_bytes() for p in papers.rglob("*") if p.is_file()}
    sweeps._read.cache_clear()
    paper_pages.write_all(papers)  # knows nothing of the store
    assert {p: p.read_bytes() for p in papers.rglob("*") if p.is_file()} == before


def test_what_was_not_run_is_said(papers):
    paper_pages.write_all(papers)
    page = (papers / "papers" / KEY / "README.md").read_text()
    assert "NOT TESTED" in page
    assert "High is (not run) m, and" in page
    assert "written" not in page.partition("## What was measured")[0].partition("low is below")[2]
    assert "not run yet: 40 of 40 trials; all of it takes about 0.033 hours" in page  # 3 s each
    overview = (papers / "papers.md").read_text()
    assert f"| toy | {KEY} | reduced | 40 of 40 | 0.033 |" in overview


def test_what_a_smaller_run_gave_is_marked_and_is_no_row_of_the_paper(papers):
    claim = claims.FOLDER / f"{KEY}.toml"
    claim.write_text(claim.read_text().replace('scale = "reduced"', 'scale = "paper"'))
    reproduce(papers)
    page = (papers / "papers" / KEY / "README.md").read_text()
    assert "| NOT TESTED | 4 m (memory) | 4 [4, 4] m (reduced) | 10 | paper |" in page
    (row,) = csv.DictReader(io.StringIO((papers / "papers.csv").read_text()))
    assert (row["published"], row["ours"], row["low"], row["high"], row["n"]) == (
        "4.0", "", "", "", "0",
    )  # fmt: skip


def test_an_interrupted_sweep_keeps_what_it_has_where_it_is_committed(papers, capsys):
    @contextmanager
    def interrupted_after_one():
        with in_process(papers.parent / "results") as execute:

            def one(stacks):
                yield next(iter(execute(stacks)))
                raise KeyboardInterrupt

            yield one

    with pytest.raises(Interrupted):
        reproduce(papers, executor=interrupted_after_one)
    assert "papers.md is as it was" in capsys.readouterr().err
    shutil.rmtree(papers.parent / "results")  # the machine is lost, and reports are committed
    kept = store.load_archive(papers / "papers" / KEY / "toy.jsonl.gz")
    assert 0 < len(kept) < 40
    missing = f"{40 - len(kept)} of 40"
    assert missing in (papers / "papers" / KEY / "README.md").read_text()
    reproduce(papers)
    again = store.load_archive(papers / "papers" / KEY / "toy.jsonl.gz")
    assert len(again) == 40
    assert {key: again[key] for key in kept} == kept  # nothing was measured twice


def test_what_stopped_a_run_is_told_though_what_is_done_cannot_be_kept(papers, monkeypatch, capsys):
    def stopped(*_, **__):
        raise Interrupted("toy: 10 of 40 trials saved")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reproduction, "archive", full)
    with pytest.raises(OSError, match="No space left"):
        reproduce(papers)
    monkeypatch.setattr(reproduction, "run", stopped)
    with pytest.raises(Interrupted, match="10 of 40 trials saved"):
        reproduce(papers)
    assert "toy: what is done was not kept in" in capsys.readouterr().err


def test_reported_runs_stay_archived_while_rates_are_searched_anew(tmp_path):
    def record(trial):
        result = {"valid_error_pct": trial.lr}
        return {"key": trial.key, "config": trial.config, "status": "ok", "result": result,
                "curves": {}, "probes": [], "env": {}, "schema": store.SCHEMA}  # fmt: skip

    suite = read("srivastava2015highway-gates")
    tuning, reporting = sweeps._trials(suite)  # of the rate chosen here, the first
    path = archive_of(tmp_path, suite)
    store.prepare_folder(path.parent)
    save_archive(path, map(record, [*tuning, *reporting]))
    assert sweeps.n_missing(suite, tmp_path) == 0
    grid = suite.tuning.model_copy(update={"lr": (*suite.tuning.lr, 3.0)})
    wider = suite.model_copy(update={"tuning": grid})
    sweeps.archive(wider, "cpu", tmp_path / "results", tmp_path)  # interrupted before 3.0 was run
    assert {trial.key for trial in reporting} < store.load_archive(path).keys()
    assert sweeps.n_missing(wider, tmp_path) == 2 + len(reporting)  # none counts before the choice


def test_what_would_take_too_long_is_left_out_and_counted(papers, capsys):
    reproduce(papers, at_most=0.001)
    assert not (papers / "papers" / KEY / "toy.jsonl.gz").exists()
    said = "0 suites, about 0 hours of one core from nothing; 1 of more than 0.001 hours"
    assert said in capsys.readouterr().err


def test_one_suite_alone_can_be_run(papers, monkeypatch):
    other = replace(TOY, name="other", seeds=3)
    monkeypatch.setitem(experiments(), "other", other)
    monkeypatch.setattr(sweeps, "by_name", lambda: {"toy": TOY, "other": other})
    reproduce(papers, only="other")
    stored = {path.name for path in (papers / "papers" / KEY).glob("*.jsonl.gz")}
    assert stored == {"other.jsonl.gz"}
    with pytest.raises(Problem, match="--only: 'depth' is no suite of reduced scale here; allowed: "
                                      "other, toy"):  # fmt: skip
        reproduce(papers, only="depth")


def test_records_of_another_device_are_judged_and_not_written_over(papers):
    reproduce(papers)
    kept = papers / "papers" / KEY / "toy.jsonl.gz"
    on_cpu = kept.read_bytes()
    with pytest.raises(Problem, match=r"toy.jsonl.gz: holds records made on cpu; .* meta give"):
        reproduce(papers, device="meta")
    assert kept.read_bytes() == on_cpu
    elsewhere = papers.parent / "others"
    reproduce(elsewhere, device="meta")
    assert sweeps.device_of(TOY, elsewhere) == "meta"
    assert "REPRODUCED" in (elsewhere / "papers" / KEY / "README.md").read_text()
    assert sweeps.n_missing(TOY, elsewhere) == sweeps.n_missing(TOY, papers) == 0


def test_a_scale_that_a_paper_lacks_runs_nothing(papers):
    assert sweeps.of_paper(KEY, "paper") == []
    assert sweeps.of_paper(KEY, "reduced") == [TOY]


def test_an_unknown_paper_is_told_with_those_that_are_known(papers):
    with pytest.raises(Problem, match=f"'nobody1900' has no claims file; allowed: {KEY}"):
        reproduction.known("nobody1900")
    assert reproduction.known(None) == [KEY]


def test_a_suites_hours_grow_with_its_updates():
    suite = read("ioffe2015bn")
    budget = suite.budget.model_copy(update={"updates": 2 * suite.budget.updates})
    twice = suite.model_copy(update={"budget": budget})
    assert 1.8 < sweeps.hours(twice) / sweeps.hours(suite) <= 2


def test_every_paper_with_claims_has_a_reference_and_no_key_is_in_both_files():
    ours, of_claims = references(PATH), references(OF_CLAIMS)
    assert not ours.keys() & of_claims.keys()
    assert set(claims.names()) <= ours.keys() | of_claims.keys()
    assert all(work.title and work.authors and work.year.isdigit() for work in of_claims.values())


def test_every_suite_of_a_paper_tests_a_claim_or_its_discussion_cites_it():
    """A claim of another paper's, too, that needs the same runs."""
    needed = {claim.suite for key in claims.names() for claim in claims.read(key).claims}
    for discussion in claims.FOLDER.glob("*.md"):
        needed |= set(re.findall(r'cell\("([^"]+)"', discussion.read_text()))
    of_papers = {name for name, sweep in sweeps.by_name().items() if sweep.paper}
    assert of_papers <= needed
    assert {sweeps.by_name()[name].paper for name in of_papers} <= set(claims.names())


def test_every_figure_that_a_discussion_cites_is_measured_by_a_sweep_of_its_page():
    cited = re.compile(r'\{\{ cell\("([^"]+)", "([^"]+)", (\d+), "([^"]+)"\) \}\}')
    for discussion in claims.FOLDER.glob("*.md"):
        paper, text = claims.read(discussion.stem), discussion.read_text()
        own = {name for name, sweep in sweeps.by_name().items() if sweep.paper == paper.key}
        there = own | {claim.suite for claim in paper.claims}
        found = cited.findall(text)
        assert len(found) == text.count("{{")
        for name, technique, depth, metric in found:
            assert name in there
            assert (technique, int(depth)) in sweeps.by_name()[name].cells
            assert metric in metric_names(name)


def test_recipes_of_papers_have_names_of_their_own():
    assert not RECIPES.keys() & PAPER_RECIPES.keys()
