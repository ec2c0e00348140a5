"""The best of a search by hand, and a seed that gives the same alone."""

import math

import pytest
import torch

from benchmarks.experiments.srivastava2015highway import EXPERIMENTS, best, measure

CPU = torch.device("cpu")


def outcome(losses, trained, status="ok"):
    return {"status": status, "curves": {"train_loss": losses}, "result": {"trained": trained}}


def test_the_best_of_a_search_by_hand():
    runs = [outcome([1.0, 0.1, 0.5], False), outcome([2.0, 0.3], True)]
    runs.append(outcome([1e-9, None], False, "diverged"))
    assert best(runs) == {"train_loss_log10": -1.0, "trained": 1.0}
    assert math.isnan(best(runs[2:])["train_loss_log10"]) and best(runs[2:])["trained"] == 0


@pytest.mark.parametrize("condition", ["plain", "highway"])
def test_a_seed_gives_the_same_alone(condition):
    settings = EXPERIMENTS[0].conditions[condition] | {
        "n_train": 300, "n_valid": 60, "updates": 6, "looks": 2, "batch_size": 20,
    }  # fmt: skip
    both = measure(settings, 3, [100, 101], CPU)
    assert measure(settings, 3, [101], CPU) == both[1:]
    assert both[0]["train_loss_log10"] < math.log10(3)


def test_plain_and_highway_networks_have_about_as_many_parameters():
    plain, gated = (EXPERIMENTS[0].conditions[name]["width"] for name in ("plain", "highway"))
    assert plain**2 == pytest.approx(2 * gated**2, rel=0.01)
