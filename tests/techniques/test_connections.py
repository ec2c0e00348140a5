"""Wirings against plain torch networks of the same weights, and against what their papers state."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from techniques.activations.maxout import Maxout
from techniques.activations.relu import Relu
from techniques.connections.deep_supervision import DeepSupervision
from techniques.connections.dense import Dense
from techniques.connections.fixup import Fixup
from techniques.connections.highway import Highway
from techniques.connections.post_activation import PostActivation
from techniques.connections.pre_activation import PreActivation
from techniques.connections.rezero import ReZero
from techniques.connections.skip_init import SkipInit
from techniques.connections.stochastic_depth import StochasticDepth
from techniques.initialisation.fan_in import FanIn
from techniques.initialisation.he import HeNormal
from techniques.network import build
from techniques.normalisation.batch_norm import BatchNorm
from techniques.pretraining.autoencoder import Autoencoder
from techniques.recipe import BASELINE
from techniques.streams import stream, uniform_noise

bare_linear = partial(nn.utils.skip_init, nn.Linear)  # draws nothing
RECTIFIER = BASELINE.but(activation=Relu(), initialisation=HeNormal())


def network_of(recipe, *, depth=6, width=5, seeds=(1, 2), n_inputs=4, n_classes=3):
    return build(
        recipe, n_inputs=n_inputs, n_classes=n_classes, widths=[width] * depth, seeds=list(seeds)
    ).to(torch.float64)


def stirred(network):
    """Every parameter moved, so that none is at a special value such as zero."""
    g = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for p in network.trainable():
            p.add_(0.3 * torch.randn(p.shape, generator=g, dtype=p.dtype))
    return network


def examples(n=6, n_inputs=4, runs=2):
    g = torch.Generator().manual_seed(3)
    x = torch.rand(runs, n, n_inputs, generator=g, dtype=torch.float64)
    return x, torch.randint(0, 3, (runs, n), generator=g)


def assert_same_function(network, expected):
    """expected(layers, top, x) -> logits of one run, each layer a dict of that run's tensors.

    Logits and the gradient of every parameter that they depend on.
    """
    x, y = examples()
    logits = network(x, training=True)
    losses = [F.cross_entropy(logits[run], y[run]) for run in range(2)]
    grads = torch.autograd.grad(sum(losses), network.trainable())
    for run in range(2):
        own = [
            {name: t[run].detach().clone().requires_grad_() for name, t in layer.items()}
            for layer in network.parameters
        ]
        theirs = expected(own[:-1], own[-1], x[run])
        torch.testing.assert_close(logits[run], theirs)
        flat = [t for layer in own for t in layer.values()]
        their_grads = torch.autograd.grad(F.cross_entropy(theirs, y[run]), flat)
        for mine, other in zip(grads, their_grads, strict=True):
            torch.testing.assert_close(mine[run], other)


def linear(p, x):
    return F.linear(x, p["weight"].T, p["bias"][0])


def test_highway_layers_mix_what_they_compute_with_what_they_are_given():
    def expected(layers, top, x):
        h = torch.sigmoid(linear(layers[0], x))
        for p in layers[1:]:
            t = torch.sigmoid(F.linear(h, p["gate_weight"].T, p["gate_bias"][0]))
            h = torch.sigmoid(linear(p, h)) * t + h * (1 - t)
        return linear(top, h)

    assert_same_function(stirred(network_of(BASELINE.but(connection=Highway()))), expected)


def test_a_closed_gate_carries_and_an_open_one_is_the_plain_layer():
    x, _ = examples()
    closed = network_of(BASELINE.but(connection=Highway(gate_bias=-1000.0)))
    layers = closed.trace(x).layers
    assert all(torch.equal(layer.output, layers[0].output) for layer in layers)
    opened = network_of(BASELINE.but(connection=Highway(gate_bias=1000.0)))
    assert torch.equal(opened(x), network_of(BASELINE)(x))


def test_gates_start_at_their_bias_with_weights_of_their_own_stream():
    network = build(
        BASELINE.but(connection=Highway(gate_bias=-3.0)),
        n_inputs=4, n_classes=3, widths=[5] * 3, seeds=[1, 2],
    )  # fmt: skip
    assert set(network.parameters[0]) == {"weight", "bias"}
    for index in (1, 2):
        for run, seed in enumerate((1, 2)):
            drawn = FanIn()(5, 5, stream(seed, f"highway:{index}"))
            assert torch.equal(network.parameters[index]["gate_weight"][run], drawn)
        assert (network.parameters[index]["gate_bias"] == -3).all()


def test_highway_layers_start_by_carrying_what_they_are_given():
    """gate_bias is -2 by default: t = sigmoid(-2 + h gate_weight) < 1/2 where h gate_weight < 2."""
    network = network_of(BASELINE.but(connection=Highway()), depth=20)
    layers = network.trace(examples()[0]).layers
    for index in range(1, 20):
        below, layer, own = layers[index - 1], layers[index], network.parameters[index]
        assert (own["gate_bias"] == -2).all()
        # h is a mean of logistic units' outputs, so in (0, 1), and cannot bring 2 together
        assert (own["gate_weight"].clamp(min=0).sum(1) < 2).all()
        moved = (layer.output - below.output).abs()
        assert (moved < 0.5 * (layer.activation - below.output).abs()).all()


def test_rezero_layers_add_alpha_times_what_they_compute():
    def expected(layers, top, x):
        h = torch.sigmoid(linear(layers[0], x))
        for p in layers[1:]:
            h = h + p["alpha"] * torch.sigmoid(linear(p, h))
        return linear(top, h)

    assert_same_function(stirred(network_of(BASELINE.but(connection=ReZero()))), expected)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_the_original_residual_block_has_its_function_after_the_sum(every):
    def expected(layers, top, x):
        h = below = F.relu(linear(layers[0], x))
        for index, p in enumerate(layers[1:], start=1):
            if index % every == 0:
                h = below = F.relu(linear(p, h) + below)
            else:
                h = F.relu(linear(p, h))
        return linear(top, h)

    recipe = RECTIFIER.but(connection=PostActivation(every=every))
    assert_same_function(stirred(network_of(recipe)), expected)


class PreActivationUnit(nn.Module):
    """Figure 4e of He et al. (2016): BN, function, weight, BN, function, weight, addition."""

    def __init__(self, width):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(2))
        self.weights = nn.ModuleList(bare_linear(width, width) for _ in range(2))

    def forward(self, s):
        out = s
        for norm, weight in zip(self.norms, self.weights, strict=True):
            out = weight(F.relu(norm(out)))
        return s + out


def test_the_pre_activation_form_equals_a_module_of_the_papers_units():
    recipe = RECTIFIER.but(connection=PreActivation(), normalisation=BatchNorm())
    network = stirred(network_of(recipe, depth=5))  # a first layer and two units
    x, y = examples()
    logits = network(x, training=True)
    losses = [F.cross_entropy(logits[run], y[run]) for run in range(2)]
    grads = torch.autograd.grad(sum(losses), network.trainable())
    for run in range(2):
        first, last = bare_linear(4, 5), nn.BatchNorm1d(5)
        units, top = [PreActivationUnit(5), PreActivationUnit(5)], bare_linear(5, 3)
        weights = [first, *units[0].weights, *units[1].weights]
        norms = [*units[0].norms, *units[1].norms, last]
        tensors = []  # in the order of network.trainable()
        for weight, norm in zip(weights, norms, strict=True):
            tensors += [weight.weight, weight.bias, norm.weight, norm.bias]
        tensors += [top.weight, top.bias]
        for mine, theirs in zip(network.trainable(), tensors, strict=True):
            theirs.data = (mine[run].T if theirs.dim() == 2 else mine[run, 0]).detach().clone()
        stack = nn.Sequential(first, *units, last, nn.ReLU(), top)
        for norm in norms:
            norm.double()  # its running statistics
        theirs = stack(x[run])
        torch.testing.assert_close(logits[run], theirs)
        F.cross_entropy(theirs, y[run]).backward()
        for mine, other in zip(grads, tensors, strict=True):
            expected = other.grad.T if other.dim() == 2 else other.grad.unsqueeze(0)
            torch.testing.assert_close(mine[run], expected)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_nothing_stands_on_the_link_of_the_pre_activation_form(every):
    def expected(layers, top, x):
        s = below = linear(layers[0], x)
        for index, p in enumerate(layers[1:], start=1):
            s = linear(p, torch.sigmoid(s))
            if index % every == 0:
                s = below = s + below
        return linear(top, torch.sigmoid(s))

    recipe = BASELINE.but(connection=PreActivation(every=every))
    assert_same_function(stirred(network_of(recipe)), expected)


def test_skip_init_scales_the_branch_and_not_the_link():
    def expected(layers, top, x):
        s = below = linear(layers[0], x)
        for index, p in enumerate(layers[1:], start=1):
            s = linear(p, torch.sigmoid(s))
            if index % 2 == 0:
                s = below = p["alpha"] * s + below
        return linear(top, torch.sigmoid(s))

    assert_same_function(stirred(network_of(BASELINE.but(connection=SkipInit()))), expected)


def test_fixup_has_the_papers_numbers_in_the_papers_places():
    # figure 1, right: bias, weight, bias, function, bias, weight, multiplier, bias, sum, function
    def expected(layers, top, x):
        def half(p, h):
            return linear(p, h + p["input_bias"])

        h = F.relu(half(layers[0], x) + layers[0]["activation_bias"])
        for inner, last in ((layers[1], layers[2]), (layers[3], layers[4])):
            out = F.relu(half(inner, h) + inner["activation_bias"])
            out = half(last, out) * last["multiplier"] + last["activation_bias"]
            h = F.relu(out + h)
        left_over = layers[5]
        return linear(top, F.relu(half(left_over, h) + left_over["activation_bias"]))

    assert_same_function(stirred(network_of(RECTIFIER.but(connection=Fixup()))), expected)


def test_fixup_scales_the_weights_by_the_number_of_blocks():
    # depth 10: a first layer, four blocks of layers 1 to 8, and layer 9 left over; 4^(-1/2) = 1/2
    fixup = network_of(RECTIFIER.but(connection=Fixup()), depth=10)
    plain = network_of(RECTIFIER, depth=10)
    for index in range(10):
        factor = 1.0 if index in (0, 9) else 0.5 if index % 2 == 1 else 0.0
        torch.testing.assert_close(
            fixup.parameters[index]["weight"], factor * plain.parameters[index]["weight"]
        )
        assert (fixup.parameters[index]["input_bias"] == 0).all()
        assert (fixup.parameters[index]["activation_bias"] == 0).all()
        if index in (2, 4, 6, 8):
            assert (fixup.parameters[index]["multiplier"] == 1).all()
    assert torch.equal(fixup.parameters[-1]["weight"], plain.parameters[-1]["weight"])


@pytest.mark.parametrize(
    "recipe",
    [BASELINE.but(connection=ReZero()), BASELINE.but(connection=SkipInit()),
     RECTIFIER.but(connection=Fixup())],
    ids=["rezero", "skip-init", "fixup"],
)  # fmt: skip
def test_blocks_start_as_the_identity_and_do_not_stay_it(recipe):
    network = network_of(recipe, depth=51, width=8)  # 25 blocks of two layers
    x, y = examples()
    layers = network.trace(x).layers
    for layer in layers[2::2]:
        assert torch.equal(layer.output, layers[0].output)
    loss = network.loss(x, y).sum()
    last = network.parameters[50]
    # what starts at zero is the first to move: alpha, or the last weight of Fixup's block
    moves = last["weight"] if "multiplier" in last else last["alpha"]
    (grad,) = torch.autograd.grad(loss, moves)
    assert (grad.flatten(1).norm(dim=1) > 1e-4).all()


def test_every_dense_layer_sees_all_that_is_below_it():
    def expected(layers, top, x):
        seen = [x]
        for p in layers:
            seen.append(torch.sigmoid(linear(p, torch.cat(seen, 1))))
        return linear(top, torch.cat(seen, 1))

    network = stirred(network_of(BASELINE.but(connection=Dense(growth_rate=3)), depth=4, width=50))
    # 4 inputs and 3 more a layer, whatever width is asked for
    shapes = [tuple(p["weight"].shape[1:]) for p in network.parameters]
    assert shapes == [(4, 3), (7, 3), (10, 3), (13, 3), (16, 3)]
    assert_same_function(network, expected)


def test_the_survival_probability_falls_linearly_to_that_of_the_last_layer():
    # five layers after the first: 1 - l/5 (1 - 0.5)
    probability = StochasticDepth(survival=0.5).probability
    assert [probability(index, 6) for index in range(6)] == pytest.approx(
        [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    )
    assert probability(0, 1) == 1.0


def test_a_layer_is_left_out_of_a_runs_whole_batch_or_kept():
    recipe = BASELINE.but(connection=StochasticDepth(survival=0.5))
    network = network_of(recipe, depth=40, seeds=range(5))
    network.uniform = uniform_noise(range(5), "noise")
    x, _ = examples(runs=5)
    layers = network.trace(x, training=True).layers
    kept = []
    for below, layer in zip(layers, layers[1:], strict=False):
        added = layer.output - below.output
        here = [not torch.equal(added[run], torch.zeros_like(added[run])) for run in range(5)]
        for run in range(5):
            if here[run]:
                torch.testing.assert_close(added[run], layer.activation[run])
        kept.append(here)
    assert any(len(set(here)) == 2 for here in kept)  # each run draws for itself
    # 195 draws of mean 0.744, so a standard error of 0.031; five of them
    share = sum(map(sum, kept)) / 195
    assert share == pytest.approx(sum(1 - i / 39 / 2 for i in range(1, 40)) / 39, abs=0.155)


def test_evaluation_is_the_mean_over_the_draws_of_a_linear_network():
    """Linear, so that the mean of the outputs is the output at the mean of the draws."""

    class Linear:
        unit_interval = False

        def __call__(self, z):
            return z

    recipe = BASELINE.but(connection=StochasticDepth(survival=0.3), activation=Linear())
    runs = 2000  # the same weights in each, other draws
    network = build(recipe, n_inputs=4, n_classes=3, widths=[5] * 4, seeds=[1]).select([0] * runs)
    x = examples(n=2)[0][0].float()
    evaluated = network(x)[0].detach()
    torch.testing.assert_close(network(x, training=True)[0].detach(), evaluated)  # no draws yet
    network.uniform = uniform_noise(range(runs), "noise")
    drawn = network(x, training=True).detach()
    standard_error = drawn.std(0) / math.sqrt(runs)
    assert (standard_error > 1e-4).all()
    assert ((drawn.mean(0) - evaluated).abs() < 4.5 * standard_error).all()
    assert torch.equal(network(x)[0].detach(), evaluated)  # none in evaluation


def test_draws_of_stochastic_depth_follow_the_seed():
    recipe = BASELINE.but(connection=StochasticDepth())
    network = network_of(recipe, depth=20, seeds=(1, 1, 1))
    network.uniform = uniform_noise([3, 4, 3], "noise")
    x = examples(runs=1)[0].expand(3, -1, -1)
    logits = network(x, training=True)
    assert torch.equal(logits[0], logits[2]) and not torch.equal(logits[0], logits[1])
    network.uniform = None
    with pytest.raises(ValueError, match="set the network's uniform"):
        network.loss(x, examples(runs=3)[1])


def test_the_deeply_supervised_loss_is_the_sum_over_the_classifiers():
    network = stirred(network_of(BASELINE.but(connection=DeepSupervision(weight=0.2)), depth=3))
    x, y = examples()
    loss = network.loss(x, y)
    assert "companion_weight" not in network.parameters[2]  # it has the network's classifier
    for run in range(2):
        own = [{name: t[run] for name, t in layer.items()} for layer in network.parameters]
        h1 = torch.sigmoid(linear(own[0], x[run]))
        h2 = torch.sigmoid(linear(own[1], h1))
        top = F.cross_entropy(linear(own[3], torch.sigmoid(linear(own[2], h2))), y[run])
        first, second = (
            F.cross_entropy(F.linear(h, p["companion_weight"].T, p["companion_bias"][0]), y[run])
            for h, p in ((h1, own[0]), (h2, own[1]))
        )
        torch.testing.assert_close(loss[run], top + 0.2 * (first + second))
    plain = network_of(BASELINE, depth=3)
    for own, other in zip(plain.parameters, network.parameters, strict=True):
        for name in own:
            own[name].data.copy_(other[name])
    assert torch.equal(network(x), plain(x))  # the function itself has no companions


def test_every_companion_starts_from_a_stream_of_its_own():
    network = build(
        BASELINE.but(connection=DeepSupervision()),
        n_inputs=4, n_classes=3, widths=[5] * 4, seeds=[1, 2],
    )  # fmt: skip
    companions = [layer["companion_weight"] for layer in network.parameters[:3]]
    for index, weight in enumerate(companions):
        for run, seed in enumerate((1, 2)):
            drawn = FanIn()(5, 3, stream(seed, f"companion:{index}"))
            assert torch.equal(weight[run], drawn)
        assert (network.parameters[index]["companion_bias"] == 0).all()
    assert (companions[0] != companions[1]).all() and (companions[1] != companions[2]).all()


def test_companions_bring_the_labels_to_the_first_of_fifty_layers():
    def first_gradient(recipe):
        network = network_of(recipe, depth=50, width=10)
        x, y = examples(n=20)
        (grad,) = torch.autograd.grad(network.loss(x, y).sum(), network.parameters[0]["weight"])
        return grad.flatten(1).norm(dim=1)

    # from the top it comes through 49 factors of at most 1/4, weights aside
    assert (first_gradient(BASELINE) < 1e-25).all()
    assert (first_gradient(BASELINE.but(connection=DeepSupervision())) > 1e-3).all()


def test_wirings_refuse_what_does_not_go_with_them():
    autoencoder = Autoencoder()
    for connection in (PreActivation(), SkipInit(), Dense(), Fixup()):
        name = type(connection).__name__
        with pytest.raises(ValueError, match=f"{name}.*Autoencoder"):
            BASELINE.but(connection=connection, pretraining=autoencoder)
    with pytest.raises(ValueError, match="Fixup.*BatchNorm"):
        RECTIFIER.but(connection=Fixup(), normalisation=BatchNorm())
    for connection in (PostActivation(), Fixup()):
        with pytest.raises(ValueError, match=f"{type(connection).__name__}.*Maxout"):
            BASELINE.but(connection=connection, activation=Maxout())
    for connection in (PostActivation, PreActivation):
        with pytest.raises(ValueError, match="every must be 1 or more layers, got 0"):
            connection(every=0)
    with pytest.raises(ValueError, match="growth_rate must be 1 or more units, got 0"):
        Dense(growth_rate=0)
    with pytest.raises(ValueError, match=r"survival must lie in \(0, 1\], got 0.0"):
        StochasticDepth(survival=0.0)
