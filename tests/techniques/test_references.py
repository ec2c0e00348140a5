"""references.bib has what the docstrings cite, and nothing else."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "techniques" / "references.bib").read_text(encoding="utf-8")

FIELD = r"  [a-z]+ = \{.+\},\n"
ENTRY = re.compile(rf"@([a-z]+)\{{([a-z]+\d{{4}}[a-z]*),\n((?:{FIELD})+)\}}\n")
VENUE = {  # kind of entry -> the field that says where it was published
    "article": "journal",
    "incollection": "booktitle",
    "inproceedings": "booktitle",
    "mastersthesis": "school",
    "misc": "howpublished",
    "techreport": "institution",
}
# key -> year of publication, where the key has another one
OTHER_YEAR = {
    "bachlechner2020rezero": "2021",  # on arXiv in 2020, as which it is known; UAI 2021
}


def entries() -> list[tuple[str, str, dict[str, str]]]:
    """Kind, key and fields of each entry."""
    return [
        (kind, key, dict(re.findall(r"  ([a-z]+) = \{(.+)\},\n", body)))
        for kind, key, body in ENTRY.findall(TEXT)
    ]


KEYS = [key for _, key, _ in entries()]


def cited() -> dict[str, set[str]]:
    """Key -> the files with a docstring that cites it."""
    found: dict[str, set[str]] = {}
    for folder in ("techniques", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    doc = ast.get_docstring(node) or ""
                    for key in re.findall(r"BibTeX\s+(\w+)", doc):
                        found.setdefault(key, set()).add(str(path.relative_to(ROOT)))
    return found


def test_every_entry_is_written_in_one_form():
    """Entries apart by one empty line, one field a line: nothing is left over."""
    assert "\n".join(match.group() for match in ENTRY.finditer(TEXT)) == TEXT


def test_every_cited_key_has_an_entry():
    keys = cited()
    assert len(keys) > 50  # they were found at all
    assert {key: files for key, files in keys.items() if key not in KEYS} == {}


def test_every_entry_is_cited():
    files = [
        path
        for folder in ("techniques", "benchmarks", "tests")
        for pattern in ("*.py", "*.toml")
        for path in (ROOT / folder).rglob(pattern)
        if path != Path(__file__)
    ]
    words = {word for path in files for word in re.findall(r"\w+", path.read_text("utf-8"))}
    assert [key for key in KEYS if key not in words] == []


def test_keys_are_unique_and_sorted():
    assert sorted(set(KEYS)) == KEYS


@pytest.mark.parametrize("kind, key, fields", entries(), ids=KEYS)
def test_entry_is_complete(kind, key, fields):
    assert {"author", "title", "year", VENUE[kind]} <= set(fields)
    assert fields["year"] == OTHER_YEAR.get(key, re.search(r"\d{4}", key).group())
    surname = fields["author"].split(",")[0].lower()
    assert key.startswith(re.sub(r"[^a-z]", "", surname))
    for value in fields.values():
        depth = 0
        for character in value:
            depth += {"{": 1, "}": -1}.get(character, 0)
            assert depth >= 0
        assert depth == 0
    assert re.fullmatch(r"\d+--\d+", fields.get("pages", "1--2"))


def test_exceptions_are_needed():
    assert all(key in KEYS and year not in key for key, year in OTHER_YEAR.items())


def test_a_field_is_given_once():
    for _, key, body in ENTRY.findall(TEXT):
        names = re.findall(r"  ([a-z]+) = ", body)
        assert len(set(names)) == len(names), key
