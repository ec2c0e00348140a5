"""Text as Markdown, LaTeX and plain, tables of it above all: what is special in each is escaped."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

_TEMPLATES = Path(__file__).parent / "templates"


def markdown_page(template: str, **words: object) -> bytes:
    """A page of Markdown; what comes from outside goes through the filter md, or code."""
    return _jinja().get_template(template).render(words).encode()


def filled(text: str, **words: object) -> str:
    """Text that is a template itself."""
    return _jinja().from_string(text).render(words)


def _jinja() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    environment.filters |= {"md": markdown, "code": code}
    return environment


@dataclass(frozen=True)
class Grid:
    """A table as it is printed. Its cells are cited by table, name of the row, key of the column.

    ``table`` is the id, T1; ``name`` that of its LaTeX file. Columns under ``prose`` hold
    sentences, to be broken into lines.
    """

    table: str
    name: str
    caption: str
    corner: str  # heading of the rows' names
    columns: Mapping[str, str]  # key -> heading
    rows: Mapping[str, Sequence[str]]  # name -> one text a column
    bold: frozenset[tuple[str, str]] = frozenset()  # row, key
    prose: frozenset[str] = frozenset()

    @property
    def lines(self) -> list[list[str]]:
        """Heading and rows."""
        head = [self.corner, *self.columns.values()]
        return [head, *([name, *texts] for name, texts in self.rows.items())]

    def markdown(self) -> str:
        """As a Markdown table, ends with a newline."""
        left = [True, *(key in self.prose for key in self.columns)]
        return _markdown_lines(self._marked(markdown, "**{}**"), left)

    def latex(self) -> str:
        """As a floating table for booktabs."""
        align = "".join("p{.3\\linewidth}" if key in self.prose else "r" for key in self.columns)
        head, *rows = self._marked(latex, "\\textbf{{{}}}")
        return _latex_lines(head, rows, f"l{align}", latex(self.caption), self.name)

    def _marked(self, escape, form: str) -> list[list[str]]:
        keys, names = ["", *self.columns], ["", *self.rows]
        return [
            [
                form.format(escape(text)) if (name, key) in self.bold else escape(text)
                for key, text in zip(keys, line, strict=True)
            ]
            for name, line in zip(names, self.lines, strict=True)
        ]


def markdown_table(header: list[str], rows: list[list[str]], prose: Collection[str] = ()) -> str:
    """First column and those headed by ``prose`` to the left, the others to the right.

    Ends with a newline.
    """
    lines = [list(map(markdown, line)) for line in [header, *rows]]
    return _markdown_lines(lines, [True, *(heading in prose for heading in header[1:])])


def _markdown_lines(lines: Sequence[Sequence[str]], left: Sequence[bool]) -> str:
    above, *below = [f"| {' | '.join(line)} |\n" for line in lines]
    rule = " | ".join("---" if here else "---:" for here in left)
    return "".join([above, f"| {rule} |\n", *below])


def text_table(header: list[str], rows: list[list[str]]) -> str:
    """The same for a terminal, without a newline at the end."""
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [header, *rows]
    )


def _latex_lines(
    header: list[str], rows: list[list[str]], align: str, caption: str, name: str
) -> str:
    # after \\ a bracket or a star would be an option of it
    body = [("{}" if row[0][:1] in ("[", "*") else "") + " & ".join(row) for row in rows]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{caption}}}",
            f"\\label{{tab:{name}}}",
            f"\\begin{{tabular}}{{{align}}}",
            "\\toprule",
            f"{' & '.join(header)} \\\\",
            "\\midrule",
            *(f"{line} \\\\" for line in body),
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
            "",
        ]
    )


def latex_macros(report: str, grids: Iterable[Grid]) -> str:
    """``\\LbLcell{T1}{rbm}{d10}``: the text of any cell, for papers that quote single numbers."""
    lines = [
        "% \\LbLcell{T1}{rbm}{d10} is the text of a cell: table, row, column.",
        "% Of several reports the last one read counts, or \\LbLcell[REPORT]{T1}{rbm}{d10}.",
        f"% This is report {report}. An unknown cell is an error, and [no cell ...] in the text.",
        f"\\gdef\\LbLreport{{{report}}}",
        "\\providecommand\\LbLdefine[5]{%",
        "  \\expandafter\\gdef\\csname LbL/#1/#2/#3/#4\\endcsname{#5}}",
        "\\providecommand\\LbLcell[4][\\LbLreport]{%",
        "  \\ifcsname LbL/#1/#2/#3/#4\\endcsname",
        "    \\csname LbL/#1/#2/#3/#4\\endcsname",
        "  \\else",
        "    \\PackageError{LbL}{No cell #2, #3, #4 in report #1}{See its tables as CSV.}%",
        "    \\textbf{[no cell #2, #3, #4]}%",
        "  \\fi}",
    ]
    for grid in grids:
        for name, texts in grid.rows.items():
            for key, text in zip(grid.columns, texts, strict=True):
                names = "".join(
                    f"{{{part}}}" for part in (report, grid.table, macro_key(name), key)
                )
                lines.append(f"\\LbLdefine{names}{{{latex(text)}}}")
    return "\n".join([*lines, ""])


def macro_key(name: str) -> str:
    """A row's name as it is written in ``\\LbLcell``: what TeX would read as more is a hyphen."""
    return re.sub(r"[^A-Za-z0-9+=:.@/-]", "-", name)


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': "''",  # there is none in the font encoding that LaTeX starts with
    "–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''", "…": r"\ldots{}",
    "†": r"\textdagger{}", "‡": r"\textdaggerdbl{}", "§": r"\S{}", "\u00a0": "~",
    "≤": r"$\leq$", "≥": r"$\geq$", "×": r"$\times$", "±": r"$\pm$", "·": r"$\cdot$",
    "∞": r"$\infty$", "−": "--", "µ": r"$\mu$", "°": r"$^\circ$",
    "ß": r"{\ss}", "ø": r"{\o}", "Ø": r"{\O}", "æ": r"{\ae}", "Æ": r"{\AE}", "œ": r"{\oe}",
    "ł": r"{\l}", "Ł": r"{\L}", "ı": r"{\i}",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip


def latex(text: str) -> str:
    """Text as LaTeX shows it, in ASCII; a character that needs another font is shown by number."""
    return "".join(_LATEX.get(c, c) if c in _LATEX or c.isascii() else _accented(c) for c in text)


def _accented(character: str) -> str:
    base, *marks = unicodedata.normalize("NFD", character)
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in _ACCENTS:
        return f"\\{_ACCENTS[marks[0]]}{{{base}}}"
    return f"[U+{ord(character):04X}]"


# an interval, which is no link, is to be read in the source too
_INTERVAL = r"\[[-+]?[0-9.]+, (?:[-+]?[0-9.]+|never)\](?![(\[:])"
_MARKDOWN = re.compile(rf"({_INTERVAL})|([\\|<>*_`&~$\[\]])")


def markdown(text: str) -> str:
    """Text as Markdown shows it, GitHub's too, inside a table and on one line."""
    one_line = re.sub(r"\s*[\r\n]\s*", " ", text)
    return _MARKDOWN.sub(lambda found: found[1] or f"\\{found[2]}", one_line)


def code(text: str) -> str:
    """Text as a code span, in which backslashes escape nothing."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{room}{text}{room}{fence}"
