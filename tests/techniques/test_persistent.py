"""One update of persistent chains by hand; with fixed weights, their mean is the model's own."""

import itertools

import numpy as np
import pytest
import torch

from techniques.activations.relu import Relu
from techniques.connections.residual import Residual
from techniques.network import build
from techniques.pretraining.greedy import greedy
from techniques.pretraining.persistent import PersistentRbm, gibbs, likelihood_gradient
from techniques.pretraining.rbm import Machine
from techniques.recipe import BASELINE
from techniques.streams import batches, stream, take, uniform_noise

sigma = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731


@pytest.fixture
def machine() -> Machine:
    g = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    return Machine(draw(1, 4, 3), draw(1, 1, 4), draw(1, 1, 3))


def expectations(machine: Machine) -> Machine:
    """<v h>, <v> and <h> over all 16 x 8 states, from the energy function and nothing else."""
    v, h = (
        torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)), dtype=torch.float64)
        for n in (4, 3)
    )
    p = (
        v @ machine.weight[0] @ h.T
        + (v @ machine.visible_bias[0, 0])[:, None]
        + (h @ machine.hidden_bias[0, 0])[None, :]
    ).exp()
    p /= p.sum()
    return Machine((v.T @ p @ h)[None], (p.sum(1) @ v)[None, None], (p.sum(0) @ h)[None, None])


def test_with_fixed_weights_the_chains_statistics_average_to_the_exact_expectation(machine):
    n_chains, updates, steps = 500, 150, 4
    uniform = uniform_noise([7], "test")
    chains = gibbs(torch.zeros(1, n_chains, 4).double(), machine, steps=50, uniform=uniform)
    # of data that are silent, <v> and <v h> are 0 and <h> is sigmoid(hidden_bias)
    silent = torch.zeros(1, 1, 4).double()
    slopes = []
    for _ in range(updates):
        chains = gibbs(chains, machine, steps=steps, uniform=uniform)
        slopes.append(likelihood_gradient(silent, chains, machine))
    mean = Machine(*(-torch.stack(parts).mean(0) for parts in zip(*slopes, strict=True)))
    of_silence = torch.from_numpy(sigma(machine.hidden_bias.numpy()))
    got = mean._replace(hidden_bias=mean.hidden_bias + of_silence)
    # An element lies in [0, 1], so its sd is 1/2 or less. The chains are independent of each
    # other; a chain's own states are not, and are taken to count for half as many.
    standard_error = 0.5 / (n_chains * updates / 2) ** 0.5
    for ours, exact in zip(got, expectations(machine), strict=True):
        assert (ours - exact).abs().max() < 4 * standard_error  # 0.01


def test_the_gradient_is_the_difference_of_two_mean_outer_products(machine):
    rng = np.random.default_rng(3)
    v_pos, v_neg = rng.random((5, 4)), (rng.random((7, 4)) < 0.5).astype(float)
    w, _, c = (p[0].numpy() for p in machine)
    outer = lambda v: np.mean([np.outer(row, sigma(row @ w + c)) for row in v], axis=0)  # noqa: E731
    got = likelihood_gradient(torch.from_numpy(v_pos)[None], torch.from_numpy(v_neg)[None], machine)
    np.testing.assert_allclose(got.weight[0], outer(v_pos) - outer(v_neg), atol=1e-14)
    np.testing.assert_allclose(got.visible_bias[0, 0], v_pos.mean(0) - v_neg.mean(0), atol=1e-14)
    np.testing.assert_allclose(
        got.hidden_bias[0, 0],
        sigma(v_pos @ w + c).mean(0) - sigma(v_neg @ w + c).mean(0),
        atol=1e-14,
    )


def test_train_layer_is_tielemans_loop_written_out():
    """Three epochs of two updates each, chains and all, against numpy, step by step."""
    pcd = PersistentRbm(epochs=3, cd_k=2, n_chains=3, batch_size=4, weight_decay=0.01, lr=0.2)
    recipe = BASELINE.but(pretraining=pcd)
    network = build(recipe, n_inputs=6, n_classes=2, widths=[5], seeds=[3])
    x = torch.rand(8, 6, generator=torch.Generator().manual_seed(0))
    greedy(network, x, [3])

    w = torch.empty(6, 5).normal_(0, 0.1, generator=stream(3, "persistent:init:0")).double().numpy()
    b, c = np.zeros(6), np.zeros(5)
    noise = uniform_noise([3], "persistent:noise:0")
    draw = lambda *shape: noise(torch.empty(1, *shape))[0].double().numpy()  # noqa: E731
    order = batches([3], "persistent:order:0", 8, 4)
    chains = (draw(3, 6) < 0.5).astype(float)
    for done in range(6):
        for _ in range(2):
            h = (draw(3, 5) < sigma(chains @ w + c)).astype(float)
            chains = (draw(3, 6) < sigma(h @ w.T + b)).astype(float)
        v = take(x, next(order))[0].double().numpy()
        h_pos, h_neg = sigma(v @ w + c), sigma(chains @ w + c)
        lr = 0.2 * (6 - done) / 6  # from 0.2 down to a sixth of it
        w = w + lr * (v.T @ h_pos / 4 - chains.T @ h_neg / 3 - 0.01 * w)
        b = b + lr * (v.mean(0) - chains.mean(0))
        c = c + lr * (h_pos.mean(0) - h_neg.mean(0))
    layer = network.parameters[0]
    np.testing.assert_allclose(layer["weight"][0].detach().numpy(), w, atol=2e-6)
    np.testing.assert_allclose(layer["bias"][0, 0].detach().numpy(), c, atol=2e-6)
    machine = pcd.fit(x, 5, [3])
    np.testing.assert_allclose(machine.visible_bias[0, 0].numpy(), b, atol=2e-6)


def test_every_run_keeps_chains_of_its_own():
    x = torch.rand(20, 7, generator=torch.Generator().manual_seed(0))
    pcd = PersistentRbm(epochs=4, n_chains=9, batch_size=10)
    both = pcd.fit(x, 5, [1, 2])
    for run, seed in enumerate([1, 2]):
        for own, of_stack in zip(pcd.fit(x, 5, [seed]), both, strict=True):
            assert torch.equal(own[0], of_stack[run])


def test_combinations_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="needs Sigmoid hidden units, got Relu"):
        BASELINE.but(pretraining=PersistentRbm(), activation=Relu())
    with pytest.raises(ValueError, match="Residual sums leave it"):
        BASELINE.but(pretraining=PersistentRbm(), connection=Residual())
    with pytest.raises(ValueError, match="n_chains must be 1 or more, got 0"):
        PersistentRbm(n_chains=0)
