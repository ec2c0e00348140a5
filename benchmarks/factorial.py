"""All combinations of a few ideas, and what each idea does alone and beside each other one.

A full factorial over k factors has 2^k recipes. The effect of a factor is the change of a response
(error, share of runs trained) when it is added, averaged over the combinations of the others; its
effect *with* or *without* another factor is averaged over half of them; the interaction of two is
the effect of one with the other minus its effect without. Every seed gives one value of each, so
that intervals are those of a mean over seeds. Source: Box, Hunter, Hunter (2005), Statistics for
experimenters, chapter 5, of which the interaction here is twice theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from benchmarks.statistics import mean_interval
from techniques.recipe import BASELINE, RECIPES, Recipe

FACTORS = {  # name -> the slot that it fills, and the recipe of the catalogue that it fills it as
    "pretraining": ("pretraining", "autoencoder"),  # RBMs would not go with the others
    "init": ("initialisation", "glorot"),
    "relu": ("activation", "relu"),
    "batch-norm": ("normalisation", "batch-norm"),
    "residual": ("connection", "residual"),
}
RESPONSES = {"test_error_pct": "test error", "trained_pct": "runs trained"}


def recipe_names(factors: Sequence[str]) -> list[str]:
    """Names of the 2^k combinations, fewest ideas first: plain, init, ..., init+relu, ..."""
    chosen = [c for size in range(len(factors) + 1) for c in combinations(factors, size)]
    return ["+".join(c) or "plain" for c in chosen]


def recipe(name: str) -> Recipe:
    """The recipe of a combination. Raises KeyError for a factor that is not there."""
    present = [] if name == "plain" else name.split("+")
    found = BASELINE
    for factor in present:
        slot, source = FACTORS[factor]
        found = found.but(**{slot: getattr(RECIPES[source], slot)})
    if {"init", "relu"} <= set(present):  # Glorot's argument, for units that are zero half the time
        found = found.but(initialisation=RECIPES["relu"].initialisation)
    return found


def effects_table(factors: Sequence[str], frame: pd.DataFrame) -> pd.DataFrame:
    """T6: one row a depth, response, factor and condition; from the reporting trials.

    ``condition`` is empty for the main effect, ``alone`` for the effect on the plain network,
    ``without X``, ``with X``, or ``with - without X`` for the interaction. Only seeds
    with a result in every combination count: ``n`` of them.
    """
    done = frame[(frame["role"] == "report") & frame["status"].isin(["ok", "diverged"])]
    done = done.assign(trained_pct=100.0 * done["trained"].astype(float))
    rows = []
    for depth, at in done.groupby("depth"):
        for response in RESPONSES:
            wide = at.pivot(index="seed", columns="technique", values=response)
            wide = wide.reindex(columns=recipe_names(factors)).dropna()
            for factor in factors:
                others = [f for f in factors if f != factor]
                change = _changes(wide, factors, factor)
                values = {"": change.mean(axis=1), "alone": change["plain"]}
                for other in others:
                    has = [other in name.split("+") for name in change.columns]
                    with_, without = change.loc[:, has], change.loc[:, [not h for h in has]]
                    values[f"without {other}"] = without.mean(axis=1)
                    values[f"with {other}"] = with_.mean(axis=1)
                    values[f"with - without {other}"] = with_.mean(axis=1) - without.mean(axis=1)
                for condition, of_seeds in values.items():
                    mean, low, high = mean_interval(list(of_seeds))
                    rows.append(
                        (depth, response, factor, condition, mean, low, high, len(of_seeds))
                    )
    columns = ["depth", "response", "factor", "condition", "effect", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def _changes(wide: pd.DataFrame, factors: Sequence[str], factor: str) -> pd.DataFrame:
    """Seeds down, combinations without the factor across: the response's change by adding it."""
    changes = {}
    for name in wide.columns:
        present = [] if name == "plain" else name.split("+")
        if factor not in present:
            added = "+".join(f for f in factors if f in present or f == factor)
            changes[name] = wide[added] - wide[name]
    return pd.DataFrame(changes, index=wide.index)
