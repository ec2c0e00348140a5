"""Notices when the same settings give other numbers than before, so that keys must change.

Stored trials are found by their settings, so a changed update rule would pass off old numbers as
its own. The loss after a few updates of every recipe is kept in fingerprints.json. After a change
that is meant, raise PROTOCOL or the technique's REVISIONS in benchmarks/trial.py, then
``python -m tests.benchmarks.test_fingerprints`` writes the file anew.
"""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.executors import prepare_process
from benchmarks.suite import Budget, Data
from benchmarks.train import train_stack
from benchmarks.trial import PROTOCOL, REVISIONS, Trial
from techniques.recipe import RECIPES

FILE = Path(__file__).with_name("fingerprints.json")


def fingerprint(name: str) -> list[float]:
    """Validation loss during 12 updates of a small network with this recipe."""
    asked = Trial(
        technique=name,
        role="report",
        recipe=RECIPES[name],
        data=Data(name="mnist5k", n_train=500, n_valid=200),
        depth=3,
        width=16,
        budget=Budget(updates=12, batch_size=50, evaluate_every=4, probe_at=(0,)),
        lr=0.1,
        seed=0,
        device="cpu",
    )
    (outcome,) = train_stack([asked])
    return outcome["curves"]["valid_loss"]


@pytest.mark.parametrize("name", RECIPES)
def test_the_same_settings_give_the_same_numbers(name):
    stored = json.loads(FILE.read_text())
    assert stored["protocol"] == PROTOCOL and stored["revisions"] == REVISIONS
    # machines differ in the last bits, which 12 updates do not blow up to a thousandth
    assert fingerprint(name) == pytest.approx(stored["valid_loss"][name], rel=1e-3)


def write() -> None:
    """Write the file, unless numbers changed and no version did."""
    prepare_process()
    new = {name: fingerprint(name) for name in RECIPES}
    if FILE.exists():
        stored = json.loads(FILE.read_text())
        changed = [
            name
            for name in new
            if new[name] != pytest.approx(stored["valid_loss"].get(name, new[name]), rel=1e-3)
        ]
        if changed and (stored["protocol"], stored["revisions"]) == (PROTOCOL, REVISIONS):
            sys.exit(f"{', '.join(changed)} changed: raise PROTOCOL or REVISIONS in trial.py first")
    content = {"protocol": PROTOCOL, "revisions": REVISIONS, "valid_loss": new}
    FILE.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    write()
