"""Stored trials trained again: the same bits, seen before and after; kept, and drawn from that."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from benchmarks import portraits, store
from benchmarks.__main__ import main
from benchmarks.problem import Problem
from benchmarks.train import train_stack
from tests.benchmarks.test_train import BUDGET, trial

SUITE = """
name = "tiny"
title = "A few updates"
data = { name = "mnist5k", n_train = 200, n_valid = 100 }
recipes = ["plain", "rbm", "relu"]
depths = [1, 2]
width = 16
seeds = 1
budget = { updates = 10, batch_size = 20, evaluate_every = 5, probe_at = [0, 5, 10] }
tuning = { lr = [0.1], seeds = 1 }
"""


def portrait(technique="plain", **changes) -> portraits.Portrait:
    histogram = np.zeros((2, 3, portraits.N_BINS), np.int32)
    histogram[:, :, 7] = 5
    filters = np.arange(2 * 12 * 4, dtype=np.int8).reshape(2, 12, 2, 2)
    made = portraits.Portrait("k" + technique, technique, 0, True, 0.0, 1.0, histogram, filters)
    return replace(made, **changes)


def test_activations_are_counted_in_bins_and_what_lies_outside_in_the_last():
    counts = portraits.counted(np.array([-9, 0, 0.31, np.nan, 1.0, np.inf, -np.inf]), 0.0, 1.0)
    assert counts.sum() == 6 and counts[0] == 3 and counts[-1] == 2
    assert counts[int(0.31 * portraits.N_BINS)] == 1


def test_filters_are_images_of_their_own_scale():
    weight = np.array([[1.0, 0, -1e-9], [2, 0, 0], [-4, 0, 0], [np.nan, 0, 1e-9]])  # (D, n)
    images = portraits.scaled(weight)
    assert images.shape == (3, 2, 2) and images.dtype == np.int8
    assert images[0].tolist() == [[32, 64], [-127, 0]]
    assert images[1].tolist() == [[0, 0], [0, 0]] and images[2].tolist() == [[-127, 0], [0, 127]]


def test_a_run_trained_again_is_the_run_that_was_stored():
    # probed halfway too, which is no portrait's matter
    asked = trial("relu", depth=2, budget=BUDGET.model_copy(update={"probe_at": (0, 4, 12)}))
    (record,) = train_stack([asked])
    found = portraits.taken(asked, record)
    assert found.as_recorded and (found.key, found.technique) == (asked.key, "relu")
    n_probed = min(512, asked.data.n_train) * asked.width
    assert found.histogram.shape == (2, 2, portraits.N_BINS)
    assert (found.histogram.sum(2) == n_probed).all()
    side = int(found.filters.shape[-1])
    assert found.filters.shape == (2, min(12, asked.width), side, side)
    assert (np.abs(found.filters).max((2, 3)) == 127).all()
    assert not np.array_equal(found.filters[0], found.filters[1])  # it has learnt
    other = {**record, "result": {**record["result"], "test_wrong_last": -1}}
    again = portraits.taken(asked, other)
    assert not again.as_recorded
    assert np.array_equal(again.histogram, found.histogram)


def test_looking_changes_nothing_and_happens_where_the_probes_do():
    asked = trial("relu", depth=2)
    updates = []
    (plain,), (seen,) = (
        train_stack([asked]),
        train_stack([asked], lambda update, network, x: updates.append((update, x.shape[1]))),
    )
    assert [update for update, _ in updates] == sorted(asked.budget.probe_at)
    for part in ("curves", "probes"):
        assert plain[part] == seen[part]


def test_portraits_come_back_as_they_were_kept_and_the_bytes_are_the_same(tmp_path):
    path = tmp_path / "portraits.npz"
    kept = [portrait("plain"), portrait("rbm", as_recorded=False)]
    portraits.save(path, kept)
    before = path.read_bytes()
    back = portraits.load(path, {"kplain": 1, "krbm": 1})
    for one, other in zip(kept, back, strict=True):
        for name, value in vars(one).items():
            assert np.array_equal(value, getattr(other, name)), name
    portraits.save(path, back)
    assert path.read_bytes() == before
    assert portraits.drawn(kept) == portraits.drawn(back)


def test_portraits_of_trials_that_are_no_longer_asked_for_are_left_out(tmp_path, capsys):
    path = tmp_path / "portraits.npz"
    portraits.save(path, [portrait("plain"), portrait("rbm")])
    (left,) = portraits.load(path, {"krbm": 1})
    assert left.technique == "rbm"
    assert "1 portraits are of trials that the report no longer has" in capsys.readouterr().err


def test_without_data_there_is_nothing_to_draw(tmp_path):
    assert portraits.load(tmp_path / "none.npz", {}) == []
    assert portraits.drawn([]) == {} and portraits.about([]) is None


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "field"])
def test_damaged_data_is_named(tmp_path, damage):
    path = tmp_path / "portraits.npz"
    portraits.save(path, [portrait()])
    if damage == "field":
        np.savez(path, about=np.array(json.dumps([{"key": 1}])))
    else:
        path.write_bytes({"cut": path.read_bytes()[:200], "text": b"hello", "empty": b""}[damage])
    with pytest.raises(Problem, match="portraits.npz: damaged .* restore it"):
        portraits.load(path, {"kplain": 1})


def test_the_captions_say_which_runs_came_out_otherwise():
    told = portraits.about([portrait("plain"), portrait("rbm", as_recorded=False)])
    for text in vars(told).values():
        assert "3 hidden layers and seed 0" in text
        assert (
            "Of the 2 runs" in text and "1 came to another test error than recorded: rbm." in text
        )
    assert "Every run, trained again for this picture, had the test error" in (
        portraits.about([portrait()]).about_filters
    )
    hostile = portraits.about([portrait("<b>|x", as_recorded=False)])
    assert r"\<b\>\|x" in hostile.about_filters


def test_both_figures_name_their_techniques_and_filters_are_of_a_few(tmp_path):
    shown = [portrait(name) for name in ("plain", "rbm", "relu", "a<b>&c")]
    drawn = portraits.drawn(shown)
    assert list(drawn) == [
        "figures/F12-first-layer-filters.svg",
        "figures/F13-activations-by-layer.svg",
    ]
    named = [re.findall(r"<!-- (.*?) -->", svg.decode()) for svg in drawn.values()]
    assert [n for n in named[0] if n in ("plain", "rbm", "relu")] == ["plain", "rbm"]
    assert {"plain", "rbm", "relu"} <= set(named[1])
    for svg in drawn.values():
        assert ElementTree.fromstring(svg).tag.endswith("svg")
    nothing = portrait(histogram=np.zeros((2, 1, portraits.N_BINS), np.int32))  # all NaN
    assert len(portraits.drawn([nothing])) == 2


def test_the_command_trains_again_and_the_report_draws_it_without(tmp_path, capsys):
    (tmp_path / "tiny.toml").write_text(SUITE)
    suite = str(tmp_path / "tiny.toml")
    places = ["--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
    folder = tmp_path / "reports" / "tiny"
    assert main(["portraits", suite, *places]) == 2
    assert "no run with seed 0" in capsys.readouterr().err
    assert main(["run", suite, "--workers", "0", *places]) == 0
    readme = (folder / "README.md").read_text()
    assert "F12" not in readme and not list(folder.glob("figures/F12*"))
    capsys.readouterr()
    assert main(["portraits", suite, *places]) == 0
    assert "has not the test error" not in capsys.readouterr().err
    readme, html = (folder / "README.md").read_text(), (folder / "report.html").read_text()
    assert "had the test error of its record" in readme
    assert 'id="F12"' in html and 'id="F13"' in html and html.count("<svg") == readme.count("![")
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / "figures" / "F12-first-layer-filters.svg").unlink()
    assert main(["reports", *places[2:]]) == 0
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files
    (folder / portraits.FILE).unlink()  # the data gone: figures and captions go too
    assert main(["reports", *places[2:]]) == 0
    assert "F12" not in (folder / "README.md").read_text()
    assert not list(folder.glob("figures/F12*"))
    trials = pd.read_csv(folder / "data" / "trials.csv")
    assert store.load_archive(folder / "data" / "records.jsonl.gz").keys() >= set(trials["key"])
