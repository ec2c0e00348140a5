"""report.html says what README.md says, and nothing else; it is safe, and the same each time."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from matplotlib import pyplot as plt

from benchmarks import figures
from benchmarks.markup import markdown, markdown_table
from benchmarks.options import ROOT
from benchmarks.palette import BLACK, COLOURS, GREY, IN_THE_DARK, PAPER
from benchmarks.problem import Problem
from benchmarks.verdicts import Outcome
from benchmarks.webpage import STYLESHEET, page

BROWSER = shutil.which("chromium")
HOSTILE = "<script>alert(1)</script>\"& '|`[x](javascript:alert(2))"


def figure(*names: str, width: float = 6) -> bytes:
    """A figure with a line for each name, clipped and in the palette's colours."""
    with plt.rc_context(figures.STYLE):
        drawn, axes = plt.subplots(figsize=(width, 2))
        for i, name in enumerate(names):
            axes.plot([1, 2], [i, 1], color=COLOURS[i], marker="o", label=name)
        axes.legend()
        return figures.svg(drawn)


README = f"""# A title with {markdown(HOSTILE)}

Text with <b>raw</b> & `code`.

## T1. Test error

{markdown_table(["hidden layers", "1"], [[HOSTILE, "7.5 [5.0, 10.0]"], ["plain", "90.0"]])}
![Error & depth](figures/F1-error.svg)

*F1. What it `shows`.*

![Other](figures/F7-other.svg)

Not a caption.

## T1. Test error

## How to cite

```
@misc{{x}} <i>
```
"""
FIGURES = {"figures/F1-error.svg": figure("plain", "rbm"), "figures/F7-other.svg": figure("x")}


class Elements(HTMLParser):
    """All start tags with their attributes, and the text of each table cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.cells: list[str] = []
        self.open = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.open = True
            self.cells.append("")

    def handle_endtag(self, tag):
        self.open &= tag not in ("td", "th")

    def handle_data(self, data):
        if self.open:
            self.cells[-1] += data


@pytest.fixture(scope="module")
def html() -> str:
    return page(README, FIGURES).decode()


def test_tables_say_what_the_readme_says_to_the_letter(html):
    assert Elements(html).cells == [
        "hidden layers",
        "1",
        HOSTILE,
        "7.5 [5.0, 10.0]",
        "plain",
        "90.0",
    ]


def test_nothing_from_the_readme_becomes_a_tag_or_a_script(html):
    tags = {tag for tag, _ in Elements(html).tags}
    assert not tags & {"script", "b", "i", "img", "iframe", "object", "link", "base", "form"}
    assert "&lt;b&gt;raw&lt;/b&gt; &amp; <code>code</code>" in html
    assert "@misc{x} &lt;i&gt;" in html
    assert not any(name.startswith("on") for _, attrs in Elements(html).tags for name in attrs)
    assert "<title>A title with &lt;script&gt;alert(1)&lt;/script&gt;&quot;" in html


def test_nothing_is_taken_from_outside(html):
    for tag, attrs in Elements(html).tags:
        for name, value in attrs.items():
            if name in ("href", "src", "xlink:href"):
                assert value.startswith(("#", "data:")), (tag, value)
    assert "http:" not in html and "https:" not in html and "@import" not in html
    (policy,) = [a for _, a in Elements(html).tags if a.get("http-equiv")]
    assert (
        policy["content"].startswith("default-src 'none'; ") and "script" not in policy["content"]
    )


def test_every_link_of_every_committed_page_leads_somewhere():
    listed = subprocess.run(
        ["git", "ls-files", "reports/*.html"], cwd=ROOT, capture_output=True, text=True
    )
    texts = {(ROOT / name).resolve(): (ROOT / name).read_text() for name in listed.stdout.split()}
    ids = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    assert len(ids) > 33
    for path, text in texts.items():
        for href in set(re.findall(r'<a [^>]*href="([^"]+)"', text)):
            name, _, anchor = unquote(href).partition("#")
            to = (path.parent / name).resolve() if name else path
            assert to.exists(), (path, href)
            # an address of the explorer's is no anchor: test_museum.py looks at those
            assert "=" in anchor or to not in ids or anchor in {"", *ids[to]}, (path, href)


def test_a_link_to_a_script_is_no_link():
    assert (
        "<a href" not in page("# x\n\n[y](javascript:alert(1))\n", {}).decode().split("<main>")[1]
    )


def test_every_id_is_there_once_and_every_reference_finds_its_own(html):
    tags = Elements(html).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {"T1", "T1-2", "F1", "F7", "how-to-cite"} <= set(ids)
    used = re.findall(r'(?:url\(|href=")#([^")]+)', html)
    assert used and set(used) <= set(ids)
    drawings = html.split("<figure ")[1:]
    for name, drawing in zip(("F1", "F7"), drawings, strict=True):
        drawing = drawing.partition("</figure>")[0]
        inside = re.findall(r'(?:url\(|href=")#([^")]+)', drawing)
        assert inside and all(one.startswith(f"{name}-") for one in inside)


def test_contents_list_sections_and_figures_in_their_order(html):
    nav = html.partition("<nav")[2].partition("</nav>")[0]
    assert re.findall(r'href="#([^"]+)"', nav) == ["T1", "T1-2", "how-to-cite", "F1", "F7"]


def test_a_figure_without_a_number_is_shown_and_not_in_the_contents():
    html = page("# x\n\n## Claims\n\n![All of them](papers/verdicts.svg)\n",
                {"papers/verdicts.svg": figure("plain")}).decode()  # fmt: skip
    nav = html.partition("<nav")[2].partition("</nav>")[0]
    assert re.findall(r'href="#([^"]+)"', nav) == ["claims"]
    assert '<figure id="verdicts">' in html and 'aria-label="All of them"' in html


def test_verdicts_have_a_sign_and_long_texts_may_be_broken():
    long = "a text of more than thirty letters"
    rows = [["x", "NOT REPRODUCED", "REPRODUCED", long], [long, "PARTLY, of late", "a", "b"]]
    table = markdown_table(["claim", "verdict", "n", "where"], rows, prose=("verdict", "where"))
    html = page(f"# x\n\n{table}", {}).decode()
    cells = re.findall(r"<td(.*?)>(.*?)</td>", html)
    assert [attributes for attributes, _ in cells] == [
        "", ' class="not-reproduced"', ' class="right"', ' class="long"',
        ' class="long"', "", ' class="right"', "",
    ]  # fmt: skip
    signed = re.findall(r"^\.([a-z-]+)::before", STYLESHEET.read_text(), re.MULTILINE)
    assert set(signed) == {o.value.lower().replace(" ", "-") for o in Outcome} - {"not-tested"}


def test_a_caption_goes_with_its_figure_and_other_text_does_not(html):
    assert "<figcaption><em>F1. What it <code>shows</code>.</em></figcaption>" in html
    assert "<figcaption></figcaption>" in html and "<p>Not a caption.</p>" in html
    assert 'aria-label="Error &amp; depth"' in html


def test_figures_use_the_pages_colours_and_bring_no_style_of_their_own(html):
    drawings = "".join(re.findall(r"<svg.*?</svg>", html, re.S))
    classes = dict(re.findall(r"^\.(s[0-9]+) \{ (.*?) \}$", html, re.M))
    assert set(re.findall(r' class="(s[0-9]+)"', drawings)) == set(classes)
    assert len(set(classes.values())) == len(classes) and "style=" not in drawings
    said = " ".join(classes.values())
    assert f"stroke: var(--c{COLOURS[0][1:]})" in said and "var(--cffffff)" in said
    for colour in IN_THE_DARK:
        assert colour not in drawings + said
    assert "<style" not in drawings and "metadata" not in drawings
    for colour, dark in IN_THE_DARK.items():
        assert html.count(f"--c{colour[1:]}: {colour};") == 1
        assert html.count(f"--c{colour[1:]}: {dark};") == 1


def test_the_same_readme_gives_the_same_bytes(html):
    assert page(README, FIGURES).decode() == html


def test_an_image_that_is_no_figure_is_refused():
    with pytest.raises(Problem, match="x.svg is none of the report's figures"):
        page("# x\n\n![y](figures/x.svg)\n", {})


def test_an_image_within_text_shows_its_words_alone():
    html = page("# x\n\nSee ![the <b>](http://example.org/x.png) here.\n", {}).decode()
    assert "See the &lt;b&gt; here." in html and "example.org" not in html


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", COLOURS)
def test_lines_stand_out_from_paper_in_both_lights(colour):
    assert contrast(colour, PAPER) >= 3  # WCAG 1.4.11
    assert contrast(IN_THE_DARK[colour], IN_THE_DARK[PAPER]) >= 3


@pytest.mark.parametrize("colour", [BLACK, GREY])
def test_what_is_written_can_be_read_in_both_lights(colour):
    assert contrast(colour, PAPER) >= 4.5
    assert contrast(IN_THE_DARK[colour], IN_THE_DARK[PAPER]) >= 4.5


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        pytest.skip("no Chromium: apt-get install -y chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as session:
        opened = session.chromium.launch(
            executable_path=BROWSER,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def wide_page(tmp_path_factory):
    """A page with a table and a figure that are wider than a telephone."""
    header = ["hidden layers", *map(str, range(1, 30))]
    rows = [["a-very-long-technique-name" * 2, *["12.3 [10.0, 15.0]"] * 29]]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(page(README + "\n## T9. Wide\n\n" + markdown_table(header, rows), FIGURES))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_without_script_network_or_sideways_scrolling(
    browser, wide_page, width, scheme
):
    size = {"width": width, "height": 800}
    tab = browser.new_page(viewport=size, color_scheme=scheme, java_script_enabled=True)
    told = []
    tab.on("console", lambda message: told.append(message.text))
    tab.on("dialog", lambda dialog: told.append("dialog"))
    tab.on("request", lambda r: told.append(r.url) if r.url[:5] not in ("file:", "data:") else None)
    tab.goto(wide_page.as_uri())
    assert told == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    boxes = tab.evaluate(
        "[...document.querySelectorAll('.table')].map(e => e.scrollWidth > e.clientWidth)"
    )
    assert boxes[-1]  # its own box scrolls
    paper, ink, lines = tab.evaluate(
        """[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,
            [...document.querySelectorAll('svg path')].map(e => getComputedStyle(e).stroke)]"""
    )
    looks = {c: c for c in (PAPER, COLOURS[0])} if scheme == "light" else IN_THE_DARK
    assert paper == _rgb(looks[PAPER]) and _rgb(looks[COLOURS[0]]) in lines
    assert contrast(_hex(paper), _hex(ink)) >= 7
    tab.close()


def _rgb(colour: str) -> str:
    return "rgb({}, {}, {})".format(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)))


def _hex(rgb: str) -> str:
    return "#" + "".join(f"{int(n):02x}" for n in re.findall(r"\d+", rgb))
