"""Plain torch networks in and out."""

import doctest

import pytest
import torch
from torch import nn

from techniques import sequential
from techniques.activations.relu import Relu
from techniques.activations.sigmoid import Sigmoid
from techniques.activations.tanh import Tanh
from techniques.initialisation.glorot import GlorotUniform
from techniques.initialisation.he import HeNormal
from techniques.initialisation.mean_field import Critical
from techniques.initialisation.sparse import Sparse
from techniques.network import build
from techniques.normalisation.batch_norm import BatchNorm
from techniques.pretraining.autoencoder import Autoencoder
from techniques.pretraining.greedy import greedy
from techniques.pretraining.real_rbm import RealRbm
from techniques.recipe import BASELINE, RECIPES
from techniques.sequential import convert, initialise, pretrain
from techniques.streams import stream


def examples(n: int = 120, n_inputs: int = 9) -> torch.Tensor:
    return torch.rand(n, n_inputs, generator=torch.Generator().manual_seed(3))


def layers(*widths: int, between: type[nn.Module] = nn.Sigmoid) -> nn.Sequential:
    """Linear layers of torch's own making, which draws from the global generator."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        linears = [nn.Linear(n, m) for n, m in zip(widths, widths[1:], strict=False)]
    return nn.Sequential(*[m for linear in linears for m in (linear, between())][:-1])


def test_the_examples_in_the_docstrings_run():
    with torch.random.fork_rng():
        found = doctest.testmod(sequential)
    assert found.attempted >= 9 and found.failed == 0


def test_a_pretrained_network_is_what_greedy_makes_of_a_stack_of_one():
    x = examples()
    recipe = BASELINE.but(pretraining=Autoencoder(epochs=2, batch_size=20))
    net = pretrain([9, 7, 5, 3], x, recipe, seed=4)
    network = build(recipe, n_inputs=9, n_classes=3, widths=[7, 5], seeds=[4])
    start = [layer["weight"].clone() for layer in network.parameters]
    greedy(network, x, [4])
    for linear, layer, before in zip(net[::2], network.parameters, start, strict=True):
        assert torch.equal(linear.weight, layer["weight"][0].T)
        assert torch.equal(linear.bias, layer["bias"][0, 0])
        assert torch.equal(layer["weight"], before) == (linear is net[-1])
    assert net.training and all(p.requires_grad for p in net.parameters())


def test_pretraining_on_labels_is_given_them():
    x = examples()
    y = (x[:, 0] > 0.5).long()
    net = pretrain([9, 7, 5, 2], x, "supervised-greedy", y=y, seed=4)
    network = build(RECIPES["supervised-greedy"], n_inputs=9, n_classes=2, widths=[7, 5], seeds=[4])
    greedy(network, x, [4], y=y)
    for linear, layer in zip(net[::2], network.parameters, strict=True):
        assert torch.equal(linear.weight, layer["weight"][0].T)
        assert torch.equal(linear.bias, layer["bias"][0, 0])
    other = pretrain([9, 7, 5, 2], x, "supervised-greedy", y=1 - y, seed=4)
    assert not torch.equal(other[0].weight, net[0].weight)


def test_a_pretrained_network_learns_in_a_loop_of_ones_own():
    x = examples()
    y = (x[:, 0] > 0.5).long()
    net = pretrain([9, 8, 8, 2], x, BASELINE.but(pretraining=Autoencoder(batch_size=20)))
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    assert (net(x).argmax(1) == y).float().mean() > 0.95


def test_initialised_weights_are_the_streams_and_biases_are_zero():
    net = layers(6, 4, 4, 2, between=nn.Tanh)
    initialise(net, HeNormal(), seed=5)
    for index, linear in enumerate(net[::2]):
        drawn = HeNormal()(linear.in_features, linear.out_features, stream(5, f"init:{index}"))
        assert torch.equal(linear.weight, drawn.T)
        assert torch.equal(linear.bias, torch.zeros_like(linear.bias))


@pytest.mark.parametrize("initialisation", [Sparse(bias_start=0.5), Critical(Sigmoid(), q=2.28)])
def test_hidden_layers_get_the_biases_that_go_with_their_weights(initialisation):
    """The same as under a recipe; 0.5 with the former, drawn and centred with the latter."""
    net = layers(6, 4, 4, 2)
    initialise(net, initialisation, seed=5)
    recipe = BASELINE.but(initialisation=initialisation)
    built = build(recipe, n_inputs=6, n_classes=2, widths=[4, 4], seeds=[5]).export(0)
    for ours, theirs in zip(net[:-1:2], built[:-1:2], strict=True):
        assert torch.equal(ours.weight, theirs.weight) and torch.equal(ours.bias, theirs.bias)
        assert (ours.bias != 0).all()


def test_conversion_keeps_the_weights_and_changes_what_lies_between():
    net = layers(6, 4, 3, 2)
    x = examples(10, 6)
    same = convert(net, BASELINE)
    torch.testing.assert_close(same(x), net(x))
    as_tanh = convert(net, BASELINE.but(activation=Tanh()))
    by_hand = net[4](torch.tanh(net[2](torch.tanh(net[0](x)))))
    torch.testing.assert_close(as_tanh(x), by_hand)
    normed = convert(net, BASELINE.but(activation=Relu(), normalisation=BatchNorm()))
    kinds = [type(m) for m in normed]
    hidden = [nn.Linear, nn.BatchNorm1d, nn.ReLU]
    assert kinds == [*hidden, *hidden, nn.Linear]
    with torch.no_grad():
        same[0].weight.zero_()
    assert net[0].weight.abs().sum() > 0


def test_conversion_starts_a_normalisation_from_the_weights_that_are_there():
    """The scale of weight normalisation is their length, so the function stays as it was.

    v scale / ||v|| is v to within three roundings of 2^-24, and a sum of 6 products of numbers
    below 1 to within 7: 10 x 6e-8, and after three layers no more than 2e-6.
    """
    net, x = layers(6, 4, 3, 2), examples(10, 6)
    torch.testing.assert_close(convert(net, "weight-norm")(x), net(x), rtol=0, atol=2e-6)


def test_what_cannot_be_done_is_said_in_one_line():
    x = examples()
    cases = [
        (lambda: pretrain([9, 2], x), "widths must be inputs, hidden layers, outputs"),
        (lambda: pretrain([8, 5, 2], x), r"x must have shape \(N, 8\), got \(120, 9\)"),
        (lambda: pretrain([9, 5, 2], x, "rmb"), "'rmb' is not a recipe; allowed: plain, "),
        (lambda: pretrain([9, 5, 2], x, "plain"), "the recipe has no pretraining"),
        (lambda: pretrain([9, 5, 2], 2 * x), "inputs must lie in"),
        (lambda: initialise(nn.Sequential(nn.Sigmoid()), GlorotUniform()), "2 or more linear"),
        (
            lambda: convert(layers(4, 3, 5, 2), "residual"),
            "needs layers of equal width",
        ),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message) as raised:
            call()
        assert "\n" not in str(raised.value)


def test_pretrain_standardises_where_the_recipe_does_and_keeps_it_as_a_layer():
    x = torch.rand(120, 6, generator=torch.Generator().manual_seed(0))
    recipe = RECIPES["rbm-gaussian"].but(pretraining=RealRbm(epochs=3))
    net = pretrain([6, 5, 4, 2], x, recipe, seed=3)
    standard = recipe.inputs.fit(x)(x)
    torch.testing.assert_close(net[0](x), standard, rtol=1e-5, atol=1e-5)
    network = build(recipe, n_inputs=6, n_classes=2, widths=[5, 4], seeds=[3])
    greedy(network, standard, [3])
    assert torch.equal(net[1].weight, network.export(0)[0].weight)
    torch.testing.assert_close(net(x), network(standard)[0], rtol=1e-5, atol=1e-5)
