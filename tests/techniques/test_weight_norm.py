"""Against torch's own parametrisation, and the paper's properties of the gradient."""

import torch
from torch.nn.utils import parametrizations

from techniques.network import build
from techniques.normalisation.weight_norm import WeightNorm
from techniques.pretraining.autoencoder import Autoencoder
from techniques.pretraining.greedy import greedy
from techniques.recipe import BASELINE


def drawn(runs=3, fan_in=6, n=4):
    """v, and a scale that is not its length, in float64."""
    g = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    parameters = {
        "weight": draw(runs, fan_in, n).requires_grad_(),
        "bias": draw(runs, 1, n).requires_grad_(),
        "scale": draw(runs, 1, n).requires_grad_(),
    }
    return parameters, draw(runs, 7, fan_in), draw(runs, 7, n)


def test_output_and_gradients_equal_torchs():
    parameters, x, upstream = drawn()
    z = torch.baddbmm(parameters["bias"], x, WeightNorm().weight(parameters))
    out = WeightNorm()(z, parameters, {}, True)
    grads = torch.autograd.grad(out, list(parameters.values()), upstream)
    for run in range(3):
        linear = torch.nn.utils.skip_init(torch.nn.Linear, 6, 4, dtype=torch.float64)
        linear.bias.data = parameters["bias"][run, 0].detach().clone()
        theirs = parametrizations.weight_norm(linear)
        scale, v = (
            theirs.parametrizations.weight.original0,
            theirs.parametrizations.weight.original1,
        )
        scale.data = parameters["scale"][run].detach().T.clone()  # (n, 1)
        v.data = parameters["weight"][run].detach().T.clone()  # (n, fan_in)
        expected = theirs(x[run])
        expected.backward(upstream[run])
        torch.testing.assert_close(out[run], expected)
        torch.testing.assert_close(grads[0][run], v.grad.T)
        torch.testing.assert_close(grads[1][run, 0], theirs.bias.grad)
        torch.testing.assert_close(grads[2][run], scale.grad.T)


def test_a_unit_worked_by_hand():
    """v = (3, 4) is of length 5; with scale 10 the weight is (6, 8)."""
    parameters = {
        "weight": torch.tensor([[[3.0], [4.0]]]),
        "scale": torch.tensor([[[10.0]]]),
    }
    torch.testing.assert_close(WeightNorm().weight(parameters), torch.tensor([[[6.0], [8.0]]]))
    assert WeightNorm().parameters(parameters["weight"])["scale"].tolist() == [[[5.0]]]


def test_the_networks_function_is_unchanged_at_the_start():
    shape = {"n_inputs": 6, "n_classes": 3, "widths": [8, 5], "seeds": [0, 1]}
    plain, normed = (
        build(BASELINE, **shape),
        build(BASELINE.but(normalisation=WeightNorm()), **shape),
    )
    x = torch.randn(2, 9, 6, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(normed(x), plain(x), rtol=1e-6, atol=1e-6)
    # and scale is then what decides a unit's length, whatever v's
    normed.parameters[0]["scale"].data.fill_(2.0)
    lengths = torch.linalg.vector_norm(normed.weight(0), dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 2.0))
    normed.parameters[0]["weight"].data.mul_(7)
    torch.testing.assert_close(torch.linalg.vector_norm(normed.weight(0), dim=1), lengths)


def test_a_step_along_the_gradient_of_v_only_makes_it_longer():
    """Equation 3: d loss / d v is orthogonal to v, and ||v|| times smaller than without."""
    parameters, x, upstream = drawn()
    norm = WeightNorm()

    def gradient_of_v():
        z = torch.bmm(x, norm.weight(parameters))
        return torch.autograd.grad(z, parameters["weight"], upstream)[0]

    v, gradient = parameters["weight"].detach().clone(), gradient_of_v()
    torch.testing.assert_close((v * gradient).sum(1), torch.zeros(3, 4, dtype=v.dtype))
    assert (torch.linalg.vector_norm(v - 0.3 * gradient, dim=1) > v.norm(dim=1)).all()
    parameters["weight"].data.mul_(4)
    torch.testing.assert_close(gradient_of_v(), gradient / 4)


def test_pretraining_leaves_a_scale_that_is_the_length_of_what_it_learnt():
    """So that the weights that are used are those that were learnt, not as long as at the start."""
    recipe = BASELINE.but(
        normalisation=WeightNorm(), pretraining=Autoencoder(epochs=2, batch_size=10)
    )
    network = build(recipe, n_inputs=6, n_classes=3, widths=[8, 5], seeds=[0, 1])
    before = [layer["scale"].detach().clone() for layer in network.parameters[:-1]]
    greedy(network, torch.rand(20, 6, generator=torch.Generator().manual_seed(3)), [0, 1])
    for index, start in enumerate(before):
        layer = network.parameters[index]
        assert torch.equal(layer["scale"], layer["weight"].norm(dim=1, keepdim=True))
        assert (layer["scale"] != start).all()
        # a quotient and two products, each rounded to within 2^-24
        torch.testing.assert_close(network.weight(index), layer["weight"], rtol=4e-7, atol=0)
