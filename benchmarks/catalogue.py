"""The page of all techniques, written from their modules' docstrings and from suite ``depth``."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pandas as pd

import techniques
from benchmarks.markup import markdown
from benchmarks.palette import family
from techniques.recipe import BASELINE, RECIPES

FAMILIES = {  # folder of techniques/ -> its heading, in the order of the pipeline
    "initialisation": "Initialisation",
    "pretraining": "Pretraining",
    "activations": "Activations",
    "normalisation": "Normalisation",
    "connections": "Connections",
    "optimisation": "Optimisation",
    "regularisation": "Regularisation",
}
HEADINGS = ("Problem", "Method", "Source", "Since", "Departs", "Use")
INDENT = 9  # of the text under a heading
PAGE = "techniques.md"
SUITE = "depth"  # the suite that says how deep each technique trained


class Entry(NamedTuple):
    """One module as the page shows it."""

    path: str  # from the project's root
    name: str
    about: str
    year: str
    source: str
    problem: str
    recipes: tuple[str, ...]  # those that use it, where the plain network does not


def modules() -> list[ModuleType]:
    """Every module that documents a technique, family by family."""
    found = []
    for folder in FAMILIES:
        package = importlib.import_module(f"techniques.{folder}")
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            if "\nProblem " in (module.__doc__ or ""):  # others hold what techniques share
                found.append(module)
    return found


def docstring_lines(module: ModuleType) -> dict[str, list[str]]:
    """The docstring's lines under each heading, without the indent that they share."""
    found: dict[str, list[str]] = {}
    for line in module.__doc__.splitlines()[1:]:
        heading = line.split(" ", 1)[0]
        if heading in HEADINGS:
            found[heading] = [line[INDENT:].rstrip()]
        elif found and line.strip():
            list(found.values())[-1].append(line[INDENT:].rstrip())
    return found


def sections(module: ModuleType) -> dict[str, str]:
    """Text of the docstring under each heading, as one line."""
    return {
        heading: " ".join(line.strip() for line in lines)
        for heading, lines in docstring_lines(module).items()
    }


def entry(module: ModuleType) -> Entry:
    """What the page says of a module."""
    said = sections(module)
    name, about = module.__doc__.splitlines()[0].rstrip(".").split(": ", 1)
    keys = re.findall(r"BibTeX\s+([a-z]+\d{4}\w*)", said["Source"])
    source = re.split(r"[;,.]?\s*BibTeX", said["Source"])[0]
    if keys:
        source = f"{source} [{', '.join(dict.fromkeys(keys))}]"
    year = re.search(r"\b(18|19|20)\d\d", said["Since"])
    own = {c for _, c in inspect.getmembers(module, inspect.isclass) if _from(c, module)}
    plain = {type(t) for t in BASELINE.techniques()}
    using = [
        recipe_name
        for recipe_name, recipe in RECIPES.items()
        if own & ({type(t) for t in recipe.techniques()} - plain)
    ]
    # a combination says little of one technique, unless it is never seen by itself
    using = [name for name in using if family(RECIPES[name]) != "combination"] or using
    if own & plain:
        using = ["plain"]
    root = Path(techniques.__file__).parents[1]
    path = str(Path(inspect.getfile(module)).relative_to(root))
    return Entry(
        path, name, about, year.group() if year else "", source, said["Problem"], tuple(using)
    )


def _from(member: type, module: ModuleType) -> bool:
    return member.__module__ == module.__name__


def deepest_trained(t1: pd.DataFrame) -> dict[str, str]:
    """Recipe -> the greatest depth at which more than half of its runs trained; 0 for none.

    Where a recipe was not run at the suite's greatest depth, with the greatest that it was run at.
    """
    found = {}
    for name, rows in t1[t1["n"] > 0].groupby("technique"):
        trained = rows[2 * rows["n_trained"] > rows["n"]]["depth"]
        found[name] = f"{int(max(trained, default=0))}"
        if rows["depth"].max() < t1["depth"].max():
            found[name] += f" of {int(rows['depth'].max())}"
    return found


def page(t1: pd.DataFrame | None) -> str:
    """The page as Markdown; t1 is table T1 of suite ``depth``, if there is one."""
    deepest = {} if t1 is None or t1.empty else deepest_trained(t1)
    entries = [(module.__name__.split(".")[1], entry(module)) for module in modules()]
    lines = [
        "# The catalogue\n\n",
        f"{len(entries)} techniques. Written by `make reports` from the docstrings of their "
        "modules, which have the equations, the departures from the papers and a line to try, and "
        "from [suite `depth`](depth/README.md): beside each recipe stands the greatest number of "
        "hidden layers at which more than half of its runs trained there",
        f" (of {_listed(sorted(set(t1['depth'])))}; `12 of 20` where 20 was the deepest that a "
        "recipe was run at)"
        if deepest
        else "",
        "; a dash where it was not run. [The museum](index.html) has the same with its equations, "
        "a timeline, and the learning curves to compare.\n",
    ]
    for folder, heading in FAMILIES.items():
        own = [e for f, e in entries if f == folder]
        if not own:
            continue
        lines.append(f"\n## {heading}\n\n")
        lines.append("| technique | year | what it fixes | source | recipes: depth trained |\n")
        lines.append("| --- | ---: | --- | --- | --- |\n")
        for e in sorted(own, key=lambda e: (e.year, e.name)):
            using = "; ".join(
                f"`{name}`: {deepest[name] if name in deepest else '–'}" for name in e.recipes
            )
            link = f"[{markdown(e.name)}](../{e.path})"
            cells = [f"{link}: {markdown(e.about)}", e.year, markdown(e.problem)]
            lines.append(f"| {' | '.join([*cells, markdown(e.source), using or '–'])} |\n")
    return "".join(lines)


def _listed(depths: list[int]) -> str:
    return ", ".join(map(str, depths))
