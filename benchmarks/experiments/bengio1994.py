"""One recurrent unit that stores a bit: how fast its gradient vanishes, and what that costs.

Paper     Bengio, Simard, Frasconi (1994), Learning long-term dependencies with gradient descent is
          difficult, IEEE Transactions on Neural Networks 5, 157-166: the theorem on the product of
          Jacobians of a system that latches, and the minimal task of latching
Protocol  a_t = w tanh(a_(t-1)) + input_t. The first 3 inputs of either of two sequences are
          parameters, as w is; later inputs are noise, N(0, 0.2^2). The unit has to end near 0.8
          after one sequence and near -0.8 after the other. w starts at 1.25, the inputs at
          N(0, 0.1^2)
Departs   w at the start, noise and target are from memory of the paper; learning rate 0.1, 500
          updates and the start of the inputs are ours. The gradient is that of a unit which stays
          in the attractor under noise, before any training
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.experiment import Experiment, Quantity, Settings
from techniques.streams import stream

TRAINED_INPUTS = 3
TARGET = 0.8


def latch(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Gradient through ``depth`` steps of storing, and how many of several tries learn to store."""
    found = []
    for seed in seeds:
        noise = stream(seed, "bengio1994:noise")
        logs = gradient_log10(_attracted(settings, depth, noise), settings["weight"])
        learnt = _learns(settings, depth, seed, device)
        found.append(
            {
                "gradient_log10": float(logs.mean()),
                "gradient_log10_per_step": float(logs.mean()) / depth,
                "learnt_pct": 100 * float(learnt.double().mean()),
            }
        )
    return found


def gradient_log10(a: Tensor, weight: float) -> Tensor:
    """log10 |d a_T / d a_0| = sum over t < T of log10 w (1 - tanh(a_t)^2), from a (T, tries)."""
    return (weight * (1 - torch.tanh(a) ** 2)).log10().sum(0)


def attractor(weight: float) -> float:
    """The a > 0 with a = weight tanh(a), for a weight above 1."""
    a = weight
    for _ in range(1000):
        a = weight * math.tanh(a)
    return a


def _attracted(settings: Settings, steps: int, generator: torch.Generator) -> Tensor:
    """States (steps, tries) from the attractor on, under noise."""
    weight, tries = settings["weight"], settings["tries"]
    a = torch.full((tries,), attractor(weight), dtype=torch.float64)
    states = []
    for _ in range(steps):
        states.append(a)
        noise = torch.empty(tries, dtype=torch.float64).normal_(generator=generator)
        a = weight * torch.tanh(a) + settings["noise_sd"] * noise
    return torch.stack(states)


def _learns(settings: Settings, steps: int, seed: int, device: torch.device) -> Tensor:
    """Which tries (tries,) end with the right signs in 19 of 20 trials of new noise or more."""
    tries, generator = settings["tries"], stream(seed, "bengio1994:learning")

    def normal(*shape: int) -> Tensor:
        return torch.empty(shape).normal_(generator=generator).to(device)

    weight = torch.full((tries, 1), float(settings["weight"]), device=device)
    inputs = settings["input_sd"] * normal(TRAINED_INPUTS, tries, 2)
    sign = torch.tensor([1.0, -1.0], device=device)
    parameters = [weight.requires_grad_(), inputs.requires_grad_()]

    def output(noise: Tensor) -> Tensor:
        a = torch.zeros(tries, 2, device=device)
        for given in (*inputs, *noise):
            a = weight * torch.tanh(a) + given
        return torch.tanh(a)

    for _ in range(settings["updates"]):
        noise = settings["noise_sd"] * normal(steps - TRAINED_INPUTS, tries, 2)
        loss = (output(noise) - TARGET * sign).square().sum() / 2
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= settings["lr"] * gradient
    right = torch.zeros(tries, device=device)
    with torch.no_grad():
        for _ in range(20):
            noise = settings["noise_sd"] * normal(steps - TRAINED_INPUTS, tries, 2)
            right += (output(noise) * sign > 0).all(1)
    return right >= 19


EXPERIMENTS = (
    Experiment(
        name="bengio1994",
        paper="bengio1994",
        title="A recurrent unit that learns to store a bit",
        scale="reduced",
        conditions={
            "latch": {
                "weight": 1.25,
                "noise_sd": 0.2,
                "input_sd": 0.1,
                "lr": 0.1,
                "updates": 500,
                "tries": 50,
            }
        },
        depths=(5, 10, 20, 40),
        seeds=10,
        quantities={
            "gradient_log10": Quantity(
                "decades", "log10 of the last state's derivative by the first", signed=True
            ),
            "gradient_log10_per_step": Quantity(
                "decades a step", "the same over the number of steps", signed=True
            ),
            "learnt_pct": Quantity("% of tries", "tries that learn to store the bit"),
        },
        measure=latch,
        seconds=2,
        depth_means="time steps",
        depth_unit="time step",
    ),
)
