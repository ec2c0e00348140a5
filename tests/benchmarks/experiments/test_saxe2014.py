"""Linear networks against autograd, the closed form and least squares."""

import math

import torch

from benchmarks import datasets
from benchmarks.experiments import saxe2014

CPU = torch.device("cpu")
TIME = {
    "weights": "gaussian",
    "width": 12,
    "data": "mnist5k",
    "inputs": 10,
    "lr": (0.2, 0.4),
    "updates": 60,
}


def test_an_update_follows_the_gradient_of_half_the_loss():
    generator = torch.Generator().manual_seed(0)
    sizes = [5, 4, 6, 3]
    weights = [
        torch.empty(a, b).normal_(generator=generator)
        for a, b in zip(sizes, sizes[1:], strict=False)
    ]
    wanted = torch.empty(3, 5).normal_(generator=generator)
    variance = torch.tensor([1.0, 0.5, 0.1, 0.9, 0.3])
    leaves = [weight.clone().requires_grad_() for weight in weights]
    error = wanted - (leaves[0] @ leaves[1] @ leaves[2]).T
    loss = (variance * error.square()).sum()
    gradients = torch.autograd.grad(loss / 2, leaves)
    found = saxe2014.descend(weights, 0.01, wanted, variance)
    assert math.isclose(found, loss.item(), rel_tol=1e-6)
    for after, leaf, gradient in zip(weights, leaves, gradients, strict=True):
        assert torch.allclose(after, leaf - 0.01 * gradient, atol=1e-5)


def test_the_wanted_map_is_that_of_least_squares():
    wanted, variance = saxe2014.problem("mnist5k", 10)
    split = datasets.load("mnist5k", *datasets.DATA_SETS["mnist5k"].parts)
    x = split.x_train.double() - split.x_train.double().mean(0)
    y = torch.nn.functional.one_hot(split.y_train).double()
    values, directions = torch.linalg.eigh(x.T @ x / len(x))
    parts = x @ directions[:, -10:] / values[-1].sqrt()
    solved = torch.linalg.lstsq(parts, y - y.mean(0)).solution.T
    assert torch.allclose(wanted.double(), solved, atol=1e-5)
    assert variance[-1] == 1 and (variance.diff() > 0).all()


def test_balanced_weights_follow_the_closed_form():
    settings = {"start": "balanced", "scale": 0.05, "lr": 0.002, "updates": 2_000}
    (found,) = saxe2014.curves(settings, 1, [3], CPU)
    assert abs(found["half_time_ratio"] - 1) < 0.02 and found["largest_gap"] < 0.02


def test_a_mode_starts_at_the_square_of_the_scale():
    settings = {"start": "balanced", "scale": 0.1, "lr": 1.0, "updates": 1}
    u, v = (torch.from_numpy(m) for m in saxe2014.teacher(3))
    first, second = saxe2014._small(settings, u, v, 3, CPU)
    assert torch.allclose(u.T @ second @ first @ v, 0.01 * torch.eye(5).double(), atol=1e-8)


def test_the_time_at_which_a_level_is_reached_lies_between_points():
    path = torch.tensor([0.0, 1.0, 3.0])
    assert saxe2014.first_at(path, 2.0) == 1.5
    assert saxe2014.first_at(path, 0.0) == 0.0
    assert math.isnan(saxe2014.first_at(path, 4.0))


def test_a_seed_gives_the_same_alone_and_among_others():
    alone, among = (saxe2014.learning_time(TIME, 3, seeds, CPU) for seeds in ([5], [4, 5]))
    assert alone[0] == among[1] and alone[0]["updates"] > 0
    settings = {"start": "random", "scale": 0.1, "lr": 0.02, "updates": 200}
    alone, among = (saxe2014.curves(settings, 1, seeds, CPU) for seeds in ([5], [4, 5]))
    assert alone[0] == among[1]
