"""Every fault of a suite file is one line that names file, field, value and what is allowed."""

import subprocess
import sys
import tomllib

import pytest

from benchmarks.plan import Choice, reporting_trials, tuning_trials
from benchmarks.problem import Problem
from benchmarks.suite import FOLDER, names, read

GOOD = (FOLDER / "smoke.toml").read_text().replace('name = "smoke"', 'name = "mine"')


@pytest.fixture
def suite_file(tmp_path):
    def write(text: str):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


FAULTS = {
    "unknown field": (
        GOOD.replace("width", "breadth"),
        "breadth: unknown field; allowed: name, title, paper, scale, data",
    ),
    "unknown field inside": (
        GOOD.replace("updates", "epochs", 1),
        "budget.epochs: unknown field; allowed: updates, batch_size",
    ),
    "unknown technique": (
        GOOD.replace('"rbm"', '"dbm"'),
        "recipes: 'dbm' is not a recipe; allowed: rbm, ",
    ),
    "unknown data set": (
        GOOD.replace("mnist5k", "imagenet"),
        "data: name: 'imagenet' is not a data set; allowed: mnist5k, mnist, fashion-mnist",
    ),
    "negative depth": (
        GOOD.replace("depths = [1, 3]", "depths = [1, -3]"),
        "depths.1: input should be greater than or equal to 1, got -3",
    ),
    "empty list": (
        GOOD.replace("depths = [1, 3]", "depths = []"),
        "depths: tuple should have at least 1 item",
    ),
    "wrong type": (
        GOOD.replace("width = 16", 'width = "16"'),
        "width: input should be a valid integer, got '16'",
    ),
    "a fraction of a unit": (
        GOOD.replace("width = 16", "width = 16.5"),
        "width: input should be a valid integer, got 16.5",
    ),
    "not TOML": ("name = smoke", "not TOML (Invalid value (at line 1, column 8))"),
    "missing field": (GOOD.replace("width = 16\n", ""), "width: field required"),
    "depths of a recipe that is not there": (
        f"{GOOD}\n[depths_of]\nrelu = [1]\n",
        "depths_of: 'relu' is none of the suite's recipes",
    ),
    "a depth of its own": (
        f"{GOOD}\n[depths_of]\nplain = [2]\n",
        "depths_of.plain: [2] must be some of depths [1, 3]",
    ),
    "no depth left": (f"{GOOD}\n[depths_of]\nplain = []\n", "depths_of.plain: [] must be some of"),
    "twice": (GOOD.replace("[1, 3]", "[1, 1]"), "depths: 1 is listed twice; list it once"),
    "rates out of order": (
        GOOD.replace("lr = [0.1, 1.0]", "lr = [1.0, 0.1]"),
        "tuning.lr: [1.0, 0.1] must ascend without repeats",
    ),
    "infinite rate": (
        GOOD.replace("lr = [0.1, 1.0]", "lr = [0.1, inf]"),
        "tuning.lr.1: input should be less than inf, got inf",
    ),
    "evaluation after the end": (
        GOOD.replace("evaluate_every = 10", "evaluate_every = 21"),
        "budget: evaluate_every: 21 must be at most updates (20)",
    ),
    "probe after the end": (
        GOOD.replace("probe_at = [0, 20]", "probe_at = [0, 21]"),
        "budget: probe_at: 21 must be at most updates (20)",
    ),
    "batch beyond the data": (
        GOOD.replace("batch_size = 50", "batch_size = 501"),
        "budget.batch_size: 501 must be at most data.n_train (500)",
    ),
    "a name that is a path": (
        GOOD.replace('name = "mine"', 'name = "../mine"'),
        "name: string should match pattern",
    ),
    "nothing in it": ("", "name: field required (and"),
    "no table": (
        GOOD.replace('{ name = "mnist5k", n_train = 500, n_valid = 200 }', '"mnist5k"'),
        "data: 'mnist5k' must be a table, such as { name = \"mnist5k\" }",
    ),
    "a list for a name": (
        GOOD.replace('"mnist5k"', "[]"),
        "data: name: [] is not a data set; allowed: mnist5k",
    ),
    "a number of 5,000 digits": (
        GOOD.replace("width = 16", f"width = {'9' * 5000}"),
        "not TOML (Exceeds the limit",
    ),
    "3,000 brackets": (GOOD.replace("[1, 3]", "[" * 3000 + "]" * 3000), "not TOML ("),
    "a title of two lines": (
        GOOD.replace('title = "Smoke test', 'title = "Smoke\\ntest'),
        "title: string should match pattern",
    ),
    "no probe at the start": (
        GOOD.replace("probe_at = [0, 20]", "probe_at = [20]"),
        "budget: probe_at: [20] must have 0 and 20",
    ),
    "fewer examples than a pretraining batch": (
        GOOD.replace("n_train = 500", "n_train = 90"),
        "data.n_train: 90 must be at least 100, the batch that pretrains 'rbm'",
    ),
    "a name that is taken": (
        GOOD.replace('name = "mine"', 'name = "depth"'),
        "name: 'depth' is a suite of the project; choose another",
    ),
}


@pytest.mark.parametrize("text, message", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_told_in_one_line(text, message, suite_file):
    path = suite_file(text)
    with pytest.raises(Problem) as caught:
        read(str(path))
    told = str(caught.value)
    assert told.startswith(f"{path}: ") and message in told
    assert "\n" not in told and len(told) < 500


@pytest.mark.parametrize("fault", ["unknown technique", "not TOML"])
def test_the_command_ends_with_code_2_and_one_line(fault, suite_file):
    path = suite_file(FAULTS[fault][0])
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "plan", str(path)], capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"error: {path}: ") and done.stderr.count("\n") == 1


def test_an_unknown_suite_and_a_missing_file_name_what_there_is():
    with pytest.raises(
        Problem, match="suite nosuch: no such suite; allowed: .*depth, factorial, .*quick"
    ):
        read("nosuch")
    with pytest.raises(Problem, match="suite /no/where.toml: no such suite"):
        read("/no/where.toml")


@pytest.mark.parametrize("name", names())
def test_the_suites_of_the_project_are_valid_and_named_after_their_files(name):
    assert read(name).name == name


def test_the_split_defaults_to_the_data_sets_own():
    table = tomllib.loads(GOOD)
    assert table["data"] == {"name": "mnist5k", "n_train": 500, "n_valid": 200}
    suite = read("quick")
    assert (suite.data.n_train, suite.data.n_valid) == (3000, 1000)


def test_a_recipe_is_run_at_its_own_depths_only(suite_file):
    suite = read(str(suite_file(f"{GOOD}\n[depths_of]\nrbm = [1]\n")))
    whole = [(name, depth) for name in suite.recipes for depth in (1, 3)]
    assert suite.cells == [cell for cell in whole if cell != ("rbm", 3)]
    planned = tuning_trials(suite, "cpu")
    assert {trial.cell for trial in planned} == set(suite.cells)
    assert len(planned) == len(suite.cells) * len(suite.tuning.lr) * suite.tuning.seeds
    choices = {cell: Choice(0.1, False, 0.0, {}) for cell in [*suite.cells, ("rbm", 3)]}
    reported = reporting_trials(suite, "cpu", choices)
    assert [trial.cell for trial in reported] == [
        c for c in suite.cells for _ in range(suite.seeds)
    ]
