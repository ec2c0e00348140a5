"""What an edit of the project does to the keys of trials: tried on a copy that is really edited."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.sweeps import ROOT

KEYS = """
import json
from benchmarks.plan import tuning_trials
from benchmarks.suite import read
found = {}
for name in ("depth", "factorial", "quick"):
    for trial in tuning_trials(read(name), "cpu"):
        found[f"{name} {trial.cell} {trial.lr} {trial.seed}"] = trial.key
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for name in ("benchmarks", "techniques", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def python(folder: Path, *words: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # edits in the same second would go unseen
    words = [sys.executable, *words]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment)


def keys(folder: Path) -> dict[str, str]:
    done = python(folder, "-c", KEYS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is in {path} {text.count(old)} times"
    path.write_text(text.replace(old, new))


def test_docstrings_and_new_techniques_keep_keys_and_a_changed_update_rule_is_noticed(copied):
    before = keys(copied)
    assert len(set(before.values())) > 5000

    # a docstring, a comment, a new technique with a recipe of its own
    sgd = copied / "techniques" / "optimisation" / "sgd.py"
    sgd.write_text(sgd.read_text().replace('"""', '"""Reworded. ', 1) + "\n# a comment\n")
    tanh = copied / "techniques" / "activations" / "tanh.py"
    shutil.copy(tanh, tanh.with_name("tanh_again.py"))
    recipe = copied / "techniques" / "recipe.py"
    recipe.write_text(
        recipe.read_text()
        + "\nfrom techniques.activations.tanh_again import Tanh as TanhAgain\n"
        + 'RECIPES["tanh-again"] = BASELINE.but(activation=TanhAgain())\n'
    )
    assert keys(copied) == before

    # the same settings, another update: keys cannot tell, the fingerprints do
    fingerprints = [
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/benchmarks/test_fingerprints.py",
        "-k", "plain or nesterov",
    ]  # fmt: skip
    done = python(copied, *fingerprints)
    assert done.returncode == 0, done.stdout
    rule = "_foreach_addcmul_(velocity, gradients, each_lr, -1"
    edit(copied / "techniques" / "optimisation" / "nesterov.py", rule, f"{rule}.01")
    done = python(copied, *fingerprints)
    assert done.returncode == 1 and "test_the_same_settings_give_the_same_numbers[nesterov]" in (
        done.stdout
    )

    # what the failing test asks for gives every trial another key
    from benchmarks.trial import PROTOCOL

    edit(
        copied / "benchmarks" / "trial.py",
        f"\nPROTOCOL = {PROTOCOL}\n",
        f"\nPROTOCOL = {PROTOCOL + 1}\n",
    )
    assert not set(before.values()) & set(keys(copied).values())


def test_recipes_that_are_equal_but_write_a_number_otherwise_keep_keys_of_their_own():
    from dataclasses import replace

    from benchmarks.plan import tuning_trials
    from benchmarks.suite import read
    from techniques.initialisation.glorot import GlorotUniform
    from techniques.recipe import BASELINE

    whole, real = (BASELINE.but(initialisation=GlorotUniform(gain=g)) for g in (4, 4.0))
    assert whole == real  # so nothing may be remembered by equality
    trial = tuning_trials(read("smoke"), "cpu")[0]
    first, second = (replace(trial, recipe=recipe) for recipe in (whole, real))
    assert first.key != second.key
    assert json.dumps(second.config["recipe"]).count("4.0") == 1
