"""Layer by layer against torch.nn and torch.optim, and what becomes of the output layer."""

import pytest
import torch
from torch import nn

from techniques.activations.relu import Relu
from techniques.initialisation.fan_in import FanIn
from techniques.initialisation.he import HeNormal
from techniques.network import build
from techniques.pretraining.greedy import greedy
from techniques.pretraining.supervised import SupervisedGreedy
from techniques.recipe import BASELINE
from techniques.streams import batches, stream

RECTIFIER = BASELINE.but(activation=Relu(), initialisation=HeNormal())


def examples():
    g = torch.Generator().manual_seed(0)
    return torch.rand(9, 6, generator=g), torch.arange(9) % 3


@pytest.mark.parametrize("base, unit", [(BASELINE, nn.Sigmoid), (RECTIFIER, nn.ReLU)])
def test_each_layer_is_trained_as_the_hidden_layer_of_a_classifier_on_those_below(base, unit):
    recipe = base.but(pretraining=SupervisedGreedy(epochs=2, batch_size=4, lr=0.2))
    x, y = examples()
    shape = {"n_inputs": 6, "n_classes": 3, "widths": [5, 4]}
    network, start = (build(recipe, **shape, seeds=[3]) for _ in range(2))
    greedy(network, x, [3], y=y)

    h = x
    for index, width in enumerate([5, 4]):
        output = nn.utils.skip_init(nn.Linear, width, 3)
        output.weight.data = FanIn()(width, 3, stream(3, f"supervised:output:{index}")).T.clone()
        output.bias.data.zero_()
        hidden = nn.utils.skip_init(nn.Linear, h.shape[1], width)
        hidden.weight.data = start.parameters[index]["weight"][0].detach().T.clone()
        hidden.bias.data.zero_()
        classifier = nn.Sequential(hidden, unit(), output)
        optimiser = torch.optim.SGD(classifier.parameters(), lr=0.2, momentum=0.9)
        order = batches([3], f"supervised:order:{index}", 9, 4)
        for _ in range(2 * (9 // 4)):
            chosen = next(order)[0]
            optimiser.zero_grad()
            nn.functional.cross_entropy(classifier(h[chosen]), y[chosen]).backward()
            optimiser.step()
        layer = network.parameters[index]
        close = {"rtol": 0, "atol": 1e-5}
        torch.testing.assert_close(layer["weight"][0].detach(), hidden.weight.data.T, **close)
        torch.testing.assert_close(layer["bias"][0, 0].detach(), hidden.bias.data, **close)
        h = classifier[:2](h).detach()


def test_the_networks_own_output_layer_stays_as_it_was():
    recipe = BASELINE.but(pretraining=SupervisedGreedy(epochs=1, batch_size=3))
    x, y = examples()
    network, start = (
        build(recipe, n_inputs=6, n_classes=3, widths=[5], seeds=[3, 4]) for _ in range(2)
    )
    greedy(network, x, [3, 4], y=y)
    for name, tensor in network.parameters[-1].items():
        assert torch.equal(tensor, start.parameters[-1][name])
        assert not torch.equal(network.parameters[0][name], start.parameters[0][name])


def test_a_class_without_examples_is_no_harm():
    recipe = BASELINE.but(pretraining=SupervisedGreedy(epochs=1, batch_size=3))
    x, y = examples()
    network = build(recipe, n_inputs=6, n_classes=7, widths=[5], seeds=[3])
    greedy(network, x, [3], y=y)
    assert all(t.isfinite().all() for t in network.tensors())


def test_it_separates_what_labels_alone_tell_apart():
    """Two of eight independent coins decide the class: nothing about x without y shows which."""
    x = (torch.rand(400, 8, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    y = (x[:, 0] != x[:, 1]).long()
    recipe = BASELINE.but(pretraining=SupervisedGreedy(epochs=100, batch_size=50))
    network = build(recipe, n_inputs=8, n_classes=2, widths=[12], seeds=[0])
    greedy(network, x, [0], y=y)
    h = network.trace(x).layers[0].output[0].detach().double()
    h = torch.cat([h, torch.ones(400, 1, dtype=torch.float64)], 1)
    # least squares on the code
    fitted = h @ torch.linalg.lstsq(h, 2 * y[:, None].double() - 1).solution
    assert ((fitted[:, 0] > 0) == y.bool()).double().mean() > 0.98


def test_without_labels_or_epochs_it_is_refused():
    recipe = BASELINE.but(pretraining=SupervisedGreedy(epochs=1, batch_size=3))
    network = build(recipe, n_inputs=6, n_classes=3, widths=[5], seeds=[3])
    with pytest.raises(ValueError, match="SupervisedGreedy pretraining needs labels"):
        greedy(network, examples()[0], [3])
    with pytest.raises(ValueError, match="epochs must be 1 or more, got 0"):
        SupervisedGreedy(epochs=0)
