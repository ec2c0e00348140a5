"""The catalogue page: every module is on it, with what its docstring says and what was measured."""

import importlib
import inspect
import re
from pathlib import Path

import pandas as pd
import pytest

import techniques
from benchmarks.catalogue import FAMILIES, HEADINGS, deepest_trained, entry, modules, page, sections
from techniques.initialisation import glorot
from techniques.recipe import RECIPES, Recipe

MODULES = modules()
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)


def test_every_module_of_every_family_is_there():
    root = Path(techniques.__file__).parent
    families = {p.parent.name for p in root.glob("*/__init__.py")}
    assert families == set(FAMILIES)
    files = {str(p) for f in FAMILIES for p in (root / f).glob("*.py") if p.stem != "__init__"}
    shared = {str(root / "optimisation" / "vector.py")}  # no technique: what two of them share
    assert files - shared == {m.__file__ for m in MODULES}
    text = page(None)
    assert all(Path(f).name in text for f in files - shared)


@every_module
def test_a_module_explains_itself_under_the_six_headings(module):
    lines = module.__doc__.splitlines()
    assert re.fullmatch(r"[^:]+: .+\.", lines[0])
    assert [line.split()[0] for line in lines[1:] if line[:1].strip()] == list(HEADINGS)
    said = sections(module)
    assert all(len(text) >= 6 for text in said.values())
    assert re.search(r"\((18|19|20)\d\d[a-z]?\)", said["Source"])
    assert entry(module).year


@every_module
def test_the_line_of_use_is_one_that_python_can_read_with_names_that_exist(module):
    use = sections(module)["Use"]
    namespace = vars(importlib.import_module("techniques.recipe")) | vars(module)
    called = compile(use, module.__name__, "eval").co_names
    if use.startswith("Recipe("):
        assert isinstance(eval(use, dict(namespace)), Recipe)
    else:
        assert called[0] in vars(module) and callable(vars(module)[called[0]])


def test_a_technique_with_a_class_has_a_recipe_or_says_that_it_fills_no_slot():
    for module in MODULES:
        if not entry(module).recipes:
            classes = [
                c for _, c in inspect.getmembers(module, inspect.isclass)
                if c.__module__ == module.__name__ and "slot" not in sections(module)["Departs"]
                and any(hasattr(c, h) for h in ("train_layer", "check", "step", "update", "layer"))
            ]  # fmt: skip
            assert not classes, f"{module.__name__}: {classes} in no recipe"


def test_the_deepest_trained_is_where_more_than_half_of_the_runs_trained():
    rows = [("a", 1, 4, 4), ("a", 5, 4, 3), ("a", 9, 4, 2), ("b", 1, 4, 0), ("b", 9, 4, 0)]
    rows += [("c", 1, 4, 4), ("c", 5, 4, 1), ("c", 9, 0, 0)]
    t1 = pd.DataFrame(rows, columns=["technique", "depth", "n", "n_trained"])
    assert deepest_trained(t1) == {"a": "5", "b": "0", "c": "1 of 5"}


def test_an_entry_is_what_the_docstring_says():
    e = entry(glorot)
    assert e.path == "techniques/initialisation/glorot.py"
    assert e.name == "Glorot initialisation" and e.year == "2010"
    assert e.source.endswith("[glorot2010]") and "BibTeX" not in e.source
    assert "glorot" in e.recipes and "tanh" in e.recipes and "plain" not in e.recipes


def test_a_row_shows_the_depth_of_each_recipe_and_a_dash_where_it_was_not_run():
    t1 = pd.DataFrame(
        [("relu", 1, 2, 2), ("relu", 3, 2, 1)], columns=["technique", "depth", "n", "n_trained"]
    )
    text = page(t1)
    assert "`relu`: 1" in text and "`glorot`: –" in text
    assert "(of 1, 3;" in text
    assert set(re.findall(r"`([^`]+)`: ", text)) <= set(RECIPES)
