"""The step by hand against the step by autograd, which defines it."""

from dataclasses import dataclass

import pytest
import torch

from techniques.activations.sigmoid import Sigmoid
from techniques.backpropagation import fastest_step, fused_step, has_fused_step, step
from techniques.connections.residual import Residual
from techniques.network import build
from techniques.recipe import BASELINE, RECIPES
from tests.techniques.test_network import ACTIVATIONS

# beyond the catalogue: links over several layers, a rest of layers outside any block
MORE = {
    "residual, every 2": BASELINE.but(connection=Residual(every=2)),
    "residual, every 3": RECIPES["combined"].but(connection=Residual(every=3)),
    "without momentum": BASELINE.but(
        optimisation=type(BASELINE.optimisation)(momentum=0.0),
    ),
}


def after_updates(recipe, update_runs, dtype, *, largest_lr=1.0):
    """Losses (updates, R), parameters, statistics and velocities of a stack of three runs."""
    network = build(recipe, n_inputs=13, n_classes=3, widths=[7] * 5, seeds=[4, 0, 7])
    network = network.to(dtype)
    state = recipe.optimisation.start(network.trainable())
    lr = largest_lr * torch.tensor([0.3, 0.01, 1.0], dtype=dtype).view(-1, 1, 1)
    g = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(5):
        x = torch.rand(3, 11, 13, generator=g, dtype=dtype)
        y = torch.randint(0, 3, (3, 11), generator=g)
        losses.append(update_runs(network, x, y, state, lr))
    return torch.stack(losses), network.tensors(), state


FUSED = {name: recipe for name, recipe in (RECIPES | MORE).items() if has_fused_step(recipe)}


@pytest.mark.parametrize("recipe", FUSED.values(), ids=FUSED.keys())
def test_the_fused_step_equals_the_readable_one(recipe):
    # at a rate of 1 five updates of SELU magnify rounding to 1.4e-11, beyond the bound for all
    largest_lr = 0.1 if recipe == RECIPES["selu"] else 1.0
    fused, plain = (
        after_updates(recipe, f, torch.float64, largest_lr=largest_lr) for f in (fused_step, step)
    )
    for got, expected in zip(fused[1], plain[1], strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-13)
    for got, expected in zip(fused[2], plain[2], strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-13)
    torch.testing.assert_close(fused[0], plain[0], rtol=1e-11, atol=0)


@pytest.mark.parametrize("recipe", FUSED.values(), ids=FUSED.keys())
def test_in_float32_the_two_differ_by_rounding_only(recipe):
    """At rates that train: a large one doubles a difference with every update."""
    fused, plain = (
        after_updates(recipe, f, torch.float32, largest_lr=0.1) for f in (fused_step, step)
    )
    for got, expected in zip(fused[1], plain[1], strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_the_batch_is_not_overwritten():
    network = build(BASELINE, n_inputs=4, n_classes=3, widths=[5] * 2, seeds=[0])
    state = BASELINE.optimisation.start(network.trainable())
    x, y = torch.rand(1, 6, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 6).long()
    kept = x.clone()
    fused_step(network, x, y, state, torch.ones(1, 1, 1))
    assert torch.equal(x, kept) and not y.any()


def test_a_technique_without_a_derivative_of_its_own_is_trained_by_autograd():
    @dataclass(frozen=True)
    class Cube:
        def __call__(self, z):
            return z**3

    assert len(FUSED) >= 15 and fastest_step(BASELINE) is fused_step
    assert fastest_step(BASELINE.but(activation=Cube())) is step
    assert not has_fused_step(BASELINE.but(activation=Cube()))
    assert not has_fused_step(BASELINE.but(connection=Cube()))
    assert not has_fused_step(BASELINE.but(normalisation=Cube()))
    assert not has_fused_step(BASELINE.but(optimisation=Cube()))


@pytest.mark.parametrize("n", [*range(1, 18), 31, 32, 33, 48, 100, 101])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_in_place_equal_the_others_whatever_the_shape(activation, n):
    g = torch.Generator().manual_seed(n)
    z = 3 * torch.randn(7, 3, n, generator=g)
    upstream = torch.randn(7, 3, n, generator=g)
    leaf = z.clone().requires_grad_()
    expected = activation(leaf)
    (expected_grad,) = torch.autograd.grad(expected, leaf, upstream)

    in_place = z.clone()
    a = activation.forward_(in_place)
    assert a.data_ptr() == in_place.data_ptr() and torch.equal(a, expected)
    grad = activation.backward_(upstream.clone(), a)
    torch.testing.assert_close(grad, expected_grad, rtol=1e-6, atol=1e-7)
    for run in range(7):  # whatever the place in the stack, bit for bit
        own = activation.forward_(z[run : run + 1].clone())
        own_grad = activation.backward_(upstream[run : run + 1].clone(), own)
        assert torch.equal(own[0], a[run]) and torch.equal(own_grad[0], grad[run])


def test_a_sigmoid_in_place_keeps_to_its_own_memory():
    for n in (5, 32, 45):
        whole = torch.zeros(3, n)
        Sigmoid().forward_(whole[1])
        assert whole.tolist() == [[0.0] * n, [0.5] * n, [0.0] * n]
