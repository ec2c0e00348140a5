"""Signals at initialisation against what random matrices are known to do."""

import math

import torch

from benchmarks.experiments import glorot2010
from benchmarks.signals import backpropagated, layer_jacobian, slope
from techniques.network import build, cross_entropy
from techniques.recipe import Recipe

CPU = torch.device("cpu")
START = {"activation": "tanh", "width": 60, "examples": 20}


def test_singular_values_are_those_of_a_random_square_matrix():
    # Marchenko-Pastur: singular values of a square matrix of variance s^2/n have mean 8 s / (3 pi);
    # tanh' is below 1, and hardly so where standard weights keep z small
    (found,) = glorot2010.at_start({**START, "weights": "standard", "width": 300}, 5, [7], CPU)
    linear = 8 / (3 * math.pi) / math.sqrt(3)
    assert 0.93 * linear < found["mean_singular_value"] < linear


def test_standard_weights_shrink_the_mean_square_about_threefold_a_layer():
    settings = {**START, "weights": "standard", "width": 300}
    (found,) = glorot2010.at_start(settings, 5, [7], CPU)
    assert abs(found["activation_growth"] + math.log10(3)) < 0.05
    assert abs(found["gradient_growth"] - math.log10(3)) < 0.05
    assert abs(found["weight_gradient_growth"]) < 0.05


def test_back_propagated_gradients_are_those_of_each_example():
    network = build(Recipe(), n_inputs=3, n_classes=2, widths=[4, 4], seeds=[0], device=CPU)
    x = torch.tensor([[0.1, 0.5, 0.9], [1.0, 0.0, 0.3]])
    y = torch.tensor([0, 1])
    _, deltas = backpropagated(network, x, y)
    for b in range(2):
        trace = network.trace(x[b : b + 1])
        z = trace.layers[0].pre_activation
        loss = cross_entropy(trace.logits, y[b : b + 1].unsqueeze(0)).sum()
        (one,) = torch.autograd.grad(loss, z)
        assert torch.allclose(deltas[0][0, b], one[0, 0], atol=1e-7)


def test_a_layers_jacobian_is_the_derivative_of_the_next_pre_activation():
    network = build(Recipe(), n_inputs=3, n_classes=2, widths=[4, 5], seeds=[0], device=CPU)
    z = torch.tensor([0.3, -1.0, 0.0, 2.0])

    def above(z):
        return network.linear(1, network.activate(0, z.view(1, 1, -1))).flatten()

    wanted = torch.autograd.functional.jacobian(above, z)  # (5, 4)
    assert torch.allclose(layer_jacobian(network, 0, z), wanted.T, atol=1e-6)


def test_slope_of_a_straight_line():
    values = torch.tensor([[1.0, 3.0, 5.0, 7.0], [0.0, 0.0, 0.0, 0.0]])
    assert slope(values).tolist() == [2.0, 0.0]


def test_saturation_is_read_where_the_top_layer_is_furthest():
    means = torch.tensor([[0.5, 0.52, 0.45], [0.5, 0.1, 0.3]])
    found = glorot2010._saturation(means)
    wanted = {
        "top_mean_lowest": 0.1,
        "top_mean_end": 0.3,
        "first_mean_furthest": 0.05,
        "top_below_first": 0.42,
    }
    assert {name: round(value, 6) for name, value in found.items()} == wanted


def test_a_seed_gives_the_same_alone_and_among_others():
    start = {**START, "weights": "normalised"}
    alone, among = (glorot2010.at_start(start, 3, seeds, CPU) for seeds in ([5], [4, 5]))
    assert alone[0] == among[1]
    training = {
        "activation": "sigmoid",
        "weights": "standard",
        "width": 16,
        "examples": 10,
        "n_train": 100,
        "lr": 0.1,
        "batch_size": 10,
        "updates": 20,
        "every": 10,
    }
    alone, among = (glorot2010.in_training(training, 3, seeds, CPU) for seeds in ([5], [4, 5]))
    assert alone[0] == among[1]
