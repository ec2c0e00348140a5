"""The command line: light to start, clear when wrong."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from benchmarks.__main__ import _parser, main

ROOT = Path(__file__).parent.parent.parent


def test_help_does_not_load_torch():
    code = (
        "import sys\n"
        "from benchmarks.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'pandas', 'matplotlib', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for command in ("list", "plan", "run", "report", "data"):
        assert command in done.stdout


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["train"], "argument COMMAND: invalid choice: 'train'"),
        ([], "the following arguments are required: COMMAND"),
        (["run", "smoke", "--seeds", "0"], "'0' must be a whole number from 1 on"),
        (["run", "smoke", "--seeds", "9" * 5000], "'99999999999999999999' must be a whole number"),
        (["run", "smoke", "--seeds", "1001"], "--seeds: 1001 must be at most 1000"),
        (
            ["run", "ioffe2015bn-inputs"],
            "an experiment, and no suite; run by 'python -m benchmarks reproduce --scale reduced "
            "--only ioffe2015bn-inputs'",
        ),
        (["run", "smoke", "--workers", "-1"], "--workers"),
        (["run", "smoke", "--device", "tpu"], "invalid choice: 'tpu'"),
        (["run", "smoke", "--device", "mps"], "--device: mps is not available here; allowed: auto"),
        (
            ["report", "dept"],
            "suite dept: no such suite; allowed: depth, ",
        ),
        (
            ["data", "fetch", "imagenet"],
            "data imagenet: nothing to fetch; allowed: mnist, fashion-mnist",
        ),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments, told, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and told in err and err.startswith("error: ") and err.count("\n") == 1


def test_a_missing_data_set_is_one_line_with_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    text = (ROOT / "benchmarks/suites/smoke.toml").read_text()
    text = text.replace("mnist5k", "mnist").replace('"smoke"', '"mine"')
    (tmp_path / "m.toml").write_text(text)
    assert main(["run", str(tmp_path / "m.toml"), "--results", str(tmp_path / "results")]) == 2
    told = capsys.readouterr().err
    assert "train-images-idx3-ubyte: no such file" in told and "'make data' fetches mnist" in told
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("option", ["--results", "--reports"])
def test_a_folder_that_cannot_be_written_is_told_before_training(option, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    places = {"--results": str(tmp_path / "a"), "--reports": str(tmp_path / "b")}
    places[option] = str(tmp_path / "file")
    words = [word for pair in places.items() for word in pair]
    assert main(["run", "smoke", "--workers", "0", *words]) == 2
    err = capsys.readouterr().err
    assert str(tmp_path / "file") in err and "Traceback" not in err
    assert err.splitlines()[-1].startswith("error: ")
    assert not list((tmp_path / "a").glob("*")) and (tmp_path / "file").read_text() == "in the way"


def test_reports_of_no_folder_are_told(tmp_path, capsys):
    assert main(["reports", "--reports", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'none'}: no such folder\n"


def test_a_report_of_nothing_says_what_to_run(tmp_path, capsys):
    places = ["--results", str(tmp_path / "a"), "--reports", str(tmp_path / "b")]
    assert main(["report", "smoke", *places]) == 2
    assert "'make compare SUITE=smoke' runs it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_list_and_plan_say_what_there_is(tmp_path, capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^  quick ", out, re.M) and re.search(r"^  residual-2 .*Residual", out, re.M)
    places = ["--results", str(tmp_path / "a"), "--reports", str(tmp_path / "b")]
    assert main(["plan", "smoke", "--seeds", "4", *places]) == 0
    out = capsys.readouterr().out
    # 3 recipes x 2 depths; 2 rates x 1 seed to tune, 4 seeds to report
    assert "12 trials = 6 x 2 learning rates x 1 seeds, in 6 stacks" in out
    assert "24 trials = 6 x 4 seeds" in out and "stored     0 of 36" in out


def test_make_alone_lists_every_target():
    done = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)[1].split()
    for target in phony:
        assert re.search(rf"^  make {target} +\S", done.stdout, re.M), target


def commands_in(document: str) -> list[str]:
    """Lines of the shell blocks of a document."""
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", (ROOT / document).read_text(), re.S)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


DOCUMENTED = [
    (document, line)
    for document in ("README.md", "CONTRIBUTING.md", "docs/cluster.md")
    for line in commands_in(document)
]


@pytest.mark.parametrize("document, line", DOCUMENTED)
def test_documented_commands_exist(document, line, tmp_path, monkeypatch):
    """make targets are looked up (they would train for minutes); the rest is run."""
    words = [w for w in line.split() if not re.match(r"^[A-Z_]+=", w)]
    if words[0] == "make":
        options = [w for w in line.split() if "=" in w and not line.startswith(w)]
        done = subprocess.run(
            ["make", "--dry-run", "--assume-old=.venv/.installed", *words[1:], *options],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    elif words[0] == "sbatch":  # what each job of the array would run
        job = shlex.split(line)[-1].replace("$SLURM_ARRAY_TASK_ID", "8").split()
        assert _parser().parse_args(job[job.index("benchmarks") + 1 :]).shard == (8, 8)
    elif "-m dask" in line:  # its options are looked up; test_cluster_faults.py runs them
        command, *given = words[words.index("dask") + 1 :]
        known = dask_options(command)
        assert all(word in known for word in given if word.startswith("--")), line
    elif "-m benchmarks" in line:
        arguments = words[words.index("benchmarks") + 1 :]
        if arguments[0] in ("run", "report", "reproduce", "portraits", "diff") or arguments[:2] in (
            ["data", "report"],
            ["data", "fetch"],
            ["store", "merge"],
        ):
            if "--help" in arguments:
                with pytest.raises(SystemExit, match="0"):
                    main(arguments)
            else:  # it would train, fetch, write a report that is committed, or need a second one
                assert _parser().parse_args(arguments)
        else:
            monkeypatch.chdir(tmp_path)
            assert main(arguments) == 0
    else:
        assert words[0] in ("git", "rsync") or line == "rm -f scheduler.json", line


@cache
def dask_options(command: str) -> set[str]:
    """Those of ``dask scheduler`` or ``dask worker``."""
    pytest.importorskip("distributed", reason="pip install dask distributed")
    words = [sys.executable, "-m", "dask", command, "--help"]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"--[a-z-]+", told))


def python_in(document: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.S)


PRINTED = ["torch.Size([500, 10])", "BatchNorm1d(200,"]  # by each piece, in order


@pytest.mark.parametrize("code, printed", list(zip(python_in("README.md"), PRINTED, strict=True)))
def test_the_readmes_python_runs(code, printed, capsys):
    exec(compile(code, "README.md", "exec"), {})
    assert printed in capsys.readouterr().out


def test_the_citation_file_is_what_the_standard_asks_for():
    text = (ROOT / "CITATION.cff").read_text()
    fields = dict(re.findall(r"^([a-z-]+): *\"?([^\"\n]*)\"?$", text, re.M))
    assert fields["cff-version"] == "1.2.0" and fields["type"] == "software"
    assert fields["license"] == "MIT" and fields["title"] and fields["message"]
    project = (ROOT / "pyproject.toml").read_text()
    assert fields["version"] == re.search(r'^version = "(.*)"', project, re.M)[1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", fields["date-released"])
    from benchmarks.prose import VERSION

    assert fields["version"] == VERSION


def test_the_lock_file_pins_everything_the_project_asks_for():
    project = (ROOT / "pyproject.toml").read_text()
    asked = re.findall(r'"([a-z0-9-]+)>=', project)

    def pins(file: str) -> dict[str, str]:
        lines = (ROOT / file).read_text().lower().splitlines()
        return dict(line.split("==") for line in lines if not line.startswith("#"))

    always, with_peers = pins("requirements.lock"), pins("requirements-peers.lock")
    assert len(asked) >= 12 and set(asked) <= set(always) | set(with_peers)
    assert {"keras", "jax", "learnergy"} <= set(with_peers) and not set(always) & set(with_peers)
    assert always["torch"] == "2.13.0" and {"pytest", "psutil"} <= set(always)
