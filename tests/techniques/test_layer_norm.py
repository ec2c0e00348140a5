"""Against torch's own, by hand, and the backward pass in place against autograd."""

import pytest
import torch

from techniques.normalisation.layer_norm import LayerNorm


def drawn(runs=3, batch_size=7, n=5):
    """z far from zero, an upstream gradient, and parameters away from where they start."""
    g = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    norm = LayerNorm()
    start = norm.parameters(torch.empty(runs, 2, n))
    parameters = {k: (v + draw(runs, 1, n)).requires_grad_() for k, v in start.items()}
    z = (100 + 3 * draw(runs, batch_size, n)).requires_grad_()
    return norm, z, draw(runs, batch_size, n), parameters


def test_output_and_gradients_equal_torchs():
    norm, z, upstream, parameters = drawn()
    out = norm(z, parameters, {}, True)
    d_z, d_scale, d_shift = torch.autograd.grad(out, [z, *parameters.values()], upstream)
    for run in range(3):
        theirs = torch.nn.LayerNorm(5, dtype=torch.float64)
        theirs.weight.data = parameters["scale"][run, 0].detach().clone()
        theirs.bias.data = parameters["shift"][run, 0].detach().clone()
        z_run = z[run].detach().requires_grad_()
        expected = theirs(z_run)
        expected.backward(upstream[run])
        torch.testing.assert_close(out[run], expected)
        torch.testing.assert_close(d_z[run], z_run.grad)
        torch.testing.assert_close(d_scale[run, 0], theirs.weight.grad)
        torch.testing.assert_close(d_shift[run, 0], theirs.bias.grad)


def test_the_pass_by_hand_equals_autograd():
    norm, z, upstream, parameters = drawn()
    out = norm(z, parameters, {}, True)
    expected = torch.autograd.grad(out, [z, *parameters.values()], upstream)
    with torch.no_grad():
        by_hand, saved = norm.forward(z.clone(), parameters, {})
        grad = upstream.clone()
        d_z, d = norm.backward_(grad, parameters, saved)
    assert d_z.data_ptr() == grad.data_ptr()
    torch.testing.assert_close(by_hand, out)
    for ours, theirs in zip((d_z, d["scale"], d["shift"]), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_an_example_worked_by_hand():
    """z = (1, 3, 5): mean 3, variance 8/3; with epsilon 4/3 the sd is 2 and z_hat (-1, 0, 1)."""
    norm = LayerNorm(epsilon=4 / 3)
    parameters = {"scale": torch.tensor([[[1.0, 2, 3]]]), "shift": torch.tensor([[[0.0, 5, 10]]])}
    # the second example has the same differences, and an offset that must not matter
    out = norm(torch.tensor([[[1.0, 3, 5], [101, 103, 105]]]), parameters, {}, False)
    torch.testing.assert_close(out, torch.tensor([[[-1.0, 5, 13], [-1, 5, 13]]]))


def test_an_example_is_normalised_alike_whatever_its_batch_and_in_evaluation():
    norm, z, _, parameters = drawn()
    whole = norm(z, parameters, {}, True)
    assert torch.equal(whole, norm(z, parameters, {}, False))
    for example in range(z.shape[1]):
        alone = norm(z[:, example : example + 1], parameters, {}, True)
        torch.testing.assert_close(alone[:, 0], whole[:, example])


def test_it_starts_as_standardisation_and_tracks_nothing():
    norm, weight = LayerNorm(), torch.empty(2, 6, 50)
    z = 7 + 2 * torch.randn(2, 9, 50, generator=torch.Generator().manual_seed(1))
    out = norm(z, norm.parameters(weight), norm.statistics(weight), True)
    assert norm.statistics(weight) == {}
    torch.testing.assert_close(out.mean(2), torch.zeros(2, 9), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(2, correction=0), torch.ones(2, 9), atol=1e-4, rtol=0)


def test_a_large_offset_does_not_cost_the_variance():
    """With E[z^2] - E[z]^2 in float32, mean 100 and sd 0.01 lose every digit."""
    z = 100 + 0.01 * torch.randn(1, 2, 1000, generator=torch.Generator().manual_seed(0))
    norm = LayerNorm(epsilon=1e-12)
    parameters = norm.parameters(torch.empty(1, 1, 1000))
    for out in (norm(z, parameters, {}, True), norm.forward(z.clone(), parameters, {})[0]):
        assert out[0, 0].std().item() == pytest.approx(1, abs=2e-3)
