"""Against torch's own, over many steps, on data far from zero."""

import pytest
import torch

from techniques.network import build
from techniques.normalisation.batch_norm import BatchNorm
from techniques.optimisation.sgd import Sgd
from techniques.recipe import BASELINE


def test_output_gradients_and_running_statistics_equal_torchs_over_20_steps():
    g = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    runs, batch_size, n = 3, 7, 4
    norm = BatchNorm()
    parameters = {
        k: v.double().requires_grad_() for k, v in norm.parameters(torch.empty(runs, 1, n)).items()
    }
    statistics = {k: v.double() for k, v in norm.statistics(torch.empty(runs, 1, n)).items()}
    theirs = [torch.nn.BatchNorm1d(n, dtype=torch.float64) for _ in range(runs)]
    optimisers = [torch.optim.SGD(t.parameters(), lr=0.3) for t in theirs]
    ours = list(parameters.values())
    state, lr = Sgd(momentum=0.0).start(ours), torch.full((runs, 1, 1), 0.3, dtype=torch.float64)
    for _ in range(20):
        z = (100 + 3 * draw(runs, batch_size, n)).requires_grad_()
        target = draw(runs, batch_size, n)
        out = norm(z, parameters, statistics, True)
        grads = torch.autograd.grad((out * target).sum(), [z, *ours])
        for run in range(runs):
            z_run = z[run].detach().requires_grad_()
            expected = theirs[run](z_run)
            torch.testing.assert_close(out[run], expected)
            optimisers[run].zero_grad()
            (expected * target[run]).sum().backward()
            torch.testing.assert_close(grads[0][run], z_run.grad)
            torch.testing.assert_close(grads[1][run, 0], theirs[run].weight.grad)
            torch.testing.assert_close(grads[2][run, 0], theirs[run].bias.grad)
            torch.testing.assert_close(statistics["running_mean"][run, 0], theirs[run].running_mean)
            torch.testing.assert_close(
                statistics["running_variance"][run, 0], theirs[run].running_var
            )
            optimisers[run].step()
        Sgd(momentum=0.0).step(ours, grads[1:], state, lr)
    z = 100 + draw(runs, batch_size, n)
    before = {k: v.clone() for k, v in statistics.items()}
    evaluated = norm(z, parameters, statistics, False)
    for run in range(runs):
        torch.testing.assert_close(evaluated[run], theirs[run].eval()(z[run]))
    assert all(torch.equal(before[k], statistics[k]) for k in before)


def test_an_export_goes_on_tracking_at_the_same_pace():
    recipe = BASELINE.but(normalisation=BatchNorm(momentum=0.3, epsilon=0.01))
    network = build(recipe, n_inputs=6, n_classes=3, widths=[5, 4], seeds=[0]).to(torch.float64)
    exported = network.export(0).double()
    norms = [m for m in exported if isinstance(m, torch.nn.BatchNorm1d)]
    assert [(m.momentum, m.eps) for m in norms] == [(0.3, 0.01)] * 2
    g = torch.Generator().manual_seed(0)
    for _ in range(2):
        x = torch.randn(1, 9, 6, generator=g, dtype=torch.float64)
        torch.testing.assert_close(network(x, training=True)[0], exported.train()(x[0]))
    for own, norm in zip(network.statistics, norms, strict=False):
        torch.testing.assert_close(own["running_mean"][0, 0], norm.running_mean)
        torch.testing.assert_close(own["running_variance"][0, 0], norm.running_var)


def test_a_large_offset_does_not_cost_the_variance():
    """With E[z^2] - E[z]^2 in float32, mean 100 and sd 0.01 lose every digit."""
    z = 100 + 0.01 * torch.randn(1, 1000, 1, generator=torch.Generator().manual_seed(0))
    norm = BatchNorm(epsilon=0.0)
    out = norm(
        z, norm.parameters(torch.empty(1, 1, 1)), norm.statistics(torch.empty(1, 1, 1)), True
    )
    assert out.std().item() == pytest.approx(1, abs=1e-3)


def test_statistics_keep_no_graph():
    norm = BatchNorm()
    parameters = {k: v.requires_grad_() for k, v in norm.parameters(torch.empty(1, 1, 2)).items()}
    statistics = norm.statistics(torch.empty(1, 1, 2))
    z = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    norm(z, parameters, statistics, True)
    assert not any(s.requires_grad for s in statistics.values())


def test_training_on_one_example_is_refused():
    norm = BatchNorm()
    with pytest.raises(ValueError, match="a batch of 2 or more to train, got 1"):
        norm(
            torch.ones(1, 1, 2),
            norm.parameters(torch.empty(1, 1, 2)),
            norm.statistics(torch.empty(1, 1, 2)),
            True,
        )
