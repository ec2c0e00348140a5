"""The works that docstrings and claims cite by key, in two files of BibTeX."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import techniques
from benchmarks.typography import unlatex

PATH = Path(techniques.__file__).parent / "references.bib"  # of the techniques
OF_CLAIMS = Path(__file__).parent / "papers" / "references.bib"  # only claims cite these
KEY = r"[a-z]+\d{4}[a-z]*"
_VENUE = ("journal", "booktitle", "howpublished", "institution", "school")


class Reference(NamedTuple):
    """One work, in plain text."""

    key: str
    authors: str
    year: str
    title: str
    venue: str


def references(*paths: Path) -> dict[str, Reference]:
    """Every entry of the files by its key; they have one field a line, which a test sees to."""
    found = {}
    text = "".join(path.read_text(encoding="utf-8") for path in paths)
    for key, body in re.findall(rf"@[a-z]+\{{({KEY}),\n(.*?)^\}}", text, re.DOTALL | re.MULTILINE):
        fields = {name: unlatex(value) for name, value in re.findall(r"(\w+) = \{(.+)\},", body)}
        preprint = f"arXiv {fields.get('eprint', '')}"
        venue = next((fields[name] for name in _VENUE if name in fields), preprint)
        parts = [f"{venue} {fields.get('volume', '')}".strip(), fields.get("pages", "")]
        found[key] = Reference(
            key,
            _listed([_name(author) for author in fields["author"].split(" and ")]),
            fields["year"],
            fields["title"],
            ", ".join(part for part in parts if part),
        )
    return found


def _name(author: str) -> str:
    """``Hinton, Geoffrey E.`` -> ``G. E. Hinton``."""
    surname, _, first = author.partition(", ")
    initials = [f"{name[0]}." for name in re.split(r"[\s-]+", first) if name]
    return " ".join([*initials, surname])


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if names[1:] else names[0]
