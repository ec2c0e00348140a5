"""Labels of a net that ignores its input, and the bound where all states can be listed by hand."""

import itertools
import math

import pytest
import torch

from benchmarks.experiments.hinton2006dbn import (
    bound,
    label,
    log_probability,
    measure,
    measure_bound,
    upside_down,
)
from techniques.pretraining.deep_belief_net import Belief, Map
from techniques.pretraining.rbm import Machine

CPU = torch.device("cpu")
TINY = {
    "data": "mnist5k",
    "n_train": 200,
    "n_valid": 4700,
    "width": 10,
    "top": 20,
    "greedy_epochs": 1,
    "up_down_epochs": 1,
    "up_down_lr": 0.01,
}
LISTED = {
    "lines": 3,
    "n_hidden": 4,
    "weight_sd": 0.1,
    "updates": 50,
    "batch_size": 4,
    "cd_k": 1,
    "lr": 0.1,
}


def machine(n_visible: int, n_hidden: int, seed: int) -> Machine:
    g = torch.Generator().manual_seed(seed)
    shapes = [(1, n_visible, n_hidden), (1, 1, n_visible), (1, 1, n_hidden)]
    return Machine(*(torch.randn(shape, generator=g, dtype=torch.float64) for shape in shapes))


def joint(m: Machine, v: tuple, h: tuple) -> float:
    """Unnormalised p(v, h), by the definition of the energy."""
    w, b, c = m.weight[0].tolist(), m.visible_bias[0, 0].tolist(), m.hidden_bias[0, 0].tolist()
    pairs = itertools.product(range(len(v)), range(len(h)))
    minus_energy = sum(v[i] * w[i][j] * h[j] for i, j in pairs)
    minus_energy += sum(x * y for x, y in zip(v, b, strict=True))
    return math.exp(minus_energy + sum(x * y for x, y in zip(h, c, strict=True)))


def test_a_net_that_only_prefers_a_label_errs_on_all_others():
    bias = torch.zeros(1, 1, 14)
    bias[..., 4 + 3] = 2.0
    top = Machine(torch.zeros(1, 14, 5), bias, torch.zeros(1, 1, 5))
    map_up = Map(torch.zeros(1, 6, 4), torch.zeros(1, 1, 4))
    y = torch.tensor([3, 3, 1, 0])
    error, surprise = label(Belief([map_up], [], top, 10), torch.full((4, 6), 0.3), y)
    total = math.exp(2) + 9
    assert error.item() == 50
    expected = math.log(total) - 2 * 2 / 4
    assert surprise.item() == pytest.approx(expected, rel=1e-5)


def test_under_tied_weights_the_bound_is_the_likelihood():
    below = machine(4, 3, 1)
    v = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 1]]).double()
    exact = log_probability(v[None], below).mean(1)
    torch.testing.assert_close(bound(v, below, upside_down(below)), exact)


def test_the_bound_is_what_listing_the_states_gives_and_lies_below_the_likelihood():
    below, above = machine(3, 2, 1), machine(2, 3, 2)
    v = (1, 0, 1)
    codes, upper = (
        list(itertools.product((0, 1), repeat=2)),
        list(itertools.product((0, 1), repeat=3)),
    )
    p_h = [sum(joint(above, h, u) for u in upper) for h in codes]
    p_h = [p / sum(p_h) for p in p_h]
    q = [joint(below, v, h) for h in codes]
    q = [p / sum(q) for p in q]
    p_v = [joint(below, v, h) / sum(joint(below, x, h) for x in upper) for h in codes]
    listed = sum(
        a * (math.log(b) + math.log(c) - math.log(a)) for a, b, c in zip(q, p_v, p_h, strict=True)
    )
    found = bound(torch.tensor([v]).double(), below, above).item()
    assert found == pytest.approx(listed)
    assert found < math.log(sum(b * c for b, c in zip(p_v, p_h, strict=True)))


def test_a_seed_gives_the_same_alone_and_among_others():
    together = measure(TINY, 3, [3, 4], CPU)
    assert together[0] != together[1] and measure(TINY, 3, [4], CPU) == together[1:]
    bounds = measure_bound(LISTED, 20, [3, 4], CPU)
    assert bounds[0] != bounds[1] and measure_bound(LISTED, 20, [4], CPU) == bounds[1:]


def test_the_upper_layer_starts_where_the_lower_one_is():
    short, long = (measure_bound(LISTED, updates, [1], CPU)[0] for updates in (1, 200))
    assert short["bound_before"] == long["bound_before"]
    assert abs(short["bound_gain"]) < abs(long["bound_gain"])
