"""Initialisations from formulas, from mean-field theory and from data."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, optimize, special, stats

from techniques.activations.relu import Relu
from techniques.activations.sigmoid import Sigmoid
from techniques.activations.tanh import Tanh
from techniques.connections.residual import Residual
from techniques.initialisation.glorot import GlorotNormal
from techniques.initialisation.lecun import LeCunNormal
from techniques.initialisation.lsuv import Lsuv
from techniques.initialisation.mean_field import (
    Critical,
    chi_1,
    critical_sds,
    fixed_point,
    length_map,
)
from techniques.initialisation.random_walk import RandomWalk
from techniques.initialisation.sparse import Sparse
from techniques.network import build, cross_entropy
from techniques.normalisation.batch_norm import BatchNorm
from techniques.pretraining.greedy import greedy
from techniques.recipe import Recipe
from techniques.streams import stream

# sd by the paper's formula, written out anew
NORMAL = [
    (LeCunNormal(), lambda i, o: 1 / math.sqrt(i)),
    (GlorotNormal(), lambda i, o: math.sqrt(2) / math.sqrt(i + o)),
    (GlorotNormal(gain=4.0), lambda i, o: 4 * math.sqrt(2) / math.sqrt(i + o)),
    (RandomWalk(), lambda i, o: math.exp(1 / 2 / i) / math.sqrt(i)),
    (RandomWalk(rectifier=True), lambda i, o: math.sqrt(2 / i) * math.exp(1.2 / (i - 2.4))),
    (Critical(Tanh(), q=0.57), lambda i, o: math.sqrt(1.76095 / i)),
]


@pytest.mark.parametrize("shape", [(300, 200), (200, 300)])
@pytest.mark.parametrize("initialisation, sd_of", NORMAL)
def test_normal_weights_have_the_formulas_variance_and_distribution(initialisation, sd_of, shape):
    weight = initialisation(*shape, stream(0, "test")).double().numpy()
    sd = sd_of(*shape)
    assert weight.shape == shape
    # the variance of n normal draws has relative standard error sqrt(2/n)
    assert abs(weight.var() / sd**2 - 1) < 4 * math.sqrt(2 / weight.size)
    assert stats.kstest(weight.ravel(), stats.norm(0, sd).cdf).pvalue > 1e-4


# --- sparse ---


def test_sparse_units_have_15_normal_weights_from_inputs_chosen_evenly():
    fan_in, fan_out = 40, 4000
    weight = Sparse()(fan_in, fan_out, stream(0, "test")).double().numpy()
    assert ((weight != 0).sum(0) == 15).all()
    assert stats.kstest(weight[weight != 0], stats.norm(0, 1).cdf).pvalue > 1e-4
    # an input is chosen by Binomial(4000, 15/40) units
    chosen = (weight != 0).sum(1)
    se = math.sqrt(fan_out * 15 / 40 * 25 / 40)
    assert (abs(chosen - fan_out * 15 / 40) < 4 * se).all()
    # two inputs by 4000 15 14 / (40 39) units, if they are chosen independently of their order
    together = ((weight[:-1] != 0) & (weight[1:] != 0)).sum(1)
    share = 15 * 14 / (40 * 39)
    assert (abs(together - fan_out * share) < 4 * math.sqrt(fan_out * share * (1 - share))).all()


def test_sparse_units_with_few_inputs_take_them_all():
    weight = Sparse(sd=0.25)(7, 3000, stream(0, "test")).double().numpy()
    assert (weight != 0).all()
    assert stats.kstest(weight.ravel(), stats.norm(0, 0.25).cdf).pvalue > 1e-4


def test_sparse_units_start_with_the_bias_of_their_kind():
    for initialisation, start in ((Sparse(), 0.0), (Sparse(sd=0.25, bias_start=0.5), 0.5)):
        recipe = Recipe(activation=Tanh(), initialisation=initialisation)
        network = build(recipe, n_inputs=20, n_classes=3, widths=[9, 9], seeds=[0, 1])
        for layer in network.parameters[:-1]:
            assert torch.equal(layer["bias"], torch.full((2, 1, 9), start))
    with pytest.raises(ValueError, match="n_incoming must be 1 or more, got 0"):
        Sparse(n_incoming=0)


# --- random walk ---


@pytest.mark.parametrize("fan_in", [5, 20, 100])
def test_the_linear_random_walk_has_no_drift_to_first_order_in_the_width(fan_in):
    """|weight x|^2 / |x|^2 is gain^2 chi^2_N / N in a square layer, and E[log chi^2_N] =
    digamma(N/2) + log 2 = log N - 1/N - 1/(3 N^2) + ...: the gain takes the 1/N away.
    """
    gain = RandomWalk().gain(fan_in)
    drift = math.log(gain) + (special.digamma(fan_in / 2) - math.log(fan_in / 2)) / 2
    # the series' next term is 1/(15 N^4), and alternating it bounds what is left out
    assert drift == pytest.approx(-1 / (6 * fan_in**2), abs=1 / (15 * fan_in**4))


@pytest.mark.parametrize("width", [12, 30, 100])
def test_the_rectifiers_random_walk_has_no_drift(width):
    """A square layer: |relu(weight x)|^2 / |x|^2 is gain^2 mean(relu(z)^2), z ~ N(0, 1).

    Of N units K ~ Binomial(N, 1/2) are above zero, and the sum of their squares is chi^2_K; where
    all are at zero, with probability 2^-N, there is no logarithm, and these are left out.
    """
    k = np.arange(1, width + 1)
    share = stats.binom(width, 0.5).pmf(k)
    log_chi = special.digamma(k / 2) + math.log(2)
    half = 0.5 * (share @ log_chi / share.sum() - math.log(width))
    assert half + math.log(2) / 2 < -1 / width  # He's gain drifts down, by 5/(4N) to first order
    # the paper's 1.2 / (N - 2.4) is a fit, printed to two digits: each is right to 0.05
    printed = 0.05 / (width - 2.4) + 1.2 * 0.05 / (width - 2.4) ** 2
    assert abs(half + math.log(RandomWalk(rectifier=True).gain(width))) < printed


def test_the_rectifiers_gain_stops_growing_below_six_inputs():
    gain = RandomWalk(rectifier=True).gain
    assert gain(2) == gain(6) == pytest.approx(math.sqrt(2) * math.exp(1 / 3))
    assert gain(7) < gain(6)


# --- mean field ---


def expectation(g, q):
    """E[g(u)], u ~ N(0, q), by adaptive integration."""
    sd = math.sqrt(q)
    return integrate.quad(
        lambda z: g(sd * z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
        *(-12, 12),  # beyond lies 4e-33 of the probability
        **{"epsabs": 0, "epsrel": 1e-12},
    )[0]


# centred function and slope, written out anew
CENTRED = {
    Tanh(): (np.tanh, lambda u: 1 / np.cosh(u) ** 2),
    Sigmoid(): (
        lambda u: 1 / (1 + np.exp(-u)) - 0.5,
        lambda u: np.exp(-u) / (1 + np.exp(-u)) ** 2,
    ),
}


def quadrature_error(q, order, scale=1.0):
    """Error of 128 nodes for E[cosh(u / scale)^-order], u ~ N(0, q); twice its leading term.

    g has poles at +-iy, y = pi scale / (2 sqrt(q)), of coefficient c = (scale / sqrt(q))^order,
    and n nodes err by the residues of g K, K(z) = sqrt(2 pi) exp(-z^2/2 + 2iz sqrt(n + 1/2)):
    at each c |K(iy)| |d log K / dz|^(order - 1) / (order - 1)!.
    """
    y, root = math.pi * scale / (2 * math.sqrt(q)), math.sqrt(128.5)
    residue = (scale**2 / q) ** (order / 2) / math.factorial(order - 1)
    kernel = math.sqrt(2 * math.pi) * math.exp(y * y / 2 - 2 * y * root)
    return 2 * 2 * residue * kernel * (2 * root - y) ** (order - 1)


# the quadrature's error grows with q, as tanh(sqrt(q) z) gets steeper
@pytest.mark.parametrize("q", [0.0259, 0.57, 3.0])
@pytest.mark.parametrize("activation, scale", [(Tanh(), 1), (Sigmoid(), 2)])
def test_at_the_critical_point_q_is_fixed_and_chi_1_is_one_by_adaptive_integration(
    activation, scale, q
):
    f, slope = CENTRED[activation]
    # f' = cosh(u / scale)^-2 / scale^2 is squared; adaptive integration is right to 1e-12
    root_slope = expectation(lambda u: np.cosh(u / scale) ** -4.0, q)
    error = 4e-12 + quadrature_error(q, 4, scale) / root_slope
    weight_sd, bias_sd = critical_sds(activation, q)
    square = expectation(lambda u: f(u) ** 2, q)
    assert weight_sd**2 * expectation(lambda u: slope(u) ** 2, q) == pytest.approx(1, rel=error)
    assert weight_sd**2 * square + bias_sd**2 == pytest.approx(q, rel=error)
    assert length_map(q, activation, weight_sd, bias_sd) == pytest.approx(q, rel=1e-12)
    assert chi_1(q, activation, weight_sd) == pytest.approx(1, rel=1e-12)
    assert bias_sd > 0


def map_slope(q, weight_sd):
    """d (length map) / dq of tanh, weight_sd^2 E[f'^2 + f f''], with f'' = -2 f f'."""
    return weight_sd**2 * expectation(
        lambda u: (1 - np.tanh(u) ** 2) * (1 - 3 * np.tanh(u) ** 2), q
    )


@pytest.mark.parametrize("weight_sd, bias_sd", [(0.9, 0.3), (1.5, 0.3), (2.0, 0.0)])
def test_the_fixed_point_is_the_root_that_adaptive_integration_finds(weight_sd, bias_sd):
    def excess(q):
        return weight_sd**2 * expectation(lambda u: np.tanh(u) ** 2, q) + bias_sd**2 - q

    root = optimize.brentq(excess, 0.01, 10, xtol=1e-13)
    q = fixed_point(Tanh(), weight_sd, bias_sd)
    # tanh^2 = 1 - cosh^-2; an error of the map moves its fixed point by 1 / (1 - its slope)
    error = 1e-12 + weight_sd**2 * quadrature_error(root, 2)
    error /= 1 - map_slope(root, weight_sd)
    assert q == pytest.approx(root, abs=error)
    slope = expectation(lambda u: np.cosh(u) ** -4.0, root)
    # |d E[g(u)] / dq| = |E[g''(u)]| / 2 <= 2 for g = cosh^-4
    error = weight_sd**2 * (2 * error + quadrature_error(root, 4) + 1e-12)
    assert chi_1(q, Tanh(), weight_sd) == pytest.approx(weight_sd**2 * slope, abs=error)
    assert (chi_1(q, Tanh(), weight_sd) < 1) == (weight_sd < 1)  # order below, chaos above


def test_the_papers_critical_points_of_tanh_are_found():
    """(weight_sd^2, bias_sd^2) = (1.76, 0.05) and (1.05, 2.01e-5), as far as they are printed."""
    for q, weight_variance, bias_variance in ((0.57, 1.76, 0.05), (0.0259, 1.05, 2.01e-5)):
        weight_sd, bias_sd = critical_sds(Tanh(), q)
        assert weight_sd**2 == pytest.approx(weight_variance, abs=0.005)
        assert bias_sd**2 == pytest.approx(bias_variance, rel=0.005)


def test_rectifiers_are_critical_with_hes_weights_and_without_biases():
    weight_sd, bias_sd = critical_sds(Relu(), 1.0)
    assert weight_sd == pytest.approx(math.sqrt(2)) and bias_sd < 1e-6
    with pytest.raises(ValueError, match="no fixed point for weight_sd 1.5"):
        fixed_point(Relu(), 1.5, 0.1)


def test_points_that_are_not_critical_and_units_that_do_not_fit_are_refused():
    class Square:
        def __call__(self, z):
            return z + z * z

    # E[f^2] = q + 3 q^2, E[f'^2] = 1 + 4 q: bias_sd^2 = q - E[f^2] / E[f'^2] = q^2 / (1 + 4 q)
    assert critical_sds(Square(), 0.1)[1] ** 2 == pytest.approx(0.01 / 1.4)

    class Step:  # its square is about 1 whatever q is, its slope's 0.01
        def __call__(self, z):
            return z.sign() + 0.1 * z

    with pytest.raises(ValueError, match="Step has no critical point at q = 0.1"):
        Critical(Step(), q=0.1)
    with pytest.raises(ValueError, match="q must be above 0, got 0"):
        Critical(Tanh(), q=0)
    with pytest.raises(ValueError, match="Critical weights for Tanh are not critical for Sigmoid"):
        Recipe(initialisation=Critical(Tanh(), q=0.57))


def critical_network(activation, q, *, orthogonal=False, width, depth, seeds=(0,), n_inputs=None):
    recipe = Recipe(activation=activation, initialisation=Critical(activation, q, orthogonal))
    return build(
        recipe, n_inputs=n_inputs or width, n_classes=2, widths=[width] * depth, seeds=list(seeds)
    )


@pytest.mark.parametrize("activation, q", [(Tanh(), 0.57), (Sigmoid(), 2.28)])
@torch.no_grad()
def test_a_wide_network_comes_to_the_chosen_q_from_any_input(activation, q):
    network = critical_network(activation, q, width=1000, depth=16, n_inputs=10)
    x = torch.tensor([[0.5], [3.0]]) * torch.randn(2, 10, generator=stream(1, "x"))
    lengths = torch.stack([a.pre_activation.square().mean(2) for a in network.trace(x).layers])
    assert lengths[0, 0, 1] > 5 * lengths[0, 0, 0]  # they start apart
    # Relative to q, of 8 layers' mean: a layer's mean of 1000 squares has standard error
    # sqrt(2/1000); its mean of f^2 has one too, which moves the next layer's q, that one's the one
    # after by the map's slope, and so on: 1 / (1 - slope) of it in all. Both at once, at the most.
    # What is left of the start shrinks by the slope a layer, or faster, as the map is concave.
    # In the terms of tanh: a logistic net is a tanh net of a quarter of q.
    of_tanh = q if activation == Tanh() else q / 4
    weight_sd, _ = critical_sds(Tanh(), of_tanh)
    slope = map_slope(of_tanh, weight_sd)
    square, fourth = (expectation(lambda u, k=k: np.tanh(u) ** k, of_tanh) for k in (2, 4))
    inherited = weight_sd**2 * math.sqrt((fourth - square**2) / 1000) / of_tanh / (1 - slope)
    standard_error = (math.sqrt(2 / 1000) + inherited) / math.sqrt(8)
    excess = float(lengths[1].max()) / q - 1
    left = excess * slope**7 / (1 - slope) / 8
    error = 4 * standard_error + left
    torch.testing.assert_close(lengths[8:].mean(0), torch.full((1, 2), q), rtol=error, atol=0)
    assert error < 0.15


@pytest.mark.parametrize("orthogonal", [False, True])
def test_a_logistic_net_at_the_critical_point_is_a_tanh_net_in_other_coordinates(orthogonal):
    """sigma(z) = 1/2 + tanh(z/2)/2: a layer W, b on logistic units gives twice what the layer
    W/4, (b + sum_i W[i, j]/2)/2 gives on tanh units; on inputs, twice what W/2, b/2 gives.
    """
    q, width = 0.57, 200
    logistic = critical_network(Sigmoid(), 4 * q, orthogonal=orthogonal, width=width, depth=5)
    tanh = critical_network(Tanh(), q, orthogonal=orthogonal, width=width, depth=5)
    weight_sd, bias_sd = critical_sds(Tanh(), q)
    assert critical_sds(Sigmoid(), 4 * q) == pytest.approx((4 * weight_sd, 2 * bias_sd))
    logistic, tanh = logistic.to(torch.float64), tanh.to(torch.float64)
    with torch.no_grad():
        for index, (s, t) in enumerate(zip(logistic.parameters, tanh.parameters, strict=True)):
            if index == 5:
                break
            t["weight"].copy_(s["weight"] / (2 if index == 0 else 4))
            offset = 0 if index == 0 else s["weight"].sum(1, keepdim=True) / 2
            t["bias"].copy_((s["bias"] + offset) / 2)
            # the start is a tanh net's: biases without the offset are N(0, bias_sd^2)
            biases = t["bias"].flatten().numpy()
            assert stats.kstest(biases, stats.norm(0, bias_sd).cdf).pvalue > 1e-4
            if index > 0:
                # 200^2 normal draws' squares have relative standard error sqrt(2) / 200; of an
                # orthogonal matrix the mean is exact, but drawn in float32
                error = 1e-5 if orthogonal else 4 * math.sqrt(2) / width
                assert float(t["weight"].square().sum(1).mean()) == pytest.approx(
                    weight_sd**2, rel=error
                )
        x = torch.rand(7, width, generator=stream(2, "x"), dtype=torch.float64)
        above, below = logistic.trace(x).layers, tanh.trace(x).layers
        for s, t in zip(above, below, strict=True):
            torch.testing.assert_close(s.pre_activation, 2 * t.pre_activation)
            torch.testing.assert_close(s.activation, 0.5 + 0.5 * t.activation)


def test_the_logistic_gain_is_four_at_small_q():
    """E[f'^2] = E[1 - 2 u^2 + 7 u^4 / 3 - ...] = 1 - 2 q + 7 q^2 - ..., so for tanh weight_sd =
    1 + q - 2 q^2 + ..., and for the logistic unit four times that of q/4.
    """
    q = 1e-4
    assert critical_sds(Tanh(), q)[0] == pytest.approx(1 + q, abs=2 * q**2)
    assert critical_sds(Sigmoid(), q)[0] == pytest.approx(4 + q, abs=4 * 2 * (q / 4) ** 2)


WIDTH, DEPTH = 150, 20


@torch.no_grad()
def squared_singular_values(activation, q, orthogonal, seeds):
    """Of the Jacobian from the inputs to the last hidden layer, at an input that starts at q.

    From the greatest down, (R, WIDTH); J = prod weight_l diag(f'(z_l)).
    """
    network = critical_network(
        activation, q, orthogonal=orthogonal, width=WIDTH, depth=DEPTH, seeds=seeds
    ).to(torch.float64)
    draws = [torch.randn(1, WIDTH, generator=stream(s, "x"), dtype=torch.float64) for s in seeds]
    x = torch.stack(draws)
    weight_sd, bias_sd = critical_sds(activation, q)
    x = x / x.square().mean(2, keepdim=True).sqrt() * math.sqrt(q - bias_sd**2) / weight_sd
    _, slope = CENTRED[activation]
    jacobian = torch.eye(WIDTH, dtype=torch.float64)
    for index, layer in enumerate(network.trace(x).layers):
        slopes = torch.from_numpy(slope(layer.pre_activation.numpy()))
        jacobian = jacobian @ network.weight(index) * slopes
    return torch.linalg.svdvals(jacobian).square()


def papers_variance(activation, q):
    """Of the squares: Pennington et al. (2017): depth (mu_2/mu_1^2 - 1), mu_k = E[f'^(2k)]."""
    _, slope = CENTRED[activation]
    mu_1, mu_2 = (expectation(lambda u, k=k: slope(u) ** (2 * k), q) for k in (1, 2))
    return DEPTH * (mu_2 / mu_1**2 - 1)


def signals_gain(activation, q):
    """By what the Jacobian multiplies a change along the signal itself: a layer changes the mean
    square by the length map's slope, which is below chi_1 = 1, and so do all 20.
    """
    of_tanh = q if activation == Tanh() else q / 4
    return map_slope(of_tanh, critical_sds(Tanh(), of_tanh)[0]) ** DEPTH


@pytest.mark.parametrize("activation, scale", [(Tanh(), 1), (Sigmoid(), 4)])
def test_isometry_keeps_every_singular_value_of_the_jacobian_near_one(activation, scale):
    q = scale / 256
    small = squared_singular_values(activation, q, True, [0, 1, 2]).sqrt()
    # no layer's gain is above weight_sd f'(0)
    most = (critical_sds(activation, q)[0] / scale) ** DEPTH
    assert (small < most).all()
    # the least is the signal's own. Per layer its gain is 1 - q/scale (kurtosis of z - 1), where
    # the kurtosis of 150 normal draws has standard error sqrt(24/150); the others, of standard
    # deviation sd around 1, push it down by about sd^2 / its distance from them
    sd, least = papers_variance(activation, q) ** 0.5 / 2, signals_gain(activation, q)
    error = 4 * q / scale * math.sqrt(24 / WIDTH * DEPTH) + sd**2 / (1 - least)
    assert ((small[:, -1] - least).abs() < error).all()
    assert ((small[:, :-1] - 1).abs() < 4 * sd).all()
    assert 0.8 < least - error and most < 1.1  # near enough
    # Gaussian weights keep the mean square only. Of n linear units the k-th singular value is
    # about (1 - k/n)^(depth/2), the median 2^-10; its logarithm sums 20 halves of that of a
    # chi^2_75, whose standard error is sqrt(1/150) each, 0.37 in all. The greatest tends to
    # sqrt(21^21 / 20^20) = 7.5 from below
    normal = squared_singular_values(activation, q, False, [0, 1, 2]).sqrt()
    assert ((normal.median(1).values.log() + 10 * math.log(2)).abs() < 4 * 0.37).all()
    assert (normal[:, 0] > 2).all()


@pytest.mark.parametrize("activation, scale", [(Tanh(), 1), (Sigmoid(), 4)])
def test_the_spread_of_singular_values_is_the_papers_formula(activation, scale):
    """Pennington et al. (2017): the mean of the squares is (weight_sd^2 mu_1)^depth = 1, with
    orthogonal weights, and their variance depth (mu_2/mu_1^2 - 1), as the width grows.

    Ten networks, by their own standard error. Of 150 values one is the signal's, which the theory
    of independent layers does not know of: it shifts the mean by (1 - gain^2) / 150, the variance
    by (1 - gain^2)^2 / 150.
    """
    q, runs = 0.0259 * scale, 10
    squares = squared_singular_values(activation, q, True, range(runs))
    loss = 1 - signals_gain(activation, q) ** 2
    cases = [
        (squares.mean(1), 1, loss / WIDTH),
        (squares.var(1, correction=0), papers_variance(activation, q), loss**2 / WIDTH),
    ]
    for measured, expected, shift in cases:
        standard_error = float(measured.std()) / math.sqrt(runs)
        assert standard_error < 0.05 * expected  # or the test says nothing
        assert float(measured.mean()) == pytest.approx(expected, abs=shift + 4 * standard_error)


# --- layer-sequential unit variance ---


def lsuv_network(activation, *, x, depth=8, width=40, connection=None, seeds=(0, 1)):
    recipe = Recipe(activation=activation, pretraining=Lsuv(), connection=connection)
    network = build(
        recipe, n_inputs=x.shape[1], n_classes=3, widths=[width] * depth, seeds=list(seeds)
    )
    greedy(network, x, list(seeds))
    return network


def examples(n=300, n_inputs=30, scale=7.0):
    return scale * torch.rand(n, n_inputs, generator=stream(5, "x"))


@pytest.mark.parametrize("connection", [None, Residual(every=2)])
@pytest.mark.parametrize("activation", [Sigmoid(), Tanh(), Relu()])
def test_every_layers_pre_activations_have_unit_variance_on_the_data(activation, connection):
    """On all 300 examples, as the batch is at most 1000."""
    x = examples()
    network = lsuv_network(activation, x=x, connection=connection)
    for layer in network.trace(x).layers:
        for z in layer.pre_activation.detach().double():
            # z sums up to 40 products in float32, and their moduli, |x||w| at most, to less than
            # 10 sd: 2 x 40 x 10 x 2^-24 = 5e-5 of the square
            assert float(z.var(correction=0)) == pytest.approx(1, abs=5e-5)


def test_a_batch_of_the_examples_is_enough_for_the_papers_tolerance():
    x = examples(n=2000)
    recipe = Recipe(activation=Tanh(), pretraining=Lsuv(batch_size=200))
    network = build(recipe, n_inputs=30, n_classes=3, widths=[40] * 5, seeds=[0])
    greedy(network, x, [0])
    layers = network.trace(x).layers
    variances = [float(layer.pre_activation.detach().var(correction=0)) for layer in layers]
    assert all(abs(variance - 1) < 0.1 for variance in variances)
    assert max(abs(variance - 1) for variance in variances) > 1e-3  # it was not on all of them


@pytest.mark.parametrize("activation", [Sigmoid(), Tanh(), Relu()])
def test_the_directions_of_lsuv_are_orthonormal_and_its_biases_zero(activation):
    network = lsuv_network(activation, x=examples())
    for layer in network.parameters[:-1]:
        assert not layer["bias"].any()
        for weight in layer["weight"].detach().double():
            short = weight if weight.shape[0] >= weight.shape[1] else weight.T
            gram = short.T @ short
            unit = gram / gram.diagonal().mean()
            torch.testing.assert_close(unit, torch.eye(len(unit)).double(), atol=1e-5, rtol=0)


def test_lsuv_saves_the_gradient_of_tanh_and_not_that_of_logistic_units():
    """The gradient's factor a layer is |w| = 1/sd(x q), or 1/sqrt(E[a^2]) if a has mean 0, times
    sqrt(E[f'^2]); at the ends come |x| = sqrt(30/3) and |a| = sqrt(40 E[a^2]), which are alike.

    tanh, E over z ~ N(0, 1): sqrt(0.464/0.394) = 1.085, seven times, and 3.2/4.0 of that: 1.4. Each
    layer of 40 units varies by about sqrt(3/40)/2 in the logarithm, seven by 0.36: at least e^-1.5.
    Logistic: sd(x q) is about sqrt(E[a^2]) > 1/2, as the mean is 1/2, and f' <= 1/4: at most 1/2 a
    layer, 2^-7 = 0.008.
    """
    x, shares = examples(scale=1.0), {}
    y = torch.arange(300).expand(2, -1) % 3
    for activation in (Tanh(), Sigmoid()):
        network = lsuv_network(activation, x=x)
        cross_entropy(network(x), y).sum().backward()
        first, last = (network.parameters[i]["weight"].grad for i in (0, 7))
        shares[activation] = float(first.norm() / last.norm())
    assert 1.4 * math.exp(-1.5) < shares[Tanh()] < 1.4 * math.exp(1.5)
    assert shares[Sigmoid()] < 2**-7


def test_a_layer_that_is_given_zeros_keeps_orthonormal_weights():
    network = lsuv_network(Relu(), x=torch.zeros(20, 10), width=10)
    for layer in network.parameters[:-1]:
        singular = torch.linalg.svdvals(layer["weight"].detach())
        torch.testing.assert_close(singular, torch.ones_like(singular))


def test_lsuv_under_normalisation_is_refused():
    with pytest.raises(ValueError, match="LSUV scales weights, and BatchNorm makes their scale"):
        Recipe(pretraining=Lsuv(), normalisation=BatchNorm())
