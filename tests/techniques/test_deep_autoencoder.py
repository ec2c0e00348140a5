"""Unrolling against the layers' composition, the gradient against autograd, and against PCA."""

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.datasets import load
from techniques.activations.tanh import Tanh
from techniques.connections.residual import Residual
from techniques.network import build
from techniques.normalisation.batch_norm import BatchNorm
from techniques.optimisation.conjugate_gradients import ConjugateGradients
from techniques.optimisation.hessian_free import HessianFree
from techniques.optimisation.sgd import Sgd
from techniques.pretraining.deep_autoencoder import (
    cross_entropy,
    fine_tune_step,
    squared_error,
    unroll,
)
from techniques.pretraining.greedy import greedy
from techniques.pretraining.rbm import Rbm
from techniques.recipe import BASELINE

PRETRAINED = BASELINE.but(pretraining=Rbm(epochs=20, batch_size=20))
TANH = BASELINE.but(activation=Tanh())


def curve() -> torch.Tensor:
    """200 points (200, 10) on a curve in [0.1, 0.9]^10 that bends through every dimension."""
    t = torch.linspace(0, 1, 200).unsqueeze(1)
    i = torch.arange(10)
    return 0.5 + 0.4 * torch.sin(1.5 * torch.pi * (1 + i % 3) * t + 0.7 * i)


def network_of(widths, seeds, recipe=PRETRAINED):
    network = build(recipe, n_inputs=10, n_classes=2, widths=widths, seeds=seeds)
    if recipe.pretraining is not None:
        greedy(network, curve(), seeds)
    return network


@pytest.mark.parametrize("linear_code", [True, False])
@pytest.mark.parametrize("recipe, unit", [(PRETRAINED, nn.Sigmoid), (TANH, nn.Tanh)])
def test_before_fine_tuning_it_is_the_layers_one_after_another_and_back(linear_code, recipe, unit):
    network = network_of([7, 4, 2], [1, 2], recipe)
    autoencoder, x = unroll(network, linear_code=linear_code), curve()
    layers = network.trace(x).layers
    code = layers[-1].pre_activation if linear_code else layers[-1].output
    assert torch.equal(autoencoder.encode(x), code)
    for run in range(2):
        h = code[run]
        for index in (2, 1, 0):
            decoder = nn.utils.skip_init(nn.Linear, h.shape[1], [10, 7, 4][index])
            # nn.Linear multiplies by its weight transposed: twice transposed, as in the network
            decoder.weight.data = network.parameters[index]["weight"][run].detach().clone()
            decoder.bias.data.zero_()
            h = (unit() if index > 0 else nn.Sigmoid())(decoder(h))
        torch.testing.assert_close(autoencoder(x)[run], h)


def test_unrolling_copies_and_the_weights_come_apart_in_fine_tuning():
    network = network_of([7, 2], [1])
    kept = [t.detach().clone() for t in network.trainable()]
    autoencoder, x = unroll(network), curve()[None]
    state = Sgd().start(autoencoder.trainable())
    fine_tune_step(autoencoder, x, state, torch.full((1, 1, 1), 0.1), optimisation=Sgd())
    assert all(torch.equal(a, b) for a, b in zip(kept, network.trainable(), strict=True))
    first, last = autoencoder.parameters[0]["weight"], autoencoder.parameters[-1]["weight"]
    assert first.shape == (1, 10, 7) and last.shape == (1, 7, 10)
    assert not torch.equal(first, last.mT)


@pytest.mark.parametrize("linear_code", [True, False])
def test_a_step_goes_down_autograds_gradient_of_the_cross_entropy(linear_code):
    autoencoder = unroll(network_of([7, 2], [1, 2]).to(torch.float64), linear_code=linear_code)
    x = curve()[:40].double().view(2, 20, 10)
    before = [t.detach().clone() for t in autoencoder.trainable()]
    logits = autoencoder.decode(autoencoder.encode(x))
    each = binary_cross_entropy_with_logits(logits, x, reduction="none").sum(2).mean(1)
    gradients = torch.autograd.grad(each.sum(), autoencoder.trainable())
    lr = torch.tensor([0.1, 0.3], dtype=torch.float64).view(2, 1, 1)
    state = Sgd().start(autoencoder.trainable())
    loss = fine_tune_step(autoencoder, x, state, lr, optimisation=Sgd())
    torch.testing.assert_close(loss, each.detach())
    for now, then, gradient in zip(autoencoder.trainable(), before, gradients, strict=True):
        torch.testing.assert_close(now.detach(), then - lr * gradient, rtol=1e-10, atol=1e-12)


def test_the_cross_entropy_is_right_and_finite_for_any_logit():
    logits = torch.tensor([[[0.0, 300.0, -300.0, 2.0]]], dtype=torch.float64)
    x = torch.tensor([[[0.3, 1.0, 1.0, 0.25]]], dtype=torch.float64)
    # ln 2; 0; 300; 0.25 ln(1 + e^-2) + 0.75 ln(1 + e^2) = 1.6269
    expected = binary_cross_entropy_with_logits(logits, x, reduction="sum")
    torch.testing.assert_close(cross_entropy(logits, x), expected.view(1))
    assert cross_entropy(logits, x).item() == pytest.approx(0.6931 + 300 + 1.6269, abs=1e-3)


def test_the_squared_error_is_summed_over_dimensions_and_averaged_over_examples():
    x = torch.tensor([[[0.0, 1.0], [1.0, 1.0]]])
    reconstruction = torch.tensor([[[0.5, 0.0], [1.0, 0.5]]])
    assert squared_error(x, reconstruction).item() == (0.25 + 1 + 0.25) / 2


def test_a_fine_tuned_code_of_two_beats_two_principal_components_if_pretrained():
    x, runs = curve(), 2
    spectrum = torch.linalg.svdvals(x - x.mean(0))
    of_pca = (spectrum[2:] ** 2).sum() / len(x)

    def fine_tuned(recipe):
        autoencoder = unroll(network_of([20, 10, 2], [0, 1], recipe))
        assert (squared_error(x, autoencoder(x)) > of_pca).all()
        optimiser, lr = Sgd(), torch.full((runs, 1, 1), 0.05)
        state, batch = optimiser.start(autoencoder.trainable()), x.expand(runs, -1, -1)
        for _ in range(900):
            fine_tune_step(autoencoder, batch, state, lr, optimisation=optimiser)
        return squared_error(x, autoencoder(x))

    assert (fine_tuned(PRETRAINED) < of_pca / 3).all()
    # from random weights it still gives back the same mean for every example
    assert (fine_tuned(BASELINE) > of_pca).all()


def test_conjugate_gradients_fine_tune_in_fewer_steps_than_gradient_descent():
    """Three line searches a batch, as in 2006; each run's own, and none uphill."""
    x, optimiser = curve(), ConjugateGradients(line_searches=3)
    autoencoder = unroll(network_of([20, 10, 2], [0, 1], PRETRAINED))
    by_descent = unroll(network_of([20, 10, 2], [0, 1], PRETRAINED))
    batch, lr = x.expand(2, -1, -1), torch.full((2, 1, 1), 0.05)
    state, losses = Sgd().start(by_descent.trainable()), []
    for _ in range(20):
        losses.append(fine_tune_step(autoencoder, batch, (), lr, optimisation=optimiser))
        fine_tune_step(by_descent, batch, state, lr, optimisation=Sgd())
    losses = torch.stack(losses)
    assert (losses.diff(dim=0) <= 1e-5 * losses[:-1]).all()
    reached = squared_error(x, autoencoder(x))
    assert (reached < squared_error(x, by_descent(x)) / 2).all()
    alone = unroll(network_of([20, 10, 2], [1], PRETRAINED))
    for _ in range(20):
        fine_tune_step(alone, batch[:1], (), lr[:1], optimisation=optimiser)
    torch.testing.assert_close(alone(x)[0], autoencoder(x)[1], rtol=0, atol=0)


def test_conjugate_gradients_bring_a_pretrained_deep_classifier_down_and_no_random_one():
    """The classifier of 2006: greedy RBMs, then three line searches on batches of 1,000 cases."""
    split = load("mnist5k", 1000, 200)
    x, y = split.x_train.expand(1, -1, -1), split.y_train.expand(1, -1)
    errors = {}
    for pretraining in (Rbm(epochs=10), None):
        recipe = BASELINE.but(pretraining=pretraining, optimisation=ConjugateGradients())
        network = build(recipe, n_inputs=784, n_classes=10, widths=[50] * 8, seeds=[0])
        if pretraining is not None:
            greedy(network, split.x_train, [0])
        for _ in range(15):
            recipe.optimisation.update(network, x, y, (), torch.ones(1, 1, 1))
        wrong = network(split.x_train).argmax(2) != split.y_train
        errors[pretraining is not None] = wrong.double().mean().item()
    assert errors[True] < 0.3 and errors[False] > 0.8


@pytest.mark.parametrize("widths, batch_size", [([7, 3], 11), ([16, 5, 2], 17), ([5, 1], 3)])
def test_a_stack_equals_its_runs_one_by_one_bit_for_bit(widths, batch_size):
    x, lrs = curve()[:batch_size], [0.1, 0.02, 0.3]

    def tuned(seeds, lrs):
        autoencoder = unroll(network_of(widths, seeds))
        state = Sgd().start(autoencoder.trainable())
        lr, batch = torch.tensor(lrs).view(-1, 1, 1), x.expand(len(seeds), -1, -1).contiguous()
        losses = [
            fine_tune_step(autoencoder, batch, state, lr, optimisation=Sgd()) for _ in range(4)
        ]
        return autoencoder, torch.stack(losses)

    stack, losses = tuned([4, 5, 4], lrs)
    for run, (seed, lr) in enumerate(zip([4, 5, 4], lrs, strict=True)):
        single, own = tuned([seed], [lr])
        assert torch.equal(own[:, 0], losses[:, run])
        for ours, theirs in zip(single.trainable(), stack.trainable(), strict=True):
            assert torch.equal(ours[0], theirs[run])
        assert torch.equal(single(x)[0], stack(x)[run])


def test_a_step_runs_on_the_meta_device():
    autoencoder = unroll(network_of([7, 2], [1, 2]).to("meta"))
    state = Sgd().start(autoencoder.trainable())
    x, lr = torch.empty(2, 5, 10, device="meta"), torch.empty(2, 1, 1, device="meta")
    loss = fine_tune_step(autoencoder, x, state, lr, optimisation=Sgd())
    assert loss.device.type == "meta" and loss.shape == (2,)


def test_layers_that_are_more_than_a_product_and_an_activation_are_refused():
    for technique, slot in ((Residual(), "connection"), (BatchNorm(), "normalisation")):
        network = network_of([4, 4], [1], BASELINE.but(**{slot: technique}))
        with pytest.raises(ValueError, match=f"has no {type(technique).__name__} in its layers"):
            unroll(network)


def test_a_hessian_free_step_lowers_the_loss_that_it_returns():
    autoencoder, x = unroll(network_of([7, 2], [1, 2])), curve().expand(2, -1, -1)
    optimisation = HessianFree()
    state, losses = optimisation.start(autoencoder.trainable()), []
    for _ in range(4):
        before = cross_entropy(autoencoder.decode(autoencoder.encode(x)), x).detach()
        lr = torch.tensor([1.0, 0.0]).view(2, 1, 1)  # the second run is told to stay
        losses.append(fine_tune_step(autoencoder, x, state, lr, optimisation=optimisation))
        assert torch.equal(losses[-1], before)
    assert (torch.stack(losses)[:, 0].diff() < 0).all()
    assert (torch.stack(losses)[:, 1] == losses[0][1]).all()
