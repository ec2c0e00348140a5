"""The optimisers that are given gradients, against torch's own and the papers' equations."""

import pytest
import torch

from techniques.optimisation.adam import Adam
from techniques.optimisation.clipping import Clipping
from techniques.optimisation.nesterov import Nesterov
from techniques.optimisation.rmsprop import RmsProp
from techniques.optimisation.rprop import Rprop
from techniques.optimisation.sgd import Sgd

RATES = [0.3, 0.02, 1.0]


def start_of(runs: int, dtype=torch.float64) -> list[torch.Tensor]:
    """A weight (R, 5, 4) and a bias (R, 1, 4)."""
    g = torch.Generator().manual_seed(0)
    return [torch.randn(runs, *s, generator=g, dtype=dtype) for s in ((5, 4), (1, 4))]


def uphill(parameters) -> list[torch.Tensor]:
    """Gradient of sum cos(3 p) + p^2 / 2 + p / 10: neither linear nor of one sign."""
    return [p - 3 * torch.sin(3 * p) + 0.1 for p in parameters]


def moved(optimisation, lrs, *, updates=20, dtype=torch.float64, gradients_at=uphill):
    """Parameters after some updates of a stack with these learning rates."""
    parameters = start_of(len(lrs), dtype)
    state = optimisation.start(parameters)
    lr = torch.tensor(lrs, dtype=dtype).view(-1, 1, 1)
    for _ in range(updates):
        optimisation.step(parameters, gradients_at(parameters), state, lr)
    return parameters


def moved_by_torch(make, lrs, *, updates=20, clip=None):
    """The same, run by run, by an optimiser of torch's: make(parameters, lr)."""
    runs = []
    for run, lr in enumerate(lrs):
        parameters = [p[run].clone().requires_grad_() for p in start_of(len(lrs))]
        optimiser = make(parameters, lr)
        for _ in range(updates):
            for p, g in zip(parameters, uphill(parameters), strict=True):
                p.grad = g.detach()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(parameters, clip)
            optimiser.step()
        runs.append([p.detach() for p in parameters])
    return [torch.stack(same) for same in zip(*runs, strict=True)]


def assert_same(ours, theirs, rtol=1e-9):
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=rtol, atol=1e-12)


def test_adam_equals_torchs():
    theirs = moved_by_torch(lambda p, lr: torch.optim.Adam(p, lr=0.1 * lr), RATES)
    assert_same(moved(Adam(), RATES), theirs)
    other = {"betas": (0.7, 0.95), "eps": 0.1}
    theirs = moved_by_torch(lambda p, lr: torch.optim.Adam(p, lr=lr, **other), RATES)
    assert_same(moved(Adam(beta_1=0.7, beta_2=0.95, epsilon=0.1, scale=1.0), RATES), theirs)


def test_adams_first_step_has_length_scale_times_lr_whatever_the_gradient():
    """mean_hat = g and mean_square_hat = g^2, so g / (|g| + 1e-8) is 1 down to g = 1e-6."""
    parameters = [torch.zeros(2, 1, 3, dtype=torch.float64)]
    gradients = [torch.tensor([[[1e-6, -4.0, 0.0]], [[1e3, 1e-4, -1e-6]]], dtype=torch.float64)]
    optimisation = Adam(scale=0.01)
    lr = torch.tensor([1.0, 0.1], dtype=torch.float64).view(-1, 1, 1)
    optimisation.step(parameters, gradients, optimisation.start(parameters), lr)
    expected = torch.tensor([[[-0.01, 0.01, 0.0]], [[-0.001, -0.001, 0.001]]])
    torch.testing.assert_close(parameters[0], expected.double(), rtol=0.011, atol=0)


def test_rmsprop_equals_torchs():
    theirs = moved_by_torch(lambda p, lr: torch.optim.RMSprop(p, lr=0.1 * lr, alpha=0.9), RATES)
    assert_same(moved(RmsProp(), RATES), theirs)
    other = {"alpha": 0.6, "eps": 0.1}
    theirs = moved_by_torch(lambda p, lr: torch.optim.RMSprop(p, lr=lr, **other), RATES)
    assert_same(moved(RmsProp(decay=0.6, epsilon=0.1, scale=1.0), RATES), theirs)


def test_rprop_equals_torchs():
    theirs = moved_by_torch(lambda p, lr: torch.optim.Rprop(p, lr=lr), RATES)
    assert_same(moved(Rprop(), RATES), theirs)
    other = {"etas": (0.4, 1.5), "step_sizes": (0.01, 0.5)}
    theirs = moved_by_torch(lambda p, lr: torch.optim.Rprop(p, lr=lr, **other), [0.3, 0.02, 0.4])
    ours = Rprop(increase=1.5, decrease=0.4, smallest=0.01, largest=0.5)
    assert_same(moved(ours, [0.3, 0.02, 0.4]), theirs)


def test_rprop_works_by_signs_where_products_of_gradients_would_underflow():
    """Gradients 1e-30 in float32, as below 50 sigmoid layers: steps of lr, 1.2 lr, 1.44 lr."""
    moved_down = moved(
        Rprop(),
        [1.0],
        updates=3,
        dtype=torch.float32,
        gradients_at=lambda parameters: [torch.full_like(p, 1e-30) for p in parameters],
    )
    for after, before in zip(moved_down, start_of(1, torch.float32), strict=True):
        torch.testing.assert_close(before - after, torch.full_like(after, 1 + 1.2 + 1.44))


@pytest.mark.parametrize("nesterov", [True, False])
def test_nesterov_at_constant_momentum_equals_torchs(nesterov):
    """momentum_max = 1/2, the schedule's first value, makes it constant."""
    rates = [0.1, 0.02, 0.2]
    ours = moved(Nesterov(momentum_max=0.5, nesterov=nesterov), rates)
    theirs = moved_by_torch(
        lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.5, nesterov=nesterov), rates
    )
    assert_same(ours, theirs)


@pytest.mark.parametrize("nesterov", [True, False])
def test_nesterov_equals_the_papers_two_equations_while_the_momentum_rises(nesterov):
    """It keeps theta + momentum velocity; the momentum rises at updates 4 and 8."""
    ours = Nesterov(momentum_max=0.8, raise_every=4, nesterov=nesterov)
    lrs = [0.1, 0.02]
    theta = start_of(2)
    velocity = [torch.zeros_like(p) for p in theta]
    lr = torch.tensor(lrs, dtype=torch.float64).view(-1, 1, 1)
    momenta = [0.5] * 4 + [0.75] * 4 + [0.8] * 5  # 1 - 1/2, 1 - 1/4, and 1 - 1/6 cut to 0.8
    for updates in range(13):
        ahead = [t + momenta[updates] * v for t, v in zip(theta, velocity, strict=True)]
        kept = moved(ours, lrs, updates=updates)
        assert_same(kept, ahead if nesterov else theta)
        gradients = uphill(ahead if nesterov else theta)
        for t, v, g in zip(theta, velocity, gradients, strict=True):
            v.copy_(momenta[updates] * v - lr * g)
            t.add_(v)


def test_the_momentum_follows_the_papers_schedule():
    from math import floor, log2

    optimisation = Nesterov(momentum_max=0.99)
    for t in (0, 1, 249, 250, 499, 500, 999, 1000, 12_499, 12_500, 60_000):
        expected = min(1 - 2 ** (-1 - log2(floor(t / 250) + 1)), 0.99)
        assert optimisation.momentum(t) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("norm", [0.05, 3.0, 12.0])
def test_clipping_equals_torchs_run_by_run(norm):
    """Of these thresholds one cuts every gradient, one some and one hardly any."""
    ours = moved(Clipping(of=Sgd(momentum=0.5), norm=norm), [0.1, 0.02, 0.2])
    theirs = moved_by_torch(
        lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.5), [0.1, 0.02, 0.2], clip=norm
    )
    assert_same(ours, theirs, rtol=1e-5)  # torch divides by the norm + 1e-6


def test_clipping_cuts_the_long_gradient_and_leaves_the_short_one_and_zero():
    """Run 0: |(3, 4, 12)| = 13, cut to 6.5. Run 1: |(0, 0.3, 0.4)| = 0.5. Run 2: zero."""
    parameters = [torch.zeros(3, 1, 2), torch.zeros(3, 1, 1)]
    gradients = [
        torch.tensor([[[3.0, 4.0]], [[0.0, 0.3]], [[0.0, 0.0]]]),
        torch.tensor([[[12.0]], [[0.4]], [[0.0]]]),
    ]
    optimisation = Clipping(of=Sgd(momentum=0.0), norm=6.5)
    optimisation.step(parameters, gradients, optimisation.start(parameters), torch.ones(3, 1, 1))
    expected = torch.tensor([[[-1.5, -2.0]], [[0.0, -0.3]], [[0.0, 0.0]]])
    torch.testing.assert_close(parameters[0], expected)
    torch.testing.assert_close(parameters[1], torch.tensor([[[-6.0]], [[-0.4]], [[0.0]]]))


def test_clipping_says_what_it_needs():
    with pytest.raises(ValueError, match="norm must be above 0, got 0"):
        Clipping(norm=0.0)
    with pytest.raises(ValueError, match="needs an optimiser that is given gradients, not object"):
        Clipping(of=object())


EVERY = [Adam(), RmsProp(), Rprop(), Nesterov(), Nesterov(nesterov=False), Clipping(norm=3.0)]


@pytest.mark.parametrize("optimisation", EVERY, ids=repr)
def test_a_stack_equals_its_runs_one_by_one_bit_for_bit(optimisation):
    """In float32 and at odd sizes, over a rise of the momentum."""
    g = torch.Generator().manual_seed(1)
    lrs = torch.tensor([0.3, 0.02, 1.0]).view(-1, 1, 1)
    stack = [torch.randn(3, *s, generator=g) for s in ((5, 7), (1, 7), (33, 19))]
    alone = [[p[run : run + 1].clone() for p in stack] for run in range(3)]
    state, states = optimisation.start(stack), [optimisation.start(own) for own in alone]
    for _ in range(255):
        gradients = [torch.randn(p.shape, generator=g) for p in stack]
        kept = [gradient.clone() for gradient in gradients]
        optimisation.step(stack, gradients, state, lrs)
        assert all(torch.equal(a, b) for a, b in zip(kept, gradients, strict=True))
        for run in range(3):
            own = [gradient[run : run + 1].clone() for gradient in gradients]
            optimisation.step(alone[run], own, states[run], lrs[run : run + 1])
    for run in range(3):
        for own, all_runs in zip(alone[run], stack, strict=True):
            assert torch.equal(own[0], all_runs[run])
