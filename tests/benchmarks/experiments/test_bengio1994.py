"""The unit that stores a bit, against its derivative by autograd."""

import math

import torch

from benchmarks.experiments import bengio1994

CPU = torch.device("cpu")
SETTINGS = {
    "weight": 1.25,
    "noise_sd": 0.2,
    "input_sd": 0.1,
    "lr": 0.1,
    "updates": 5,
    "tries": 4,
}


def test_the_gradient_is_the_one_of_autograd():
    start = torch.tensor([0.9], dtype=torch.float64, requires_grad=True)
    states, a = [], start
    for _ in range(6):
        states.append(a)
        a = 1.25 * torch.tanh(a) + 0.1
    (gradient,) = torch.autograd.grad(a.sum(), start)
    logs = bengio1994.gradient_log10(torch.stack(states), 1.25)
    assert math.isclose(logs.item(), math.log10(gradient.item()), rel_tol=1e-12)


def test_the_attractor_is_a_fixed_point_at_which_the_unit_contracts():
    a = bengio1994.attractor(1.25)
    assert math.isclose(a, 1.25 * math.tanh(a), rel_tol=1e-12) and a > 0.5
    assert 1.25 * (1 - math.tanh(a) ** 2) < 1


def test_without_noise_the_gradient_shrinks_by_the_same_factor_each_step():
    quiet = {**SETTINGS, "noise_sd": 0.0}
    factor = math.log10(1.25 * (1 - math.tanh(bengio1994.attractor(1.25)) ** 2))
    for steps in (4, 9):
        (found,) = bengio1994.latch(quiet, steps, [3], CPU)
        assert math.isclose(found["gradient_log10"], steps * factor, rel_tol=1e-9)


def test_a_short_sequence_is_learnt():
    (found,) = bengio1994.latch({**SETTINGS, "updates": 200}, 4, [3], CPU)
    assert found["learnt_pct"] == 100


def test_a_seed_gives_the_same_alone_and_among_others():
    alone, among = (bengio1994.latch(SETTINGS, 6, seeds, CPU) for seeds in ([5], [4, 5]))
    assert alone[0] == among[1]
