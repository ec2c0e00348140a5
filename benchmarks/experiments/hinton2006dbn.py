"""Deep belief nets: errors after greedy learning and after up-down, and the bound it raises.

Paper     Hinton, Osindero, Teh (2006), A fast learning algorithm for deep belief nets, sections 4
          and 6.1, table 1
Protocol  784-500-500-2000 with 10 labels in the top; 44,000 digits in batches of 100, 30 epochs of
          CD-1 a layer, then 300 epochs of up-down with 3, 6 and 10 Gibbs steps in the top; a digit
          is given the label of the least free energy
Departs   learning rates are ours, as the paper prints none; labels by one pass of probabilities; no
          choice of a net by validation, no last 59 epochs on all digits. Reduced scale: fewer
          digits, smaller layers
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks import datasets
from benchmarks.datasets import bars_and_stripes
from benchmarks.experiment import Experiment, Quantity, Settings
from techniques.pretraining.deep_belief_net import (
    Belief,
    DeepBeliefNet,
    draw,
    label_log_probability,
)
from techniques.pretraining.partition import log_partition, minus_free_energy
from techniques.pretraining.rbm import (
    Machine,
    contrastive_divergence,
    hidden_probability,
    update,
)
from techniques.streams import batches, stream, take, uniform_noise

ROWS = 1000  # examples labelled at once: bounds memory
N_CLASSES = 10
LEARNT_BELOW = 50.0  # % test error


@torch.no_grad()
def label(net: Belief, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Error in % and mean -ln p(label|x) in nats, (R,) each, on x (N, D) and y (N,)."""
    runs = net.top.weight.shape[0]
    wrong, surprise = torch.zeros(2, runs, device=x.device)
    for rows, labels in zip(x.split(ROWS), y.split(ROWS), strict=True):
        log_p = label_log_probability(net, rows.expand(runs, -1, -1))
        wrong += (log_p.argmax(2) != labels).sum(1)
        surprise -= log_p.gather(2, labels.expand(runs, -1).unsqueeze(2)).sum((1, 2))
    return 100 * wrong / len(x), surprise / len(x)


@torch.no_grad()
def measure(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Errors of nets of ``depth`` hidden layers: all of ``width`` units but the ``top``."""
    split = datasets.load(settings["data"], settings["n_train"], settings["n_valid"]).to(device)
    net = DeepBeliefNet(
        widths=(*(depth - 1) * (settings["width"],), settings["top"]),
        greedy_epochs=settings["greedy_epochs"],
        fine_tune_epochs=settings["up_down_epochs"],
        fine_tune_lr=settings["up_down_lr"],
    ).fit(split.x_train, split.y_train, n_classes=N_CLASSES, seeds=seeds)
    test, surprise = label(net, split.x_test, split.y_test)
    train, _ = label(net, split.x_train[:ROWS], split.y_train[:ROWS])
    return [
        {
            "test_error_pct": t,
            "train_error_pct": s,
            "label_surprise": nats,
            "trained": float(t < LEARNT_BELOW),
        }
        for t, s, nats in zip(test.tolist(), train.tolist(), surprise.tolist(), strict=True)
    ]


def log_probability(v: Tensor, machine: Machine) -> Tensor:
    """ln p(v) of a machine whose states can be listed, float64; (R, B, n_visible) -> (R, B)."""
    return minus_free_energy(v, machine) - log_partition(machine).unsqueeze(1)


def upside_down(machine: Machine) -> Machine:
    """The next layer before it learns: it gives its visible units the law of the one below."""
    return Machine(
        machine.weight.mT.clone(), machine.hidden_bias.clone(), machine.visible_bias.clone()
    )


def states(n: int, device: torch.device) -> Tensor:
    """All (2^n, n) states of n binary units."""
    numbers, digits = torch.arange(2**n, device=device), torch.arange(n, device=device)
    return ((numbers.unsqueeze(1) >> digits) & 1).double()


def bound(v: Tensor, below: Machine, above: Machine) -> Tensor:
    """Mean over v (N, n) of the bound on ln p(v), in nats, (R,), float64.

    sum_h q(h|v) [ln p(v|h) + ln p(h) - ln q(h|v)]: q and p(v|h) are those of the machine below,
    p(h) is what the one above says.
    """
    below = Machine(*(p.double() for p in below))
    runs, v = below.weight.shape[0], v.double()
    h = states(below.weight.shape[2], v.device).expand(runs, -1, -1)  # (R, S, n_hidden)
    z_h = torch.baddbmm(below.hidden_bias, v.expand(runs, -1, -1), below.weight)
    z_v = torch.baddbmm(below.visible_bias, h, below.weight.mT)
    softplus = torch.nn.functional.softplus
    log_q = z_h @ h.mT - softplus(z_h).sum(2, keepdim=True)  # (R, N, S)
    log_v = (z_v @ v.mT.expand(runs, -1, -1)).mT - softplus(z_v).sum(2).unsqueeze(1)
    inside = log_v + log_probability(h, above).unsqueeze(1) - log_q
    return (log_q.exp() * inside).sum(2).mean(1)


@torch.no_grad()
def measure_bound(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """The bound on ln p of bars and stripes, before and after ``depth`` updates of the upper layer.

    The lower one has learnt by ``updates`` of its own, and stays.
    """
    images, _ = bars_and_stripes.patterns(settings["lines"], duplicates=True)
    x = torch.from_numpy(images / 255).float().to(device)
    shape, sd = (x.shape[1], settings["n_hidden"]), settings["weight_sd"]
    streams = [stream(s, "bound:init") for s in seeds]
    draws = [torch.empty(shape).normal_(0, sd, generator=g) for g in streams]
    below = Machine(
        torch.stack(draws).to(device),
        torch.zeros(len(seeds), 1, shape[0], device=device),
        torch.zeros(len(seeds), 1, shape[1], device=device),
    )
    visible = x.expand(len(seeds), -1, -1)
    _learn(below, visible, settings, settings["updates"], seeds, "below")
    above = upside_down(below)
    before = bound(x, below, above)
    _learn(above, hidden_probability(visible, below), settings, depth, seeds, "above")
    after = bound(x, below, above)
    return [
        {"bound_before": b, "bound_after": a, "bound_gain": a - b}
        for b, a in zip(before.tolist(), after.tolist(), strict=True)
    ]


def _learn(
    machine: Machine,
    visible: Tensor,
    settings: Settings,
    updates: int,
    seeds: Sequence[int],
    name: str,
) -> None:
    """CD on states drawn from the probabilities visible (R, N, n_visible), in place."""
    velocity = Machine(*(torch.zeros_like(p) for p in machine))
    uniform = uniform_noise(seeds, f"bound:noise:{name}", visible.device)
    n_examples, batch_size = visible.shape[1], settings["batch_size"]
    order = batches(seeds, f"bound:order:{name}", n_examples, batch_size, visible.device)
    for _ in range(updates):
        v_pos = draw(take(visible, next(order)), uniform)
        gradient = contrastive_divergence(
            v_pos, machine, cd_k=settings["cd_k"], sample_visible=True, uniform=uniform
        )
        update(machine, velocity, gradient, lr=settings["lr"], momentum=0.0, weight_decay=0.0)


def _errors(examples: int) -> dict[str, Quantity]:
    return {
        "test_error_pct": Quantity("%", "test error of the label of least free energy", examples),
        "train_error_pct": Quantity("%", "the same on 1,000 training examples", ROWS),
        "label_surprise": Quantity("nats", "mean -ln p(label|x) of test examples"),
        "trained": Quantity("share of runs", "whether test error is below 50 %"),
    }


_PAPER = {"data": "mnist", "n_train": 44_000, "n_valid": 10_000, "width": 500, "top": 2000}
_PAPER |= {"greedy_epochs": 30, "up_down_lr": 0.01}
_REDUCED = {"data": "mnist5k", "n_train": 3000, "n_valid": 1000, "width": 100, "top": 300}
_REDUCED |= {"greedy_epochs": 30, "up_down_lr": 0.1}

EXPERIMENTS = (
    Experiment(
        name="hinton2006dbn",
        paper="hinton2006dbn",
        title="Digits labelled by a deep belief net, before and after up-down",
        scale="reduced",
        conditions={
            "greedy": {**_REDUCED, "up_down_epochs": 0},
            "up-down": {**_REDUCED, "up_down_epochs": 30},
        },
        depths=(3,),
        seeds=10,
        quantities=_errors(1000),
        measure=measure,
        seconds=6.0,
        at_once=5,
    ),
    Experiment(
        name="hinton2006dbn-bound",
        paper="hinton2006dbn",
        title="The bound on the likelihood, before and after the next layer learns",
        scale="reduced",
        conditions={
            "bars-and-stripes": {
                "lines": 4,
                "n_hidden": 8,
                "weight_sd": 0.1,
                "updates": 4000,
                "batch_size": 16,
                "cd_k": 1,
                "lr": 0.1,
            }
        },
        depths=(1000, 2000, 4000),
        seeds=10,
        quantities={
            "bound_before": Quantity("nats", "bound on ln p(x), the upper layer unlearnt"),
            "bound_after": Quantity("nats", "the same once it has learnt"),
            "bound_gain": Quantity("nats", "the difference", signed=True),
        },
        measure=measure_bound,
        seconds=1.0,
        depth_means="updates of the upper layer",
        depth_unit="update",
        at_once=10,
    ),
    Experiment(
        name="hinton2006dbn-greedy-paper",
        paper="hinton2006dbn",
        title="MNIST labelled by a deep belief net, after greedy learning and 60 epochs of up-down",
        scale="paper",
        conditions={
            "greedy": {**_PAPER, "up_down_epochs": 0},
            "up-down-60-epochs": {**_PAPER, "up_down_epochs": 60},
        },
        depths=(3,),
        seeds=10,
        quantities=_errors(10_000),
        measure=measure,
        seconds=1800.0,
    ),
    Experiment(
        name="hinton2006dbn-paper",
        paper="hinton2006dbn",
        title="MNIST labelled by a deep belief net, after 300 epochs of up-down",
        scale="paper",
        conditions={"up-down": {**_PAPER, "up_down_epochs": 300}},
        depths=(3,),
        seeds=10,
        quantities=_errors(10_000),
        measure=measure,
        seconds=10_000.0,
    ),
)
