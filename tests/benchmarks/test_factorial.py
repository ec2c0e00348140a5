"""Factorial designs: every combination once, and effects equal to those that were put in."""

import itertools
import math

import pandas as pd
import pytest
from scipy import stats

from benchmarks.factorial import FACTORS, effects_table, recipe, recipe_names
from benchmarks.statistics import mean_interval
from benchmarks.suite import read
from techniques.initialisation.glorot import GlorotUniform
from techniques.initialisation.he import HeNormal
from techniques.recipe import BASELINE

ABC = ["pretraining", "init", "relu"]
# response = 50 + sums of what is present: known effects, with one interaction of two and of three
SIMPLE = {"pretraining": -8.0, "init": -4.0, "relu": -2.0}
INIT_AND_RELU, ALL_THREE = 3.0, 1.0


def frame(seeds=range(4), noise=lambda seed, name: 0.0) -> pd.DataFrame:
    rows = []
    for name, seed in itertools.product(recipe_names(ABC), seeds):
        present = set() if name == "plain" else set(name.split("+"))
        error = 50 + sum(SIMPLE[f] for f in present) + seed  # seeds differ alike in all recipes
        error += INIT_AND_RELU * ({"init", "relu"} <= present) + ALL_THREE * (len(present) == 3)
        rows.append(
            {
                "technique": name,
                "depth": 7,
                "seed": seed,
                "role": "report",
                "status": "ok",
                "test_error_pct": error + noise(seed, name),
                "trained": "pretraining" in present,
            }
        )
    return pd.DataFrame(rows)


def effect(table: pd.DataFrame, factor: str, condition: str, response="test_error_pct") -> float:
    rows = table[
        (table["factor"] == factor)
        & (table["condition"] == condition)
        & (table["response"] == response)
    ]
    assert len(rows) == 1
    return rows["effect"].iloc[0]


def test_there_is_one_recipe_for_each_combination():
    names = recipe_names(list(FACTORS))
    assert len(names) == len(set(names)) == 32 and names[0] == "plain"
    settings = [str(recipe(name).settings()) for name in names]
    assert len(set(settings)) == 32
    assert recipe("plain") == BASELINE


def test_rectifiers_are_given_hes_initialisation_and_sigmoids_glorots():
    assert recipe("init").initialisation == GlorotUniform(gain=4.0)
    assert recipe("init+relu").initialisation == HeNormal()
    assert recipe("pretraining+init+relu+residual").initialisation == HeNormal()
    assert recipe("relu+residual").initialisation == BASELINE.initialisation


def test_effects_are_those_that_were_put_in():
    table = effects_table(ABC, frame())
    # init: -4 alone; +3 where relu is (half of the others), +1 where both others are (a quarter)
    assert effect(table, "init", "alone") == pytest.approx(-4)
    assert effect(table, "init", "") == pytest.approx(-4 + 3 / 2 + 1 / 4)
    assert effect(table, "init", "without relu") == pytest.approx(-4)
    assert effect(table, "init", "with relu") == pytest.approx(-4 + 3 + 1 / 2)
    assert effect(table, "init", "with - without relu") == pytest.approx(3 + 1 / 2)
    assert effect(table, "relu", "with - without init") == pytest.approx(3 + 1 / 2)
    assert effect(table, "pretraining", "with - without init") == pytest.approx(1 / 2)
    assert effect(table, "pretraining", "", "trained_pct") == pytest.approx(100)
    assert effect(table, "relu", "", "trained_pct") == pytest.approx(0)


def test_intervals_are_students_of_the_seeds_effects():
    table = effects_table(ABC, frame(noise=lambda seed, name: seed**2 * (name == "pretraining")))
    row = table[
        (table["factor"] == "pretraining")
        & (table["condition"] == "alone")
        & (table["response"] == "test_error_pct")
    ].iloc[0]
    of_seeds = [-8.0, -7.0, -4.0, 1.0]
    expected = stats.ttest_1samp(of_seeds, 0).confidence_interval(0.95)
    assert row["n"] == 4 and row["effect"] == pytest.approx(-4.5)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))


def test_a_seed_counts_only_with_a_result_in_every_combination():
    missing = frame()
    lost = (missing["technique"] == "init+relu") & (missing["seed"] == 2)
    missing.loc[lost, ["status", "test_error_pct", "trained"]] = ["crashed", None, False]
    assert set(effects_table(ABC, missing)["n"]) == {3}
    none = missing[missing["technique"] != "relu"]
    table = effects_table(ABC, none)
    assert set(table["n"]) == {0} and table["effect"].isna().all()


def test_mean_intervals_hold_the_mean_as_often_as_they_say():
    draws = stats.norm(3, 2).rvs((2000, 5), random_state=1)
    held = [low <= 3 <= high for _, low, high in map(mean_interval, draws)]
    # 2,000 draws of probability .95 have standard error .005
    assert abs(sum(held) / 2000 - 0.95) < 4 * 0.005
    assert mean_interval([2.0])[0] == 2 and math.isnan(mean_interval([2.0])[1])
    assert all(map(math.isnan, mean_interval([])))


def test_a_suite_of_factors_has_all_their_combinations():
    suite = read("factorial")
    assert len(suite.recipes) == 32 and suite.seeds == 10 and len(suite.depths) == 3
    assert suite.recipe("init+relu").initialisation == HeNormal()
