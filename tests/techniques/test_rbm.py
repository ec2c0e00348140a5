"""A 4 x 3 machine is small enough to know everything about it, by listing its 128 states."""

import itertools

import numpy as np
import pytest
import torch

from techniques.activations.relu import Relu
from techniques.connections.residual import Residual
from techniques.network import build
from techniques.pretraining.greedy import greedy
from techniques.pretraining.rbm import (
    Machine,
    Rbm,
    contrastive_divergence,
    free_energy,
    fused_update,
    hidden_probability,
    update,
    visible_probability,
)
from techniques.recipe import BASELINE
from techniques.streams import batches, stream, take, uniform_noise


@pytest.fixture
def machine() -> Machine:
    g = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    return Machine(draw(1, 4, 3), draw(1, 1, 4), draw(1, 1, 3))


def states(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)), dtype=torch.float64)


def boltzmann(machine: Machine) -> torch.Tensor:
    """p(v, h) over all 16 x 8 states, from the energy function and nothing else."""
    v, h = states(4), states(3)
    minus_energy = (
        v @ machine.weight[0] @ h.T
        + (v @ machine.visible_bias[0, 0])[:, None]
        + (h @ machine.hidden_bias[0, 0])[None, :]
    )
    weight = minus_energy.exp()
    return weight / weight.sum()


def test_hidden_probability_is_the_conditional_of_the_enumerated_joint(machine):
    joint = boltzmann(machine)
    expected = (joint / joint.sum(1, keepdim=True)) @ states(3)
    torch.testing.assert_close(hidden_probability(states(4)[None], machine)[0], expected)


def test_visible_probability_is_the_conditional_of_the_enumerated_joint(machine):
    joint = boltzmann(machine).T
    expected = (joint / joint.sum(1, keepdim=True)) @ states(4)
    torch.testing.assert_close(visible_probability(states(3)[None], machine)[0], expected)


def test_free_energy_gives_the_enumerated_marginal_of_the_visible_units(machine):
    log_p = -free_energy(states(4)[None], machine)[0]
    torch.testing.assert_close(log_p.softmax(0), boltzmann(machine).sum(1))


def exact_gradient(machine: Machine, data: torch.Tensor) -> Machine:
    """d mean log p(v) / d machine by autograd through the enumerated likelihood."""
    leaves = Machine(*(p.clone().requires_grad_() for p in machine))
    v, h = states(4), states(3)
    minus_energy = (
        v @ leaves.weight[0] @ h.T
        + (v @ leaves.visible_bias[0, 0])[:, None]
        + (h @ leaves.hidden_bias[0, 0])[None, :]
    )
    log_p = minus_energy.logsumexp(1) - minus_energy.logsumexp((0, 1))
    rows = (data @ torch.tensor([8.0, 4.0, 2.0, 1.0], dtype=torch.float64)).long()
    return Machine(*torch.autograd.grad(log_p[rows].mean(), leaves))


def test_a_long_gibbs_chain_gives_the_exact_gradient_of_the_log_likelihood(machine):
    data = states(4)[[3, 5, 14, 14]]
    n = 40_000
    v = data.repeat(n // 4, 1)[None]
    estimate = contrastive_divergence(
        v, machine, cd_k=30, sample_visible=True, uniform=uniform_noise([7], "test")
    )
    # an element is a mean of n terms in [-1, 1], each with a standard deviation below 1
    for got, exact in zip(estimate, exact_gradient(machine, data), strict=True):
        assert (got - exact).abs().max() < 4 / n**0.5


@pytest.mark.parametrize("cd_k", [1, 2])
@pytest.mark.parametrize("sample_visible", [False, True])
def test_contrastive_divergence_equals_the_definition_for_given_random_numbers(
    machine, cd_k, sample_visible
):
    rng = np.random.default_rng(3)
    v0 = rng.random((5, 4))
    noise = [rng.random((5, 3)) if i % 2 == 0 else rng.random((5, 4)) for i in range(2 * cd_k)]
    if not sample_visible:
        noise = noise[::2]
    w, b, c = (p[0].numpy() for p in machine)
    sigma = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    draws = iter(noise)
    h0 = h = sigma(v0 @ w + c)
    for _ in range(cd_k):
        state = (next(draws) < h).astype(float)
        v = sigma(state @ w.T + b)
        if sample_visible:
            v = (next(draws) < v).astype(float)
        h = sigma(v @ w + c)
    expected = (
        np.mean([np.outer(v0[i], h0[i]) - np.outer(v[i], h[i]) for i in range(5)], axis=0),
        (v0 - v).mean(0, keepdims=True),
        (h0 - h).mean(0, keepdims=True),
    )
    given = iter(noise)
    got = contrastive_divergence(
        torch.from_numpy(v0)[None],
        machine,
        cd_k=cd_k,
        sample_visible=sample_visible,
        uniform=lambda like: torch.from_numpy(next(given)).expand_as(like),
    )
    for g, e in zip(got, expected, strict=True):
        np.testing.assert_allclose(g[0].numpy(), e, rtol=1e-12, atol=1e-14)


def test_two_updates_worked_by_hand():
    # weight 1.0, velocity 0, gradient 0.5, lr 0.1, decay 0.2:
    #   velocity = 0.1 (0.5 - 0.2 * 1.0) = 0.03;           weight = 1.03
    # again with momentum 0.5 and gradient -1:
    #   velocity = 0.5 * 0.03 + 0.1 (-1 - 0.2 * 1.03) = -0.1056;  weight = 0.9244
    # biases do not decay: 0.1 * 0.5 = 0.05; then 0.5 * 0.05 - 0.1 = -0.075, so 0.05 - 0.075
    one = lambda value: torch.full((1, 1, 1), value, dtype=torch.float64)  # noqa: E731
    machine = Machine(one(1.0), one(0.0), one(0.0))
    velocity = Machine(one(0.0), one(0.0), one(0.0))
    for momentum, slope in [(0.0, 0.5), (0.5, -1.0)]:
        gradient = Machine(one(slope), one(slope), one(slope))
        update(machine, velocity, gradient, lr=0.1, momentum=momentum, weight_decay=0.2)
    assert machine.weight.item() == pytest.approx(0.9244, abs=1e-12)
    assert machine.visible_bias.item() == pytest.approx(-0.025, abs=1e-12)
    assert machine.hidden_bias.item() == pytest.approx(-0.025, abs=1e-12)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-13), (torch.float32, 1e-6)])
@pytest.mark.parametrize("cd_k", [1, 3])
@pytest.mark.parametrize("sample_visible", [False, True])
def test_the_fused_update_equals_the_readable_one(cd_k, sample_visible, dtype, tolerance):
    g = torch.Generator().manual_seed(2)
    draw = lambda *shape: torch.randn(*shape, generator=g).to(dtype)  # noqa: E731
    start = [Machine(draw(2, 4, 3), draw(2, 1, 4), draw(2, 1, 3)) for _ in range(2)]
    fused, readable = ([Machine(*(p.clone() for p in m)) for m in start] for _ in range(2))
    rates = {"lr": 0.3, "momentum": 0.7, "weight_decay": 0.02}
    for step in range(4):
        v = torch.rand(2, 5, 4, generator=g).to(dtype)
        chain = {"cd_k": cd_k, "sample_visible": sample_visible}
        noise = uniform_noise([8, 9], f"noise {step}")
        slope = contrastive_divergence(v, readable[0], **chain, uniform=noise)
        update(*readable, slope, **rates)
        noise = uniform_noise([8, 9], f"noise {step}")
        fused_update(v, *fused, **chain, uniform=noise, **rates)
    for got, expected, before in zip(
        [*fused[0], *fused[1]], [*readable[0], *readable[1]], [*start[0], *start[1]], strict=True
    ):
        torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance)
        assert not torch.equal(got, before)


def test_train_layer_is_hinton_and_salakhutdinovs_loop_written_out():
    """Three epochs with a momentum switch after the second, against numpy, step by step."""
    rbm = Rbm(epochs=3, momentum_switch=2, batch_size=4, weight_decay=0.01)
    recipe = BASELINE.but(pretraining=rbm)
    network = build(recipe, n_inputs=6, n_classes=2, widths=[5], seeds=[3])
    x = torch.rand(8, 6, generator=torch.Generator().manual_seed(0))
    greedy(network, x, [3])

    w = torch.empty(6, 5).normal_(0, 0.1, generator=stream(3, "rbm:init:0")).double().numpy()
    b, c = np.zeros(6), np.zeros(5)
    dw, db, dc = np.zeros_like(w), np.zeros(6), np.zeros(5)
    sigma = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    order = batches([3], "rbm:order:0", 8, 4)
    noise = uniform_noise([3], "rbm:noise:0")
    for epoch in range(3):
        momentum = 0.5 if epoch < 2 else 0.9
        for _ in range(2):
            v = take(x, next(order))[0].double().numpy()
            h = sigma(v @ w + c)
            state = noise(torch.empty(1, 4, 5))[0].double().numpy() < h
            v_neg = sigma(state @ w.T + b)
            h_neg = sigma(v_neg @ w + c)
            dw = momentum * dw + 0.1 * ((v.T @ h - v_neg.T @ h_neg) / 4 - 0.01 * w)
            db = momentum * db + 0.1 * (v - v_neg).mean(0)
            dc = momentum * dc + 0.1 * (h - h_neg).mean(0)
            w, b, c = w + dw, b + db, c + dc
    layer = network.parameters[0]
    np.testing.assert_allclose(layer["weight"][0].detach().numpy(), w, atol=2e-6)
    np.testing.assert_allclose(layer["bias"][0, 0].detach().numpy(), c, atol=2e-6)


def test_the_second_machine_learns_what_the_first_one_says_of_all_examples(monkeypatch):
    seen = []
    original = Rbm.train_layer

    def spy(self, network, index, visible, seeds, **options):
        seen.append(visible.clone())
        original(self, network, index, visible, seeds, **options)

    monkeypatch.setattr(Rbm, "train_layer", spy)
    recipe = BASELINE.but(pretraining=Rbm(epochs=1, batch_size=10))
    network = build(recipe, n_inputs=6, n_classes=2, widths=[5] * 3, seeds=[0, 1])
    x = torch.rand(20, 6, generator=torch.Generator().manual_seed(0))
    greedy(network, x, [0, 1])
    first, second = network.parameters[:2]
    with torch.no_grad():
        h1 = torch.sigmoid(x @ first["weight"] + first["bias"])
        h2 = torch.sigmoid(h1 @ second["weight"] + second["bias"])
    assert [list(v.shape) for v in seen] == [[20, 6], [2, 20, 5], [2, 20, 5]]
    torch.testing.assert_close(seen[1], h1)
    torch.testing.assert_close(seen[2], h2)


def test_combinations_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="needs Sigmoid hidden units, got Relu"):
        BASELINE.but(pretraining=Rbm(), activation=Relu())
    with pytest.raises(ValueError, match="Residual sums leave it"):
        BASELINE.but(pretraining=Rbm(), connection=Residual())
    network = build(BASELINE.but(pretraining=Rbm()), n_inputs=2, n_classes=2, widths=[2], seeds=[0])
    with pytest.raises(ValueError, match=r"batch_size must lie in \[1, 3\], got 100"):
        greedy(network, torch.zeros(3, 2), [0])
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\] for an RBM, got \[-1, 2\]"):
        greedy(network, torch.tensor([[-1.0, 2.0]]), [0])
