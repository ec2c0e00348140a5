"""The parts of a network against formulas and against torch."""

import math
import re

import pytest
import torch

from techniques.activations.relu import Relu
from techniques.activations.sigmoid import Sigmoid, sigmoid
from techniques.activations.tanh import Tanh
from techniques.connections.residual import Residual
from techniques.network import build, cross_entropy
from techniques.optimisation.sgd import Sgd
from techniques.recipe import BASELINE

ACTIVATIONS = [Sigmoid(), Tanh(), Relu()]


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 5), (3, 4, 8), (5, 16, 16)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_and_their_gradients_are_right_in_float64(activation, shape):
    z = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z.requires_grad_()
    assert torch.autograd.gradcheck(activation, (z,))
    torch.testing.assert_close(activation(z), activation.module()(z))


def test_both_forms_of_the_sigmoid_stay_finite_far_out():
    for n in (32, 5):  # torch's own, and the padded one
        z = torch.tensor([-1000.0, -90.0, 0.0, 90.0, 1000.0] + [0.0] * (n - 5)).view(1, 1, n)
        z.requires_grad_()
        a = sigmoid(z)
        assert a.flatten()[:5].tolist() == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-30)
        (grad,) = torch.autograd.grad(a.sum(), z)
        assert grad.flatten()[:5].tolist() == pytest.approx([0, 0, 0.25, 0, 0], abs=1e-30)


@pytest.mark.parametrize("n", [*range(1, 18), 31, 32, 33, 48, 100, 101])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_runs_bits_do_not_depend_on_its_place_in_the_stack(activation, n):
    z = 3 * torch.randn(7, 3, n, generator=torch.Generator().manual_seed(n))
    upstream = torch.randn(7, 3, n, generator=torch.Generator().manual_seed(n + 1))

    def both(z, upstream):
        z = z.clone().requires_grad_()
        a = activation(z)
        return a, torch.autograd.grad(a, z, upstream)[0]

    a, grad = both(z, upstream)
    for run in range(7):
        one_a, one_grad = both(z[run : run + 1], upstream[run : run + 1])
        assert torch.equal(one_a[0], a[run]) and torch.equal(one_grad[0], grad[run])


def test_saturation_is_counted_per_run():
    # of six activations, two lie outside [.05, .95]; on the boundary counts as inside
    a = torch.tensor([[[0.04, 0.5, 0.95], [0.96, 0.06, 0.3]]])
    assert Sigmoid().saturated(a).tolist() == pytest.approx([2 / 6])
    assert Tanh().saturated(torch.tensor([[[-0.95, 0.5], [0.91, 0.0]]])).tolist() == [0.5]
    # a rectifier is dead if it is zero on every example: the first of three units here
    assert Relu().saturated(torch.tensor([[[0.0, 1, 0], [0, 0, 2]]])).tolist() == pytest.approx(
        [1 / 3]
    )


def test_cross_entropy_is_torchs_per_run():
    g = torch.Generator().manual_seed(0)
    logits, y = torch.randn(3, 5, 4, generator=g), torch.randint(0, 4, (3, 5), generator=g)
    expected = [torch.nn.functional.cross_entropy(logits[r], y[r]) for r in range(3)]
    torch.testing.assert_close(cross_entropy(logits, y), torch.stack(expected))


def test_sgd_equals_torchs_for_each_runs_learning_rate():
    g = torch.Generator().manual_seed(0)
    lrs = [0.1, 0.5]
    ours = [torch.randn(2, 3, 4, generator=g), torch.randn(2, 1, 4, generator=g)]
    theirs = [[p[run].clone().requires_grad_() for p in ours] for run in range(2)]
    optimisers = [
        torch.optim.SGD(p, lr=lr, momentum=0.9) for p, lr in zip(theirs, lrs, strict=True)
    ]
    sgd = Sgd(momentum=0.9)
    state, lr = sgd.start(ours), torch.tensor(lrs).view(2, 1, 1)
    for _ in range(5):
        grads = [torch.randn(p.shape, generator=g) for p in ours]
        sgd.step(ours, grads, state, lr)
        for run in range(2):
            for p, grad in zip(theirs[run], grads, strict=True):
                p.grad = grad[run].clone()
            optimisers[run].step()
    for run in range(2):
        for p, q in zip(ours, theirs[run], strict=True):
            torch.testing.assert_close(p[run], q.detach())


def test_one_step_of_a_two_layer_sigmoid_net_worked_by_hand():
    # x = 1, weight 0.5, output weights (1, -1), class 0, lr 1, momentum irrelevant at the start:
    # a = sigmoid(0.5); logits (a, -a); p0 = sigmoid(2a); delta_out = (p0 - 1, 1 - p0)
    # d output weight = a * delta_out; delta_hidden = ((p0 - 1) - (1 - p0)) a (1 - a)
    from techniques.backpropagation import step

    network = build(BASELINE, n_inputs=1, n_classes=2, widths=[1], seeds=[0])
    hidden, output = network.parameters
    with torch.no_grad():
        hidden["weight"].fill_(0.5)
        output["weight"].copy_(torch.tensor([[[1.0, -1.0]]]))
    state = Sgd().start(network.trainable())
    loss = step(network, torch.ones(1, 1, 1), torch.zeros(1, 1, dtype=torch.int64), state,
                torch.ones(1, 1, 1))  # fmt: skip
    a = 1 / (1 + math.exp(-0.5))
    p0 = 1 / (1 + math.exp(-2 * a))
    delta = 2 * (p0 - 1) * a * (1 - a)
    assert loss.item() == pytest.approx(-math.log(p0), rel=1e-6)
    assert hidden["weight"].item() == pytest.approx(0.5 - delta, rel=1e-6)
    assert hidden["bias"].item() == pytest.approx(-delta, rel=1e-6)
    assert output["weight"].flatten().tolist() == pytest.approx(
        [1 - a * (p0 - 1), -1 - a * (1 - p0)], rel=1e-6
    )
    assert output["bias"].flatten().tolist() == pytest.approx([1 - p0, p0 - 1], rel=1e-6)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_residual_links_add_what_was_there_a_block_earlier(every):
    recipe = BASELINE.but(connection=Residual(every=every))
    network = build(recipe, n_inputs=3, n_classes=2, widths=[4] * 6, seeds=[0])
    x = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
    outputs = [x]
    for layer, p in enumerate(network.parameters[:-1]):
        a = torch.sigmoid(outputs[-1] @ p["weight"][0] + p["bias"][0])
        # layers 1 .. 5 form blocks of `every`; the link goes to the output below the block
        ends = layer >= every and layer % every == 0
        outputs.append(a + outputs[layer + 1 - every] if ends else a)
    for layer, expected in zip(network.trace(x).layers, outputs[1:], strict=True):
        torch.testing.assert_close(layer.output[0], expected)


def test_the_gradient_passes_a_residual_stack_and_not_a_plain_one():
    def ratio(recipe):
        network = build(recipe, n_inputs=20, n_classes=3, widths=[20] * 12, seeds=[0])
        g = torch.Generator().manual_seed(0)
        x, y = torch.rand(50, 20, generator=g), torch.randint(0, 3, (1, 50), generator=g)
        loss = cross_entropy(network(x), y).sum()
        weights = [p["weight"] for p in network.parameters]
        grads = torch.autograd.grad(loss, weights)
        return (grads[0].norm() / grads[-2].norm()).item()

    # eleven factors of at most 1/4, weights aside: below 4^-11 = 2.4e-7 times a few
    assert ratio(BASELINE) < 1e-6
    assert ratio(BASELINE.but(connection=Residual())) > 1e-2


def test_impossible_shapes_are_refused():
    for widths in ([], [2, 0], [-1]):
        with pytest.raises(
            ValueError, match=f"one or more numbers of 1 or more, got {re.escape(str(widths))}"
        ):
            build(BASELINE, n_inputs=2, n_classes=2, widths=widths, seeds=[0])
    recipe = BASELINE.but(connection=Residual())
    with pytest.raises(ValueError, match=r"Residual needs layers of equal width, got \[3, 4\]"):
        build(recipe, n_inputs=2, n_classes=2, widths=[3, 4], seeds=[0])
    with pytest.raises(ValueError, match="every must be 1 or more layers, got 0"):
        Residual(every=0)


def test_selected_runs_are_copies_in_the_order_asked():
    network = build(BASELINE, n_inputs=2, n_classes=2, widths=[3], seeds=[5, 6])
    chosen = network.select([1, 0, 1])
    for own, other in zip(chosen.tensors(), network.tensors(), strict=True):
        assert torch.equal(own.detach(), other.detach()[[1, 0, 1]])
        assert own.requires_grad
    with torch.no_grad():
        chosen.parameters[0]["weight"].zero_()
    assert network.parameters[0]["weight"].abs().sum() > 0
