"""A trial: one network's training, named by a key that everything deciding its numbers enters."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from benchmarks.datasets import DATA_SETS
from benchmarks.suite import Budget, Data
from techniques.recipe import Recipe

# Raised by hand when the same settings give other numbers than before: then, and only then, stored
# trials no longer count. tests/benchmarks/test_fingerprints.py fails until it is.
PROTOCOL = 2
# The same for one technique alone, by its class's name: only trials with it in a slot stop
# counting. What others use too is a matter for PROTOCOL: FanIn, which draws every output layer, and
# the sigmoid, which decodes autoencoders.
REVISIONS: dict[str, int] = {
    # 1: visibles that are not in [0, 1] are scaled to an rms of 1
    "Autoencoder": 1,
    "Contractive": 1,
    "Denoising": 1,
    "SparseAutoencoder": 1,
}
TRAINED_BELOW = 0.5  # a run has trained if its training error fell to this share of chance
EVALUATED_ROWS = 500  # examples evaluated at once; part of the protocol: it can touch the last bit


@dataclass(frozen=True)
class Trial:
    """One run: recipe, shape, budget, learning rate and seed on a data set."""

    technique: str  # the recipe's name: a label, not part of the key
    role: str  # "tune" or "report": what the suite wants it for, not part of the key
    recipe: Recipe
    data: Data
    depth: int
    width: int
    budget: Budget
    lr: float
    seed: int
    device: str  # "cpu", "cuda" or "mps"
    widths: tuple[int, ...] = ()  # of the hidden layers from below, where they are not all alike

    @property
    def layers(self) -> tuple[int, ...]:
        """Units of each hidden layer, from below."""
        return self.widths or (self.width,) * self.depth

    @property
    def config(self) -> dict[str, object]:
        """All that decides the numbers, as plain data, and nothing else."""
        recipe = self.recipe.settings()
        revisions = revisions_of(recipe)
        return {
            "protocol": PROTOCOL,
            **({"revisions": revisions} if revisions else {}),
            "recipe": recipe,
            "data": {
                **self.data.model_dump(mode="json"),
                "sha256": DATA_SETS[self.data.name].checksum,
            },
            "depth": self.depth,
            "width": self.width,
            **({"widths": list(self.widths)} if self.widths else {}),
            "budget": self.budget.model_dump(mode="json"),
            "lr": self.lr,
            "seed": self.seed,
            "device": self.device,
            "dtype": "float32",
        }

    @cached_property
    def key(self) -> str:
        """What its record is found by."""
        return key_of(self.config)

    @property
    def cell(self) -> tuple[str, int]:
        """The row of the tables that it belongs to: technique and depth."""
        return self.technique, self.depth


def key_of(config: dict[str, object]) -> str:
    """32 hex digits of the SHA-256 of the canonical JSON of a trial's config."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def is_current(config: dict[str, object]) -> bool:
    """Whether a trial of this config would be found under its key today."""
    revisions = revisions_of(config.get("recipe", {}))  # an experiment has none
    return config["protocol"] == PROTOCOL and config.get("revisions", {}) == revisions


def revisions_of(recipe: dict[str, dict]) -> dict[str, int]:
    """The entries of REVISIONS that settings of a recipe fall under."""
    used = {slot["technique"] for slot in recipe.values()} & REVISIONS.keys()
    return {name: REVISIONS[name] for name in used}
