"""Two reports of known difference: what is said of them, and the exit code."""

import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from benchmarks import diff, store
from benchmarks.__main__ import main
from benchmarks.archive import save_archive

ENV = {"commit": "aaa", "torch": "2.13.0+cpu", "cpu": "one", "started": "2026-01-01T00:00:00Z"}


def report(folder, errors, *, env=ENV, suite=None, status="ok", salt="", lr=0.1, trained=None):
    """A report folder with these test errors: (technique, depth) -> one per seed."""
    rows, records = [], []
    for (technique, depth), values in errors.items():
        for seed, error in enumerate(values):
            key = f"{salt}{technique}-{depth}-{seed}"
            works = error < 45 if trained is None else trained
            rows.append([key, technique, depth, lr, seed, "report", status, error, works])
            result = {"test_error_pct": error, "seconds_train": hash(str(folder)) % 100}
            config = {"recipe": {"activation": {"technique": "Relu"}}, "lr": lr, "seed": seed}
            records.append(
                {"schema": 1, "key": key, "status": status, "config": config, "env": env,
                 "result": result, "curves": {}, "probes": []}
            )  # fmt: skip
    columns = ["key", "technique", "depth", "lr", "seed", "role", "status", "test_error_pct"]
    (folder / "data").mkdir(parents=True)
    pd.DataFrame(rows, columns=[*columns, "trained"]).to_csv(
        folder / "data" / "trials.csv", index=False
    )
    save_archive(folder / "data" / "records.jsonl.gz", records)
    settings = {"device": "cpu", "command": "make", "suite": suite or {"name": "known", "width": 4}}
    (folder / "suite.json").write_text(json.dumps(settings))
    return folder


FEW = [8.0, 8.5, 9.0, 9.5, 10.0, 10.5, 11.0, 11.5, 12.0, 12.5]


def shifted(by: float) -> list[float]:
    return [value + by for value in FEW]


@pytest.fixture
def two(tmp_path):
    """A and B: one cell worse by 5 points, one within a tenth, one alike, one of too few seeds."""
    a = {("plain", 2): FEW, ("relu", 2): FEW, ("relu", 5): FEW, ("lsuv", 2): [9.0] * 5}
    b = {
        ("plain", 2): shifted(5),
        ("relu", 2): [v + (0.1 if i % 2 else -0.1) for i, v in enumerate(FEW)],
        ("relu", 5): FEW,
        ("lsuv", 2): [90.0] * 5,
    }
    return report(tmp_path / "a", a), report(tmp_path / "b", b)


def test_the_same_report_twice_has_no_difference(two, capsys):
    assert main(["diff", str(two[0]), str(two[0])]) == 0
    out = capsys.readouterr().out
    assert out.count("no difference") == 3 and "4 cells: 4 equal\n" in out
    assert "of 35 common keys, with another result" in out


def test_a_cell_that_differs_is_told_with_interval_and_corrected_p(two, capsys):
    assert main(["diff", *map(str, two)]) == 1
    out = capsys.readouterr().out
    lines = {tuple(line.split()[:2]): line.split() for line in out.splitlines()}
    # all 10 differences are +5: p = 2 / 2^10, of three cells that can be tested: x 3
    assert lines["plain", "2"] == (
        "plain 2 10 10 0.1 +5.00 [+5.00, +5.00] 0.006 1.000 differs".split()
    )
    assert lines["relu", "2"][-1] == "equivalent" and lines["relu", "2"][5] == "+0.00"
    assert ("relu", "5") not in lines  # nothing to say of it
    assert lines["lsuv", "2"] == (
        "lsuv 2 5 5 -> 0 0.1 +81.00 [+81.00, +81.00] – – n too small".split()
    )
    assert "4 cells: 1 equal, 1 equivalent, 1 differ, 1 n too small" in out


def test_only_shared_seeds_count_and_cells_of_one_report_are_left_out(tmp_path):
    a = report(tmp_path / "a", {("plain", 1): FEW, ("relu", 1): FEW})
    b = report(tmp_path / "b", {("plain", 1): shifted(1)[:7], ("tanh", 1): FEW})
    (cell,) = diff.cells_of(diff.read(a).trials, diff.read(b).trials)
    assert (cell.technique, cell.differences) == ("plain", (1.0,) * 7)
    assert cell.p == pytest.approx(2 / 2**7)


def test_unfinished_and_tuning_runs_are_not_compared(tmp_path):
    a = report(tmp_path / "a", {("plain", 1): FEW, ("relu", 1): FEW})
    b = report(tmp_path / "b", {("plain", 1): FEW, ("relu", 1): FEW})
    path = b / "data" / "trials.csv"
    trials = pd.read_csv(path)
    relu = trials["technique"] == "relu"
    trials.loc[relu & (trials["seed"] < 4), "role"] = "tune"
    trials.loc[relu & (trials["seed"] == 5), "status"] = "crashed"
    trials.loc[relu & (trials["seed"] == 6), "test_error_pct"] = None
    trials.to_csv(path, index=False)
    cells = diff.cells_of(diff.read(a).trials, diff.read(b).trials)
    assert [len(cell.differences) for cell in cells] == [10, 4]


def test_a_diverged_run_counts_with_the_error_that_it_has(tmp_path):
    a = report(tmp_path / "a", {("plain", 1): FEW})
    b = report(tmp_path / "b", {("plain", 1): [90.0] * 10}, status="diverged")
    (cell,) = diff.cells_of(diff.read(a).trials, diff.read(b).trials)
    assert cell.trained == (10, 0) and cell.verdict == "differs"


def test_what_cannot_be_told_is_not_called_equal():
    noisy = diff.Cell("x", 1, (9, 9), ("1", "1"), (5.0, -5.0, 4, -3, 2, -4), 0.9, 0.6)
    assert noisy.verdict == "cannot tell"
    assert diff.Cell("x", 1, (9, 9), ("1", "1"), (0.0,) * 3, None, None).verdict == "equal"
    assert diff.Cell("x", 1, (9, 9), ("1", "1"), (1.0,) * 3, None, None).verdict == "n too small"


def test_settings_environment_and_trials_are_told(tmp_path, capsys):
    a = report(tmp_path / "a", {("plain", 1): FEW}, suite={"width": 4, "depths": [1, 2, 3]})
    env = {**ENV, "torch": "2.14", "started": "later"}
    suite = {"width": 8, "depths": [1, 3, 9]}
    b = report(tmp_path / "b", {("plain", 1): FEW}, env=env, suite=suite, salt="other", lr=0.3)
    assert main(["diff", str(a), str(b)]) == 0
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "suite.width 4 8" in rows and "suite.depths + 2 + 9" in rows
    assert "torch 2.13.0+cpu 2.14" in rows
    assert not any("later" in row or row.startswith("cpu") for row in rows)
    assert "keys only here 10 10" in rows and "of 0 common keys, with another result 0" in rows


def test_another_result_of_the_same_key_is_counted_but_times_are_none(tmp_path, capsys):
    a = report(tmp_path / "a", {("plain", 1): FEW})
    b = report(tmp_path / "b", {("plain", 1): [*FEW[:9], 13.0]}, lr=0.3)
    main(["diff", str(a), str(b)])
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "of 10 common keys, with another result 1" in rows
    assert any(row.startswith("plain 1 10 10 0.1 -> 0.3 +0.00 [+0.00, +0.00]") for row in rows)


def test_a_recipe_of_another_setting_is_told(tmp_path, capsys):
    a = report(tmp_path / "a", {("plain", 1): FEW})
    b = report(tmp_path / "b", {("plain", 1): FEW})
    archive = b / "data" / "records.jsonl.gz"
    records = store.load_archive(archive)
    for one in records.values():
        one["config"]["recipe"]["activation"]["technique"] = "Elu"
    save_archive(archive, records.values())
    main(["diff", str(a), str(b)])
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "plain: recipe.activation.technique Relu Elu" in rows


def test_hostile_names_cannot_write_to_the_terminal(tmp_path, capsys):
    hostile = {("\x1b[2J<b>|x", 1): FEW}
    b = {("\x1b[2J<b>|x", 1): shifted(9)}
    assert main(["diff", str(report(tmp_path / "a", hostile)), str(report(tmp_path / "b", b))]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out and "?[2J<b>|x" in out


@pytest.mark.parametrize(
    "damage", ["no folder", "no suite", "not json", "no trials", "no column", "word", "archive"]
)
def test_what_is_no_report_is_said_in_one_line(two, damage, capsys):
    a, b = two
    if damage == "no folder":
        shutil.rmtree(b)
    elif damage == "no suite":
        (b / "suite.json").unlink()
    elif damage == "not json":
        (b / "suite.json").write_text("[")
    elif damage == "no trials":
        (b / "data" / "trials.csv").unlink()
    elif damage == "no column":
        (b / "data" / "trials.csv").write_text("key,seed\n1,2\n")
    elif damage == "word":
        text = (b / "data" / "trials.csv").read_text()
        (b / "data" / "trials.csv").write_text(text.replace("plain,2,", "plain,two,"))
    else:
        (b / "data" / "records.jsonl.gz").unlink()
    assert main(["diff", str(a), str(b)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith(f"error: {b}")


def test_reports_without_a_common_run_are_refused(tmp_path, capsys):
    a = report(tmp_path / "a", {("plain", 1): FEW})
    b = report(tmp_path / "b", {("plain", 2): FEW})
    assert main(["diff", str(a), str(b)]) == 2
    assert "no finished run of the same cell and seed" in capsys.readouterr().err


def test_its_help_says_the_exit_codes_and_loads_no_torch():
    code = (
        "import sys\nfrom benchmarks.__main__ import main\n"
        "try: main(['diff', '--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("[]\n")
    assert "0 no cell differs, 1 one does" in " ".join(done.stdout.split())
