"""Every activation function against its formula, its derivative, and torch's own."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import nn

from techniques.activations.elu import Elu
from techniques.activations.gelu import Gelu
from techniques.activations.leaky_relu import LeakyRelu
from techniques.activations.maxout import Maxout
from techniques.activations.prelu import Prelu
from techniques.activations.relu import Relu
from techniques.activations.scaled_tanh import ScaledTanh
from techniques.activations.selu import ALPHA, SCALE, Selu
from techniques.activations.sigmoid import Sigmoid
from techniques.activations.softplus import Softplus
from techniques.activations.softsign import Softsign
from techniques.activations.tanh import Tanh
from techniques.initialisation.he import HeNormal
from techniques.network import build
from techniques.pretraining.autoencoder import Autoencoder
from techniques.recipe import BASELINE


def logistic(z):
    return 1 / (1 + math.exp(-z))


# function and derivative by the paper's formula, of a float; and torch's own module
FORMULAS = {
    ScaledTanh(): (
        lambda z: 1.7159 * math.tanh(2 * z / 3),
        lambda z: 1.7159 * 2 / 3 / math.cosh(2 * z / 3) ** 2,
        None,
    ),
    Softsign(): (lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2, nn.Softsign()),
    Softplus(): (lambda z: math.log1p(math.exp(z)), logistic, nn.Softplus(threshold=40)),
    LeakyRelu(): (
        lambda z: max(z, 0.01 * z),
        lambda z: 1 if z > 0 else 0.01,
        nn.LeakyReLU(0.01),
    ),
    LeakyRelu(slope=0.3): (
        lambda z: max(z, 0.3 * z),
        lambda z: 1 if z > 0 else 0.3,
        nn.LeakyReLU(0.3),
    ),
    Elu(): (
        lambda z: z if z > 0 else math.exp(z) - 1,
        lambda z: 1 if z > 0 else math.exp(z),
        nn.ELU(),
    ),
    Elu(alpha=0.5): (
        lambda z: z if z > 0 else 0.5 * (math.exp(z) - 1),
        lambda z: 1 if z > 0 else 0.5 * math.exp(z),
        nn.ELU(0.5),
    ),
    Selu(): (
        lambda z: 1.0507009873554805 * (z if z > 0 else 1.6732632423543772 * (math.exp(z) - 1)),
        lambda z: 1.0507009873554805 * (1 if z > 0 else 1.6732632423543772 * math.exp(z)),
        nn.SELU(),
    ),
    Gelu(): (
        lambda z: z * stats.norm.cdf(z),
        lambda z: stats.norm.cdf(z) + z * stats.norm.pdf(z),
        nn.GELU(),
    ),
}
every_formula = pytest.mark.parametrize(
    "activation", FORMULAS, ids=lambda a: f"{a}".replace("()", "")
)
in_place = [a for a in [Sigmoid(), Tanh(), Relu(), *FORMULAS] if hasattr(a, "backward_")]
every_in_place = pytest.mark.parametrize(
    "activation", in_place, ids=lambda a: f"{a}".replace("()", "")
)


def grid(dtype=torch.float64):
    """From far below to far above zero, and exactly zero: 1 run, 1 example."""
    return torch.arange(-1200, 1201).to(dtype).div(100).view(1, 1, -1)


@every_formula
def test_an_activation_and_its_derivative_equal_the_formula(activation):
    function, derivative, _ = FORMULAS[activation]
    z = grid().requires_grad_()
    a = activation(z)
    (slope,) = torch.autograd.grad(a.sum(), z)
    at = z.flatten().tolist()
    expected_a = torch.tensor([function(v) for v in at], dtype=torch.float64)
    expected_slope = torch.tensor([derivative(v) for v in at], dtype=torch.float64)
    torch.testing.assert_close(a.flatten(), expected_a, rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(slope.flatten(), expected_slope, rtol=1e-9, atol=1e-14)


@every_formula
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_activation_its_gradient_and_its_module_equal_torchs(activation, dtype):
    theirs = FORMULAS[activation][2]
    if theirs is None:
        theirs = lambda z: 1.7159 * torch.tanh(2 / 3 * z)  # noqa: E731
    z = grid(dtype).requires_grad_()
    ours, expected = activation(z), theirs(z)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(
        *(torch.autograd.grad(a.square().sum(), z)[0] for a in (ours, expected))
    )
    rtol = 1e-8 if dtype is torch.float64 else None  # torch's softplus is z above 20
    atol = 1e-8 if dtype is torch.float64 else None
    torch.testing.assert_close(activation.module()(z), ours, rtol=rtol, atol=atol)


@every_in_place
def test_the_form_in_place_gives_the_same_bits_in_the_same_memory(activation):
    g = torch.Generator().manual_seed(0)
    for shape in [(1, 1, 1), (3, 7, 11), (2, 16, 16), (5, 33, 17)]:
        z = 4 * torch.randn(*shape, generator=g)
        z[0, 0, 0] = 0
        plain, memory = activation(z.clone()), z.data_ptr()
        a = activation.forward_(z)
        assert torch.equal(a, plain) and a.data_ptr() == memory


@every_in_place
def test_backward_in_place_equals_autograd_from_the_activation_alone(activation):
    z = grid().requires_grad_()
    a = activation(z)
    upstream = torch.randn(z.shape, generator=torch.Generator().manual_seed(1)).double()
    (expected,) = torch.autograd.grad(a, z, upstream)
    grad = upstream.clone()
    ours = activation.backward_(grad, a.detach())
    # 1 - a and the like cost digits where a unit saturates
    torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-14)
    assert ours.data_ptr() == grad.data_ptr()


@every_in_place
def test_neither_direction_in_place_depends_on_the_neighbours(activation):
    """A run's bits in a stack are its bits alone, at every length of a tensor's end."""
    g = torch.Generator().manual_seed(3)
    for n in range(1, 70):
        z, grad = 3 * torch.randn(2, 3, 1, n, generator=g)
        a = activation.forward_(z.clone())
        down = activation.backward_(grad.clone(), a)
        for run in range(3):
            own = activation.forward_(z[run : run + 1].clone())
            assert torch.equal(own[0], a[run])
            own_down = activation.backward_(grad[run : run + 1].clone(), own)
            assert torch.equal(own_down[0], down[run])


@pytest.mark.parametrize("activation", [ScaledTanh(), Softplus(), Elu(), Selu(), Gelu()])
def test_extreme_inputs_give_finite_activations_and_gradients(activation):
    z = torch.tensor([[[-1e30, -200.0, -0.0, 0.0, 200.0, 1e30]]], requires_grad=True)
    a = activation(z)
    (slope,) = torch.autograd.grad(a.sum(), z)
    assert a.isfinite().all() and slope.isfinite().all()


def test_scaled_tanh_has_the_values_and_the_bend_that_the_paper_asks_for():
    """f(+-1) = +-1, and the second derivative is largest near z = 1."""
    f = ScaledTanh()
    ones = torch.tensor([1.0, -1.0], dtype=torch.float64)
    # 2/3 and 1.7159 are rounded: 1.7159 tanh(2/3) = 1.00002
    torch.testing.assert_close(f(ones), ones, rtol=1e-4, atol=0)
    z = torch.linspace(0, 4, 4001, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(f(z).sum(), z, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), z)
    # f'' = -2 A S^2 tanh(S z) sech^2(S z) is extreme where tanh(S z)^2 = 1/3: z = 0.988
    assert z[curvature.abs().argmax()].item() == pytest.approx(1.5 * math.atanh(3**-0.5), abs=1e-3)


def test_through_a_hundred_wide_layers_scaled_tanh_keeps_the_signal_that_tanh_loses():
    """Mean square through weights N(0, 1 / fan_in): the docstring's numbers."""
    kept, lost = 1.0, 1.0
    for layer in range(100):
        kept, lost = normal_mean_square(ScaledTanh(), kept), normal_mean_square(Tanh(), lost)
        if layer == 0:
            assert lost == pytest.approx(0.394, abs=1e-3)
    assert kept == pytest.approx(0.38, abs=0.005) and lost < 0.006


def normal_mean_square(function, variance):
    """E[function(z)^2], z ~ N(0, variance), of a smooth function: a sum over a grid."""
    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    weight = torch.exp(-(z**2) / 2)
    return float((function(math.sqrt(variance) * z) ** 2 * weight).sum() / weight.sum())


def normal_mean(function, mean, variance):
    """E[function(z)], z ~ N(mean, variance), by quadrature on either side of the corner at 0."""
    sd = math.sqrt(variance)

    def integrand(z):
        return float(function(torch.tensor(z, dtype=torch.float64))) * stats.norm.pdf(z, mean, sd)

    below, _ = integrate.quad(integrand, mean - 12 * sd, 0, epsabs=1e-12)
    above, _ = integrate.quad(integrand, 0, mean + 12 * sd, epsabs=1e-12)
    return below + above


def test_the_fixed_point_of_selu_is_mean_0_and_variance_1_and_attracts():
    """Integrated numerically; the constants are checked to be torch's, all digits."""
    assert pytest.approx(1.6732632423543772848170429916717, rel=1e-14) == ALPHA
    assert pytest.approx(1.0507009873554804934193349852946, rel=1e-14) == SCALE
    f = Selu()
    assert normal_mean(f, 0, 1) == pytest.approx(0, abs=1e-9)
    assert normal_mean(lambda z: f(z) ** 2, 0, 1) == pytest.approx(1, abs=1e-9)
    # weights of sum 0 and square sum 1: z has mean 0 and the mean square of what is below
    for start in (0.5, 1.5):
        square = start
        for _ in range(10):
            square = normal_mean(lambda z: f(z) ** 2, 0, square)
        assert abs(square - 1) < 0.2 * abs(start - 1)


def test_prelu_equals_torchs_in_output_and_both_gradients_with_each_runs_own_slopes():
    g = torch.Generator().manual_seed(5)
    z = torch.randn(3, 8, 5, generator=g, dtype=torch.float64).requires_grad_()
    slope = torch.randn(3, 1, 5, generator=g, dtype=torch.float64).requires_grad_()
    upstream = torch.randn(3, 8, 5, generator=g, dtype=torch.float64)
    prelu = Prelu()
    ours = prelu(z, {"slope": slope})
    d_z, d_slope = torch.autograd.grad(ours, [z, slope], upstream)
    for run in range(3):
        theirs = prelu.module({"slope": slope}, run).double()
        z_run = z[run].detach().requires_grad_()
        expected = theirs(z_run)
        expected.backward(upstream[run])
        torch.testing.assert_close(ours[run], expected, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(d_z[run], z_run.grad, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(d_slope[run, 0], theirs.weight.grad)


def test_the_slopes_of_prelu_start_at_a_quarter_one_for_each_unit_and_run():
    slope = Prelu().parameters(3, 4)["slope"]
    assert torch.equal(slope, torch.full((3, 1, 4), 0.25))
    # equation 3 by hand: only z <= 0 moves a slope, by z; (-2 - 3) = -5 and 0
    z = torch.tensor([[[-2.0, 1.0], [-3.0, 2.0]]])
    slope = torch.full((1, 1, 2), 0.25, requires_grad=True)
    a = Prelu()(z, {"slope": slope})
    assert a.tolist() == [[[-0.5, 1.0], [-0.75, 2.0]]]
    (gradient,) = torch.autograd.grad(a.sum(), slope)
    assert gradient.tolist() == [[[-5.0, 0.0]]]


@pytest.mark.parametrize("pieces", [2, 3])
def test_maxout_is_the_largest_of_each_units_linear_maps(pieces):
    recipe = BASELINE.but(activation=Maxout(pieces=pieces), initialisation=HeNormal(gain=1.0))
    network = build(recipe, n_inputs=6, n_classes=3, widths=[5, 4], seeds=[0, 1])
    assert [tuple(p["weight"].shape) for p in network.parameters] == [
        (2, 6, 5 * pieces),
        (2, 5, 4 * pieces),
        (2, 4, 3),
    ]
    for p in network.parameters:
        p["bias"].data.normal_(generator=torch.Generator().manual_seed(9))
    x = torch.randn(2, 7, 6, generator=torch.Generator().manual_seed(2))
    h = x
    for layer, n in zip(network.parameters[:-1], (5, 4), strict=True):
        maps = [
            h @ layer["weight"][..., k * n : (k + 1) * n] + layer["bias"][..., k * n : (k + 1) * n]
            for k in range(pieces)
        ]
        h = maps[0]
        for other in maps[1:]:
            h = torch.maximum(h, other)
    top = network.parameters[-1]
    torch.testing.assert_close(network(x), h @ top["weight"] + top["bias"])


def test_the_gradient_of_maxout_goes_to_the_largest_piece_alone():
    # two units of three pieces: unit 0 has maps 1, 5, 2 and unit 1 has 4, -1, 3
    z = torch.tensor([[[1.0, 4.0, 5.0, -1.0, 2.0, 3.0]]], requires_grad=True)
    a = Maxout(pieces=3)(z)
    assert a.tolist() == [[[5.0, 4.0]]]
    (gradient,) = torch.autograd.grad(a, z, torch.tensor([[[10.0, 20.0]]]))
    assert gradient.tolist() == [[[0, 20, 10, 0, 0, 0]]]


def test_of_two_equally_distributed_maps_the_larger_has_their_mean_square():
    """Why the recipe's weights have variance 1 / fan_in."""
    z = torch.randn(1, 200_000, 2, generator=torch.Generator().manual_seed(4))
    square = Maxout(pieces=2)(z).double().square()
    standard_error = square.std().item() / math.sqrt(square.numel())
    assert abs(square.mean().item() - 1) < 4 * standard_error


def test_saturation_starts_where_the_derivative_is_a_fifth_of_its_largest():
    """Of the units that saturate example by example: the threshold, from either side."""
    for activation in (ScaledTanh(), Softsign(), Elu(), Elu(alpha=0.5), Selu(), Softplus()):
        z = grid().requires_grad_()
        a = activation(z)
        (slope,) = torch.autograd.grad(a.sum(), z)
        saturated = activation.saturated(a.detach().view(-1, 1, 1)).bool()
        largest = slope.max() if not isinstance(activation, Elu) else activation.alpha
        share = slope.flatten() / largest
        if isinstance(activation, Elu | Selu):  # what counts is the negative side
            share = share.where(z.flatten() <= 0, 1.0)
        assert saturated.any() and not saturated.all()
        assert share[saturated].max() <= 0.2 + 1e-12
        assert share[~saturated].min() > 0.18


def test_shares_of_saturated_units_are_taken_per_run():
    tanh = torch.tensor([[[1.7, -1.7], [0.0, 0.5]], [[0.0, 0.0], [0.0, 1.6]]])
    assert ScaledTanh().saturated(tanh).tolist() == [0.5, 0.25]
    # dead: off on every example; run 0 has one such unit, run 1 none
    off = torch.tensor([[[-0.02, 1.0], [-0.01, -0.01]], [[-0.02, 0.0], [3.0, 1.0]]])
    for activation in (LeakyRelu(), Prelu(), Gelu()):
        assert activation.saturated(off).tolist() == [0.5, 0.0]
    assert Softplus().saturated(off).tolist() == [0.5, 0.0]
    assert Gelu().saturated(torch.full((1, 3, 2), -0.1)).tolist() == [0.0]  # z is near -0.2
    assert Maxout().saturated(off).tolist() == [0.0, 0.0]


def test_what_does_not_make_sense_is_refused():
    for slope in (0.0, -0.1, 1.0):
        with pytest.raises(ValueError, match=r"slope must lie in \(0, 1\), got"):
            LeakyRelu(slope=slope)
    with pytest.raises(ValueError, match="alpha must be above 0, got 0"):
        Elu(alpha=0)
    with pytest.raises(ValueError, match="pieces must be 2 or more, got 1"):
        Maxout(pieces=1)
    with pytest.raises(ValueError, match="Prelu learns a slope, which Autoencoder"):
        BASELINE.but(activation=Prelu(), pretraining=Autoencoder())
    with pytest.raises(ValueError, match="Maxout has several maps a unit, Autoencoder"):
        BASELINE.but(activation=Maxout(), pretraining=Autoencoder())


def test_the_largest_derivatives_are_those_of_the_docstrings():
    z = torch.tensor(np.linspace(-5, 5, 10001)).requires_grad_()
    largest = {ScaledTanh(): 1.7159 * 2 / 3, Softsign(): 1.0, Gelu(): 1.129}
    for activation, expected in largest.items():
        (slope,) = torch.autograd.grad(activation(z).sum(), z)
        assert slope.max().item() == pytest.approx(expected, abs=1e-3)
