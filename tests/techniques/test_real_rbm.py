"""A Gaussian machine's conditionals from its energy alone; rectified units by integration."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from techniques.activations.relu import Relu
from techniques.activations.sigmoid import Sigmoid
from techniques.connections.residual import Residual
from techniques.initialisation.he import HeNormal
from techniques.network import build
from techniques.pretraining.greedy import greedy
from techniques.pretraining.rbm import Machine, Rbm
from techniques.pretraining.rbm import contrastive_divergence as binary_divergence
from techniques.pretraining.real_rbm import (
    RealRbm,
    contrastive_divergence,
    free_energy,
    normal_noise,
    reconstruction,
    rectified_sample,
)
from techniques.recipe import BASELINE
from techniques.streams import batches, take, uniform_noise

sigma = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731


@pytest.fixture
def machine() -> Machine:
    g = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    return Machine(draw(1, 4, 3), draw(1, 1, 4), draw(1, 1, 3))


def states(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)), dtype=torch.float64)


def energy(v: torch.Tensor, h: torch.Tensor, machine: Machine) -> torch.Tensor:
    """|v - b|^2 / 2 - h.c - v.weight.h of every pair; v (B, n), h (S, m) -> (B, S)"""
    w, b, c = (p[0] for p in machine)
    return 0.5 * (v - b).square().sum(1)[:, None] - (h @ c[0])[None] - v @ w @ h.T


def test_the_free_energy_sums_out_the_hidden_states(machine):
    v = torch.randn(6, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    expected = -(-energy(v, states(3), machine)).logsumexp(1)
    torch.testing.assert_close(free_energy(v[None], machine)[0], expected)


def test_the_reconstruction_is_where_the_energy_is_least(machine):
    """p(v|h) is Gaussian, so its mean is its mode: there d energy / d v = 0; and variance 1."""
    h = states(3)
    mean = reconstruction(h[None], machine, gaussian=True)[0].requires_grad_()
    of_each = energy(mean, h, machine).diagonal().sum()
    (slope,) = torch.autograd.grad(of_each, mean, create_graph=True)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-12)
    (curvature,) = torch.autograd.grad(slope.sum(), mean)
    torch.testing.assert_close(curvature, torch.ones_like(curvature))


def test_the_gradient_of_the_free_energy_is_that_of_the_positive_statistics(machine):
    """-dF/d weight = <v p(h=1|v)>, -dF/d hidden_bias = <p(h=1|v)>, -dF/d visible_bias = <v - b>.

    Contrastive divergence takes their difference between data and reconstruction; b drops out.
    """
    leaves = Machine(*(p.clone().requires_grad_() for p in machine))
    g = torch.Generator().manual_seed(2)
    v0 = torch.randn(1, 6, 4, generator=g, dtype=torch.float64)
    noise = torch.rand(1, 6, 3, generator=g, dtype=torch.float64)
    w, b, c = machine
    h0 = (noise < torch.sigmoid(v0 @ w + c)).double()
    v1 = b + h0 @ w.mT  # no noise
    gap = free_energy(v1, leaves).mean() - free_energy(v0, leaves).mean()
    expected = torch.autograd.grad(gap, leaves)
    got = contrastive_divergence(
        v0, machine, hidden="binary", gaussian=True, cd_k=1, noise=lambda like: noise
    )
    for ours, exact in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, exact)


def test_the_gaussian_machines_density_integrates_to_its_partition_function():
    """1 visible unit: Z = int exp(-F(v)) dv = sqrt(2 pi) sum_h exp(h.c + b w.h + (w.h)^2 / 2)."""
    double = {"dtype": torch.float64}
    parts = ([[[0.7, -1.2]]], [[[0.4]]], [[[0.3, -0.5]]])
    machine = Machine(*(torch.tensor(p, **double) for p in parts))
    density = lambda v: math.exp(-free_energy(torch.full((1, 1, 1), v, **double), machine))  # noqa: E731
    total, _ = integrate.quad(density, -12, 12)
    expected = 0.0
    for h1, h2 in itertools.product([0, 1], repeat=2):
        wh = 0.7 * h1 - 1.2 * h2
        expected += math.exp(0.3 * h1 - 0.5 * h2 + 0.4 * wh + wh**2 / 2)
    assert total == pytest.approx(math.sqrt(2 * math.pi) * expected, rel=1e-9)


@pytest.mark.parametrize("z", [-3.0, -0.5, 0.0, 1.0, 4.0])
def test_a_rectified_unit_has_the_mean_and_variance_of_its_definition(z):
    n = 100_000
    h = rectified_sample(torch.full((1, n, 1), z).double(), normal_noise([3], f"test {z}"))
    sd = math.sqrt(sigma(z))
    moment = lambda k: integrate.quad(  # noqa: E731
        lambda x: x**k * stats.norm.pdf(x, z, sd), 0, z + 12 * sd if z > -12 * sd else 1
    )[0]
    mean, variance = moment(1), moment(2) - moment(1) ** 2
    assert abs(h.mean().item() - mean) < 4 * math.sqrt(variance / n)
    fourth = moment(4) - 4 * moment(3) * mean + 6 * moment(2) * mean**2 - 3 * mean**4
    assert abs(h.var().item() - variance) < 4 * math.sqrt((fourth - variance**2) / n)
    assert (h >= 0).all()


@pytest.mark.parametrize("z", [2.0, 5.0])
def test_well_above_zero_a_rectified_unit_counts_as_many_as_the_stepped_sigmoids_do(z):
    """sum_i sigmoid(z + 1/2 - i) is the units it stands for; near 0 the approximation is poor."""
    stepped = sum(sigma(z + 0.5 - i) for i in range(1, 60))
    h = rectified_sample(torch.full((1, 100_000, 1), z).double(), normal_noise([3], "test"))
    assert stepped == pytest.approx(math.log1p(math.exp(z)), abs=0.01)
    assert h.mean().item() == pytest.approx(stepped, abs=0.15)


def test_normal_noise_is_normal_and_a_runs_own():
    both = normal_noise([1, 2], "test")(torch.empty(2, 500, 7))
    assert stats.kstest(both.flatten().numpy(), "norm").pvalue > 1e-4
    assert torch.equal(normal_noise([2], "test")(torch.empty(1, 500, 7))[0], both[1])
    assert not torch.equal(both[0], both[1])


@pytest.mark.parametrize("gaussian", [True, False])
@pytest.mark.parametrize("cd_k", [1, 2])
def test_rectified_divergence_equals_the_definition_for_given_random_numbers(
    machine, cd_k, gaussian
):
    rng = np.random.default_rng(3)
    v0 = rng.normal(size=(5, 4)) if gaussian else rng.random((5, 4))
    noise = [rng.normal(size=(5, 3)) for _ in range(cd_k + 1)]
    w, b, c = (p[0].numpy() for p in machine)
    draw = iter(noise)

    def respond(v):
        z = v @ w + c
        return np.maximum(0, z + np.sqrt(sigma(z)) * next(draw))

    h0 = h = respond(v0)
    for _ in range(cd_k):
        v = h @ w.T + b if gaussian else sigma(h @ w.T + b)
        h = respond(v)
    expected = (
        np.mean([np.outer(v0[i], h0[i]) - np.outer(v[i], h[i]) for i in range(5)], axis=0),
        (v0 - v).mean(0, keepdims=True),
        (h0 - h).mean(0, keepdims=True),
    )
    given = iter(noise)
    got = contrastive_divergence(
        torch.from_numpy(v0)[None],
        machine,
        hidden="rectified",
        gaussian=gaussian,
        cd_k=cd_k,
        noise=lambda like: torch.from_numpy(next(given))[None],
    )
    for g, e in zip(got, expected, strict=True):
        np.testing.assert_allclose(g[0].numpy(), e, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("cd_k", [1, 3])
def test_with_binary_units_on_both_sides_it_is_the_rbm(machine, cd_k):
    v = torch.rand(1, 6, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    ours = contrastive_divergence(
        v, machine, hidden="binary", gaussian=False, cd_k=cd_k, noise=uniform_noise([5], "test")
    )
    theirs = binary_divergence(
        v, machine, cd_k=cd_k, sample_visible=False, uniform=uniform_noise([5], "test")
    )
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("inputs", ["real", "in [0, 1]"])
@pytest.mark.parametrize("hidden", ["binary", "rectified"])
def test_train_layer_is_the_loop_written_out(hidden, inputs):
    """Three epochs with a momentum switch after the second, against numpy, step by step."""
    options = {"epochs": 3, "momentum_switch": 2, "batch_size": 4, "weight_decay": 0.01}
    rbm = RealRbm(hidden=hidden, real_lr=0.02, lr=0.3, **options)
    activation = Sigmoid() if hidden == "binary" else Relu()
    recipe = BASELINE.but(pretraining=rbm, activation=activation, initialisation=HeNormal())
    network = build(recipe, n_inputs=6, n_classes=2, widths=[5], seeds=[3])
    g = torch.Generator().manual_seed(0)
    x = torch.randn(8, 6, generator=g) if inputs == "real" else torch.rand(8, 6, generator=g)
    lr = 0.3 if (hidden, inputs) == ("binary", "in [0, 1]") else 0.02
    w = network.parameters[0]["weight"][0].detach().double().numpy()
    greedy(network, x, [3])
    w, c = written_out(w, x, 0, hidden=hidden, gaussian=inputs == "real", lr=lr)
    layer = network.parameters[0]
    np.testing.assert_allclose(layer["weight"][0].detach().numpy(), w, atol=2e-6)
    np.testing.assert_allclose(layer["bias"][0, 0].detach().numpy(), c, atol=2e-6)


@pytest.mark.parametrize("inputs", ["real", "in [0, 1]"])
@pytest.mark.parametrize("hidden", ["binary", "rectified"])
def test_the_second_layers_visible_units_are_what_the_first_layers_outputs_are(hidden, inputs):
    """Gaussian above rectified units, binary above logistic ones, whatever the network's inputs."""
    options = {"epochs": 3, "momentum_switch": 2, "batch_size": 4, "weight_decay": 0.01}
    rbm = RealRbm(hidden=hidden, real_lr=0.02, lr=0.3, **options)
    activation = Sigmoid() if hidden == "binary" else Relu()
    recipe = BASELINE.but(pretraining=rbm, activation=activation, initialisation=HeNormal())
    network = build(recipe, n_inputs=4, n_classes=2, widths=[6, 5], seeds=[3])
    g = torch.Generator().manual_seed(0)
    x = torch.randn(8, 4, generator=g) if inputs == "real" else torch.rand(8, 4, generator=g)
    w = network.parameters[1]["weight"][0].detach().double().numpy()
    greedy(network, x, [3])
    first, second = ({n: t[0].detach() for n, t in p.items()} for p in network.parameters[:2])
    z = x @ first["weight"] + first["bias"]
    v = torch.sigmoid(z) if hidden == "binary" else z.clamp(min=0)
    lr = 0.3 if hidden == "binary" else 0.02
    w, c = written_out(w, v, 1, hidden=hidden, gaussian=hidden == "rectified", lr=lr)
    np.testing.assert_allclose(second["weight"].numpy(), w, atol=2e-6)
    np.testing.assert_allclose(second["bias"][0].numpy(), c, atol=2e-6)


def written_out(w, x, index, *, hidden, gaussian, lr):
    """Weight and hidden bias of a layer of 5 on x (8, 6): 3 epochs of 2 updates, seed 3.

    In float64. In float32 each of 6 updates rounds a weight below 4 and its velocity below 2 to
    within 2^-23 and 2^-24: 1.1e-6 together, and less of the products in between.
    """
    b, c = np.zeros(6), np.zeros(5)
    dw, db, dc = np.zeros_like(w), np.zeros(6), np.zeros(5)
    order = batches([3], f"real_rbm:order:{index}", 8, 4)
    uniform = uniform_noise([3], f"real_rbm:noise:{index}")
    normal = normal_noise([3], f"real_rbm:noise:{index}")
    like = torch.empty(1, 4, 5)
    for epoch in range(3):
        momentum = 0.5 if epoch < 2 else 0.9
        for _ in range(2):
            v = take(x, next(order))[0].double().numpy()
            z = v @ w + c
            if hidden == "binary":
                h = sigma(z)
                state = (uniform(like)[0].double().numpy() < h).astype(float)
            else:
                h = state = np.maximum(0, z + np.sqrt(sigma(z)) * normal(like)[0].double().numpy())
            v_neg = state @ w.T + b
            if not gaussian:
                v_neg = sigma(v_neg)
            z_neg = v_neg @ w + c
            h_neg = sigma(z_neg)
            if hidden == "rectified":
                n = normal(like)[0].double().numpy()
                h_neg = np.maximum(0, z_neg + np.sqrt(h_neg) * n)
            dw = momentum * dw + lr * ((v.T @ h - v_neg.T @ h_neg) / 4 - 0.01 * w)
            db = momentum * db + lr * (v - v_neg).mean(0)
            dc = momentum * dc + lr * (h - h_neg).mean(0)
            w, b, c = w + dw, b + db, c + dc
    return w, c


def learnt(recipe, x, depth):
    """How far pretraining moved each layer's weights: their largest change."""
    network = build(recipe, n_inputs=6, n_classes=2, widths=[5] * depth, seeds=[0])
    before = [p["weight"].detach().clone() for p in network.parameters]
    greedy(network, x, [0])
    after = [p["weight"].detach() for p in network.parameters]
    return [(a - b).abs().max().item() for a, b in zip(after, before, strict=True)][:-1]


def test_only_machines_of_binary_units_on_both_sides_take_the_large_learning_rate():
    """One update: weights move in proportion to lr, so with a rate of 0 not at all."""
    unit = torch.rand(10, 6, generator=torch.Generator().manual_seed(0))
    real = unit * 4 - 2
    rectifier = BASELINE.but(activation=Relu(), initialisation=HeNormal())
    one = {"epochs": 1, "batch_size": 10, "weight_decay": 0.0}
    cases = [  # hidden, inputs, which layers have a real side
        ("binary", unit, [False, False]),
        ("binary", real, [True, False]),
        ("rectified", unit, [True, True]),
        ("rectified", real, [True, True]),
    ]
    for hidden, x, is_real in cases:
        base = BASELINE if hidden == "binary" else rectifier
        for rates, moves in [((0.0, 0.1), True), ((0.1, 0.0), False)]:
            rbm = RealRbm(hidden=hidden, lr=rates[0], real_lr=rates[1], **one)
            moved = [change > 0 for change in learnt(base.but(pretraining=rbm), x, 2)]
            assert moved == [real_side == moves for real_side in is_real]


def test_the_gaussian_machine_finds_the_direction_in_which_the_data_vary():
    """Two clusters at +-2 (1, -1, 1, -1)/2 plus N(0, 1/4): they fall on different hidden codes."""
    g = torch.Generator().manual_seed(0)
    side = torch.arange(200) % 2 * 2.0 - 1
    direction = torch.tensor([1.0, -1.0, 1.0, -1.0])
    x = side[:, None] * direction + 0.5 * torch.randn(200, 4, generator=g)
    rbm = RealRbm(epochs=60, batch_size=20, real_lr=0.01)
    network = build(
        BASELINE.but(pretraining=rbm), n_inputs=4, n_classes=2, widths=[3], seeds=[0, 1, 2]
    )
    greedy(network, x, [0, 1, 2])
    h = network.trace(x).layers[0].output.detach()
    between = (h[:, side > 0].mean(1) - h[:, side < 0].mean(1)).abs().max(1).values
    assert (between > 0.9).all()


def test_combinations_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="binary hidden units needs Sigmoid, got Relu"):
        BASELINE.but(pretraining=RealRbm(), activation=Relu())
    with pytest.raises(ValueError, match="rectified hidden units needs Relu, got Sigmoid"):
        BASELINE.but(pretraining=RealRbm(hidden="rectified"))
    with pytest.raises(ValueError, match="plain stack of layers, got Residual"):
        BASELINE.but(pretraining=RealRbm(), connection=Residual())
    with pytest.raises(ValueError, match="hidden must be binary or rectified, got linear"):
        RealRbm(hidden="linear")
    with pytest.raises(ValueError, match="must be 1 or more, got 0, 1"):
        RealRbm(epochs=0)
    assert Rbm.needs_unit_interval and not RealRbm.needs_unit_interval
