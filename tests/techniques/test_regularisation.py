"""Regularisation against torch's own, by hand, and by the laws of its draws."""

import math

import pytest
import torch

from techniques.activations.relu import Relu
from techniques.backpropagation import step
from techniques.connections.deep_supervision import DeepSupervision
from techniques.connections.highway import Highway
from techniques.initialisation.he import HeNormal
from techniques.network import build
from techniques.normalisation.weight_norm import WeightNorm
from techniques.optimisation.sgd import Sgd
from techniques.recipe import BASELINE, RECIPES
from techniques.regularisation.dropout import Dropout
from techniques.regularisation.max_norm import MaxNorm
from techniques.regularisation.weight_decay import WeightDecay
from techniques.streams import uniform_noise


def examples(runs, n=12, n_inputs=6):
    g = torch.Generator().manual_seed(3)
    x = torch.rand(1, n, n_inputs, generator=g).expand(runs, -1, -1)
    return x, torch.randint(0, 3, (1, n), generator=g).expand(runs, -1)


def network_of(recipe, *, seeds=(1, 2), depth=3, width=5):
    return build(recipe, n_inputs=6, n_classes=3, widths=[width] * depth, seeds=list(seeds))


def test_weight_decay_equals_that_of_torchs_sgd_on_the_weights():
    decay, lr = 0.05, 0.2
    network = network_of(BASELINE.but(regularisation=(WeightDecay(decay=decay),)))
    x, y = examples(2)
    theirs = network.export(1)
    groups = [
        {"params": [p for p in theirs.parameters() if p.dim() == 2], "weight_decay": decay},
        {"params": [p for p in theirs.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.SGD(groups, lr=lr, momentum=0.9)
    state, lrs = Sgd(momentum=0.9).start(network.trainable()), torch.full((2, 1, 1), lr)
    for _ in range(10):
        step(network, x, y, state, lrs)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(theirs(x[1]), y[1]).backward()
        optimiser.step()
    for layer, module in zip(network.parameters, theirs[::2], strict=True):
        torch.testing.assert_close(layer["weight"][1].T, module.weight, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(layer["bias"][1, 0], module.bias, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("connection", [Highway(), DeepSupervision()])
def test_all_weights_decay_and_nothing_else(connection):
    decay = WeightDecay(decay=0.5)
    network = network_of(BASELINE.but(connection=connection, regularisation=(decay,)))
    zeros = [torch.zeros_like(p) for p in network.trainable()]
    added = iter(decay.add_gradient(network, zeros))
    seen = set()
    for layer in network.parameters:
        for name, tensor in layer.items():
            expected = 0.5 * tensor if "weight" in name else torch.zeros_like(tensor)
            assert torch.equal(next(added), expected)
            seen.add(name)
    assert {"gate_weight", "gate_bias"} <= seen or {"companion_weight", "companion_bias"} <= seen
    assert all((g == 0).all() for g in zeros)  # the gradients given are not overwritten


@pytest.mark.parametrize("index, p", [(0, 0.2), (1, 0.5), (4, 0.5)])
def test_dropout_drops_its_share_and_keeps_the_expectation(index, p):
    dropout = Dropout(p_input=0.2, p_hidden=0.5)
    x = torch.full((4, 50, 200), 3.0)
    dropped = dropout.drop(x, index, uniform_noise([1, 2, 3, 4], "noise"))
    # what is left is 3 / (1 - p), so that the mean stays 3
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], torch.full_like(dropped[kept], 3 / (1 - p)))
    standard_error = math.sqrt(p * (1 - p) / 10_000)  # of the share of one run's 50 x 200
    share = (~kept).float().mean((1, 2))
    assert ((share - p).abs() < 4.5 * standard_error).all()
    assert len({tuple(k.flatten().tolist()) for k in kept}) == 4  # each run draws for itself
    # neither a unit nor an example is dropped as a whole
    assert kept.any(1).all() and kept.any(2).all()


def test_dropout_draws_by_the_seed_and_only_in_training():
    recipe = BASELINE.but(activation=Relu(), initialisation=HeNormal(), regularisation=(Dropout(),))
    network, x = network_of(recipe, seeds=(1, 1, 1), width=20), examples(3)[0]
    evaluated = network(x)
    plain = network_of(recipe.but(regularisation=()), seeds=(1, 1, 1), width=20)
    assert torch.equal(evaluated, plain(x))
    assert torch.equal(network(x, training=True), evaluated)  # no random numbers, nothing dropped
    network.uniform = uniform_noise([5, 6, 5], "noise")
    first, second = network(x, training=True), network(x, training=True)
    assert torch.equal(first[0], first[2]) and not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)
    assert torch.equal(network(x), evaluated)
    network.uniform = None
    with pytest.raises(ValueError, match="set the network's uniform"):
        network.loss(*examples(3))


def test_every_layer_and_the_classifier_are_given_what_is_left():
    """Written out for given random numbers: p is 0.2 for inputs, 0.5 above them."""
    recipe = BASELINE.but(regularisation=(Dropout(p_input=0.2, p_hidden=0.5),))
    network, x = network_of(recipe, depth=2).to(torch.float64), examples(2)[0].double()
    g = torch.Generator().manual_seed(4)
    noise = [torch.rand(2, 12, n, generator=g, dtype=torch.float64) for n in (6, 5, 5)]
    given = iter(noise)
    network.uniform = lambda like: next(given)
    logits = network(x, training=True)
    h = x
    for layer, u, p in zip(network.parameters, noise, (0.2, 0.5, 0.5), strict=True):
        z = torch.where(u < p, 0, h / (1 - p)) @ layer["weight"] + layer["bias"]
        h = torch.sigmoid(z)
    torch.testing.assert_close(logits, z)
    with torch.no_grad():
        network.parameters[-1]["bias"].copy_(torch.tensor([1.0, 2.0, 3.0]))
    network.uniform = torch.zeros_like  # all units are dropped, and the bias is all that is left
    assert (network(x, training=True) == torch.tensor([1.0, 2.0, 3.0])).all()


def test_gradients_pass_dropout_by_the_units_that_are_kept():
    # uniform numbers below p drop: of (0.1, 0.5, 0.9) at p = 0.5 the first only
    x = torch.tensor([[[1.0, 2.0, 3.0]]], requires_grad=True)
    out = Dropout(p_hidden=0.5).drop(x, 1, lambda like: torch.tensor([[[0.1, 0.5, 0.9]]]))
    assert out.tolist() == [[[0.0, 4.0, 6.0]]]
    (grad,) = torch.autograd.grad(out.sum(), x)
    assert grad.tolist() == [[[0.0, 2.0, 2.0]]]


def test_max_norm_equals_torchs_renorm_and_leaves_the_classifier():
    network = network_of(BASELINE.but(regularisation=(MaxNorm(max_norm=0.6),)), width=20)
    before = [{n: t.detach().clone() for n, t in layer.items()} for layer in network.parameters]
    MaxNorm(max_norm=0.6).project_(network)
    shortened = 0
    for index, (layer, old) in enumerate(zip(network.parameters, before, strict=True)):
        if index < 3:
            for run in range(2):
                expected = torch.renorm(old["weight"][run], p=2, dim=1, maxnorm=0.6)
                torch.testing.assert_close(layer["weight"][run], expected)
            within = old["weight"].norm(dim=1, keepdim=True).expand_as(old["weight"]) < 0.59
            assert torch.equal(layer["weight"][within], old["weight"][within])
            shortened += (~within).sum()
            assert within.any()
        else:
            assert torch.equal(layer["weight"], old["weight"])
        assert torch.equal(layer["bias"], old["bias"])
    assert shortened > 0


def test_max_norm_keeps_a_unit_without_weights_and_holds_after_every_step():
    network = network_of(BASELINE.but(regularisation=(MaxNorm(max_norm=0.3),)))
    with torch.no_grad():
        network.parameters[1]["weight"][:, :, 0] = 0
    MaxNorm(max_norm=0.3).project_(network)
    assert (network.parameters[1]["weight"][:, :, 0] == 0).all()
    state = Sgd().start(network.trainable())
    for _ in range(5):
        step(network, *examples(2), state, torch.full((2, 1, 1), 2.0))
        for layer in network.parameters[:-1]:
            assert (layer["weight"].norm(dim=1) <= 0.3 + 1e-6).all()


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\), got 0.2, 1.0"):
        Dropout(p_hidden=1.0)
    with pytest.raises(ValueError, match="decay must be 0 or more, got -0.1"):
        WeightDecay(decay=-0.1)
    with pytest.raises(ValueError, match="max_norm must be above 0, got 0"):
        MaxNorm(max_norm=0)


def test_max_norm_is_refused_beside_weight_norm_which_sets_the_length():
    with pytest.raises(ValueError, match="MaxNorm bounds the length of weights, which WeightNorm"):
        BASELINE.but(normalisation=WeightNorm(), regularisation=(MaxNorm(),))


def test_the_recipe_of_dropout_keeps_the_signals_size_in_training():
    """With p = 1/2 every layer doubles the mean square of what it keeps; weights make up for it."""
    x = torch.rand(200, 100, generator=torch.Generator().manual_seed(0))
    network = build(RECIPES["dropout"], n_inputs=100, n_classes=10, widths=[300] * 20, seeds=[0])
    network.uniform = uniform_noise([0], "noise")
    layers = network.trace(x, training=True).layers
    sizes = torch.stack([layer.activation.square().mean().sqrt() for layer in layers])
    assert 0.2 < sizes[-1] / sizes[0] < 5  # 2^(19 / 2) = 724 with He's own weights
