"""Notices when the same settings give other numbers than before, so that keys must change.

Stored trials are found by their settings, so a changed update rule would pass off old numbers as
its own. What a few updates of every recipe give is kept in fingerprints.json. After a change
that is meant, raise PROTOCOL or the technique's REVISIONS in benchmarks/trial.py, then
``python -m tests.benchmarks.test_fingerprints`` writes the file anew.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import datasets
from benchmarks.executors import prepare_process
from benchmarks.suite import Budget, Data
from benchmarks.train import train_stack
from benchmarks.trial import PROTOCOL, REVISIONS, Trial
from techniques.network import build
from techniques.pretraining.greedy import greedy
from techniques.recipe import RECIPES

FILE = Path(__file__).with_name("fingerprints.json")
# Machines differ in the last bits, and a few updates make little of that. Hundreds can: pretraining
# is cut to its first epochs.
TOLERANCE = 1e-4
PRETRAINING_EPOCHS = 2


def fingerprint(name: str) -> dict[str, list[float]]:
    """Losses and probes during 12 updates of a small network, and its weights before them."""
    recipe = RECIPES[name]
    if hasattr(recipe.pretraining, "epochs"):
        recipe = recipe.but(pretraining=replace(recipe.pretraining, epochs=PRETRAINING_EPOCHS))
    asked = Trial(
        technique=name,
        role="report",
        recipe=recipe,
        data=Data(name="mnist5k", n_train=500, n_valid=200),
        depth=3,
        width=16,
        budget=Budget(updates=12, batch_size=50, evaluate_every=4, probe_at=(0, 12)),
        lr=0.1,
        seed=0,
        device="cpu",
    )
    (outcome,) = train_stack([asked])
    split = datasets.load("mnist5k", 500, 200)
    network = build(asked.recipe, n_inputs=784, n_classes=10, widths=[16] * 3, seeds=[0])
    x_train = split.x_train
    if asked.recipe.inputs is not None:
        x_train = asked.recipe.inputs.fit(x_train)(x_train)
    if asked.recipe.pretraining is not None:
        greedy(network, x_train, [0], y=split.y_train)
    found = {
        "weight_rms": [p["weight"].square().mean().sqrt().item() for p in network.parameters],
        "valid_loss": outcome["curves"]["valid_loss"],
        "batch_loss": outcome["curves"]["batch_loss"][1:],
    }
    for probe in outcome["probes"]:
        for part in ("gradient_rms", "activation_mean", "activation_sd"):
            found[f"{part} {probe['update']}"] = probe[part]
    return {part: [float(f"{v:.7g}") for v in values] for part, values in found.items()}


@pytest.mark.parametrize("name", RECIPES)
def test_the_same_settings_give_the_same_numbers(name):
    stored = json.loads(FILE.read_text())
    assert stored["protocol"] == PROTOCOL and stored["revisions"] == REVISIONS
    found = fingerprint(name)
    assert found.keys() == stored["recipes"][name].keys()
    for part, values in found.items():
        assert values == pytest.approx(stored["recipes"][name][part], rel=TOLERANCE), part


def write() -> None:
    """Write the file, unless numbers changed and no version did."""
    prepare_process()
    new = {name: fingerprint(name) for name in RECIPES}
    if FILE.exists():
        stored = json.loads(FILE.read_text())
        changed = [
            name
            for name, parts in new.items()
            for part, values in parts.items()
            if values != pytest.approx(stored["recipes"].get(name, parts)[part], rel=TOLERANCE)
        ]
        if changed and (stored["protocol"], stored["revisions"]) == (PROTOCOL, REVISIONS):
            sys.exit(f"{', '.join(changed)} changed: raise PROTOCOL or REVISIONS in trial.py first")
    content = {"protocol": PROTOCOL, "revisions": REVISIONS, "recipes": new}
    FILE.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    write()
