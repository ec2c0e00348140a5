"""Every initialisation against its formula: bounds, variance and the whole distribution."""

import math

import pytest
import torch
from scipy import stats

from techniques.initialisation.fan_in import FanIn
from techniques.initialisation.glorot import GlorotUniform
from techniques.initialisation.he import HeNormal
from techniques.initialisation.orthogonal import Orthogonal
from techniques.streams import stream

SHAPES = [(300, 200), (200, 300)]

# bound or sd by the paper's formula, written out anew
UNIFORM = [
    (FanIn(), lambda i, o: 1 / math.sqrt(i)),
    (GlorotUniform(), lambda i, o: math.sqrt(6) / math.sqrt(i + o)),
    (GlorotUniform(gain=4.0), lambda i, o: 4 * math.sqrt(6) / math.sqrt(i + o)),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("initialisation, bound_of", UNIFORM)
def test_uniform_weights_have_the_formulas_bounds_variance_and_distribution(
    initialisation, bound_of, shape
):
    weight = initialisation(*shape, stream(0, "test")).double().numpy()
    bound = bound_of(*shape)
    assert weight.shape == shape
    assert abs(weight).max() <= bound
    assert abs(weight).max() > 0.999 * bound  # of 60,000 draws
    # the variance of n squares of U(-b, b) has standard error b^2 sqrt(4/45 / n)
    assert abs(weight.var() - bound**2 / 3) < 4 * bound**2 * math.sqrt(4 / 45 / weight.size)
    assert stats.kstest(weight.ravel(), stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-4


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gain", [math.sqrt(2), 1.0])
def test_he_weights_are_normal_with_variance_gain_squared_over_fan_in(shape, gain):
    weight = HeNormal(gain=gain)(*shape, stream(0, "test")).double().numpy()
    sd = gain / math.sqrt(shape[0])
    assert weight.shape == shape
    assert abs(weight.var() / sd**2 - 1) < 4 * math.sqrt(2 / weight.size)
    assert stats.kstest(weight.ravel(), stats.norm(0, sd).cdf).pvalue > 1e-4


def test_the_default_gain_of_he_is_the_square_root_of_two():
    assert HeNormal().gain == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("shape", [*SHAPES, (50, 50)])
@pytest.mark.parametrize("gain", [1.0, 4.0])
def test_all_singular_values_of_orthogonal_weights_equal_the_gain(shape, gain):
    weight = Orthogonal(gain=gain)(*shape, stream(0, "test"))
    assert weight.shape == shape and weight.dtype == torch.float32
    singular = torch.linalg.svdvals(weight.double())
    torch.testing.assert_close(singular, torch.full_like(singular, gain), rtol=1e-6, atol=0)


def test_orthogonal_weights_are_spread_evenly_over_the_orthogonal_matrices():
    """QR alone gives diagonals of one sign; uniformly, an element has mean 0, sd 1/sqrt(n)."""
    n, draws = 8, 2000
    generator = stream(0, "test")
    first = torch.stack([Orthogonal()(n, n, generator)[0, 0] for _ in range(draws)]).double()
    assert abs(first.mean()) < 4 / math.sqrt(n * draws)
    # the square of a uniform unit vector's element is Beta(1/2, (n - 1)/2)
    assert stats.kstest(first.square().numpy(), stats.beta(0.5, (n - 1) / 2).cdf).pvalue > 1e-4
