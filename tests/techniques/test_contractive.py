"""The penalty against autograd's Jacobian, its gradient against autograd, one layer's training."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from techniques.activations.tanh import Tanh
from techniques.network import build
from techniques.pretraining.autoencoder import Coder
from techniques.pretraining.contractive import Contractive, contraction, gradient
from techniques.pretraining.greedy import greedy
from techniques.recipe import BASELINE
from techniques.streams import batches, take


def random_coder(tied: bool = True) -> tuple[torch.Tensor, Coder]:
    """A batch v (2, 5, 4) in [0, 1] and a coder of two runs."""
    g = torch.Generator().manual_seed(5)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    decoder = None if tied else draw(2, 3, 4)
    coder = Coder(draw(2, 4, 3), draw(2, 1, 3), draw(2, 1, 4), decoder)
    return torch.rand(2, 5, 4, generator=g, dtype=torch.float64), coder


def jacobian_penalty(v, coder):
    """From autograd's d h / d v of every example by itself, (R,)."""
    runs = []
    for run in range(len(v)):

        def encode(x, run=run):
            return torch.sigmoid(x @ coder.weight[run] + coder.hidden_bias[run, 0])

        jacobian = torch.func.vmap(torch.func.jacrev(encode))(v[run])  # (B, n_hidden, n_visible)
        runs.append((jacobian**2).sum((1, 2)).mean())
    return torch.stack(runs)


def test_the_penalty_is_the_squared_norm_of_the_jacobian():
    v, coder = random_coder()
    torch.testing.assert_close(contraction(v, coder), jacobian_penalty(v, coder))


def test_the_penalty_of_one_unit_by_hand():
    # z = 0, h = 1/2, h (1 - h) = 1/4: ||J||^2 = (3^2 + 4^2) / 16
    coder = Coder(torch.tensor([[[3.0], [4.0]]]), torch.zeros(1, 1, 1), torch.zeros(1, 1, 2), None)
    assert contraction(torch.zeros(1, 1, 2), coder).item() == 25 / 16


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("unit_interval", [True, False])
@pytest.mark.parametrize("penalty", [0.0, 0.7])
def test_the_gradient_is_that_of_the_loss(tied, unit_interval, penalty):
    v, coder = random_coder(tied)
    leaves = Coder(*(None if p is None else p.clone().requires_grad_() for p in coder))
    h = torch.sigmoid(v @ leaves.weight + leaves.hidden_bias)
    y = h @ (leaves.weight.mT if tied else leaves.decoder) + leaves.visible_bias
    if unit_interval:
        each = binary_cross_entropy(torch.sigmoid(y), v, reduction="none")
    else:
        each = (y - v) ** 2 / 2
    total = (each.sum(2).mean(1) + penalty * jacobian_penalty(v, leaves)).sum()
    expected = torch.autograd.grad(total, leaves.tensors())
    got = gradient(v, coder, penalty=penalty, unit_interval=unit_interval)
    for g, e in zip(got.tensors(), expected, strict=True):
        torch.testing.assert_close(g, e, rtol=1e-10, atol=1e-12)


def test_training_a_layer_is_momentum_on_autograds_gradient():
    technique = Contractive(penalty=0.5, epochs=2, batch_size=4, lr=0.2)
    recipe = BASELINE.but(pretraining=technique)
    network = build(recipe, n_inputs=6, n_classes=2, widths=[5], seeds=[3])
    coder = Coder(
        network.parameters[0]["weight"].detach().clone(),
        torch.zeros(1, 1, 5),
        torch.zeros(1, 1, 6),
        None,
    )
    x = torch.rand(8, 6, generator=torch.Generator().manual_seed(0))
    greedy(network, x, [3])

    for p in coder.tensors():
        p.requires_grad_()
    optimiser = torch.optim.SGD(coder.tensors(), lr=0.2, momentum=0.9)
    order = batches([3], "autoencoder:order:0", 8, 4)
    for _ in range(4):
        v = take(x, next(order))
        h = torch.sigmoid(v @ coder.weight + coder.hidden_bias)
        y = torch.sigmoid(h @ coder.weight.mT + coder.visible_bias)
        optimiser.zero_grad()
        error = binary_cross_entropy(y, v, reduction="sum") / 4
        (error + 0.5 * jacobian_penalty(v, coder).sum()).backward()
        optimiser.step()
    layer = network.parameters[0]
    for got, expected in ((layer["weight"], coder.weight), (layer["bias"], coder.hidden_bias)):
        torch.testing.assert_close(got.detach(), expected.detach(), rtol=0, atol=1e-5)


def test_a_larger_penalty_leaves_a_smaller_jacobian():
    x = torch.rand(40, 6, generator=torch.Generator().manual_seed(0))
    norms = []
    for penalty in (0.0, 1.0, 10.0):
        technique = Contractive(penalty=penalty, epochs=50, batch_size=20, lr=0.05)
        network = build(
            BASELINE.but(pretraining=technique), n_inputs=6, n_classes=2, widths=[5], seeds=[3]
        )
        greedy(network, x, [3])
        layer = network.parameters[0]
        coder = Coder(layer["weight"].detach(), layer["bias"].detach(), torch.zeros(1, 1, 6), None)
        norms.append(contraction(x[None], coder).item())
    assert norms[0] > 1.1 * norms[1] > 1.1 * 1.1 * norms[2]


def test_other_units_than_sigmoid_and_negative_penalties_are_refused():
    with pytest.raises(ValueError, match="Contractive pretraining needs Sigmoid .* got Tanh"):
        BASELINE.but(pretraining=Contractive(), activation=Tanh())
    with pytest.raises(ValueError, match="penalty must be 0 or more, got -1"):
        Contractive(penalty=-1)
    with pytest.raises(ValueError, match="epochs must be 1 or more, got 0"):
        Contractive(epochs=0)
