"""The fixed point against a numerical integral, and rectifiers against their closed form."""

import math

import pytest
import torch

from benchmarks.experiments.klambauer2017selu import measure
from techniques.activations.selu import Selu

CPU = torch.device("cpu")
SMALL = {"activation": "selu", "width": 400, "examples": 200, "mean": 0.0, "variance": 1.0}


def test_zero_and_one_are_what_the_function_is_made_for():
    """Mean and mean square of selu(z), z standard normal, by the trapezoidal rule."""
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    density = (-(z**2) / 2).exp() / math.sqrt(2 * math.pi)
    value = Selu()(z)
    assert torch.trapezoid(value * density, z).item() == pytest.approx(0, abs=1e-6)
    assert torch.trapezoid(value**2 * density, z).item() == pytest.approx(1, abs=1e-6)


def test_one_layer_at_the_fixed_point_stays_there():
    (found,) = measure(SMALL, 1, [100], CPU)
    assert found["mean"] == pytest.approx(0, abs=0.06)
    assert found["variance"] == pytest.approx(1, abs=0.06)


def test_one_layer_of_rectifiers_has_the_variance_of_half_a_normal():
    (found,) = measure(SMALL | {"activation": "relu"}, 1, [100], CPU)
    assert found["mean"] == pytest.approx(1 / math.sqrt(2 * math.pi), abs=0.03)
    assert found["variance"] == pytest.approx(0.5 - 1 / (2 * math.pi), abs=0.03)


def test_a_seed_gives_the_same_alone():
    assert measure(SMALL, 3, [101], CPU) == measure(SMALL, 3, [100, 101], CPU)[1:]
