"""The museum in a real browser: its controls, its addresses, the keyboard, and what it leaves out.

Skipped, with the line that installs what is missing, where there is no Chromium.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from benchmarks import museum
from tests.benchmarks.museum_reports import committed, made_up, with_filters

sync_api = pytest.importorskip("playwright.sync_api", reason="pip install '.[test]'")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install '.[test]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="apt-get install -y chromium")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FIGURES = [
    "curve",
    "depth",
    "gradient-start",
    "gradient-end",
    "saturated-start",
    "saturated-end",
]
STORY = ["plain", "rbm", "batch-norm", "residual"]
WIDE, NARROW = 1280, 390
SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> str:
    """Address of the page that the committed reports give."""
    reports = committed(tmp_path_factory.mktemp("real") / "reports")
    return museum.write(reports).as_uri()


@pytest.fixture
def open_page(browser):
    """Opens an address; in the end, nothing was said on the console and no other file asked for."""
    contexts, said, requests, opened = [], [], [], []

    def opener(address: str, width: int = WIDE, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        page.add_init_script(SHIFTS)
        page.goto(address)
        contexts.append(context)
        opened.append(address.split("#")[0])
        return page

    yield opener
    for context in contexts:
        context.close()
    assert said == []
    asked = {url.split("#")[0] for url in requests if not url.startswith("data:")}
    assert asked <= set(opened)


@pytest.fixture
def page(open_page, real):
    return open_page(real)


def chosen(page) -> list[str]:
    return page.locator("#summary tbody th span").all_text_contents()


def outcomes(page) -> list[str]:
    return page.locator("#summary tbody td:nth-child(3)").all_text_contents()


def address(page) -> str:
    return page.evaluate("location.hash")


def chart(page, figure: str):
    return page.locator(f"#figure-{figure} .chart svg[role=img]")


def numbers(page, figure: str) -> list[list[str]]:
    return page.locator(f"#figure-{figure} table").evaluate(
        "table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )


def data(page) -> dict:
    return json.loads(page.locator("#museum-data").text_content())


def show_all(page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")


def test_the_story_is_shown_first(page):
    assert chosen(page) == STORY and address(page) == ""
    assert page.locator("#depths input:checked").input_value() == "20"
    assert page.locator("#status").text_content() == (
        "Showing 4 techniques at 20 hidden layers, suite depth."
    )
    assert outcomes(page)[0] == "0 of 10 trained"
    for figure in FIGURES:
        assert chart(page, figure).is_visible()
        for name in STORY:
            assert chart(page, figure).locator("tspan", has_text=name.split("-")[0]).count() >= 1


def test_a_chart_shows_the_numbers_that_are_stored(page):
    cell = data(page)["suites"]["depth"]["cells"]["rbm"]["20"]
    median, low, high = (column[-1] for column in cell["curve"])
    table = numbers(page, "curve")
    assert table[0] == ["update", *STORY]
    assert table[-1][0] == "1000"
    assert table[-1][2] == f"{median:.1f} [{low:.1f}, {high:.1f}]"
    label = chart(page, "curve").get_attribute("aria-label")
    assert (
        label.startswith("Learning curves. plain ends at") and f"rbm ends at {median:.1f}" in label
    )
    # the marker of rbm's last point stands where the axis has that number
    dots = chart(page, "curve").locator("[data-part=dot]").nth(1).locator("circle")
    y = float(dots.last.get_attribute("cy"))
    ticks = chart(page, "curve").locator("[data-part='y-axis tick label'] text")
    at = {
        float(t.text_content()): float(re.search(r",([\d.]+)\)", t.get_attribute("transform"))[1])
        for t in ticks.all()
    }
    assert at[20] < y < at[10] and 10 < median < 20
    layers = numbers(page, "gradient-start")
    assert len(layers) == 21 and layers[0][0] == "layer"
    assert float(layers[1][1].split(" ")[0]) == pytest.approx(
        cell_of(page, "plain")["start"]["gradient"][0][0], rel=0.05
    )
    depths = numbers(page, "depth")
    assert [row[0] for row in depths[1:]] == ["1", "2", "3", "5", "8", "12", "20", "30", "50"]


def cell_of(page, name: str, suite: str = "depth", depth: int = 20) -> dict:
    return data(page)["suites"][suite]["cells"][name][str(depth)]


def test_every_depth_has_its_label_on_the_axis(page):
    labels = chart(page, "depth").locator("[data-part='x-axis tick label'] text")
    assert labels.all_text_contents() == ["1", "2", "3", "5", "8", "12", "20", "30", "50"]


def test_the_depth_control(page):
    page.locator("#depths label", has_text="50").click()
    page.wait_for_function("location.hash.includes('depth=50')")
    assert address(page) == "#suite=depth&depth=50&t=plain,rbm,batch-norm,residual"
    assert page.locator("#shown-caption").text_content() == "At 50 hidden layers"
    assert len(numbers(page, "saturated-end")) == 51
    page.locator("#depths label").first.click()
    page.wait_for_function("location.hash.includes('depth=1&')")
    assert page.locator("#shown-caption").text_content() == "At 1 hidden layer"
    assert chart(page, "gradient-start").is_visible()


def test_techniques_are_added_and_removed_and_six_are_the_most(page):
    page.locator("#choice summary").click()
    for name in ("relu", "rezero"):
        page.get_by_label(name, exact=True).check()
        page.wait_for_function(f"location.hash.endsWith(',{name}')")
    assert chosen(page) == [*STORY, "relu", "rezero"]
    assert page.locator("#chosen").text_content() == "(6 of at most 6)"
    assert page.get_by_label("adam", exact=True).is_disabled()
    assert page.get_by_label("relu", exact=True).is_enabled()
    page.get_by_label("rbm", exact=True).uncheck()
    page.wait_for_function("!location.hash.includes('rbm')")
    assert page.get_by_label("adam", exact=True).is_enabled()
    page.get_by_role("button", name="Remove plain").click()
    page.wait_for_function("!location.hash.includes('plain')")
    assert chosen(page) == ["batch-norm", "residual", "relu", "rezero"]
    assert not page.get_by_label("plain", exact=True).is_checked()


def test_looks_differ_in_colour_and_in_marker(open_page, real):
    names = "plain,rbm,glorot,relu,batch-norm,residual"
    page = open_page(f"{real}#suite=depth&depth=5&t={names}")
    keys = page.locator("#summary tbody th svg")
    looks = keys.evaluate_all(
        """keys => keys.map(key => {
          const [line, marker] = key.querySelectorAll("path");
          return [getComputedStyle(line).stroke, marker.getAttribute("d"),
                  line.getAttribute("stroke-dasharray")];
        })"""
    )
    for part in zip(*looks, strict=True):
        assert len(set(part)) == 6
    lines = chart(page, "curve").locator("[data-part=line]")
    assert [line.evaluate("line => getComputedStyle(line).stroke") for line in lines.all()] == [
        colour for colour, *_ in looks
    ]


def test_the_suite_control_keeps_what_it_can(page):
    page.locator("#suite").select_option("factorial")
    page.wait_for_function("location.hash.includes('factorial')")
    assert chosen(page) == ["plain", "batch-norm", "residual"]
    assert page.locator("#depths input").evaluate_all("all => all.map(i => i.value)") == [
        "3", "10", "30"
    ]  # fmt: skip
    assert page.locator("#depths input:checked").input_value() in ("10", "30")
    page.locator("#choice summary").click()
    page.get_by_label("init+relu+residual", exact=True).check()
    page.wait_for_function("location.hash.includes('init%2Brelu')")
    assert chosen(page)[-1] == "init+relu+residual"
    page.locator("#suite").select_option("depth")
    page.wait_for_function("location.hash.includes('suite=depth')")
    assert chosen(page) == ["plain", "batch-norm", "residual"]


def test_comparisons_and_cards_lead_to_what_they_name(open_page, real):
    page = open_page(real, reduced_motion="reduce")
    links = page.locator(".comparisons a").all() + page.locator("article table a").all()[:4]
    assert len(links) == len(museum.COMPARISONS) + 4
    for link in links:
        hash_ = link.get_attribute("href")
        link.click()
        page.wait_for_function("hash => location.hash === hash", arg=hash_)
        asked = [part.replace("%2B", "+") for part in hash_.split("&t=")[1].split(",")]
        assert chosen(page) == asked
        assert "Not in this suite" not in page.locator("#status").text_content()


def test_a_recipe_of_a_card_leads_up_to_the_explorer(page):
    page.locator("#normalisation-batch-norm table a").click()
    page.wait_for_function("location.hash.includes('batch-norm')")
    assert chosen(page) == ["plain", "batch-norm"]
    page.wait_for_function(
        """() => {
          const { top, bottom } = document.getElementById("explorer").getBoundingClientRect();
          return top >= 0 && bottom <= innerHeight;
        }"""
    )


def test_back_and_forward_go_through_the_choices(page):
    page.locator("#depths label", has_text="30").click()
    page.wait_for_function("location.hash.includes('depth=30')")
    page.get_by_role("button", name="Remove rbm").click()
    page.wait_for_function("!location.hash.includes('rbm')")
    page.get_by_role("link", name="References", exact=True).click()
    page.wait_for_function("location.hash === '#references'")
    assert chosen(page) == ["plain", "batch-norm", "residual"]  # a place is not a choice
    page.go_back()
    assert page.locator("#depths input:checked").input_value() == "30"
    page.go_back()
    page.wait_for_function("document.querySelectorAll('#summary tbody tr').length === 4")
    assert page.locator("#depths input:checked").input_value() == "30"
    page.go_back()
    page.wait_for_function("document.querySelector('#depths input:checked').value === '20'")
    assert chosen(page) == STORY
    page.go_forward()
    page.wait_for_function("document.querySelector('#depths input:checked').value === '30'")
    assert page.locator("#shown-caption").text_content() == "At 30 hidden layers"


def test_a_linked_choice_is_shown(open_page, real):
    page = open_page(f"{real}#suite=factorial&depth=30&t=plain,init%2Brelu%2Bresidual")
    assert chosen(page) == ["plain", "init+relu+residual"]
    assert page.locator("#suite").input_value() == "factorial"
    assert outcomes(page)[1] == "0 of 10 trained, 10 of 10 diverged"


@pytest.mark.parametrize(
    "hash_, note",
    [
        ("#suite=nowhere&t=plain", "There is no suite nowhere."),
        ("#suite=__proto__", "There is no suite __proto__."),
        ("#depth=21&t=plain", "No network of 21 layers was run in this suite."),
        ("#depth=NaN", "No network of NaN layers was run in this suite."),
        ("#t=plain,constructor,%3Cimg src=x onerror=alert(1)%3E", "Not in this suite: c"),
        ("#t=plain,%E0%A4%A", "Not in this suite: %E0%A4%A."),
        ("#t=plain,plain,rbm,tanh,relu,elu,selu,gelu", "Only the first 6 techniques are shown."),
        ("#t=", "No technique is chosen: choose up to 6 above."),
        ("#=&&==&t", "Showing 4 techniques"),
        ("#timeline", "Showing 4 techniques"),
    ],
)  # fmt: skip
def test_an_odd_address_is_answered_in_words(open_page, real, hash_, note):
    page = open_page(real + hash_)
    assert note in page.locator("#status").text_content()
    assert page.locator("img").count() == 0
    assert page.locator("#depths input:checked").count() == 1
    assert len(chosen(page)) <= 6
    assert page.locator("#shown").is_visible() == (hash_ != "#t=")


def test_failed_and_missing_runs_are_told_of(open_page, real):
    names = "residual-post-activation,maxout,dense,plain"
    page = open_page(f"{real}#suite=depth&depth=50&t={names}")
    assert outcomes(page) == [
        "0 of 10 trained, 10 of 10 diverged",
        "1 of 10 trained, 3 of 10 diverged",
        "not run at this depth",
        "0 of 10 trained",
    ]
    notes = {f: page.locator(f"#figure-{f} > .note").text_content() for f in FIGURES}
    assert "maxout: 3 of 10 diverged, drawn until then." in notes["curve"]
    assert "dense: not run at this depth." in notes["curve"]
    assert notes["depth"] == "dense: no result at 30, 50 layers."
    assert "residual-post-activation: no finite number in 50 of 50 layers." in notes["gradient-end"]
    assert re.search(r"plain: exactly 0 in \d+ of 50 layers\.", notes["gradient-start"])
    assert [row[1] for row in numbers(page, "gradient-end")[1:]] == ["–"] * 50
    assert numbers(page, "gradient-start")[1][4] == "0"
    assert numbers(page, "gradient-start")[0][3] == "dense"
    assert chart(page, "depth").locator("tspan", has_text="dense").count() == 1


def test_made_up_failures(open_page, tmp_path):
    runs = {("plain", 1): [None] * 3, ("relu", 1): [5], ("tanh", 1): [], ("elu", 1): [0, 0, 0]}
    made_up(tmp_path, runs)
    page = open_page(museum.write(tmp_path).as_uri())
    assert chosen(page) == ["plain", "relu", "tanh", "elu"]
    assert outcomes(page) == [
        "0 of 3 trained, 3 of 3 diverged",
        "1 of 1 trained, 2 missing",
        "3 missing",
        "3 of 3 trained",
    ]
    empty = page.locator(".chart", has_text="Nothing to draw at this depth.")
    assert empty.count() == 1  # the only layer's gradient is 0 in the end
    assert (
        "relu: exactly 0 in 1 of 1 layers." in page.locator("#figure-gradient-end").text_content()
    )
    page.goto(page.url + "#t=tanh")
    assert chosen(page) == ["tanh"] and empty.count() == len(FIGURES)
    assert page.locator("#figure-curve > .note").text_content() == "tanh: 3 missing."


def test_filters_are_shown_where_they_are_stored_and_no_empty_panel_elsewhere(open_page, tmp_path):
    folder = made_up(tmp_path, {("plain", 1): [5, 7, 6], ("relu", 1): [4, 4, 4]})
    before, after = [[[1, 2], [3, 4]]] * 2, [[[64, -127], [0, 127]], [[0, 0], [0, 0]]]
    with_filters(folder, {("plain", 1): [before, after]})
    page = open_page(museum.write(tmp_path).as_uri())
    panel = page.locator("#figure-filters")
    pictures = panel.locator("[role=img]")
    assert panel.is_visible() and pictures.count() == 2
    label = "2 first-layer filters of plain, after training"
    assert pictures.last.get_attribute("aria-label") == label
    pixels = pictures.last.locator("canvas").first.evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 2, 2).data]"
    )
    assert pixels[::4] == [192, 1, 128, 255] and set(pixels[3::4]) == {255}
    page.goto(page.url + "#t=relu")
    assert not panel.is_visible()


def test_a_title_cannot_break_out(open_page, tmp_path):
    title = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028"
    made_up(tmp_path, {("plain", 1): [5, 7, 6]}, title=title)
    page = open_page(museum.write(tmp_path).as_uri())
    assert chosen(page) == ["plain"] and page.locator("img").count() == 0
    assert "<img src=x" in page.locator("#suite option").text_content()


def test_without_reports_there_is_no_explorer_and_no_error(open_page, tmp_path):
    page = open_page(museum.write(tmp_path).as_uri())
    assert page.get_by_text("No stored trials yet").is_visible()
    assert page.locator("#controls, figure").count() == 0
    assert page.locator("article").count() > 50


def test_the_policy_stops_every_request(browser, real):
    page = browser.new_page()  # the console says what was refused, so not with open_page
    page.goto(real)
    assert page.evaluate("fetch('data:text/plain,x').then(() => false, () => true)")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'a = 1'}))"
    )
    assert page.evaluate("typeof a") == "undefined"
    page.close()


def test_all_of_it_by_keyboard(page):
    keys = page.keyboard
    keys.press("Tab")
    assert focused(page) == "Skip to the explorer" and has_outline(page)
    keys.press("Enter")
    page.wait_for_function("location.hash === '#explorer'")
    keys.press("Tab")
    assert page.evaluate("document.activeElement.id") == "suite" and has_outline(page)
    keys.press("Tab")
    assert page.evaluate("document.activeElement.value") == "20"
    assert has_outline(page, "document.activeElement.nextElementSibling")
    keys.press("ArrowRight")
    page.wait_for_function("location.hash.includes('depth=30')")
    assert page.evaluate("document.activeElement.value") == "30"
    keys.press("Tab")
    assert focused(page) == "The story" and has_outline(page)
    tab_to(page, "document.activeElement.matches('#choice summary')")
    assert has_outline(page)
    keys.press("Enter")
    tab_to(page, "document.activeElement.value === 'autoencoder'")
    assert has_outline(page)
    keys.press("Space")
    page.wait_for_function("location.hash.endsWith(',autoencoder')")
    assert page.evaluate("document.activeElement.value") == "autoencoder"
    tab_to(page, "document.activeElement.ariaLabel === 'Remove rbm'")
    assert has_outline(page)
    keys.press("Enter")
    page.wait_for_function("!location.hash.includes('rbm')")
    # the focus goes on to the next row, not back to the top of the page
    assert page.evaluate("document.activeElement.ariaLabel") == "Remove batch-norm"
    for _ in range(4):
        keys.press("Enter")
        page.wait_for_timeout(50)
    page.wait_for_function("location.hash.endsWith('t=')")
    assert page.evaluate("document.activeElement.matches('#choice summary')")
    page.go_back()
    page.wait_for_function("document.querySelectorAll('#summary tbody tr').length === 1")
    tab_to(page, "document.activeElement.matches('#figure-curve summary')")
    keys.press("Enter")
    assert page.locator("#figure-curve table").is_visible()


def focused(page) -> str:
    return page.evaluate("document.activeElement.textContent")


def has_outline(page, element: str = "document.activeElement") -> bool:
    return page.evaluate(
        f"(({{ outlineStyle, outlineWidth }}) => outlineStyle !== 'none' && "
        f"parseFloat(outlineWidth) >= 2)(getComputedStyle({element}))"
    )


def tab_to(page, condition: str, most: int = 90) -> None:
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(condition):
            return
    raise AssertionError(f"no Tab leads to where {condition}")


def test_a_change_is_announced(page):
    status = page.locator("#status")
    assert status.get_attribute("role") == "status"
    page.get_by_role("button", name="Remove rbm").click()
    page.wait_for_function("!location.hash.includes('rbm')")
    assert status.text_content() == "Showing 3 techniques at 20 hidden layers, suite depth."


@pytest.mark.parametrize("width, scheme", [(WIDE, "light"), (NARROW, "dark")])
def test_no_accessibility_fault_is_found(open_page, real, width, scheme):
    page = open_page(real, width, color_scheme=scheme)
    show_all(page)
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"][:200]) for fault in found] == []


def test_light_and_dark_differ_and_lines_stand_out_in_both(open_page, real):
    papers = []
    for scheme in ("light", "dark"):
        page = open_page(real, color_scheme=scheme)
        paper, *lines = page.evaluate(
            """[document.querySelector("figure"), ...document.querySelectorAll(
                 "#figure-curve [data-part=line]")].map((e, i) => {
              // a canvas turns whatever a browser calls a colour into red, green and blue
              const context = document.createElement("canvas").getContext("2d");
              const style = getComputedStyle(e);
              context.fillStyle = i ? style.stroke : style.backgroundColor;
              context.fillRect(0, 0, 1, 1);
              return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
            })"""
        )
        papers.append(luminance(paper))
        for line in lines:
            lighter, darker = sorted([luminance(line), luminance(paper)], reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) > 3
    assert papers[0] > 0.9 and papers[1] < 0.05


def luminance(colour: list[int]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in
              (part / 255 for part in colour)]  # fmt: skip
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


LONG = (
    "#suite=factorial&depth=30&t=pretraining%2Binit%2Brelu%2Bbatch-norm%2Bresidual,"
    "pretraining%2Binit%2Brelu%2Bbatch-norm,pretraining%2Binit%2Bbatch-norm%2Bresidual,"
    "init%2Brelu%2Bbatch-norm%2Bresidual,pretraining%2Brelu%2Bbatch-norm%2Bresidual,plain"
)

FAILED = "#depth=50&t=plain,glorot,glorot-normal,sparse,standardised,weight-decay"  # all at 90 %


@pytest.mark.parametrize("hash_", ["", LONG, FAILED, "#t="])
@pytest.mark.parametrize("width", [WIDE, NARROW, 320])
def test_nothing_is_cut_off(open_page, real, width, hash_):
    page = open_page(real + hash_, width)
    show_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """[...document.querySelectorAll(".chart svg")].flatMap((svg) => {
          const { left, right, top, bottom } = svg.getBoundingClientRect();
          return [...svg.querySelectorAll("text")].filter((text) => {
            const box = text.getBoundingClientRect();
            return box.width && (box.left < left - 1 || box.right > right + 1 ||
                                 box.top < top - 1 || box.bottom > bottom + 1);
          }).map((text) => text.textContent);
        })"""
    )
    assert outside == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_names_at_the_ends_of_lines_do_not_overlap(open_page, real, width):
    page = open_page(real + LONG, width)
    overlaps = page.evaluate(
        """[...document.querySelectorAll(".chart svg")].flatMap((svg) => {
          const boxes = [...svg.querySelectorAll("text:has(tspan[x='9'])")]
            .map((text) => text.getBoundingClientRect())
            .sort((a, b) => a.top - b.top);
          return boxes.slice(1).map((box, i) => boxes[i].bottom - box.top);
        })"""
    )
    assert len(overlaps) >= 25 and max(overlaps) <= 3  # a line of text is higher than its letters


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("hash_", ["", "#explorer", "#suite=depth&depth=50&t=plain,maxout,dense"])
def test_nothing_moves_while_the_page_loads(open_page, real, width, hash_):
    page = open_page(real + hash_, width)
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifted") < 0.01


def test_the_page_is_ready_within_a_second(open_page, real):
    times = [float(open_page(real).locator("html").get_attribute("data-ready")) for _ in range(5)]
    assert min(times) < 1000  # the least, since other programs share the machine


def test_charts_follow_the_width_of_the_window(page):
    before = chart(page, "curve").bounding_box()["width"]
    page.set_viewport_size({"width": 500, "height": 900})
    page.wait_for_function(
        "before => document.querySelector('#figure-curve svg').clientWidth !== before",
        arg=int(before),
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 500
    box = chart(page, "curve").bounding_box()
    assert box["width"] <= 500


def test_motion_is_left_out_where_it_is_not_wanted(open_page, real):
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert open_page(real, reduced_motion="reduce").evaluate(behaviour) == "auto"
    assert open_page(real, reduced_motion="no-preference").evaluate(behaviour) == "smooth"


def test_print_has_the_charts_and_not_the_controls(open_page, real):
    page = open_page(real, color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator("#controls").is_visible()
    assert chart(page, "curve").is_visible() and page.locator("#summary").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_without_scripts_the_rest_is_there(open_page, real):
    page = open_page(real, java_script_enabled=False)
    assert page.get_by_text("The explorer needs JavaScript").is_visible()
    assert not page.locator("#controls").is_visible() and not page.locator("#shown").is_visible()
    assert page.locator("ol.years a").count() > 50


def test_a_hover_tells_the_numbers(page):
    chart(page, "curve").scroll_into_view_if_needed()
    box = chart(page, "curve").bounding_box()
    page.mouse.move(box["x"] + 48 + 5, box["y"] + box["height"] / 2)
    tip = page.locator("#figure-curve [aria-label=tip] text")
    tip.wait_for()
    assert re.search(r"update \d+", tip.text_content())


def test_the_page_opens_where_it_was_moved_to(open_page, real, tmp_path):
    copy = tmp_path / "elsewhere.html"
    copy.write_bytes(Path(real.removeprefix("file://")).read_bytes())
    assert chosen(open_page(copy.as_uri())) == STORY
