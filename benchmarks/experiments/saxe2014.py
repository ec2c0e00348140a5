"""How deep linear networks learn: the closed-form curve, and the time that depth costs.

Paper     Saxe, McClelland, Ganguli (2014), Exact solutions to the nonlinear dynamics of learning in
          deep linear neural networks, ICLR: the curve of a mode's strength, and the figure of
          learning time against depth on MNIST
Protocol  the curve: one hidden layer, whitened inputs, a teacher of singular values 4, 2, 1, 1/2
          and 1/4, full-batch gradient descent at a small rate from weights that are small and
          balanced, or small and random. Time: linear networks with hidden layers of 1,000 on
          MNIST, weights orthogonal or Gaussian with variance 1 / fan_in, full batches, at the best
          of a grid of rates; updates until a tenth is left of the loss that a linear map avoids
Departs   the teacher, the grid and what counts as learnt are ours, and so are the inputs' centring,
          projection on leading principal directions and scale, the largest variance being 1;
          labels are centred, too. Layers that are not square have orthonormal rows or columns
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks import datasets
from benchmarks.datasets.deep_linear import SINGULAR_VALUES, strength, teacher
from benchmarks.experiment import Experiment, Quantity, Settings
from techniques.initialisation.lecun import LeCunNormal
from techniques.initialisation.orthogonal import Orthogonal
from techniques.streams import stream

WEIGHTS = {"orthogonal": Orthogonal(), "gaussian": LeCunNormal()}
LEARNT = 0.1  # share of the loss that a linear map can avoid, beside the mean, that is left
SHALLOW = 2  # hidden layers of the network that others are compared with


def curves(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Learning curve of mode number ``depth``, the strongest being 1, against the solution."""
    s, rate = SINGULAR_VALUES[depth - 1], settings["lr"]
    found = []
    for seed in seeds:
        u, v = (torch.from_numpy(m).to(device) for m in teacher(seed))
        target = u * torch.tensor(SINGULAR_VALUES, dtype=u.dtype, device=device) @ v.T
        first, second = _small(settings, u, v, seed, device)
        strengths = []
        for _ in range(settings["updates"]):
            strengths.append(u[:, depth - 1] @ second @ first @ v[:, depth - 1])
            error = target - second @ first
            first, second = first + rate * second.T @ error, second + rate * error @ first.T
        path = torch.stack(strengths)
        start = settings["scale"] ** 2 * (1 if settings["start"] == "balanced" else 4)
        times = rate * torch.arange(len(path), dtype=torch.float64)
        solved = torch.from_numpy(strength(times.numpy(), s, start)).to(device)
        half = math.log(s / start - 1) / (2 * s)  # where the solution is s / 2
        found.append(
            {
                "half_time": rate * first_at(path, s / 2),
                "half_time_ratio": rate * first_at(path, s / 2) / half,
                "largest_gap": float((path - solved).abs().max()) / s,
            }
        )
    return found


def _small(
    settings: Settings, u: Tensor, v: Tensor, seed: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Weights (hidden, D), (K, hidden): each mode of strength scale^2 on a hidden unit of its own,
    turned at random; or every weight N(0, scale^2), sqrt(16) times as strong with 16 units.
    """
    scale, generator = settings["scale"], stream(seed, "saxe2014:start")
    n = u.shape[0]
    if settings["start"] == "random":
        pair = torch.empty(2, n, n, dtype=torch.float64).normal_(0, scale, generator=generator)
        return tuple(pair.to(device))
    turn = Orthogonal()(n, n, generator).double().to(device)[:, : u.shape[1]]
    return scale * turn @ v.T, scale * u @ torch.linalg.pinv(turn)


def first_at(path: Tensor, level: float) -> float:
    """Index, between two points of a path (T,), at which it first reaches a level; else NaN."""
    reached = (path >= level).nonzero()
    if len(reached) == 0:
        return math.nan
    after = int(reached[0])
    if after == 0:
        return 0.0
    return after - 1 + float((level - path[after - 1]) / (path[after] - path[after - 1]))


def learning_time(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Updates that a network of this many hidden layers takes, at the best rate of the grid."""
    wanted, variance = problem(settings["data"], settings["inputs"])
    wanted, variance = wanted.to(device), variance.to(device)

    def best(depth: int, seed: int) -> int:
        weights, most = _drawn(settings, depth, seed, wanted), settings["updates"]
        rates = [lr / (depth + 1) for lr in settings["lr"]]
        return min(_updates(weights, lr, most, wanted, variance) for lr in rates)

    found = []
    for seed in seeds:
        updates = best(depth, seed)
        shallow = best(SHALLOW, seed) if depth != SHALLOW else updates
        found.append(
            {
                "updates": float(updates),
                "slowdown": updates / shallow,
                "learnt": float(updates < settings["updates"]),
            }
        )
    return found


def problem(data: str, inputs: int) -> tuple[Tensor, Tensor]:
    """The best linear map (K, inputs) from principal components to centred labels, and the
    components' variances (inputs,), the largest being 1.

    The loss that a map M could avoid is sum over d of variance_d |wanted_d - M_d|^2.
    """
    split = datasets.load(data, *datasets.DATA_SETS[data].parts)
    x = split.x_train.double()
    x = x - x.mean(0)
    y = torch.nn.functional.one_hot(split.y_train).double()
    variance, directions = torch.linalg.eigh(x.T @ x / len(x))
    variance, directions = variance[-inputs:], directions[:, -inputs:]
    scale = variance[-1].rsqrt()
    variance = variance * scale**2
    wanted = (y - y.mean(0)).T @ (scale * x @ directions) / len(x) / variance
    return wanted.float(), variance.float()


def _drawn(settings: Settings, depth: int, seed: int, wanted: Tensor) -> list[Tensor]:
    """Weights (fan_in, fan_out) of every layer."""
    draw = WEIGHTS[settings["weights"]]
    sizes = [wanted.shape[1], *[settings["width"]] * depth, wanted.shape[0]]
    return [
        draw(fan_in, fan_out, stream(seed, f"init:{index}")).to(wanted)
        for index, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:], strict=False))
    ]


def _updates(
    weights: Sequence[Tensor], lr: float, most: int, wanted: Tensor, variance: Tensor
) -> int:
    """Updates until little of the avoidable loss is left; all of them if that never comes."""
    weights = [weight.clone() for weight in weights]
    target = LEARNT * float((variance * wanted.square()).sum())
    for update in range(most):
        loss = descend(weights, lr, wanted, variance)
        if loss <= target:
            return update
        if not loss < 1e6:
            break
    return most


def descend(weights: Sequence[Tensor], lr: float, wanted: Tensor, variance: Tensor) -> float:
    """One update by the gradient of half the loss, in place; the loss before it."""
    above = [torch.eye(len(wanted), device=wanted.device)]  # from a layer's output up, (K, n)
    for weight in reversed(weights):
        above.append(above[-1] @ weight.T)
    error = wanted - above[-1]  # (K, D)
    below = variance * error  # (K, n): error times a layer's input, from the first layer up
    for index, weight in enumerate(weights):
        gradient = below.T @ above[len(weights) - 1 - index]
        below = below @ weight
        weight.add_(gradient, alpha=lr)
    return float((variance * error.square()).sum())


CURVES = {
    "half_time": Quantity("1/rate", "time, in units of 1/rate, at which the mode is half learnt"),
    "half_time_ratio": Quantity("ratio", "the same over that of the closed form"),
    "largest_gap": Quantity(
        "of the singular value", "greatest distance of the curve from the closed form"
    ),
}
TIMES = {
    "updates": Quantity("updates", "updates until a tenth of the avoidable loss is left"),
    "slowdown": Quantity("ratio", "the same over that of two hidden layers"),
    "learnt": Quantity("share of runs", "whether that came about"),
}


def _times_of(width: int, data: str, inputs: int, updates: int) -> dict[str, Settings]:
    return {
        name: {
            "weights": name,
            "width": width,
            "data": data,
            "inputs": inputs,
            "lr": (0.1, 0.2, 0.4, 0.8, 1.6),
            "updates": updates,
        }
        for name in WEIGHTS
    }


EXPERIMENTS = (
    Experiment(
        name="saxe2014-curves-paper",
        paper="saxe2014",
        title="Learning curves of a linear network with one hidden layer",
        scale="paper",
        conditions={
            start: {"start": start, "scale": 0.01, "lr": 0.005, "updates": 6_000}
            for start in ("balanced", "random")
        },
        depths=(1, 2, 3, 4, 5),
        seeds=10,
        quantities=CURVES,
        measure=curves,
        seconds=0.5,
        depth_means="mode, from the strongest",
    ),
    Experiment(
        name="saxe2014",
        paper="saxe2014",
        title="Learning time against depth, linear layers of 64",
        scale="reduced",
        conditions=_times_of(64, "mnist5k", 40, 500),
        depths=(2, 4, 8, 16, 32),
        seeds=10,
        quantities=TIMES,
        measure=learning_time,
        seconds=1,
    ),
    Experiment(
        name="saxe2014-paper",
        paper="saxe2014",
        title="Learning time against depth, linear layers of 1,000",
        scale="paper",
        conditions=_times_of(1000, "mnist", 400, 300),
        depths=(2, 8, 32, 98),
        seeds=10,
        quantities=TIMES,
        measure=learning_time,
        seconds=100,
    ),
)
