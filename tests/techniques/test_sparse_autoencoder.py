"""The penalty against torch's divergence, its gradient against autograd, one layer's training."""

import pytest
import torch
from torch.distributions import Bernoulli, kl_divergence
from torch.nn.functional import binary_cross_entropy

from techniques.activations.relu import Relu
from techniques.initialisation.he import HeNormal
from techniques.network import build
from techniques.pretraining.autoencoder import Coder
from techniques.pretraining.greedy import greedy
from techniques.pretraining.sparse_autoencoder import SparseAutoencoder, divergence, gradient
from techniques.recipe import BASELINE
from techniques.streams import batches, take


def penalty_by_torch(h, target):
    """sum_j KL(target || mean h_j), (R,)."""
    wanted = Bernoulli(torch.tensor(target, dtype=h.dtype))
    return kl_divergence(wanted, Bernoulli(h.mean(1))).sum(1)


def test_the_penalty_is_the_divergence_of_bernoulli_variables():
    h = torch.rand(2, 5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(divergence(h, 0.05), penalty_by_torch(h, 0.05))
    # target 1/2, means 1/4 and 1/2: (1/2) ln 2 + (1/2) ln(2/3) = ln(4/3) / 2, and 0
    by_hand = divergence(torch.tensor([[[0.0, 0.25], [0.5, 0.75]]], dtype=torch.float64), 0.5)
    torch.testing.assert_close(by_hand, torch.tensor([4 / 3], dtype=torch.float64).log() / 2)


def random_coder(tied: bool) -> tuple[torch.Tensor, Coder]:
    """A batch v (2, 5, 4) in [0, 1] and a coder of two runs."""
    g = torch.Generator().manual_seed(5)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    decoder = None if tied else draw(2, 3, 4)
    coder = Coder(draw(2, 4, 3), draw(2, 1, 3), draw(2, 1, 4), decoder)
    return torch.rand(2, 5, 4, generator=g, dtype=torch.float64), coder


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("unit_interval", [True, False])
@pytest.mark.parametrize("penalty", [0.0, 3.0])
def test_the_gradient_is_that_of_the_loss(tied, unit_interval, penalty):
    v, coder = random_coder(tied)
    leaves = Coder(*(None if p is None else p.clone().requires_grad_() for p in coder))
    h = torch.sigmoid(v @ leaves.weight + leaves.hidden_bias)
    y = h @ (leaves.weight.mT if tied else leaves.decoder) + leaves.visible_bias
    if unit_interval:
        each = binary_cross_entropy(torch.sigmoid(y), v, reduction="none")
    else:
        each = (y - v) ** 2 / 2
    total = (each.sum(2).mean(1) + penalty * penalty_by_torch(h, 0.05)).sum()
    expected = torch.autograd.grad(total, leaves.tensors())
    got = gradient(v, coder, target=0.05, penalty=penalty, unit_interval=unit_interval)
    for g, e in zip(got.tensors(), expected, strict=True):
        torch.testing.assert_close(g, e, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("bias", [-200.0, 200.0])
def test_a_unit_that_is_always_on_or_always_off_leaves_the_gradient_finite(bias):
    v, coder = random_coder(tied=True)
    single = Coder(*(None if p is None else p.float() for p in coder))
    single.hidden_bias[:, :, 0] = bias
    got = gradient(v.float(), single, target=0.05, penalty=3.0, unit_interval=True)
    assert all(g.isfinite().all() for g in got.tensors())


def test_training_a_layer_is_momentum_on_autograds_gradient():
    technique = SparseAutoencoder(target=0.1, penalty=2.0, epochs=2, batch_size=4, lr=0.1)
    recipe = BASELINE.but(pretraining=technique)
    network = build(recipe, n_inputs=6, n_classes=2, widths=[5], seeds=[3])
    weight = network.parameters[0]["weight"].detach().clone().requires_grad_()
    x = torch.rand(8, 6, generator=torch.Generator().manual_seed(0))
    greedy(network, x, [3])

    hidden_bias = torch.zeros(1, 1, 5, requires_grad=True)
    visible_bias = torch.zeros(1, 1, 6, requires_grad=True)
    optimiser = torch.optim.SGD([weight, hidden_bias, visible_bias], lr=0.1, momentum=0.9)
    order = batches([3], "autoencoder:order:0", 8, 4)
    for _ in range(4):
        v = take(x, next(order))
        h = torch.sigmoid(v @ weight + hidden_bias)
        y = torch.sigmoid(h @ weight.mT + visible_bias)
        optimiser.zero_grad()
        error = binary_cross_entropy(y, v, reduction="sum") / 4
        (error + 2.0 * penalty_by_torch(h, 0.1).sum()).backward()
        optimiser.step()
    layer = network.parameters[0]
    for got, expected in ((layer["weight"], weight), (layer["bias"], hidden_bias)):
        torch.testing.assert_close(got.detach(), expected.detach(), rtol=0, atol=1e-5)


def test_units_come_to_be_active_as_often_as_the_target_says():
    x = torch.rand(100, 6, generator=torch.Generator().manual_seed(0))
    for target in (0.05, 0.3):
        technique = SparseAutoencoder(target=target, penalty=10.0, epochs=200, batch_size=50)
        network = build(
            BASELINE.but(pretraining=technique), n_inputs=6, n_classes=2, widths=[8], seeds=[3]
        )
        greedy(network, x, [3])
        h = network.trace(x).layers[0].output
        assert h.mean(1).sub(target).abs().max() < 0.2 * target


def test_other_units_than_sigmoid_and_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="SparseAutoencoder .* needs Sigmoid units, got Relu"):
        BASELINE.but(pretraining=SparseAutoencoder(), activation=Relu(), initialisation=HeNormal())
    for target in (0.0, 1.0):
        with pytest.raises(ValueError, match=rf"target must lie in \(0, 1\), got {target}"):
            SparseAutoencoder(target=target)
    with pytest.raises(ValueError, match="penalty must be 0 or more, got -1"):
        SparseAutoencoder(penalty=-1)
    with pytest.raises(ValueError, match="epochs must be 1 or more, got 0"):
        SparseAutoencoder(epochs=0)
