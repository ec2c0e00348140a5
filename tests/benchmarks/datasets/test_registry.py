"""All generated data sets by name: one form, default parts as published, a page of them all."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks import datasets
from benchmarks.__main__ import main
from benchmarks.datasets import DATA_SETS, page
from benchmarks.datasets.arrays import Arrays, cache_folder, cached, generators, sha256
from benchmarks.datasets.idx import data_folder
from benchmarks.markup import markdown
from benchmarks.options import ROOT
from benchmarks.problem import Problem
from benchmarks.suite import FOLDER, read

GENERATED = {name: data for name, data in DATA_SETS.items() if data.generate is not None}
SMALL = (194, 20, 30)  # two spirals have 194 training points
HAS_MNIST = (data_folder() / "mnist").is_dir()
NEEDS_MNIST = {name for name in GENERATED if "mnist-" in name or name == "binarised-mnist"}


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    datasets.load.cache_clear()
    yield
    datasets.load.cache_clear()


def named(parameters):
    return [
        pytest.param(
            name,
            marks=pytest.mark.skipif(name in NEEDS_MNIST and not HAS_MNIST, reason="no MNIST"),
        )
        for name in parameters
    ]


@pytest.mark.parametrize("name", named(GENERATED))
def test_a_generated_set_takes_the_common_form(name, own_cache):
    data = DATA_SETS[name]
    arrays = data.generated(*SMALL)
    split = arrays.split()
    assert [len(part) for part in vars(split).values()] == [n for n in SMALL for _ in "xy"]
    for x, y in (
        (split.x_train, split.y_train),
        (split.x_valid, split.y_valid),
        (split.x_test, split.y_test),
    ):
        assert x.dtype == torch.float32 and x.isfinite().all()
        assert not data.picture or x.shape[1] == np.prod(data.picture)
        if data.classes:
            assert y.dtype == torch.int64 and y.min() >= 0 and y.max() < len(data.classes)
        else:
            assert y.dtype == torch.float32 and y.dim() == 2
    if data.classes:
        assert len(split.y_train.unique()) == len(data.classes)
    assert sha256(data.generated(*SMALL)) == sha256(arrays)  # from the cache now


@pytest.mark.parametrize("name", GENERATED)
def test_the_checksum_of_a_set_is_its_own_and_its_docstring_has_all_headings(name):
    assert len(bytes.fromhex(DATA_SETS[name].checksum)) == 32
    assert len({data.checksum for data in DATA_SETS.values()}) == len(DATA_SETS)
    assert tuple(page.sections(DATA_SETS[name].module)) == page.HEADINGS


def test_grey_levels_become_shares_of_255_and_classes_int64():
    x, y = np.array([[0, 51, 255]], np.uint8), np.array([2], np.uint8)
    real, targets = np.array([[-1.5]], np.float32), np.array([[0.5, 2]], np.float32)
    split = Arrays(x, y, real, targets, x, y).split()
    assert split.x_train.tolist() == [[0, torch.tensor(0.2).item(), 1]]
    assert split.y_train.tolist() == [2] and split.y_train.dtype == torch.int64
    assert split.x_valid.tolist() == [[-1.5]] and split.y_valid.tolist() == [[0.5, 2]]


def test_a_checksum_sees_values_types_and_shapes():
    x, y = np.arange(6, dtype=np.uint8).reshape(2, 3), np.zeros(2, np.uint8)
    arrays = Arrays(x, y, x, y, x, y)
    others = [x + 1, x.astype(np.int8), x.reshape(3, 2)]
    assert len({sha256(arrays), *(sha256(arrays._replace(x_test=o)) for o in others)}) == 4


def test_streams_differ_by_name_seed_and_part():
    draws = [g.random() for name in ("a", "b") for seed in (0, 1) for g in generators(name, seed)]
    assert len(set(draws)) == 12
    assert [g.random() for g in generators("a", 0)] == draws[:3]


def test_a_cache_is_used_and_a_damaged_one_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(3000) % 7, "b": np.random.default_rng(0).random(50)}

    def right() -> bool:
        found = cached("it.npz", make)
        return all(np.array_equal(found[name], array) for name, array in make().items())

    assert right() and right() and len(made) == 3  # twice made to compare, once to keep
    path = cache_folder() / "it.npz"
    whole = path.read_bytes()
    damaged = [whole[: len(whole) // 2], b"", b"PK half a file"]
    for at in range(0, len(whole), max(1, len(whole) // 100)):  # each kind of damage zip can have
        damaged.append(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
    for content in damaged:
        path.write_bytes(content)
        assert right()
    assert len(made) > 3 + len(damaged)  # some damage was seen, and made again
    assert [p.name for p in cache_folder().iterdir()] == ["it.npz"]  # nothing half-written


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way of a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(cached("it.npz", lambda: {"a": np.zeros(4)})["a"]) == 4


def test_a_changed_generator_finds_no_old_arrays_and_is_told_apart(own_cache, monkeypatch):
    name, data = "spirals", DATA_SETS["spirals"]
    sizes = (*data.parts, data.n_test)
    assert sha256(data.generated(*sizes)) == data.checksum
    monkeypatch.setattr(datasets, "_source_digest", lambda module: "changed")
    changed = data._replace(generate=lambda *wanted: data.generate(*wanted[:3], wanted[3] + 1))
    monkeypatch.setitem(DATA_SETS, name, changed)
    with pytest.raises(Problem, match=f"data spirals: its parts have SHA-256 .* {data.checksum}"):
        changed.generated(*sizes)


@pytest.mark.parametrize("name", named(GENERATED))
def test_a_set_says_rightly_whether_its_inputs_lie_in_the_unit_interval(name, own_cache):
    x = DATA_SETS[name].generated(*SMALL).split().x_train
    assert DATA_SETS[name].unit_interval == bool(x.min() >= 0 and x.max() <= 1)


def test_an_rbm_on_inputs_outside_the_unit_interval_is_refused_before_it_is_trained(tmp_path):
    text = (FOLDER / "smoke.toml").read_text().replace('"smoke"', '"mine"')
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('name = "mnist5k"', 'name = "mnist1d"'))
    with pytest.raises(
        Problem, match="recipes: 'rbm' needs inputs in .0, 1., and those of data 'mn"
    ):
        read(str(path))


def test_the_page_is_that_of_the_generators():
    text = (ROOT / "reports" / "datasets" / "README.md").read_text()
    for name, data in DATA_SETS.items():
        if data.generate is not None:
            assert data.checksum in text and markdown(data.about) in text, name
            for heading, said in page.sections(data.module).items():
                assert f"**{heading}.** {markdown(said)}\n" in text, name
            assert (ROOT / "reports" / "datasets" / f"{name}.png").exists()


def test_show_prints_sizes_balance_and_checksum(own_cache, capsys):
    assert main(["data", "show", "rectangles", "--n-test", "40"]) == 0
    told = capsys.readouterr().out
    assert "1,000 training, 200 validation, 40 test" in told and "28 x 28, from 0 to 1" in told
    assert "training classes: tall " in told and "Definition: " in told and "Ours: " in told
    sha = sha256(DATA_SETS["rectangles"].generated(1000, 200, 40))
    assert f"SHA-256: {sha}\n" in told
    assert main(["data", "show", "spirals"]) == 0
    assert f"{DATA_SETS['spirals'].checksum}, as it should be" in capsys.readouterr().out
    assert main(["data", "show", "mnist5k"]) == 0
    assert "(of its source)" in capsys.readouterr().out


def test_export_writes_the_six_parts(own_cache, tmp_path, capsys):
    file = tmp_path / "it.npz"
    asked = ["shapeset", str(file), "--n-train", "30", "--n-valid", "20", "--n-test", "10"]
    assert main(["data", "export", *asked, "--seed", "5"]) == 0
    with np.load(file, allow_pickle=False) as stored:
        assert list(stored) == ["x_train", "y_train", "x_valid", "y_valid", "x_test", "y_test"]
        assert stored["x_train"].shape == (30, 1024) and stored["y_test"].shape == (10,)
        again = DATA_SETS["shapeset"].generated(30, 20, 10, 5).split()
        assert np.array_equal(stored["x_valid"], again.x_valid)
    assert sha256(DATA_SETS["shapeset"].generated(30, 20, 10, 5)) in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["show", "shapes"], "data shapes: no such data set; allowed: mnist5k, mnist, fashion"),
        (["export", "spirals", "it.csv"], "FILE: it.csv must end in .npz"),
        (["show", "mnist5k", "--seed", "1"], "--seed: mnist5k is not generated"),
        (["show", "mnist5k", "--n-test", "1"], "--n-test: mnist5k is not generated"),
        (
            ["show", "spirals", "--n-train", "195"],
            "data spirals: two spirals have parts of at most",
        ),
        (["show", "deep-linear", "--n-train", "3"], "data deep-linear: n_train must be n_inputs"),
        (["show", "spirals", "--n-train", "0"], "'0' must be a whole number from 1 on"),
        (["fetch", "spirals"], "data spirals: nothing to fetch; allowed: mnist, fashion-mnist"),
        ([], "the following arguments are required: ACTION"),
    ],
)
def test_bad_input_is_told_in_one_line(arguments, told, capsys):
    assert main(["data", *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_list_names_every_set(capsys):
    assert main(["data", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(DATA_SETS)


@pytest.mark.parametrize("name", named(GENERATED))
def test_every_contact_sheet_is_a_picture_the_same_each_time(name, own_cache):
    split = DATA_SETS[name].generated(*SMALL).split()
    first = page.contact_sheet(name, split)
    assert first.startswith(b"\x89PNG") and first == page.contact_sheet(name, split)
    assert len(first) < 300_000  # noise does not compress
    changed = page.contact_sheet(name, split.map(lambda x: 1 - x))
    assert changed != first


@pytest.mark.parametrize("name", ["shapeset", "rectangles"])
def test_suite_quick_runs_on_another_set_by_changing_one_field(name, own_cache, tmp_path):
    """The whole path, with all that costs time made small: only data.name is the set's."""
    text = (FOLDER / "quick.toml").read_text()
    assert text.count('name = "mnist5k"') == 1
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('name = "mnist5k"', f'name = "{name}"').replace('"quick"', '"q"'))
    assert read(str(path)).data.name == name
    for large, small in {
        "n_train = 3000, n_valid = 1000": "n_train = 200, n_valid = 100",
        "depths = [2, 5, 10, 20]": "depths = [2]",
        "width = 64": "width = 16",
        "updates = 400": "updates = 10",
        "evaluate_every = 50": "evaluate_every = 10",
        "[0, 400]": "[0, 10]",
        "lr = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]": "lr = [0.1]",
        "seeds = 5": "seeds = 2",
    }.items():
        assert text.count(large) == 1
        path.write_text(path.read_text().replace(large, small))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "run", str(path), "--workers", "0"]
        + ["--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"| {name}, " in (tmp_path / "reports" / "q" / "README.md").read_text()


def test_a_set_without_classes_is_refused_for_training(tmp_path):
    text = (FOLDER / "smoke.toml").read_text().replace('"smoke"', '"mine"')
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('name = "mnist5k"', 'name = "curves"'))
    with pytest.raises(
        Problem, match="data: name: 'curves' has no classes to learn; allowed: mnist5k"
    ):
        read(str(path))
