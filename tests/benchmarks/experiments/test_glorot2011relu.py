"""Exact zeros, and what pretraining gains."""

import torch

from benchmarks.experiments.glorot2011relu import measure, zeros_pct
from techniques.network import build
from techniques.recipe import RECIPES

CPU = torch.device("cpu")
TINY = {
    "recipe": "relu-denoising",
    "data": "mnist5k",
    "n_train": 200,
    "n_valid": 100,
    "width": 8,
    "pretrained": True,
    "lr": [0.01],
    "updates": 10,
    "batch_size": 20,
    "evaluate_every": 5,
}


@torch.no_grad()
def test_zeros_counted_by_hand():
    network = build(RECIPES["relu"], n_inputs=2, n_classes=2, widths=[2, 2], seeds=[0])
    network.parameters[0]["weight"].copy_(torch.eye(2))
    network.parameters[1]["weight"].copy_(-torch.ones(2, 2))
    # first layer (1, 0) and (1, 2): one zero of four; second all negative: four of four
    assert zeros_pct(network, torch.tensor([[1.0, -1.0], [1.0, 2.0]])).item() == 62.5


def test_half_of_symmetric_rectifiers_are_zero_and_no_tanh_is():
    (rectifier,) = measure(TINY | {"width": 200, "pretrained": False}, 3, [3], CPU)
    (tanh,) = measure(TINY | {"recipe": "tanh-denoising"}, 3, [3], CPU)
    assert abs(rectifier["zeros_start_pct"] - 50) < 5 and tanh["zeros_end_pct"] == 0


def test_the_gain_is_the_difference_of_the_errors():
    (found,) = measure(TINY, 2, [3], CPU)
    gain = found["test_error_pct"] - found["pretrained_error_pct"]
    assert abs(found["gain_points"] - gain) < 1e-4


def test_a_seed_gives_the_same_alone_and_among_others():
    assert measure(TINY, 2, [5], CPU) == measure(TINY, 2, [4, 5], CPU)[1:]


def test_without_pretraining_there_is_no_gain_to_speak_of():
    (found,) = measure(TINY | {"pretrained": False}, 2, [5], CPU)
    assert found.keys() == {"zeros_start_pct", "zeros_end_pct", "test_error_pct"}
