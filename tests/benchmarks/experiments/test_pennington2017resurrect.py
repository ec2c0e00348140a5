"""The Jacobian of the whole network, and spreads that are known."""

import math

import torch

from benchmarks.experiments import pennington2017resurrect as pennington
from techniques.network import build

CPU = torch.device("cpu")


def test_the_jacobian_is_the_derivative_of_the_last_pre_activation_by_the_first():
    recipe = pennington.recipe("tanh", "gaussian", pennington.Q)
    network = build(recipe, n_inputs=4, n_classes=1, widths=[4] * 3, seeds=[0], device=CPU)
    network = network.to(torch.float64)
    x = torch.tensor([[0.3, -0.2, 0.8, 0.1]], dtype=torch.float64)

    def above(z):
        z = z.view(1, 1, -1)
        for index in (1, 2):
            z = network.linear(index, network.activate(index - 1, z))
        return z.flatten()

    first = network.trace(x).layers[0].pre_activation[0, 0].detach()
    wanted = torch.autograd.functional.jacobian(above, first)
    assert torch.allclose(pennington.jacobian(network, x), wanted.T, atol=1e-12)


def test_orthogonal_layers_of_nearly_linear_units_are_nearly_isometric():
    settings = {"units": "tanh", "weights": "orthogonal", "width": 50, "q": pennington.Q}
    (found,) = pennington.spectrum(settings, 2, [3], CPU)
    assert abs(found["mean_square_log10"]) < 0.05 and found["square_variance"] < 0.05


def test_one_gaussian_layer_spreads_the_squares_by_one():
    # Marchenko-Pastur at aspect ratio 1: the squared singular values have variance 1
    settings = {"units": "tanh", "weights": "gaussian", "width": 300, "q": pennington.Q}
    (found,) = pennington.spectrum(settings, 2, [3], CPU)
    assert abs(found["square_variance"] - 1) < 0.1


def test_spread_by_hand():
    found = pennington._spread(torch.tensor([1.0, 3.0], dtype=torch.float64))  # squares 1, 9
    assert math.isclose(found["mean_square_log10"], math.log10(5))
    assert math.isclose(found["square_variance"], (0.8**2 + 0.8**2) / 2)
    assert math.isclose(found["largest_log10"], math.log10(9 / 5) / 2)


def test_a_seed_gives_the_same_alone_and_among_others():
    settings = {"units": "rectifier", "weights": "orthogonal", "width": 12, "q": pennington.Q}
    alone, among = (pennington.spectrum(settings, 4, seeds, CPU) for seeds in ([5], [4, 5]))
    assert alone[0] == among[1]
