"""A report's README as one web page: no network, no script, light or dark as the reader has it.

Made from the very text of README.md, so that both say the same. Raw HTML in it is shown, not
obeyed; its figures are drawn into the page, and nothing else is taken in from outside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from markdown_it import MarkdownIt
from markdown_it.token import Token

from benchmarks.palette import IN_THE_DARK
from benchmarks.problem import Problem
from benchmarks.verdicts import Outcome

STYLESHEET = Path(__file__).parent / "templates" / "report.css"
# the figures' colours are inline styles, and their maps and filters are images as data
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
OUTCOMES = {outcome.value for outcome in Outcome}  # a cell that is one has a sign
LONG = 30  # characters: a text in a table that is longer may be broken
WIDE = 400  # points: a figure wider than this scrolls on a telephone instead of shrinking


def page(readme: str, figures: Mapping[str, bytes]) -> bytes:
    """The web page of a README; ``figures`` are SVG files by the path that it has them under.

    Sections and figures with an id, "T1. Test error" and F1-error-against-depth.svg, have it as
    their anchor. Raises Problem for an image that is none of the figures.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("image", _words_of_image)
    tokens = parser.parse(readme)
    anchors: dict[str, str] = {}  # anchor -> what it is called in the contents, if it is there
    blocks: list[Token] = []
    styles: dict[str, str] = {}  # of shapes in figures -> class: thousands have one of a few dozen
    heading, index = "", 0
    while index < len(tokens):
        token = tokens[index]
        if token.type == "heading_open":
            heading = _plain(tokens[index + 1])
            if token.tag == "h2":
                token.attrSet("id", _anchor(heading, anchors))
                anchors[token.attrs["id"]] = heading
        elif token.type in ("th_open", "td_open"):
            if token.attrs.pop("style", ""):
                token.attrSet("class", "right")  # the only one that our tables ask for
            elif (text := _plain(tokens[index + 1])) in OUTCOMES and token.tag == "td":
                token.attrSet("class", text.lower().replace(" ", "-"))
            elif len(text) > LONG:
                token.attrSet("class", "long")
        elif token.type == "table_open":
            blocks.append(
                _html(
                    f'<div class="table" role="region" tabindex="0" aria-label="{escape(heading)}">'
                )
            )
        elif token.type == "paragraph_open" and _is_image(tokens[index + 1]):
            image = tokens[index + 1].children[0]
            path, called = image.attrs["src"], image.content
            if path not in figures:
                raise Problem(f"README.md: {path} is none of the report's figures")
            anchor = _anchor(Path(path).stem.partition("-")[0] + ".", anchors)
            numbered = re.fullmatch(r"F\d+", anchor)
            anchors[anchor] = f"{anchor}. {called}" if numbered else ""
            caption, index = "", index + 3
            if index < len(tokens) and _plain(tokens[index + 1]).startswith(f"{anchor}."):
                caption = parser.renderer.render([tokens[index + 1]], parser.options, {})
                index += 3
            picture = _STYLE.sub(
                lambda found: f' class="{styles.setdefault(found[1], f"s{len(styles)}")}"',
                inlined(figures[path], anchor, called),
            )
            blocks.append(
                _html(
                    f'<figure id="{anchor}">\n<div class="drawing" tabindex="0">{picture}</div>\n'
                    f"<figcaption>{caption}</figcaption>\n</figure>"
                )
            )
            continue
        blocks.append(token)
        if token.type == "table_close":
            blocks.append(_html("</div>"))
        index += 1
    body = parser.renderer.render(blocks, parser.options, {})
    title = next((_plain(tokens[i + 1]) for i, t in enumerate(tokens) if t.tag == "h1"), "Report")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_colours()}{STYLESHEET.read_text()}"
        f"{_classes(styles)}</style>\n"
        f'</head>\n<body>\n<nav aria-label="Contents">\n{_contents(anchors)}</nav>\n'
        f"<main>\n{body}</main>\n</body>\n</html>\n"
    ).encode()


def inlined(svg: bytes, prefix: str, label: str) -> str:
    """A figure as an element of a page: its ids begin with a prefix, its colours are the page's."""
    root, used = ElementTree.fromstring(svg), _used(svg)
    for parent in list(root.iter()):
        parent.tag = parent.tag.rpartition("}")[2]
        parent.text = parent.tail = None  # white space: all text is drawn
        for child in list(parent):
            # what it is of stands in the caption; matplotlib's style sheet would be the page's
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
        for name, value in list(parent.attrib.items()):
            del parent.attrib[name]
            name = name.rpartition("}")[2]
            if name == "id":
                if value not in used:
                    continue
                value = f"{prefix}-{value}"
            elif name == "href" and value.startswith("#"):
                value = f"#{prefix}-{value[1:]}"
            value = re.sub(r"url\(#", f"url(#{prefix}-", value)
            if name == "style":
                value = _HEX.sub(lambda found: _variable(found[0]), value)
            parent.set(name, value)
    wide = float(root.get("width").removesuffix("pt")) > WIDE
    kept = {"viewBox": root.get("viewBox"), "width": root.get("width")}
    root.attrib.clear()
    root.attrib |= kept | {"class": "wide" if wide else "narrow", "role": "img"}
    root.set("aria-label", label)
    return ElementTree.tostring(root, encoding="unicode")


_STYLE = re.compile(r' style="([^"]*)"')
_HEX = re.compile(r"#[0-9a-f]{6}\b")


def _variable(colour: str) -> str:
    return f"var(--c{colour[1:]})" if colour in IN_THE_DARK else colour


def _used(svg: bytes) -> set[str]:
    """The ids that something in a figure refers to."""
    return {found.decode() for found in re.findall(rb'(?:url\(|href=")#([^")]+)', svg)}


def _colours() -> str:
    """The palette as variables of CSS, in light and, where the reader prefers it, in the dark."""
    light = "".join(f" --c{colour[1:]}: {colour};" for colour in IN_THE_DARK)
    dark = "".join(f" --c{colour[1:]}: {other};" for colour, other in IN_THE_DARK.items())
    return f":root {{{light} }}\n@media (prefers-color-scheme: dark) {{ :root {{{dark} }} }}\n"


def _classes(styles: Mapping[str, str]) -> str:
    return "".join(f".{name} {{ {style} }}\n" for style, name in styles.items())


def _contents(anchors: Mapping[str, str]) -> str:
    """Sections in a list, and below it the figures in a line."""
    figures = sorted((a for a in anchors if re.fullmatch(r"F\d+", a)), key=lambda a: int(a[1:]))
    sections = "".join(
        f'<li><a href="#{anchor}">{escape(text)}</a></li>\n'
        for anchor, text in anchors.items()
        if text and anchor not in figures
    )
    line = " ".join(
        f'<a href="#{anchor}" title="{escape(anchors[anchor])}">{anchor}</a>' for anchor in figures
    )
    return f"<ul>\n{sections}</ul>\n" + (f"<p>Figures: {line}</p>\n" if line else "")


def _anchor(text: str, taken: Mapping[str, str]) -> str:
    """The id that a text begins with, or its words; with a number if that is taken."""
    named = re.match(r"([A-Z][0-9]+)\.", text)
    words = named[1] if named else "-".join(re.findall(r"[a-z0-9]+", text.lower())) or "section"
    anchor, number = words, 2
    while anchor in taken:
        anchor, number = f"{words}-{number}", number + 1
    return anchor


def _plain(inline: Token) -> str:
    """The text of a line, without its marks."""
    return "".join(child.content for child in inline.children or [])


def _is_image(inline: Token) -> bool:
    return [child.type for child in inline.children] == ["image"]


def _words_of_image(_renderer, tokens, index, _options, _env) -> str:
    """Of an image within a text, which is no figure, nothing is fetched."""
    return escape(tokens[index].content)


def _html(text: str) -> Token:
    """Something of ours among the tokens; the README's own HTML never becomes one of these."""
    return Token("html_block", "", 0, content=text + "\n")
