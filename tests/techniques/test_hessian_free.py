"""Hessian-free optimisation against explicit matrices, on functions whose answer is known."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from techniques.network import build, cross_entropy
from techniques.normalisation.batch_norm import BatchNorm
from techniques.optimisation.hessian_free import (
    CrossEntropy,
    HessianFree,
    conjugate_gradients,
    gauss_newton,
    squared_gradients,
)
from techniques.optimisation.vector import flatten, network_at, unflatten
from techniques.recipe import BASELINE

SEEDS = [3, 8]


def small(dtype=torch.float64, **changes):
    """Two networks of 4, 3, 3 units and 3 classes, and a batch of 6."""
    recipe = BASELINE.but(optimisation=HessianFree(), **changes)
    network = build(recipe, n_inputs=4, n_classes=3, widths=[3, 3], seeds=SEEDS).to(dtype)
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in network.trainable():
            p.add_(torch.randn(p.shape, generator=g, dtype=dtype))
    x = torch.randn(2, 6, 4, generator=g, dtype=dtype)
    return network, x, torch.randint(0, 3, (2, 6), generator=g)


def test_the_gauss_newton_product_equals_the_explicit_matrix():
    """J by autograd's jacobian; for cross-entropy H = (diag(p) - pp') / B, case by case."""
    network, x, y = small()
    theta = flatten(network.trainable()).requires_grad_()

    def outputs(vector):
        return network_at(network, vector)(x)

    product = gauss_newton(outputs(theta), lambda z: cross_entropy(z, y), theta)
    jacobian = torch.autograd.functional.jacobian(outputs, theta)  # (R, B, K, R, P)
    probability = torch.softmax(outputs(theta), 2).detach()
    g = torch.Generator().manual_seed(1)
    v = torch.randn(theta.shape, generator=g, dtype=theta.dtype)
    for run in range(2):
        own = jacobian[run, :, :, run]  # (B, K, P)
        p = probability[run]
        hessian = (torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)) / 6
        matrix = torch.einsum("bkp,bkl,blq->pq", own, hessian, own)
        torch.testing.assert_close(product(v)[run], matrix @ v[run], rtol=1e-10, atol=1e-13)


def test_the_cross_entropy_equals_the_networks_with_two_derivatives():
    g = torch.Generator().manual_seed(2)
    logits = 3 * torch.randn(2, 5, 4, generator=g, dtype=torch.float64)
    y = torch.randint(0, 4, (2, 5), generator=g)
    logits.requires_grad_()
    torch.testing.assert_close(CrossEntropy.apply(logits, y), cross_entropy(logits, y))
    assert torch.autograd.gradcheck(lambda z: CrossEntropy.apply(z, y), logits)
    upstream = torch.tensor([0.7, -1.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda z: CrossEntropy.apply(z, y), logits, upstream)


def test_squared_gradients_are_right_on_average_over_the_order_of_the_batch():
    """All 24 orders of four cases, with the signs + + + +, + - + - and + + - -.

    The pattern without a minus never comes up: probe k gives case i the sign of bit k of i. Over
    all orders a balanced pattern's cross terms average -1/3 of their sum, so the mean is that of
    squares - (1/3) of the mean of products of different cases; both are computed one by one.
    """
    from itertools import permutations

    network, x, y = small()
    x, y = x[:, :4], y[:, :4]
    theta = flatten(network.trainable()).requires_grad_()

    def estimate(order):
        outputs = network_at(network, theta)(x[:, order])
        (error,) = torch.autograd.grad(
            cross_entropy(outputs, y[:, order]).sum(), outputs, retain_graph=True
        )
        return squared_gradients(outputs, error, theta, probes=2)

    mean = torch.stack([estimate(list(order)) for order in permutations(range(4))]).mean(0)
    cases = []
    for case in range(4):
        loss = cross_entropy(network_at(network, theta)(x[:, [case]]), y[:, [case]])
        cases.append(torch.autograd.grad(loss.sum(), theta)[0])
    squares = sum(c.square() for c in cases) / 4
    products = (sum(cases).square() / 4 - squares) / 3
    torch.testing.assert_close(mean, squares - products, rtol=1e-9, atol=1e-14)


def random_system(n=12):
    """A (R, n, n) symmetric and positive, b and a start x (R, n)."""
    g = torch.Generator().manual_seed(3)
    root = torch.randn(3, n, n, generator=g, dtype=torch.float64)
    scale = torch.logspace(0, 3, n, dtype=torch.float64)  # badly scaled on purpose
    matrix = (root @ root.mT / n + torch.eye(n)) * scale.sqrt() * scale.sqrt().unsqueeze(1)
    b, x = torch.randn(2, 3, n, generator=g, dtype=torch.float64)
    return matrix, b, x


def test_conjugate_gradients_solve_a_random_system_and_report_its_quadratic():
    matrix, b, start = random_system()

    def product(v):
        return (matrix @ v.unsqueeze(2)).squeeze(2)

    diagonal = matrix.diagonal(dim1=1, dim2=2)
    solved = list(conjugate_gradients(product, b, start, diagonal, 12))
    torch.testing.assert_close(solved[-1][0], torch.linalg.solve(matrix, b), rtol=1e-6, atol=1e-9)
    previous = torch.full((3, 1), torch.inf, dtype=torch.float64)
    for x, model in solved:
        expected = (0.5 * x * product(x) - b * x).sum(1, keepdim=True)
        torch.testing.assert_close(model, expected)
        assert (model <= previous + 1e-9).all()
        previous = model
    # with the diagonal, half as many iterations lead nearer than without
    exact = torch.linalg.solve(matrix, b)
    plain = list(conjugate_gradients(product, b, start, torch.ones_like(b), 6))[-1][0]
    error, own = ((x - exact).norm(dim=1) for x in (plain, solved[5][0]))
    assert (own < 0.5 * error).all()


def test_conjugate_gradients_stay_where_the_solution_is_exact():
    b = torch.tensor([[2.0, 4.0], [0.0, 0.0]])
    for x, _ in conjugate_gradients(lambda v: 2 * v, b, torch.zeros(2, 2), torch.ones(2, 2), 5):
        assert x.tolist() == [[1.0, 2.0], [0.0, 0.0]]


def linear_regression():
    """outputs(theta) of a linear map of 3 inputs to 2 outputs, its loss, and the best theta."""
    g = torch.Generator().manual_seed(4)
    x = torch.randn(2, 20, 3, generator=g, dtype=torch.float64)
    target = torch.randn(2, 20, 2, generator=g, dtype=torch.float64)

    def outputs(theta):
        return x @ theta.view(2, 3, 2)

    def loss(z):
        return (z - target).square().sum(2).mean(1)

    return outputs, loss, torch.linalg.lstsq(x, target).solution.reshape(2, 6)


def test_one_step_solves_a_quadratic():
    """A linear map and squared error: with no damping the model is the loss itself."""
    outputs, loss, best = linear_regression()
    optimisation = HessianFree(damping=0.0, least_damping=0.0, cg_iterations=10)
    theta = torch.zeros(2, 6, dtype=torch.float64)
    state = optimisation.start([theta])
    step, before = optimisation.solve(outputs, loss, theta, state)
    torch.testing.assert_close(step, best, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(before, loss(outputs(theta)))


def test_the_solution_is_the_damped_systems_and_the_step_the_iterate_of_least_loss():
    """(G + damping) d = -gradient; an iterate on the way there can be nearer the loss's minimum."""
    outputs, loss, _ = linear_regression()
    optimisation = HessianFree(damping=0.7, cg_iterations=10)
    theta = torch.ones(2, 6, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda t: loss(outputs(t)).sum(), theta)
    gradient = torch.autograd.functional.jacobian(lambda t: loss(outputs(t)).sum(), theta)
    state = optimisation.start([theta])
    step, _ = optimisation.solve(outputs, loss, theta, state)
    for run in range(2):
        matrix = hessian[run, :, run] + 0.7 * torch.eye(6)
        expected = -torch.linalg.solve(matrix, gradient[run])
        torch.testing.assert_close(state["direction"][run], expected, rtol=1e-7, atol=1e-9)
    shorter = [
        HessianFree(damping=0.7, cg_iterations=n).solve(
            outputs, loss, theta, optimisation.start([theta])
        )[0]
        for n in range(1, 10)
    ]
    assert (loss(outputs(theta + step)) < loss(outputs(theta + state["direction"]))).all()
    for other in shorter:
        assert (loss(outputs(theta + step)) <= loss(outputs(theta + other)) + 1e-12).all()


@pytest.mark.parametrize(
    "bowl, expected, moves",
    [
        # loss = z^2 / 2 + bowl (z - 1)^4, at z = 1: gradient 1, Gauss-Newton curvature 1; with
        # damping 1 the step is -1/2 and the model promises -1/4; the loss falls by 3/8 - bowl/16
        (0.0, 2 / 3, True),  # ratio 1.5
        (2.5, 2 / 3, True),  # ratio 0.875
        (4.0, 1.0, True),  # ratio 0.5
        (5.5, 1.5, True),  # ratio 0.125
    ],
)
def test_the_damping_follows_the_reduction_ratio(bowl, expected, moves):
    """The quartic has neither slope nor curvature at z = 1, so the model does not know of it."""

    def loss(z):
        return (z.square() / 2 + bowl * (z - 1) ** 4).mean((1, 2))

    optimisation = HessianFree(cg_iterations=1, decay=0.0)
    theta = torch.ones(1, 1, dtype=torch.float64)
    state = optimisation.start([theta])
    step, _ = optimisation.solve(lambda t: t.view(1, 1, 1), loss, theta, state)
    assert step.item() == pytest.approx(-0.5)
    assert state["damping"].item() == pytest.approx(expected)


def test_the_reduction_ratio_is_that_of_the_step_which_is_taken():
    """Of three iterates the second has the least loss: its model counts, not the last one's.

    Iterate k minimises the model over the span of the first k vectors (M^-1 A)^i M^-1 g, here by a
    solver; loss = sum c z^2 / 2 + 10 (z_0 - 1)^4, at z = 1: gradient and curvature c.
    """
    c = np.array([1, 20**0.5, 20])
    matrix, preconditioner = np.diag(c + 0.01), (c**2 + 0.01) ** 0.75
    basis, models, falls = [c / preconditioner], [], []
    for _ in range(3):
        b = np.stack(basis, 1)
        d = -b @ np.linalg.solve(b.T @ matrix @ b, b.T @ c)
        models.append(c @ d + d @ matrix @ d / 2)
        falls.append(c @ d + d @ (c * d) / 2 + 10 * d[0] ** 4)
        basis.append(matrix @ basis[-1] / preconditioner)
    assert np.argmin(falls) == 1
    assert falls[1] / models[1] > 0.75  # the damping falls; with the last one's model it would
    assert 0.25 < falls[1] / models[2] < 0.75  # stay, as it would for the last iterate's loss
    assert falls[2] / models[2] < 0.25  # rise

    def loss(z):
        return ((torch.from_numpy(c) / 2 * z * z).sum(2) + 10 * (z[:, :, 0] - 1) ** 4).mean(1)

    optimisation = HessianFree(cg_iterations=3, damping=0.01, decay=0.0)
    theta = torch.ones(1, 3, dtype=torch.float64)
    state = optimisation.start([theta])
    step, before = optimisation.solve(lambda t: t.view(1, 1, 3), loss, theta, state)
    after = loss((theta + step).view(1, 1, 3))
    assert (after - before).item() == pytest.approx(falls[1], rel=1e-9)
    assert state["damping"].item() == pytest.approx(0.01 / 1.5, rel=1e-12)


def test_the_damping_never_falls_below_the_least():
    """The model promises less than a quadratic gains, so each solve takes a third of the damping:
    40 of them would leave 1.5^-40 = 9e-8.
    """
    outputs, loss, _ = linear_regression()
    optimisation = HessianFree(cg_iterations=6)
    theta = torch.ones(2, 6, dtype=torch.float64)
    state = optimisation.start([theta])
    for _ in range(40):
        optimisation.solve(outputs, loss, theta, state)
    assert state["damping"].tolist() == [[1e-3], [1e-3]]


def test_a_step_that_raises_the_loss_is_halved_or_dropped():
    """The same with 40 (z - 1)^4: -1/2 gains 2.1; of -1/4, 0.218 - 0.156 is lost, enough.

    A wall of 1e9 leaves nothing of the step after six halvings: 1e9/2^28 > 1/128.
    """

    def after(bowl):
        def loss(z):
            return (z.square() / 2 + bowl * (z - 1) ** 4).mean((1, 2))

        optimisation = HessianFree(cg_iterations=1, decay=0.0)
        theta = torch.ones(1, 1, dtype=torch.float64)
        state = optimisation.start([theta])
        step, _ = optimisation.solve(lambda t: t.view(1, 1, 1), loss, theta, state)
        assert state["damping"].item() == 1.5
        return step.item()

    assert after(40.0) == pytest.approx(-0.25)
    assert after(1e9) == 0


def test_the_next_solution_starts_from_the_decayed_last_one():
    """With one iteration on three curvatures a start nearer the solution ends nearer."""
    curvature = torch.tensor([[1.0, 4.0, 9.0]], dtype=torch.float64)

    def loss(z):
        return (0.5 * curvature * z * z + z).sum(2).mean(1)

    theta = torch.zeros(1, 3, dtype=torch.float64)
    last = torch.tensor([[-1.0, 0.5, 2.0]], dtype=torch.float64)
    optimisation = HessianFree(cg_iterations=1, decay=0.5, damping=0.0, least_damping=0.0)
    state = optimisation.start([theta]) | {"direction": last.clone()}
    optimisation.solve(lambda t: t.view(1, 1, 3), loss, theta, state)
    x = 0.5 * last
    residual = -1 - curvature * x
    # every case's gradient is 1 at theta = 0, so the preconditioner is 1
    length = residual.square().sum() / (curvature * residual.square()).sum()
    torch.testing.assert_close(state["direction"], x + length * residual)


def test_the_preconditioner_is_the_squared_gradient_plus_damping_to_three_quarters():
    """One case, so its squared gradient is the gradient's square; one iteration goes along g / M.

    loss = 2 z_1^2 + z_2^2 / 2 at (1, 3): g = (4, 3), M = (16 + 1/2, 9 + 1/2)^(3/4).
    """
    optimisation = HessianFree(cg_iterations=1, damping=0.5)
    theta = torch.tensor([[1.0, 3.0]], dtype=torch.float64)
    scale = torch.tensor([4.0, 1.0], dtype=torch.float64)
    state = optimisation.start([theta])
    optimisation.solve(
        lambda t: t.view(1, 1, 2), lambda z: (0.5 * scale * z * z).sum(2).mean(1), theta, state
    )
    along = state["direction"][0]
    expected = (4 / 16.5**0.75) / (3 / 9.5**0.75)
    assert (along[0] / along[1]).item() == pytest.approx(expected, rel=1e-10)


def test_lr_multiplies_the_step_of_each_run():
    starts, ends = [], []
    for lrs in ([1.0, 1.0], [0.25, 0.0]):
        network, x, y = small()
        optimisation = network.recipe.optimisation
        starts.append(flatten(network.trainable()))
        state = optimisation.start(network.trainable())
        lr = torch.tensor(lrs, dtype=torch.float64).view(2, 1, 1)
        before = cross_entropy(network(x), y)
        loss = optimisation.update(network, x, y, state, lr)
        torch.testing.assert_close(loss, before)
        ends.append(flatten(network.trainable()))
        if lrs[0] == 1:
            assert (cross_entropy(network(x), y) < before).all()
    whole, part = (end - start for start, end in zip(starts, ends, strict=True))
    assert whole.abs().amax(1).min() > 0
    torch.testing.assert_close(part, whole * torch.tensor([[0.25], [0.0]]))


@pytest.mark.parametrize("changes", [{}, {"normalisation": BatchNorm()}], ids=["plain", "norm"])
def test_a_stack_equals_its_runs_one_by_one_bit_for_bit(changes):
    g = torch.Generator().manual_seed(5)
    x, y = torch.rand(3, 11, 13, generator=g), torch.randint(0, 3, (3, 11), generator=g)
    recipe = BASELINE.but(optimisation=HessianFree(cg_iterations=4), **changes)

    def trained(runs):
        network = build(recipe, n_inputs=13, n_classes=3, widths=[7] * 3, seeds=runs)
        state = recipe.optimisation.start(network.trainable())
        lr = torch.tensor([1.0, 0.1, 0.5])[runs].view(-1, 1, 1)
        for _ in range(3):
            loss = recipe.optimisation.update(network, x[runs], y[runs], state, lr)
        return [loss, *network.tensors(), *state.values()]

    stack = trained([0, 1, 2])
    for run in range(3):
        for own, all_runs in zip(trained([run]), stack, strict=True):
            assert torch.equal(own[0], all_runs[run])


def test_running_statistics_move_once_an_update():
    network, x, y = small(normalisation=BatchNorm())
    expected = network.select([0, 1])
    expected(x, training=True)
    state = network.recipe.optimisation.start(network.trainable())
    network.recipe.optimisation.update(network, x, y, state, torch.ones(2, 1, 1).double())
    for own, other in zip(network.statistics, expected.statistics, strict=True):
        assert all(torch.equal(own[name], other[name]) for name in own)


def test_an_update_runs_on_the_meta_device():
    network, x, y = small(torch.float32, normalisation=BatchNorm())
    network = network.to("meta")
    optimisation = network.recipe.optimisation
    state = optimisation.start(network.trainable())
    lr = torch.empty(2, 1, 1, device="meta")
    loss = optimisation.update(network, x.to("meta"), y.to("meta"), state, lr)
    assert loss.shape == (2,) and loss.device.type == "meta"
    assert state["damping"].shape == (2, 1)


def test_a_vector_comes_apart_as_it_was_put_together():
    tensors = [torch.arange(6.0).view(2, 3, 1), torch.arange(4.0).view(2, 1, 2)]
    vector = flatten(tensors)
    assert vector.tolist() == [[0, 1, 2, 0, 1], [3, 4, 5, 2, 3]]
    assert all(torch.equal(a, b) for a, b in zip(unflatten(vector, tensors), tensors, strict=True))


def test_it_refuses_what_it_would_not_see():
    @dataclass(frozen=True)
    class Noise:
        noisy = True

    @dataclass(frozen=True)
    class Decay:
        def add_gradient(self, network, gradients):
            return gradients

    @dataclass(frozen=True)
    class OwnLoss:
        reach = 1

        def loss(self, network, trace, y):
            return None

    with pytest.raises(ValueError, match="HessianFree needs a loss without noise: Noise draws"):
        BASELINE.but(optimisation=HessianFree(), regularisation=(Noise(),))
    with pytest.raises(ValueError, match="minimises the loss alone: it would pass over Decay"):
        BASELINE.but(optimisation=HessianFree(), regularisation=(Decay(),))
    with pytest.raises(ValueError, match="a loss of the logits alone: OwnLoss has its own"):
        BASELINE.but(optimisation=HessianFree(), connection=OwnLoss())
