"""The hand-written gradient against autograd on the loss as defined, and one layer's training."""

from dataclasses import dataclass

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from benchmarks.datasets import load
from techniques.activations.relu import Relu
from techniques.activations.sigmoid import Sigmoid
from techniques.activations.tanh import Tanh
from techniques.connections.residual import Residual
from techniques.initialisation.he import HeNormal
from techniques.network import build
from techniques.pretraining.autoencoder import (
    Autoencoder,
    Coder,
    fused_update,
    gradient,
    update,
)
from techniques.pretraining.greedy import greedy
from techniques.recipe import BASELINE
from techniques.streams import batches, stream, take


def random_coder(tied: bool) -> Coder:
    g = torch.Generator().manual_seed(5)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    decoder = None if tied else draw(2, 3, 4)
    return Coder(draw(2, 4, 3), draw(2, 1, 3), draw(2, 1, 4), decoder)


def loss(v, corrupted, coder, activation, unit_interval):
    """As the docstring's Method has it: summed over units, mean over the batch, one per run."""
    decoder = coder.weight.mT if coder.decoder is None else coder.decoder
    h = activation(corrupted @ coder.weight + coder.hidden_bias)
    y = h @ decoder + coder.visible_bias
    if unit_interval:
        each = binary_cross_entropy(torch.sigmoid(y), v, reduction="none")
    else:
        each = (y - v) ** 2 / 2
    return each.sum(2).mean(1)


@pytest.mark.parametrize("activation", [Sigmoid(), Tanh(), Relu()])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("unit_interval", [True, False])
def test_the_gradient_is_that_of_the_loss(activation, tied, unit_interval):
    coder = random_coder(tied)
    g = torch.Generator().manual_seed(6)
    v = torch.rand(2, 5, 4, generator=g, dtype=torch.float64)
    corrupted = v * (torch.rand(2, 5, 4, generator=g) > 0.3)
    leaves = Coder(*(None if p is None else p.clone().requires_grad_() for p in coder))
    total = loss(v, corrupted, leaves, activation, unit_interval).sum()
    expected = torch.autograd.grad(total, leaves.tensors())
    got = gradient(v, corrupted, coder, activation=activation, unit_interval=unit_interval)
    assert (got.decoder is None) == tied
    for g, e in zip(got.tensors(), expected, strict=True):
        torch.testing.assert_close(g, e, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", [Sigmoid(), Tanh(), Relu()])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("unit_interval", [True, False])
@pytest.mark.parametrize("share_kept", [1.0, 0.6])
def test_the_fused_update_equals_the_readable_one(activation, tied, unit_interval, share_kept):
    start = [random_coder(tied), random_coder(tied)]  # a coder, and a velocity that is not zero
    copies = [
        [Coder(*(None if p is None else p.clone() for p in c)) for c in start] for _ in range(2)
    ]
    g = torch.Generator().manual_seed(6)
    for _ in range(3):
        v = torch.rand(2, 5, 4, generator=g, dtype=torch.float64)
        corrupted = v * (torch.rand(2, 5, 4, generator=g) < share_kept)
        for run, pair in zip((fused_update, update), copies, strict=True):
            kind = {"activation": activation, "unit_interval": unit_interval}
            run(v, corrupted, *pair, **kind, lr=0.3, momentum=0.7)
    for pair in zip(*copies, strict=True):
        for got, expected in zip(*(c.tensors() for c in pair), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


def test_an_activation_without_a_derivative_by_hand_is_trained_by_the_readable_update():
    @dataclass(frozen=True)
    class Plain:  # the logistic function, as autograd alone knows it
        unit_interval = True

        def __call__(self, z):
            return torch.sigmoid(z)

        def saturated(self, a):
            return a.mean((1, 2))

    weights = []
    x = torch.rand(8, 6, generator=torch.Generator().manual_seed(0))
    for activation in (Plain(), Sigmoid()):
        technique = Autoencoder(epochs=2, batch_size=4)
        recipe = BASELINE.but(pretraining=technique, activation=activation)
        network = build(recipe, n_inputs=6, n_classes=2, widths=[5], seeds=[3])
        greedy(network, x, [3])
        weights.append(network.parameters[0]["weight"].detach())
    torch.testing.assert_close(*weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("tied", [True, False])
def test_training_a_layer_is_momentum_on_autograds_gradient(tied):
    technique = Autoencoder(epochs=2, batch_size=4, lr=0.2, tied_weights=tied)
    recipe = BASELINE.but(pretraining=technique)
    network = build(recipe, n_inputs=6, n_classes=2, widths=[5], seeds=[3])
    start = network.parameters[0]["weight"].detach().clone()
    x = torch.rand(8, 6, generator=torch.Generator().manual_seed(0))
    greedy(network, x, [3])

    decoder = None
    if not tied:
        decoder = recipe.initialisation(5, 6, stream(3, "autoencoder:decoder:0"))[None]
    coder = Coder(start, torch.zeros(1, 1, 5), torch.zeros(1, 1, 6), decoder)
    for p in coder.tensors():
        p.requires_grad_()
    optimiser = torch.optim.SGD(coder.tensors(), lr=0.2, momentum=0.9)
    order = batches([3], "autoencoder:order:0", 8, 4)
    for _ in range(4):
        v = take(x, next(order))
        optimiser.zero_grad()
        loss(v, v, coder, recipe.activation, True).sum().backward()
        optimiser.step()
    layer = network.parameters[0]
    torch.testing.assert_close(layer["weight"].detach(), coder.weight.detach(), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        layer["bias"].detach(), coder.hidden_bias.detach(), rtol=0, atol=1e-5
    )
    assert (layer["weight"] - recipe.initialisation(6, 5, stream(3, "init:0"))).abs().max() > 0.01


def test_outputs_outside_the_unit_interval_get_a_linear_decoder(monkeypatch):
    seen = []
    original = Autoencoder.train_layer

    def spy(self, *arguments, unit_interval):
        seen.append(unit_interval)
        original(self, *arguments, unit_interval=unit_interval)

    monkeypatch.setattr(Autoencoder, "train_layer", spy)
    technique = Autoencoder(epochs=1, batch_size=4)
    for recipe in (
        BASELINE.but(pretraining=technique),
        BASELINE.but(pretraining=technique, activation=Relu(), initialisation=HeNormal()),
    ):
        network = build(recipe, n_inputs=6, n_classes=2, widths=[5] * 2, seeds=[0])
        greedy(network, torch.rand(8, 6, generator=torch.Generator().manual_seed(0)), [0])
    assert seen == [True, True, True, False]


def test_real_visibles_are_seen_at_an_rms_of_1_and_the_layer_fits_them_as_they_are():
    technique = Autoencoder(epochs=2, batch_size=4, lr=0.2)
    recipe = BASELINE.but(pretraining=technique, activation=Tanh())
    x = 7 * torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
    scale = (x**2).mean().sqrt()
    scaled, given = (
        build(recipe, n_inputs=6, n_classes=2, widths=[5], seeds=[3, 4]) for _ in range(2)
    )
    greedy(given, x, [3, 4])
    greedy(scaled, x / scale, [3, 4])  # its rms is 1, so that nothing is left to scale
    close = {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(given(x), scaled(x / scale), **close)
    weights = [network.parameters[0]["weight"].detach() for network in (given, scaled)]
    torch.testing.assert_close(weights[0] * scale, weights[1], **close)


def test_no_layer_of_rectifiers_dies_of_its_pretraining():
    """Unscaled, 64 rectifiers see inputs of rms 3, and from the second layer on all of them die."""
    x = load("mnist5k", 500, 200).x_train
    recipe = BASELINE.but(pretraining=Autoencoder(epochs=10), activation=Relu())
    for wired in (recipe, recipe.but(connection=Residual(every=1))):
        network = build(wired, n_inputs=784, n_classes=10, widths=[64] * 6, seeds=[0])
        greedy(network, x, [0])
        for layer in network.trace(x).layers:
            alive = (layer.activation > 0).any(dim=1).double().mean()
            assert alive > 0.5
            assert 0.5 < layer.activation.square().mean().sqrt() < 5
