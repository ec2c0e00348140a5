"""Trains a stack of runs and returns what is to be recorded of each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchmarks import datasets
from benchmarks.datasets.split import Split
from benchmarks.probes import PROBE_EXAMPLES, Probe, probe
from benchmarks.trial import EVALUATED_ROWS, TRAINED_BELOW, Trial
from techniques.backpropagation import fastest_step
from techniques.network import Network, build, cross_entropy
from techniques.pretraining.greedy import greedy
from techniques.streams import batches, take, uniform_noise


def train_stack(
    trials: Sequence[Trial], look: Callable[[int, Network, Tensor], None] | None = None
) -> list[dict]:
    """Train the runs side by side; one dict of status, result, curves and probes per trial.

    ``look`` is given update, network and the probe's examples wherever the probes look.
    """
    first = trials[0]
    budget, device = first.budget, torch.device(first.device)
    split = datasets.load(first.data.name, first.data.n_train, first.data.n_valid).to(device)

    started, cpu_started = time.perf_counter(), time.process_time()
    if first.recipe.inputs is not None:
        split = split.map(first.recipe.inputs.fit(split.x_train))
    network = _initial(trials, split)
    _wait(device)
    seconds_initial = time.perf_counter() - started
    seconds_pretrain = seconds_initial if first.recipe.pretraining is not None else 0.0

    log = _Log(trials, split)
    if network.recipe.noisy:
        network.uniform = uniform_noise([t.seed for t in trials], "noise", device)
    update_runs = fastest_step(network.recipe)
    state = network.recipe.optimisation.start(network.trainable())
    lr = torch.tensor([t.lr for t in trials], device=device).view(-1, 1, 1)
    order = batches(
        [t.seed for t in trials], "order", len(split.x_train), budget.batch_size, device
    )
    started = time.perf_counter()
    for update in range(budget.updates + 1):
        if update % budget.evaluate_every == 0 or update == budget.updates:
            log.evaluate(update, network)
        if update in budget.probe_at:
            log.probe(update, network)
            if look is not None:
                look(update, network, split.x_train[:PROBE_EXAMPLES])
        if update == budget.updates:
            break
        index = next(order)
        loss = update_runs(
            network, take(split.x_train, index), take(split.y_train, index), state, lr
        )
        log.add_loss(loss)
    outcomes = log.finish(network)
    _wait(device)
    seconds_train = time.perf_counter() - started
    cpu_seconds = time.process_time() - cpu_started
    for outcome in outcomes:  # the runs share the time that their stack took
        outcome["result"]["seconds_train"] = _rounded(seconds_train / len(trials))
        outcome["result"]["seconds_pretrain"] = _rounded(seconds_pretrain / len(trials))
        outcome["result"]["cpu_seconds"] = _rounded(cpu_seconds / len(trials))
    return outcomes


@torch.no_grad()
def evaluate(network: Network, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy in nats and number of errors per run, (R,) each; x (N, D), y (N,)."""
    loss = torch.zeros(network.runs, device=x.device)
    wrong = torch.zeros(network.runs, dtype=torch.int64, device=x.device)
    for rows, labels in zip(x.split(EVALUATED_ROWS), y.split(EVALUATED_ROWS), strict=True):
        logits, labels = network(rows), labels.expand(network.runs, -1)
        loss += cross_entropy(logits, labels) * (len(rows) / len(x))
        # counted as "not right", so that NaN, which is never the largest, is an error
        wrong += (~(logits.argmax(2) == labels) | ~logits.isfinite().all(2)).sum(1)
    return loss, wrong


def _initial(trials: Sequence[Trial], split: Split) -> Network:
    """Networks as they are before the first update; runs of one seed are pretrained once."""
    first = trials[0]
    seeds = sorted({t.seed for t in trials})
    network = build(
        first.recipe,
        n_inputs=split.n_inputs,
        n_classes=len(datasets.DATA_SETS[first.data.name].classes),  # a small part may lack one
        widths=first.layers,
        seeds=seeds,
        device=split.x_train.device,
    )
    if first.recipe.pretraining is not None:
        greedy(network, split.x_train, seeds, y=split.y_train)
    return network.select([seeds.index(t.seed) for t in trials])


class _Log:
    """What is seen of a stack while it trains."""

    def __init__(self, trials: Sequence[Trial], split: Split) -> None:
        runs, device = len(trials), split.x_train.device
        self.trials, self.split = trials, split
        self.updates: list[int] = []
        self.curves: list[dict[str, Tensor]] = []  # one entry an evaluation, each value (R,)
        self.probes: list[tuple[int, Probe]] = []
        self.loss = torch.zeros(runs, device=device)  # since last evaluation
        self.losses = 0
        self.finite = torch.ones(runs, dtype=torch.bool, device=device)
        self.best_wrong = torch.full((runs,), torch.iinfo(torch.int64).max, device=device)
        self.best_update = torch.zeros(runs, dtype=torch.int64, device=device)
        self.best: list[Tensor] = []  # the networks' tensors at each run's best evaluation

    def add_loss(self, loss: Tensor) -> None:
        """Take the batch loss (R,) of one update."""
        self.loss += loss
        self.losses += 1

    @torch.no_grad()
    def evaluate(self, update: int, network: Network) -> None:
        """Training error on as many examples as there are for validation, and validation error."""
        split = self.split
        n_train = min(len(split.x_train), len(split.x_valid))
        train_loss, train_wrong = evaluate(
            network, split.x_train[:n_train], split.y_train[:n_train]
        )
        valid_loss, valid_wrong = evaluate(network, split.x_valid, split.y_valid)
        batch_loss = self.loss / max(self.losses, 1)
        self.finite &= valid_loss.isfinite() & train_loss.isfinite() & batch_loss.isfinite()
        improved = self.finite & (valid_wrong < self.best_wrong)
        self.best_wrong = torch.where(improved, valid_wrong, self.best_wrong)
        self.best_update = torch.where(improved, update, self.best_update)
        tensors = [t.detach() for t in network.tensors()]
        if not self.best:
            self.best = [t.clone() for t in tensors]
        mask = improved.view(-1, 1, 1)
        self.best = [torch.where(mask, t, b) for t, b in zip(tensors, self.best, strict=True)]
        self.updates.append(update)
        self.curves.append(
            {
                "batch_loss": batch_loss if self.losses else torch.full_like(batch_loss, math.nan),
                "train_loss": train_loss,
                "train_error_pct": 100 * train_wrong / n_train,
                "valid_loss": valid_loss,
                "valid_error_pct": 100 * valid_wrong / len(split.x_valid),
            }
        )
        self.loss, self.losses = torch.zeros_like(self.loss), 0

    def probe(self, update: int, network: Network) -> None:
        """Layer by layer, on the first training examples."""
        x, y = self.split.x_train[:PROBE_EXAMPLES], self.split.y_train[:PROBE_EXAMPLES]
        self.probes.append((update, probe(network, x, y)))

    @torch.no_grad()
    def finish(self, network: Network) -> list[dict]:
        """Read the test error, at the end and at the best validation point, and hand all over."""
        split = self.split
        _, last_wrong = evaluate(network, split.x_test, split.y_test)
        for tensor, best in zip(network.tensors(), self.best, strict=True):
            tensor.copy_(best)
        _, best_wrong = evaluate(network, split.x_test, split.y_test)
        curves = {
            name: torch.stack([c[name] for c in self.curves], 1).tolist() for name in self.curves[0]
        }
        probes = [
            (update, {name: values.tolist() for name, values in seen._asdict().items()})
            for update, seen in self.probes
        ]
        finite, best_update = self.finite.tolist(), self.best_update.tolist()
        chance = split.chance_error
        outcomes = []
        for run in range(len(self.trials)):
            own = {name: [_rounded(v) for v in values[run]] for name, values in curves.items()}
            wrong = (int(best_wrong[run]), int(last_wrong[run])) if finite[run] else (None, None)
            outcomes.append(
                {
                    "status": "ok" if finite[run] else "diverged",
                    "result": _result(own, wrong, finite[run], best_update[run], chance, split),
                    "curves": {"update": self.updates, **own},
                    "probes": [
                        {
                            "update": update,
                            **{n: [_rounded(v) for v in vs[run]] for n, vs in seen.items()},
                        }
                        for update, seen in probes
                    ],
                }
            )
        return outcomes


def _result(
    curves: dict[str, list],
    wrong: tuple[int | None, int | None],
    finite: bool,
    best_update: int,
    chance: float,
    split: Split,
) -> dict:
    """The figures that tables are made of. A diverged run counts as chance, and never trained."""
    n_test, chance_pct = len(split.x_test), 100 * chance
    best, last = (100 * w / n_test if finite else chance_pct for w in wrong)
    train_error = min(curves["train_error_pct"]) if finite else chance_pct
    return {
        "test_error_pct": best,
        "test_error_last_pct": last,
        "test_wrong": wrong[0],
        "test_wrong_last": wrong[1],
        "n_test": n_test,
        "valid_error_pct": min(curves["valid_error_pct"]) if finite else chance_pct,
        "train_error_pct": train_error,
        "best_update": best_update if finite else None,
        "trained": finite and train_error <= TRAINED_BELOW * chance_pct,
        "chance_error_pct": chance_pct,
    }


def _rounded(value: float) -> float | None:
    """Seven significant digits, all that float32 has; None for NaN and infinity, as in JSON."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _wait(device: torch.device) -> None:
    """Until the device has done its work, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
