"""Percentiles of a sigmoid's input: their travel by hand, and of networks that cannot move."""

import pytest
import torch

from benchmarks.experiments.ioffe2015bn import EXPERIMENTS, measure, travel

CPU = torch.device("cpu")
TINY = EXPERIMENTS[0].conditions["batch-norm"] | {
    "updates": 20, "looks": 4, "width": 5, "n_train": 300, "n_valid": 60,
}  # fmt: skip


def test_travel_by_hand():
    """Two looks, one run, two units: medians 0 -> 2 and 1 -> 1; bands 2 -> 6 and 2 -> 2."""
    first = torch.tensor([[-1.0, 0.0], [0.0, 1.0], [1.0, 2.0]])
    second = torch.tensor([[-3.0, 0.0], [2.0, 1.0], [3.0, 2.0]])
    found = travel(torch.stack([first, second]).unsqueeze(2))
    assert found["median_sd"].tolist() == [0.5]  # (1 + 0) / 2
    assert found["band_sd"].tolist() == [1.0]  # (2 + 0) / 2


def test_without_learning_nothing_travels():
    """Without batch norm: its running statistics would move."""
    settings = TINY | {"batch_norm": False, "lr": 1e-20}
    assert measure(settings, 3, [100], CPU) == [{"median_sd": 0, "band_sd": 0}]


def test_a_seed_gives_the_same_alone():
    both = measure(TINY, 3, [100, 101], CPU)
    assert measure(TINY, 3, [101], CPU) == both[1:] and both[0] != both[1]
    assert both[0]["median_sd"] > 0 and both[0]["band_sd"] > 0


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.name)
def test_every_condition_is_whole(experiment):
    assert all(c["updates"] % c["looks"] == 0 for c in experiment.conditions.values())
