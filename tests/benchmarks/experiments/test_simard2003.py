"""Distortions against what they must give, and a seed that gives the same alone."""

import pytest
import torch

from benchmarks.experiments import simard2003
from benchmarks.experiments.simard2003 import (
    EXPERIMENTS,
    SIDE,
    affine,
    displace,
    distorted,
    elastic,
    measure,
)
from techniques.streams import stream

CPU = torch.device("cpu")
TINY = EXPERIMENTS[0].conditions["elastic"] | {
    "n_train": 300, "n_valid": 60, "width": 5, "updates": 10, "batch_size": 20,
}  # fmt: skip


def images(n: int = 3) -> torch.Tensor:
    return torch.rand(n, SIDE * SIDE, generator=stream(0, "test"))


def test_middle_of_every_range_moves_nothing():
    assert affine(torch.full((2, 6), 0.5)).abs().max() == 0
    assert elastic(torch.full((2, 2, SIDE, SIDE), 0.5)).abs().max() == 0
    torch.testing.assert_close(displace(images(), torch.zeros(3, 2, SIDE, SIDE)), images())


def test_a_constant_displacement_shifts_the_image():
    by = torch.zeros(3, 2, SIDE, SIDE)
    by[:, 0], by[:, 1] = 2, -1  # read from two columns to the right and a row above
    found = displace(images(), by).view(3, SIDE, SIDE)
    expected = images().view(3, SIDE, SIDE)[:, :-1, 2:]
    torch.testing.assert_close(found[:, 1:, :-2], expected, atol=1e-5, rtol=0)
    assert found[:, 0].abs().max() < 1e-5 and found[:, :, -2:].abs().max() < 1e-5


def test_a_turn_by_itself_keeps_distances_from_the_centre():
    uniform = torch.full((1, 6), 0.5)
    uniform[0, 0] = 1
    at = torch.arange(SIDE) - (SIDE - 1) / 2
    x, y = at.view(1, -1), at.view(-1, 1)
    u, v = affine(uniform)[0]
    torch.testing.assert_close((x + u) ** 2 + (y + v) ** 2, (x**2 + y**2))


def test_elastic_displacements_have_the_spread_of_a_smoothed_uniform_field():
    """Far from the border: 34 / sqrt(3) / (2 sqrt(pi) 4) = 1.384 pixels."""
    middle = elastic(torch.rand(400, 2, SIDE, SIDE, generator=stream(1, "test")))[..., 14, 14]
    assert middle.std().item() == pytest.approx(1.384, rel=0.08)


@pytest.mark.parametrize("how", ["affine", "elastic"])
def test_runs_are_distorted_by_their_own_generators(how):
    x = images(4).view(2, 2, -1)
    both = distorted(x, how, [stream(5, "d"), stream(6, "d")])
    alone = distorted(x[1:], how, [stream(6, "d")])
    torch.testing.assert_close(both[1:], alone)
    assert distorted(x, "none", []) is x


def test_squared_error_by_hand():
    class Net:
        def __call__(self, x, training):
            return torch.zeros(1, 1, 10)  # ten outputs of one half

    found = simard2003.loss(Net(), torch.zeros(1, 1, 3), torch.tensor([[4]]), "squared-error")
    assert found.tolist() == [10 * 0.25 / 2]


@pytest.mark.parametrize("condition", ["none", "affine", "elastic", "elastic-squared-error"])
def test_a_seed_gives_the_same_alone(condition):
    settings = EXPERIMENTS[0].conditions[condition] | {
        name: TINY[name] for name in ("n_train", "n_valid", "width", "updates", "batch_size")
    }
    both = measure(settings, 1, [100, 101], CPU)
    assert measure(settings, 1, [101], CPU) == both[1:]
