"""Plain torch networks in and out."""

import doctest

import pytest
import torch
from torch import nn

from techniques import sequential
from techniques.activations.relu import Relu
from techniques.activations.tanh import Tanh
from techniques.initialisation.glorot import GlorotUniform
from techniques.initialisation.he import HeNormal
from techniques.network import build
from techniques.normalisation.batch_norm import BatchNorm
from techniques.pretraining.autoencoder import Autoencoder
from techniques.pretraining.greedy import greedy
from techniques.recipe import BASELINE
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
