"""A grid of text as Markdown, LaTeX and plain text, with whatever is special in each escaped."""

from __future__ import annotations

import re


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """First column to the left, the others to the right; ends with a newline."""
    above, *below = [f"| {' | '.join(map(markdown, line))} |\n" for line in [header, *rows]]
    return "".join([above, f"| --- |{' ---: |' * (len(header) - 1)}\n", *below])


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


def latex_table(header: list[str], rows: list[list[str]], caption: str, name: str) -> str:
    """A floating table for booktabs; the caption is LaTeX already."""
    body = [f"{' & '.join(map(latex, row))} \\\\" for row in rows]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{caption}}}",
            f"\\label{{tab:{name}}}",
            f"\\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            "\\toprule",
            f"{' & '.join(map(latex, header))} \\\\",
            "\\midrule",
            *body,
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
            "",
        ]
    )


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--",
}  # fmt: skip


def latex(text: str) -> str:
    """Text as LaTeX shows it."""
    return "".join(_LATEX.get(character, character) for character in text)


def markdown(text: str) -> str:
    """Text as Markdown shows it, inside a table too."""
    return re.sub(r"([\\|<>*_`])", r"\\\1", text)
