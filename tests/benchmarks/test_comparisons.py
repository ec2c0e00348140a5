"""Who is as good as the best, how deep, at what cost, by how much: exact, from frames by hand."""

import math
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import claims, comparisons
from benchmarks.claims import KINDS, Paper
from benchmarks.comparisons import Family, against_the_best, least_adjusted_p
from benchmarks.grids import _claims, probability
from benchmarks.measures import pretraining_updates
from benchmarks.metrics import results_of
from benchmarks.plan import choose, reporting_trials, tuning_trials
from benchmarks.prose import bold
from benchmarks.suite import Suite
from benchmarks.tables import trials_table
from benchmarks.verdicts import Written
from tests.benchmarks.test_report import record

CHOSEN = {
    "name": "made",
    "title": "Made-up numbers",
    "data": {"name": "mnist5k"},
    "recipes": ["plain", "relu", "tanh"],
    "depths": [1, 2],
    "width": 4,
    "seeds": 10,
    "budget": {"updates": 10, "batch_size": 10, "evaluate_every": 5, "probe_at": [0, 10]},
    "tuning": {"lr": [0.1, 1.0], "seeds": 1},
}


def made(**fields) -> Suite:
    return Suite.model_validate({**CHOSEN, **fields})


def frame(errors: dict[tuple[str, int], list], trained=None) -> pd.DataFrame:
    """One finished reporting run an error, by seed; None for one that crashed."""
    rows = [
        {
            "technique": technique,
            "depth": depth,
            "seed": seed,
            "role": "report",
            "status": "crashed" if error is None else "ok",
            "test_error_pct": error,
            "trained": None if error is None else (trained or (lambda e: e < 45))(error),
            "seconds_train": 20.0,
            "seconds_pretrain": 3.0,
        }
        for (technique, depth), values in errors.items()
        for seed, error in enumerate(values)
    ]
    return pd.DataFrame(rows)


LOW = [5.0, 5.1, 5.2, 5.3, 5.4, 5.5, 5.6, 5.7, 5.8, 5.9]
HIGH = [e + 1 + i / 100 for i, e in enumerate(LOW)]  # worse in every seed
MIXED = [e + (0.3 if i % 2 else -0.2) for i, e in enumerate(LOW)]  # worse in the median only


def test_bold_is_what_is_not_significantly_worse_than_the_best():
    suite = made(depths=[1])
    table = against_the_best(
        suite, frame({("plain", 1): HIGH, ("relu", 1): LOW, ("tanh", 1): MIXED})
    )
    table = table.set_index("technique")
    assert table["best"].to_dict() == {"plain": False, "relu": True, "tanh": False}
    assert table["bold"].to_dict() == {"plain": False, "relu": True, "tanh": True}
    assert table.loc["plain", "p_best"] == 2 * 2 / 2**10  # Holm: the smaller of two, twice
    assert table.loc["tanh", "p_best"] > 0.05 and math.isnan(table.loc["relu", "p_best"])


@pytest.mark.parametrize("n", [1, 5, 6])
def test_nothing_is_bold_where_the_test_cannot_tell(n):
    """Two comparisons of six pairs have p of .0625 or more, one of them .03125."""
    suite = made(depths=[1], seeds=n)
    errors = {("plain", 1): HIGH[:n], ("relu", 1): LOW[:n], ("tanh", 1): HIGH[:n]}
    assert not against_the_best(suite, frame(errors))["bold"].any()
    del errors["tanh", 1]
    table = against_the_best(made(depths=[1], seeds=n, recipes=["plain", "relu"]), frame(errors))
    assert table["bold"].tolist() == [False, n == 6]


def test_the_legend_says_why_nothing_is_bold():
    t1 = pd.DataFrame({"bold": [False]})
    told = bold(made(), t1, Family(60, 10))
    assert "60 comparisons of 10 runs have an adjusted p of 0.12 or more" in told
    assert "(12 seeds would do)" in told
    assert least_adjusted_p(60, 12) < 0.05 <= least_adjusted_p(60, 11)
    assert "n too small" in bold(made(), t1, Family(0, 0))
    assert "None is" not in bold(made(), pd.DataFrame({"bold": [True]}), Family(2, 10))


def test_trainability_and_depth_reached():
    errors = {("plain", 1): [5.0] * 10, ("plain", 2): [5.0] * 4 + [90.0] * 6}
    errors |= {("relu", 1): [5.0] * 10, ("relu", 2): [5.0] * 9 + [None]}
    data = frame(errors)
    t7 = comparisons.trainability_table(made(), data).set_index(["technique", "depth"])
    assert t7.loc[("plain", 2), ["n", "n_trained", "trained_pct"]].tolist() == [10, 4, 40]
    assert t7.loc[("plain", 2), "low"] == pytest.approx(16.8, abs=0.05)  # Wilson of 4 of 10
    assert t7.loc[("plain", 2), "high"] == pytest.approx(68.7, abs=0.05)
    assert t7.loc[("relu", 2), ["n", "n_trained", "n_missing"]].tolist() == [9, 9, 1]
    assert t7.loc[("tanh", 1), ["n", "n_trained", "n_missing"]].tolist() == [0, 0, 10]
    deep = comparisons.trainable_depth_table(made(), data).set_index("technique")
    assert deep.loc["plain", ["n", "depth", "censored", "deepest"]].tolist() == [10, 1, False, 2]
    assert (deep.loc["plain", "low"], deep.loc["plain", "high"]) == (1, 2)
    # nine seeds have both depths: too few to draw from
    assert deep.loc["relu", ["n", "depth", "censored"]].tolist() == [9, 2, True]
    assert pd.isna(deep.loc["relu", "low"]) and deep.loc["tanh", "n"] == 0


def test_cost_counts_failures_as_infinite_and_pretraining_in():
    suite = made(recipes=["plain", "rbm"], depths=[1], data={"name": "mnist5k", "n_train": 200,
                                                             "n_valid": 100})  # fmt: skip
    trials = tuning_trials(suite, "cpu")
    data = frame({("plain", 1): [5.0] * 3, ("rbm", 1): [5.0] * 3})
    rows = []
    for technique, hits in {"plain": [5, 10, None], "rbm": [0, None, None]}.items():
        for seed, hit in enumerate(hits):
            for update in (0, 5, 10):
                good = hit is not None and update >= hit
                error = 45.0 if good else (math.nan if update == 10 else 45.1)
                rows.append((technique, 1, seed, update, error))
    curves = pd.DataFrame(rows, columns=["technique", "depth", "seed", "update", "train_error_pct"])
    t8 = comparisons.cost_table(suite, trials, data, curves, 45.0).set_index("technique")
    assert t8.loc["plain", ["n", "n_reached", "updates"]].tolist() == [3, 2, 10]
    assert t8.loc["plain", ["updates_low", "updates_high"]].tolist() == [5, math.inf]
    assert t8.loc["plain", "updates_expected"] == (5 + 10 + 10) / 2
    assert t8.loc["plain", "gradients"] == 10
    assert t8.loc["plain", "seconds"] == 3 + 20  # 10 of 10 updates
    # 10 epochs of 2 batches of one layer; CD-1 is 5 products of 3, a layer half of the network,
    # a batch of 100 ten of training's
    assert t8.loc["rbm", "updates_low"] == 20
    assert t8.loc["rbm", "gradients_low"] == pytest.approx(20 / 2 * 5 / 3 * 10)
    assert t8.loc["rbm", "updates"] == math.inf and t8.loc["rbm", "n_reached"] == 1
    lost = data.assign(status=["diverged", *data["status"][1:]])  # plain's seed 0, after update 5
    t8 = comparisons.cost_table(suite, trials, lost, curves, 45.0).set_index("technique")
    assert t8.loc["plain", ["n_reached", "updates", "updates_low"]].tolist() == [1, math.inf, 10]


def test_updates_of_pretraining():
    data, settings = {"n_train": 250}, {"technique": "Rbm", "epochs": 3, "batch_size": 100}
    config = {"depth": 4, "data": data, "recipe": {"pretraining": settings}}
    assert pretraining_updates(config) == 4 * 3 * 2
    assert pretraining_updates({**config, "recipe": {}}) == 0
    assert pretraining_updates({**config, "recipe": {"pretraining": {"technique": "Lsuv"}}}) == 4


def test_differences_from_the_first_recipe():
    errors = {("plain", 1): HIGH, ("relu", 1): LOW, ("tanh", 1): HIGH}
    t9 = comparisons.pairwise_table(made(depths=[1]), frame(errors)).set_index("technique")
    assert list(t9.index) == ["relu", "tanh"] and (t9["baseline"] == "plain").all()
    relu = t9.loc["relu"]
    # saved: 1, 1.01, ... 1.09; of ten the second and ninth bound the median
    assert [relu["saved_points"], relu["low"], relu["high"]] == pytest.approx([1.045, 1.01, 1.08])
    assert relu["coverage"] == pytest.approx(0.9785, abs=1e-4)
    assert (relu["p"], relu["p_holm"], relu["improvement"]) == (2 / 2**10, 4 / 2**10, 1)
    assert t9.loc["tanh", ["saved_points", "p", "p_holm", "improvement"]].tolist() == [0, 1, 1, 0.5]


def test_no_p_below_six_pairs_and_a_gap_where_the_baseline_is_missing():
    errors = {("plain", 1): HIGH[:5], ("relu", 1): LOW[:5], ("relu", 2): LOW[:5]}
    t9 = comparisons.pairwise_table(made(seeds=5), frame(errors)).set_index(["technique", "depth"])
    assert t9.loc[("relu", 1), "n"] == 5 and pd.isna(t9.loc[("relu", 1), "p"])
    assert t9.loc[("relu", 2), ["n", "n_missing"]].tolist() == [0, 5]


def records_of(suite: Suite, error, **fields) -> tuple[list, dict, dict]:
    tuning = tuning_trials(suite, "cpu")
    records = {t.key: record(t, 20.0) for t in tuning}
    choices = choose(tuning, records)
    reporting = reporting_trials(suite, "cpu", choices)
    records |= {t.key: record(t, error(t), **fields) for t in reporting}
    layers = ("gradient_rms", "activation_mean", "activation_sd", "saturated")
    for trial in reporting:
        for probe in records[trial.key]["probes"]:
            probe |= {name: [0.1] * trial.depth for name in layers}
    return [*tuning, *reporting], choices, records


CLAIMS = """
key = "ioffe2015bn"

[[claims]]
id = "more-accurate"
kind = "ordinal"
where = "Figure 1"
statement = "batch norm ends lower"
verified = "text"
scale = "reduced"
suite = "depth"
metric = "test_error_pct"
lower = { recipe = "batch-norm", depth = 3 }
higher = { recipe = "plain", depth = 3 }

[[claims]]
id = "number"
kind = "numeric"
where = "Table 1"
statement = "plain"
verified = "memory"
published = 2.4
unit = "%"
scale = "paper"
suite = "depth"
metric = "test_error_pct"
cell = { recipe = "plain", depth = 3 }

[[claims]]
id = "deeper"
kind = "threshold"
where = "Table 1"
statement = "plain at 5 layers"
verified = "memory"
scale = "reduced"
suite = "depth"
metric = "trained"
cell = { recipe = "plain", depth = 5 }
expected = "fails"
"""


def test_claims_are_judged_over_whole_files_and_say_which_was_first(tmp_path, monkeypatch):
    (tmp_path / "ioffe2015bn.toml").write_text(CLAIMS)
    monkeypatch.setattr(comparisons.claims, "FOLDER", tmp_path)
    suite = made(name="depth", recipes=["plain", "batch-norm"], depths=[3])
    trials, _, records = records_of(
        suite, lambda t: (50 if t.technique == "plain" else 5) + t.seed / 10
    )
    found = comparisons.judged(suite, {"depth": results_of(suite, trials, records)})
    table = comparisons.claims_table(suite, found, trials_table(trials, records))
    assert set(table["paper"]) == {"ioffe2015bn"}
    by = table.set_index("claim")
    more = by.loc["more-accurate"]
    assert more[["verdict", "n", "ours"]].tolist() == ["REPRODUCED", 10, 45]
    assert more["cells"] == "batch-norm@depth/d3 plain@depth/d3"
    assert more["row"] == "ioffe2015bn:more-accurate@depth"
    assert by.loc["number", "verdict"] == "NOT TESTED" and by.loc["number", "published"] == 2.4
    assert by.loc["deeper", "n"] == 0  # not run at 5 layers
    assert comparisons.suites_of_claims(suite) == {"depth"}
    assert comparisons.suites_of_claims(made(name="other")) == set()


@pytest.mark.parametrize(
    ("written", "mark"),
    [(Written.BEFORE, ""), (Written.AFTER, "†"), (Written.UNKNOWN, " (unknown which was first)")],
)
def test_what_is_printed(written, mark):
    assert probability(0.0612) == "0.061" and probability(0.00002) == "< 0.001"
    assert probability(1.0) == "1"
    table = pd.DataFrame(
        [
            {
                "paper": "a2000", "claim": "b", "statement": "so", "published": 1.2,
                "published_unit": "%", "verified": "memory", "ours": 8.0, "low": 7.0, "high": 9.0,
                "unit": "%", "margin": 0.25, "n": 10, "n_diverged": 1, "n_missing": 0,
                "written": written.value, "scale": "paper", "verdict": "NOT TESTED",
            }
        ]
    )  # fmt: skip
    assert _claims(table).rows == {
        "a2000:b": [
            "so‡", "1.2 %‡", "8 [7, 9] %", "0.25", "10 (1 diverged, 0 missing)",
            f"NOT TESTED{mark} (reduced scale)",
        ]
    }  # fmt: skip


def test_a_file_that_needs_two_suites_is_one_family_and_each_report_shows_its_own(monkeypatch):
    said = {
        "where": "Table 1", "statement": "so", "verified": "text", "scale": "reduced",
        "metric": "test_error_pct", "kind": "ordinal",
    }  # fmt: skip
    cells = {"lower": {"recipe": "relu", "depth": 1}, "higher": {"recipe": "plain", "depth": 1}}
    both = [KINDS["ordinal"].model_validate({**said, **cells, "id": s, "suite": s}) for s in "ab"]
    monkeypatch.setattr(claims, "names", lambda: ["p"])
    monkeypatch.setattr(claims, "read", lambda name: Paper(name, Path("p.toml"), tuple(both)))
    known = {}
    for name in "ab":
        suite = made(name=name, depths=[1], recipes=["plain", "relu"])
        trials, _, records = records_of(
            suite, lambda t: (50 if t.technique == "plain" else 5) + t.seed / 10
        )
        known[name] = results_of(suite, trials, records)
    assert comparisons.suites_of_claims(made(name="a")) == {"a", "b"}
    ((paper, verdict),) = comparisons.judged(made(name="a"), known)
    assert (paper, verdict.claim.id) == ("p", "a")
    assert verdict.adjusted_p == 2 * verdict.p  # of both claims
