"""Nonlinear conjugate gradients on functions whose minimum is known, and against scipy."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.optimize
import torch

from techniques.connections.deep_supervision import DeepSupervision
from techniques.network import build, cross_entropy
from techniques.normalisation.batch_norm import BatchNorm
from techniques.optimisation.conjugate_gradients import (
    ConjugateGradients,
    Point,
    _cubic_minimum,
    search_line,
)
from techniques.optimisation.vector import dot
from techniques.recipe import BASELINE


def value_of(function):
    """function(theta (R, P)) -> (R, 1), with its gradient."""

    def value(theta):
        theta = theta.detach().requires_grad_()
        loss = function(theta)
        return loss.detach(), torch.autograd.grad(loss.sum(), theta)[0]

    return value


def rosenbrock(theta):
    x, y = theta[:, :1], theta[:, 1:]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64)


@pytest.mark.parametrize("n", [2, 5, 10])
def test_a_quadratic_of_n_dimensions_takes_about_n_line_searches(n):
    """n exact ones would do; these stop at a tenth of the slope, so two more are allowed."""
    g = torch.Generator().manual_seed(n)
    basis = torch.linalg.qr(torch.randn(3, n, n, generator=g, dtype=torch.float64)).Q
    curvature = torch.linspace(1, 20, n, dtype=torch.float64)
    matrix = (basis * curvature) @ basis.mT
    best = torch.randn(3, n, generator=g, dtype=torch.float64)

    def loss(theta):
        off = (theta - best).unsqueeze(2)
        return 0.5 * (off.mT @ matrix @ off).squeeze(2)

    start = torch.zeros(3, n, dtype=torch.float64)
    optimisation = ConjugateGradients(line_searches=n + 2)
    lr = torch.tensor([[0.01], [0.1], [1.0]], dtype=torch.float64)
    end, before = optimisation.minimise(value_of(loss), start, lr)
    torch.testing.assert_close(before, loss(start).squeeze(1))
    assert (loss(end) < 1e-3 * loss(start)).all()
    # steepest descent with as many line searches is left far behind
    steepest = start
    for _ in range(n + 2):
        steepest, _ = ConjugateGradients(line_searches=1).minimise(value_of(loss), steepest, lr)
    if n > 2:
        assert (loss(end) < 0.2 * loss(steepest)).all()


def test_rosenbrocks_valley_is_followed_to_its_end_as_by_scipy():
    starts = np.array([[-1.2, 1.0], [2.0, -1.5], [0.0, 0.0]])
    theta = torch.tensor(starts)
    optimisation = ConjugateGradients(line_searches=60, evaluations=10)
    end, _ = optimisation.minimise(value_of(rosenbrock), theta, 0.01 * ones(3, 1))
    for run, start in enumerate(starts):
        theirs = scipy.optimize.minimize(
            scipy.optimize.rosen, start, jac=scipy.optimize.rosen_der, method="CG"
        )
        assert theirs.success
        np.testing.assert_allclose(end[run].numpy(), theirs.x, atol=2e-5)


@pytest.mark.parametrize("lr", [1e-4, 0.1, 1e4])
def test_the_loss_is_never_increased(lr):
    """From many starts, whatever the first step, and on a function with walls of infinity."""
    g = torch.Generator().manual_seed(0)

    def walled(theta):
        return rosenbrock(theta) - torch.log(4 - theta.square()).sum(1, keepdim=True)

    theta = 3 * torch.rand(50, 2, generator=g, dtype=torch.float64) - 1.5
    optimisation = ConjugateGradients(line_searches=1)
    for _ in range(10):
        before = walled(theta)
        theta, loss = optimisation.minimise(value_of(walled), theta, lr * ones(50, 1))
        assert torch.equal(loss, before.squeeze(1))
        assert (walled(theta) <= before).all()


def test_a_line_search_ends_where_wolfes_conditions_hold():
    """On many lines through Rosenbrock's function, with 20 evaluations, whatever the first step."""
    g = torch.Generator().manual_seed(1)
    value = value_of(rosenbrock)
    theta = 2 * torch.randn(200, 2, generator=g, dtype=torch.float64)
    loss, gradient = value(theta)
    first = 10 ** (6 * torch.rand(200, 1, generator=g, dtype=torch.float64) - 4)
    slope = -dot(gradient, gradient)
    start = Point(torch.zeros_like(first), loss, slope, gradient)
    end = search_line(value, theta, -gradient, start, first / gradient.norm(dim=1)[:, None], 20)
    assert (end.loss <= loss + 0.05 * end.step * slope).all()
    assert (end.slope.abs() <= 0.1 * slope.abs()).all()
    again, own = value(theta - end.step * gradient)
    assert torch.equal(again, end.loss) and torch.equal(own, end.gradient)


LINES = {  # convex, each with its minimum at 1
    "steep on both sides": lambda a: torch.log(torch.cosh(20 * (a - 1))),
    "quartic": lambda a: (a - 1) ** 4,
    "steeper behind": lambda a: torch.exp(4 * (a - 1)) - 4 * a,
    "steeper before": lambda a: torch.exp(4 * (1 - a)) + 4 * a,
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_a_minimum_is_bracketed_from_both_sides(line):
    """From first steps of 1e-3 to 1e3: a bracket must close in wherever its better end lies."""
    value = value_of(line)
    theta = torch.zeros(25, 1, dtype=torch.float64)
    loss, gradient = value(theta)
    start = Point(torch.zeros_like(theta), loss, gradient, gradient)
    first = torch.logspace(-3, 3, 25, dtype=torch.float64).unsqueeze(1)
    end = search_line(value, theta, torch.ones_like(theta), start, first, 20)
    assert (end.slope.abs() <= 0.1 * gradient.abs()).all()


def test_the_best_point_seen_is_taken():
    """Of all evaluations on a wavy line, that of least loss among those where enough is won."""
    seen = []

    def wavy(theta):
        return 0.05 * (theta - 7) ** 2 + torch.cos(3 * theta)

    def value(theta):
        loss, gradient = value_of(wavy)(theta)
        seen.append((theta, loss))
        return loss, gradient

    theta = torch.zeros(100, 1, dtype=torch.float64) + 0.1
    loss, gradient = value_of(wavy)(theta)
    start = Point(torch.zeros_like(theta), loss, gradient, gradient)
    first = torch.linspace(0.1, 12, 100, dtype=torch.float64).unsqueeze(1)
    end = search_line(value, theta, torch.ones_like(theta), start, first, 6)
    losses = torch.stack([own for _, own in seen])
    enough = torch.stack([own <= loss + 0.05 * (at - theta) * gradient for at, own in seen])
    # once the conditions hold a run is done, and what is evaluated after that is not looked at
    slopes = torch.stack([value_of(wavy)(at)[1] for at, _ in seen])
    best, done = loss, torch.zeros_like(loss, dtype=torch.bool)
    for own, won, slope in zip(losses, enough, slopes, strict=True):
        better = won & (own <= best) & ~done
        best = torch.where(better, own, best)
        done = done | (better & (slope.abs() <= 0.1 * gradient.abs()))
    assert torch.equal(end.loss, best)


def test_a_point_without_a_gradient_is_not_taken_however_low_its_loss():
    def value(theta):
        outside = theta > 2
        loss = torch.where(outside, -5.0, (theta - 1) ** 2)
        return loss, torch.where(outside, torch.nan, 2 * (theta - 1))

    end, _ = ConjugateGradients(1).minimise(value, torch.zeros(1, 1), torch.full((1, 1), 3.0))
    torch.testing.assert_close(end, torch.ones(1, 1), atol=0.11, rtol=0)


def test_a_direction_that_does_not_descend_is_given_up():
    """theta^2 / 2 from 1 with one evaluation a search, worked by hand.

    1. direction -1, step 1.8, to -0.8: 0.32 is enough below 0.5. beta = -0.8 (-0.8 - 1) = 1.44,
       but 0.8 - 1.44 leads uphill, so the direction is -g = 0.8, slope -0.64.
    2. step 1.8 x 1 / 0.64 = 2.8125 goes past the minimum, to 1.45: nothing found.
    3. a tenth of it, 0.28125, to -0.8 + 0.225.
    """
    optimisation = ConjugateGradients(line_searches=3, evaluations=1)
    value = value_of(lambda theta: theta**2 / 2)
    end, _ = optimisation.minimise(value, ones(1, 1), 1.8 * ones(1, 1))
    assert end.item() == pytest.approx(-0.575)


def test_after_a_search_that_found_nothing_the_next_starts_nearer():
    """One evaluation each, on theta^2 from 1: steps of 1e4, 1e3, ... lead nowhere before 0.1."""
    optimisation = ConjugateGradients(line_searches=7, evaluations=1)
    value = value_of(lambda theta: theta**2)
    end, _ = optimisation.minimise(value, ones(1, 1), 1e4 * ones(1, 1))
    assert end.abs().item() < 0.9


def test_the_first_directions_are_polak_ribieres():
    """Two line searches on x^2 / 2 + 2 y^2 from (2, 1): worked by hand with exact searches.

    g = (2, 4), direction -g: step g'g / g'Ag = 20/68 = 5/17 leads to (24/17, -3/17), where
    g = (24/17, -12/17). beta = g'(g - g_before) / 20 = (720/289) / 20 = 36/289, g'g_before being
    0; conjugate directions of an exact search end in the minimum (0, 0) at the second.
    """

    def loss(theta):
        return theta[:, :1] ** 2 / 2 + 2 * theta[:, 1:] ** 2

    theta = torch.tensor([[2.0, 1.0]], dtype=torch.float64)
    # the first step tried is the exact one: it is taken as it is
    one, _ = ConjugateGradients(1).minimise(value_of(loss), theta, 5 / 17 * ones(1, 1))
    torch.testing.assert_close(one, torch.tensor([[24.0, -3.0]], dtype=torch.float64) / 17)
    two, _ = ConjugateGradients(2).minimise(value_of(loss), theta, 5 / 17 * ones(1, 1))
    direction = torch.tensor([[-24 / 17, 12 / 17]]) + 36 / 289 * torch.tensor([[-2.0, -4.0]])
    moved = two - one
    torch.testing.assert_close(
        moved / moved.norm(), direction.double() / direction.norm(), rtol=1e-6, atol=1e-6
    )


def test_the_cubics_minimum_is_exact():
    """x^3 - 3x has its minimum at 1, seen from any two points; a line has none."""

    def at(x):
        x = torch.tensor([[float(x)]], dtype=torch.float64)
        return Point(x, x**3 - 3 * x, 3 * x**2 - 3, x)

    for a, b in [(0, 3), (3, 0), (0, 0.5), (2, 4)]:
        assert _cubic_minimum(at(a), at(b)).item() == pytest.approx(1)
    straight = [Point(*(torch.tensor([[v]]) for v in (s, -s, -1.0, 0.0))) for s in (0.0, 1.0)]
    assert not _cubic_minimum(*straight).isfinite().any()


@pytest.mark.parametrize("changes", [{}, {"normalisation": BatchNorm()}], ids=["plain", "norm"])
def test_a_stack_equals_its_runs_one_by_one_bit_for_bit(changes):
    g = torch.Generator().manual_seed(5)
    x, y = torch.rand(3, 11, 13, generator=g), torch.randint(0, 3, (3, 11), generator=g)
    recipe = BASELINE.but(optimisation=ConjugateGradients(), **changes)

    def trained(runs):
        network = build(recipe, n_inputs=13, n_classes=3, widths=[7] * 3, seeds=runs)
        state = recipe.optimisation.start(network.trainable())
        lr = torch.tensor([1.0, 0.01, 0.3])[runs].view(-1, 1, 1)
        for _ in range(3):
            loss = recipe.optimisation.update(network, x[runs], y[runs], state, lr)
        return [loss, *network.tensors()]

    stack = trained([0, 1, 2])
    for run in range(3):
        for own, all_runs in zip(trained([run]), stack, strict=True):
            assert torch.equal(own[0], all_runs[run])


def test_an_update_lowers_the_networks_loss_and_moves_running_statistics_once():
    recipe = BASELINE.but(optimisation=ConjugateGradients(), normalisation=BatchNorm())
    network = build(recipe, n_inputs=13, n_classes=3, widths=[7] * 2, seeds=[0, 1])
    g = torch.Generator().manual_seed(5)
    x, y = torch.rand(2, 11, 13, generator=g), torch.randint(0, 3, (2, 11), generator=g)
    expected = network.select([0, 1])
    before = cross_entropy(expected(x, training=True), y)
    loss = recipe.optimisation.update(network, x, y, (), torch.ones(2, 1, 1))
    for own, other in zip(network.statistics, expected.statistics, strict=True):
        assert all(torch.equal(own[name], other[name]) for name in own)
    torch.testing.assert_close(loss, before)
    assert (cross_entropy(network(x, training=True), y) < 0.9 * before).all()


def test_what_is_minimised_is_the_networks_own_loss():
    """With a companion on the first of two layers: it learns, and its loss counts."""
    recipe = BASELINE.but(optimisation=ConjugateGradients(), connection=DeepSupervision(weight=0.5))
    network = build(recipe, n_inputs=13, n_classes=3, widths=[7] * 2, seeds=[0, 1])
    g = torch.Generator().manual_seed(5)
    x, y = torch.rand(2, 11, 13, generator=g), torch.randint(0, 3, (2, 11), generator=g)
    before, top = network.loss(x, y).detach(), cross_entropy(network(x), y)
    companion = [network.parameters[0][f"companion_{part}"] for part in ("weight", "bias")]
    starts = [t.detach().clone() for t in companion]
    loss = recipe.optimisation.update(network, x, y, (), torch.ones(2, 1, 1))
    # two classifiers' cross-entropies, each within 13 roundings of 2^-24 of about ln 3
    torch.testing.assert_close(loss, before, rtol=2e-6, atol=0)
    assert (before > top + 0.5 * 0.9).all()  # half of the companion's ln 3 = 1.1, about
    for start, tensor in zip(starts, companion, strict=True):
        assert (tensor != start).all()
    assert (network.loss(x, y) < before).all()


def test_an_update_runs_on_the_meta_device():
    recipe = BASELINE.but(optimisation=ConjugateGradients())
    network = build(recipe, n_inputs=13, n_classes=3, widths=[7] * 2, seeds=[0, 1]).to("meta")
    x = torch.empty(2, 11, 13, device="meta")
    y = torch.empty(2, 11, dtype=torch.int64, device="meta")
    loss = recipe.optimisation.update(network, x, y, (), torch.empty(2, 1, 1, device="meta"))
    assert loss.shape == (2,) and loss.device.type == "meta"


def test_it_refuses_what_a_line_search_would_not_see():
    @dataclass(frozen=True)
    class Noise:
        noisy = True

    @dataclass(frozen=True)
    class Cap:
        def project_(self, network):
            return None

    with pytest.raises(ValueError, match="ConjugateGradients needs a loss without noise: Noise"):
        BASELINE.but(optimisation=ConjugateGradients(), regularisation=(Noise(),))
    with pytest.raises(ValueError, match="minimises the loss alone: it would pass over Cap"):
        BASELINE.but(optimisation=ConjugateGradients(), regularisation=(Cap(),))
