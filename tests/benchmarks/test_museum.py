"""The museum page, without a browser: its data, its links, and that nothing breaks out of it."""

import base64
import glob
import hashlib
import json
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from pydantic import BaseModel, ConfigDict

from benchmarks import catalogue, museum
from benchmarks.explorer import explorer_data
from benchmarks.options import ROOT
from benchmarks.problem import Problem
from benchmarks.references import PATH, references
from benchmarks.typography import formula, unlatex
from techniques.optimisation import adam
from tests.benchmarks.museum_reports import committed, made_up, with_filters

VENDORED = {
    "d3-7.9.2.min.js": "912111098ea99503a6f4967361d2bbdc9dbf58cf9c678c8e27e5b02d1a07f0c1",
    "plot-0.6.17.min.js": "4358086467740777dd788d6b27a95cebdbaefdd50c730a3060117073bd7134cb",
}
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)><!-- \u2028 ' \" & {{ 7*7 }}"
)


class Parsed(HTMLParser):
    """Every element with its attributes, the scripts' text, and whether all were closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._in_script = False

    def handle_data(self, data):
        if self._in_script:
            self.scripts[-1] += data
        else:
            self.text += data

    def all(self, tag: str, attribute: str) -> list[str]:
        return [a[attribute] for t, a in self.elements if t == tag and attribute in a]

    @property
    def data(self) -> dict:
        return json.loads(self.scripts[0])


def written(reports: Path) -> Parsed:
    return Parsed(museum.write(reports).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """The committed reports, with a page of their own."""
    reports = committed(tmp_path_factory.mktemp("real") / "reports")
    museum.write(reports)
    return reports


@pytest.fixture(scope="module")
def page(real) -> Parsed:
    return Parsed((real / "index.html").read_text(encoding="utf-8"))


def test_known_runs_give_known_data(tmp_path):
    made_up(tmp_path, {("plain", 1): [5, 7, 6], ("plain", 2): [80, 80, 80], ("relu", 2): [4, 4, 4]})
    suite = explorer_data(tmp_path)["suites"]["made-up"]
    assert suite["depths"] == [1, 2] and suite["updates"] == [0, 5, 10]
    assert suite["families"] == {"plain": ["plain"], "activation": ["relu"]}
    one = suite["cells"]["plain"]["1"]
    assert one["runs"] == [3, 3, 0, 0]
    assert one["error"] == [6, 5, 7] and one["lr"] == 1  # of three runs the interval is the range
    assert one["curve"] == [[90, 7, 6], [90, 6, 5], [90, 8, 7]]
    two = suite["cells"]["plain"]["2"]
    assert two["runs"] == [3, 0, 0, 0]
    assert two["start"]["gradient"] == [[0.1, 1]] * 3  # the first layer's comes first
    assert two["end"]["gradient"] == [[0, 1]] * 3
    assert two["end"]["saturated"] == [[50, 50]] * 3
    assert "filters" not in two


def test_the_median_of_an_even_number_and_the_interval_of_ten_runs(tmp_path):
    made_up(tmp_path, {("plain", 1): [3, 1, 2, 4, 5, 6, 7, 8, 10, 9]}, seeds=10)
    cell = explorer_data(tmp_path)["suites"]["made-up"]["cells"]["plain"]["1"]
    # x_(2) and x_(9): 1 - 2 P(Binomial(10, 1/2) < 2) = 97.9 %
    assert cell["error"] == [5.5, 2, 9]
    assert [column[-1] for column in cell["curve"]] == [5.5, 2, 9]


def test_failures_stay_visible(tmp_path):
    runs = {("plain", 1): [5, None, 7], ("plain", 2): [None] * 3, ("relu", 1): [4], ("relu", 2): []}
    made_up(tmp_path, runs)
    cells = explorer_data(tmp_path)["suites"]["made-up"]["cells"]
    assert cells["plain"]["1"]["runs"] == [3, 2, 1, 0]
    assert cells["plain"]["1"]["error"] == [7, 5, 90]  # diverged counts as chance
    assert cells["plain"]["1"]["curve"] == [[90, 7, 6], [90, 6, 5], [90, 8, 7]]  # of the other two
    assert cells["plain"]["2"]["runs"] == [3, 0, 3, 0]
    assert cells["plain"]["2"]["curve"] == [[90, None, None]] * 3
    assert cells["plain"]["2"]["end"]["gradient"] == [[None, None]] * 3
    assert cells["relu"]["1"]["runs"] == [1, 1, 0, 2]
    assert cells["relu"]["1"]["error"] == [4, 4, 4]
    assert cells["relu"]["2"] == {"runs": [0, 0, 0, 3]}
    assert written(tmp_path).data["suites"]["made-up"]["cells"] == cells


def test_a_cell_that_the_suite_leaves_out_is_not_there(page):
    dense = page.data["suites"]["depth"]["cells"]["dense"]
    assert "20" in dense and "30" not in dense


def test_filters_are_shown_where_they_are_stored(tmp_path):
    folder = made_up(tmp_path, {("plain", 1): [5, 7, 6], ("relu", 1): [4, 4, 4]})
    before, after = [[[1, 2], [3, 4]]] * 2, [[[64, -127], [0, 127]], [[0, 0], [0, 0]]]
    with_filters(folder, {("plain", 1): [before, after], ("gone", 1): [before, after]})
    cells = explorer_data(tmp_path)["suites"]["made-up"]["cells"]
    assert "filters" not in cells["relu"]["1"]
    filters = cells["plain"]["1"]["filters"]
    assert filters["side"] == 2
    start, end = ([list(base64.b64decode(i)) for i in filters[when]] for when in ("start", "end"))
    assert start == [[1, 2, 3, 4]] * 2
    assert end == [[64, 256 - 127, 0, 127], [0] * 4]  # bytes of int8


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Style(Strict):
    colour: str
    symbol: str
    dash: str


class Styles(Strict):
    plain: Style
    others: list[Style]


class Story(Strict):
    depth: int
    techniques: list[str]


Column = list[float | None]


class Moment(Strict):
    gradient: tuple[Column, Column, Column]
    saturated: tuple[Column, Column, Column]


class Filters(Strict):
    side: int
    start: list[str]
    end: list[str]


class Cell(Strict):
    runs: tuple[int, int, int, int]
    error: tuple[float, float, float] | None = None
    lr: float | None = None
    curve: tuple[Column, Column, Column] | None = None
    start: Moment | None = None
    end: Moment | None = None
    filters: Filters | None = None


class SuiteData(Strict):
    title: str
    seeds: int
    depths: list[int]
    updates: list[int]
    families: dict[str, list[str]]
    cells: dict[str, dict[int, Cell]]


class Data(Strict):
    schema_: int
    most: int
    styles: Styles
    story: Story
    suites: dict[str, SuiteData]


def test_the_data_have_the_form_that_their_module_says(page):
    found = dict(page.data)
    data = Data.model_validate(found | {"schema_": found.pop("schema")})
    assert list(data.suites)[0] == "depth" and len(data.styles.others) == data.most
    for suite in data.suites.values():
        assert sorted(r for names in suite.families.values() for r in names) == sorted(suite.cells)
        for recipe, cells in suite.cells.items():
            assert set(cells) <= set(suite.depths), recipe
            for depth, cell in cells.items():
                finished, trained, diverged, missing = cell.runs
                assert trained + diverged <= finished and finished + missing == suite.seeds
                assert cell.error[1] <= cell.error[0] <= cell.error[2]
                assert all(len(column) == len(suite.updates) for column in cell.curve)
                for moment in (cell.start, cell.end):
                    for columns in (moment.gradient, moment.saturated):
                        assert all(len(column) == depth for column in columns)


def test_the_same_reports_give_the_same_bytes(real):
    before = (real / "index.html").read_bytes()
    (real / "index.html").unlink()
    assert museum.write(real).read_bytes() == before


def test_the_committed_page_has_the_data_of_the_committed_reports(page):
    assert Parsed((ROOT / "reports" / "index.html").read_text(encoding="utf-8")).data == page.data


def test_the_page_is_small(real):
    assert (real / "index.html").stat().st_size < 3_000_000


def test_what_comes_from_data_cannot_break_out(tmp_path, monkeypatch):
    made_up(tmp_path, {("plain", 1): [5, 7, 6]})
    clean = written(tmp_path)
    settings = tmp_path / "made-up" / "suite.json"
    settings.write_text(settings.read_text().replace("Made up", json.dumps(HOSTILE)[1:-1]))
    line = HOSTILE.replace("\u2028 ", "")  # which ends a line
    doc = adam.__doc__.replace("Adam: momentum", f"Adam{line}: momentum")
    for part in ("In a deep sigmoid net", "AdamW", "mean <-", "Kingma, Ba", "its own step size"):
        assert part in doc
        doc = doc.replace(part, line)
    monkeypatch.setattr(adam, "__doc__", doc)
    page = written(tmp_path)
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in clean.elements}
    assert page.scripts[1:] == clean.scripts[1:]
    assert page.data["suites"]["made-up"]["title"] == HOSTILE
    assert page.text.count("<img src=x onerror=alert(2)>") >= 6  # it is there, as text
    assert page.text.count("{{ 7*7 }}") >= 6
    assert "\u2028" not in page.scripts[0]


def test_the_policy_allows_the_pages_own_scripts_and_nothing_else(page):
    (policy,) = [a["content"] for t, a in page.elements if a.get("http-equiv")]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == "'none'"
    assert rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    assert rules.pop("img-src") == "data:" and rules.pop("style-src") == "'unsafe-inline'"
    code = [s for s, (_, a) in zip(page.scripts, scripts_of(page), strict=True) if "type" not in a]
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in code]
    assert rules == {"script-src": " ".join(f"'sha256-{digest}'" for digest in hashes)}
    assert len(code) == len(museum.VENDOR) + len(museum.SCRIPTS)


def scripts_of(page: Parsed) -> list[tuple[str, dict]]:
    return [element for element in page.elements if element[0] == "script"]


def test_the_page_asks_for_nothing_from_elsewhere(page):
    assert not [a for _, a in page.elements if "src" in a or "srcset" in a]
    assert page.all("link", "href") == ["data:,"]
    assert not any(re.match(r"[a-z]+:|//", href) for href in page.all("a", "href"))
    style = (museum.SOURCES / "style.css").read_text()
    assert "url(" not in style and "@import" not in style
    assert not any(name.startswith("on") for _, a in page.elements for name in a)


def test_every_link_leads_somewhere(page):
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    hrefs = page.all("a", "href")
    data = page.data["suites"]
    for href in hrefs:
        if not href.startswith("#"):
            assert (ROOT / "reports" / unquote(href)).resolve().exists(), href
        elif "=" in href:
            found = re.fullmatch(r"#suite=([^&]+)&depth=(\d+)&t=([^&]+)", href)
            suite, depth, recipes = found.groups()
            assert int(depth) in data[suite]["depths"]
            assert {unquote(r) for r in recipes.split(",")} <= set(data[suite]["cells"])
        else:
            assert href[1:] in ids, href
    modules = {catalogue.entry(module).path for module in catalogue.modules()}
    assert {f"../{path}" for path in modules} <= set(hrefs)
    assert {"papers.html", "depth/report.html", "papers/glorot2010/report.html"} <= set(hrefs)


def test_what_labels_refer_to_is_there(page):
    ids = {a["id"] for _, a in page.elements if "id" in a}
    for _, attributes in page.elements:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids


def test_the_readme_and_the_catalogue_link_to_the_page():
    assert "(reports/index.html)" in (ROOT / "README.md").read_text()
    assert "(index.html)" in catalogue.page(None)


def test_without_reports_there_are_the_timeline_and_the_cards(tmp_path):
    page = written(tmp_path)
    assert "No stored trials yet" in page.text and not page.scripts
    assert "RBM pretraining" in page.text and "not run" in page.text
    assert not any(href.startswith("papers") for href in page.all("a", "href"))


def test_a_report_without_runs_is_shown_as_such(tmp_path):
    made_up(tmp_path, {("plain", 1): [], ("relu", 1): []}, name="depth")
    page = written(tmp_path)
    assert page.data["suites"]["depth"]["cells"]["plain"]["1"] == {"runs": [0, 0, 0, 3]}
    assert "With 20 hidden layers" not in page.text


@pytest.mark.parametrize(
    "name", ["tables/T1-test-error.csv", "tables/T4-learning-rates.csv", "data/layers.csv.gz"]
)
@pytest.mark.parametrize("content", [None, b"", b"\x1f\x8bbroken", b"technique,depth\n"])
def test_a_table_that_cannot_be_read_is_named_and_the_page_stays(tmp_path, name, content):
    folder = made_up(tmp_path, {("plain", 1): [5, 7, 6]})
    before = museum.write(tmp_path).read_bytes()
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(Problem, match=re.escape(f"made-up/{name}: ")):
        museum.write(tmp_path)
    assert (tmp_path / "index.html").read_bytes() == before


def test_a_card_says_what_its_recipe_reached(tmp_path):
    runs = {("adam", 1): [5, 6, 7], ("adam", 3): [10, 20, None], ("adam", 5): [40, 80, 90]}
    runs |= {("tanh", 1): [88, 88, 88], ("tanh", 5): [None] * 3}
    made_up(tmp_path, runs, name="depth")
    reached = {r.recipe: r for m in catalogue.modules() for r in museum_card(m, tmp_path).reached}
    # at 3 layers two of three runs trained, and the diverged one counts as 90 %
    assert reached["adam"][2:] == ("3", "2/3, 1 diverged", "20.0 [10.0, 90.0]")
    assert reached["adam"].address == "suite=depth&depth=3&t=plain,adam"
    assert reached["tanh"][2:] == ("none", "0/3", "88.0 [88.0, 88.0]")
    assert reached["rbm"].deepest == ""


def museum_card(module, reports: Path) -> museum.Card:
    return museum.card(module, museum.pd.read_csv(reports / "depth/tables/T1-test-error.csv"))


def test_the_greatest_depth_that_a_recipe_was_run_at_is_said_to_be_that(page):
    assert "20, the most tried" in page.text  # dense


def test_the_timeline_has_every_module_once_and_2006_opens_it():
    cards = museum.all_cards(museum.NO_ERRORS)
    eras = museum.eras(cards)
    assert [era.span for era in eras] == [
        "before 1991", "1991–2005", "2006–2009", "2010–2014", "2015–2020"
    ]  # fmt: skip
    shown = [card.id for era in eras for _, own in era.years for card in own]
    assert sorted(shown) == sorted(card.id for card in cards)
    assert "pretraining" in eras[2].name and eras[2].years[0][0] == "2006"
    assert {card.family for card in eras[2].years[0][1]} == {"pretraining"}
    last_year, last = eras[-1].years[-1]
    assert [when for when, _ in eras[1].years] == ["1993", "1998", "1990s", "2001"]
    assert last_year == "2020" and "ReZero" in [card.entry.name for card in last]


def test_every_comparison_is_there(page):
    data = page.data
    assert [name for name, _ in museum.comparisons(data)] == list(museum.COMPARISONS)
    assert all(len(recipes) <= data["most"] for _, recipes in museum.COMPARISONS.values())


@pytest.mark.parametrize(
    "text, html",
    [
        ("h_(l-1) + alpha_l f(z_l)", "h<sub>l−1</sub> + α<sub>l</sub> f(z<sub>l</sub>)"),
        ("var <= 1/(3 fan_in), cd_k", "var ≤ 1/(3 fan_in), cd_k"),
        ("weight_sd^2 E[f'(u)^2]", "weight_sd<sup>2</sup> E[f′(u)<sup>2</sup>]"),
        ("momentum_(t+1) + weight_ij", "momentum<sub>t+1</sub> + weight<sub>ij</sub>"),
        ("2^(-1 - log2(floor(t/250) + 1))", "2<sup>−1 − log2(floor(t/250) + 1)</sup>"),
        ("<v h>_data", "⟨v h⟩<sub>data</sub>"),
        ("p <- p - lr g, ||v|| +-1", "p ← p − lr g, ‖v‖ ±1"),
        ("sum_j sqrt(2), the sum of", "Σ<sub>j</sub> √(2), the sum of"),
        ("h weight', a layer's, all gates' own", "h weight′, a layer&#39;s, all gates&#39; own"),
        ("a < b, ``pieces``", "a &lt; b, <code>pieces</code>"),
        ("sigma'(z), sigmoid, alphabet", "σ′(z), sigmoid, alphabet"),
    ],
)  # fmt: skip
def test_formulas_are_set_with_signs_indices_and_powers(text, html):
    assert formula(text) == html


def test_lines_are_joined_where_only_their_width_broke_them():
    wide = f"wide {'x' * 83}"
    lines = ["a <- b", "c <- d", wide, "then more", "    shown by itself", "after"]
    joined = museum.method_lines(lines)
    assert [displayed for displayed, _ in joined] == [False, False, False, True, False]
    assert [str(text) for _, text in joined] == [
        "a ← b", "c ← d", f"{wide} then more", "shown by itself", "after"
    ]  # fmt: skip


def test_keys_are_links_to_the_references():
    html = museum.with_links("Ba (2016), here; BibTeX ba2016ln. More (BibTeX bell1997)")
    link = '<a class="key" href="#ref-{0}">{0}</a>'
    assert html == f"Ba (2016), here {link.format('ba2016ln')}. More ( {link.format('bell1997')})"


def test_references_are_plain_text():
    works = references(PATH)
    text = (ROOT / "techniques" / "references.bib").read_text(encoding="utf-8")
    assert set(works) == set(re.findall(r"@\w+\{(\w+),", text))
    assert works["hochreiter1991"].venue == "Technische Universität München"
    assert works["glorot2010"].authors == "X. Glorot and Y. Bengio"
    assert works["rumelhart1986"].venue == "Nature 323, 533–536"
    assert not any(set("{}\\") & set("".join(work)) for work in works.values())
    assert unlatex(r"Fran{\c{c}}ois {\`e} ``x'' {BP}") == "François è “x” BP"


def test_what_is_vendored_is_what_was_published():
    folder = museum.SOURCES / "vendor"
    for name, digest in VENDORED.items():
        code = (folder / name).read_bytes()
        assert hashlib.sha256(code).hexdigest() == digest
        licence = (folder / f"{name.split('-')[0]}-LICENSE.txt").read_text()
        assert "Permission to use, copy, modify" in licence
    assert sorted(VENDORED) == sorted(museum.VENDOR)


@pytest.mark.parametrize("path", sorted(museum.SOURCES.rglob("*.js")), ids=lambda p: p.name)
def test_a_script_can_be_inlined(path):
    text = path.read_text(encoding="utf-8")
    assert "</script" not in text.lower() and "<!--" not in text and "\r" not in text


def test_an_installed_package_has_the_templates():
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = said["tool"]["setuptools"]["package-data"]["benchmarks"]
    package = ROOT / "benchmarks"
    shipped = {f for p in patterns for f in glob.glob(p, root_dir=package, recursive=True)}
    files = {str(p.relative_to(package)) for p in museum.SOURCES.parent.rglob("*") if p.is_file()}
    assert len(files) > 8 and files <= shipped
