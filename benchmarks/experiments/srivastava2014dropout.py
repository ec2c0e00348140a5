"""How active the hidden units of an autoencoder are, trained with dropout or without.

Paper     Srivastava et al. (2014), Dropout, section 7.2, Figures 7 and 8
Protocol  an autoencoder of one layer of rectifiers on MNIST, half of them dropped or none; the
          activations of the hidden units on test examples
Departs   3,000 digits, 64 units where the paper has 256; logistic outputs and cross-entropy;
          momentum 0.9; a unit is scaled by 2 in training where the paper halves it in evaluation;
          activations are given as a share of the mean of the network of the same seed without
          dropout, since their scale is free
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks import datasets
from benchmarks.experiment import Experiment, Quantity, Settings
from techniques.activations.relu import Relu
from techniques.initialisation.fan_in import FanIn
from techniques.initialisation.he import HeNormal
from techniques.optimisation.sgd import Sgd
from techniques.regularisation.dropout import Dropout
from techniques.streams import batches, stream, take, uniform_noise


def measure(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Train both ways from the same start, and compare hidden units on the test examples."""
    split = datasets.load(settings["name"], settings["n_train"], settings["n_valid"]).to(device)
    hidden = [
        _hidden(settings, depth, seeds, split.x_train, split.x_test, p)
        for p in (settings["p"], 0.0)
    ]
    return sparsity(*hidden)


def sparsity(hidden: Tensor, reference: Tensor) -> list[dict[str, float]]:
    """Of activations (R, N, n) of each run, the mean beside the reference's, and the active."""
    relative = hidden.mean((1, 2)) / reference.mean((1, 2))
    active = 100 * (hidden > 0).float().mean((1, 2))
    return [
        {"relative_activation": r, "active_pct": a}
        for r, a in zip(relative.tolist(), active.tolist(), strict=True)
    ]


def _hidden(
    settings: Settings, depth: int, seeds: Sequence[int], x: Tensor, x_test: Tensor, p: float
) -> Tensor:
    """Activations (R, N, n) of the top hidden layer on test examples, after training on x."""
    rectify, dropout, optimiser = Relu(), Dropout(p_input=0.0, p_hidden=p), Sgd()
    widths = [x.shape[1], *[settings["width"]] * depth]
    shapes = [*zip(widths, widths[1:], strict=False), (widths[-1], x.shape[1])]
    parameters = []
    for layer, (fan_in, fan_out) in enumerate(shapes):
        draw = HeNormal() if layer < depth else FanIn()
        weight = torch.stack([draw(fan_in, fan_out, stream(s, f"init:{layer}")) for s in seeds])
        parameters += [weight.to(x), torch.zeros(len(seeds), 1, fan_out).to(x)]
    parameters = [t.requires_grad_() for t in parameters]
    state = optimiser.start(parameters)
    lr = torch.full((len(seeds), 1, 1), settings["lr"], device=x.device)
    order = batches(seeds, "order", len(x), settings["batch_size"], x.device)
    noise = uniform_noise(seeds, "dropout", x.device)

    def encode(h: Tensor, training: bool) -> Tensor:
        for layer in range(depth):
            weight, bias = parameters[2 * layer : 2 * layer + 2]
            h = rectify(torch.baddbmm(bias, h, weight))
            if training:
                h = dropout.drop(h, layer + 1, noise)
        return h

    for _ in range(settings["updates"]):
        shown = take(x, next(order))
        logits = torch.baddbmm(parameters[-1], encode(shown, True), parameters[-2])
        loss = binary_cross_entropy_with_logits(logits, shown, reduction="none").sum(2).mean(1)
        gradients = torch.autograd.grad(loss.sum(), parameters)
        optimiser.step(parameters, gradients, state, lr)
    with torch.no_grad():
        return encode(x_test.expand(len(seeds), -1, -1), False)


_SHARED = {
    "name": "mnist5k", "n_train": 3000, "n_valid": 1000, "width": 64, "updates": 1000,
    "batch_size": 100, "lr": 0.002,
}  # fmt: skip

EXPERIMENTS = (
    Experiment(
        name="srivastava2014dropout-sparsity",
        paper="srivastava2014dropout",
        title="Activity of an autoencoder's hidden units with and without dropout",
        scale="reduced",
        conditions={"standard": {**_SHARED, "p": 0.0}, "dropout": {**_SHARED, "p": 0.5}},
        depths=(1,),
        seeds=10,
        quantities={
            "relative_activation": Quantity(
                "of the mean without dropout", "mean activation of the hidden units"
            ),
            "active_pct": Quantity("%", "share of hidden units above 0, over test examples"),
        },
        measure=measure,
        seconds=3,
        at_once=10,
    ),
)
