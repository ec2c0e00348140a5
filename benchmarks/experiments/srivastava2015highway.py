"""Training cross-entropy of highway and plain networks as they get deeper.

Paper     Srivastava, Greff, Schmidhuber (2015), Highway networks, section 3.1, Figure 1
Protocol  MNIST; the first layer is plain; 50 units a layer with gates, or 71 without, for about as
          many parameters; SGD with momentum, He's initialisation, gate biases below zero; what is
          shown is the best of a search, by training cross-entropy
Departs   the search is over one or two learning rates, for each seed (the paper: 40 draws of rate,
          momentum, decay of the rate, activation and gate bias); where to look for them, rectifiers
          without gates and tanh with them, as rectifiers of 50 layers with gates diverge here, and
          a gate bias of -3 were found with seeds above 99; momentum 0.9, a constant rate; batches
          of 200, which the paper does not state; cross-entropy on as many training examples as
          there are for validation
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from benchmarks.experiment import Experiment, Quantity, Settings
from benchmarks.suite import Budget, Data
from benchmarks.train import train_stack
from benchmarks.trial import Trial
from techniques.activations.relu import Relu
from techniques.activations.tanh import Tanh
from techniques.connections.highway import Highway
from techniques.initialisation.he import HeNormal
from techniques.recipe import Recipe

ACTIVATIONS = {"relu": Relu(), "tanh": Tanh()}


def measure(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Lowest training cross-entropy of each seed over time and the learning rates."""
    gated = "gate_bias" in settings
    recipe = Recipe(
        initialisation=HeNormal(),
        activation=ACTIVATIONS[settings["activation"]],
        connection=Highway(gate_bias=settings["gate_bias"]) if gated else None,
    )
    updates, data = settings["updates"], ("name", "n_train", "n_valid")
    trials = [
        Trial(
            technique="",
            role="report",
            recipe=recipe,
            data=Data(**{name: settings[name] for name in data}),
            depth=depth,
            width=settings["width"],
            budget=Budget(
                updates=updates,
                batch_size=settings["batch_size"],
                evaluate_every=updates // settings["looks"],
                probe_at=(0, updates),
            ),
            lr=lr,
            seed=seed,
            device=device.type,
        )
        for seed in seeds
        for lr in settings["lr"]
    ]
    outcomes = train_stack(trials)
    return [
        best([outcome for trial, outcome in zip(trials, outcomes, strict=True) if trial.seed == s])
        for s in seeds
    ]


def best(outcomes: Sequence[dict]) -> dict[str, float]:
    """What the search shows of the runs of one seed; a run that diverged is none of them.

    NaN, no number, if all did.
    """
    found = [outcome for outcome in outcomes if outcome["status"] == "ok"]
    losses = [min(outcome["curves"]["train_loss"]) for outcome in found]
    return {
        "train_loss_log10": math.log10(min(losses)) if losses else math.nan,
        "trained": float(any(outcome["result"]["trained"] for outcome in found)),
    }


def _conditions(
    plain_lr: tuple[float, ...], gated_lr: tuple[float, ...], **settings: object
) -> dict[str, Settings]:
    gated = {**settings, "width": 50, "activation": "tanh", "lr": gated_lr}
    return {
        "plain": {**settings, "width": 71, "activation": "relu", "lr": plain_lr},
        "highway": {**gated, "gate_bias": -3.0},
        "highway-open": {**gated, "gate_bias": 0.0},
    }


QUANTITIES = {
    "train_loss_log10": Quantity(
        "decades", "log10 of the lowest training cross-entropy, in nats", signed=True
    ),
    "trained": Quantity("share of runs", "whether training error fell to half of chance"),
}

EXPERIMENTS = (
    Experiment(
        name="srivastava2015highway",
        paper="srivastava2015highway",
        title="Training cross-entropy of highway and plain networks on 3,000 digits",
        scale="reduced",
        conditions=_conditions(
            (0.003, 0.01), (0.1, 0.3),
            name="mnist5k", n_train=3000, n_valid=1000, batch_size=200, updates=300, looks=10,
        ),
        depths=(10, 20, 50),
        seeds=10,
        quantities=QUANTITIES,
        measure=measure,
        seconds=3,
        at_once=5,
    ),
    Experiment(
        name="srivastava2015highway-paper",
        paper="srivastava2015highway",
        title="Training cross-entropy of highway and plain networks after 400 epochs of MNIST",
        scale="paper",
        conditions=_conditions(
            (0.01,), (0.1,),
            name="mnist", n_train=59000, n_valid=1000, batch_size=200, updates=118000, looks=400,
        ),
        depths=(10, 20, 50, 100),
        seeds=10,
        quantities=QUANTITIES,
        measure=measure,
        seconds=1800,
        at_once=10,
    ),
)  # fmt: skip
