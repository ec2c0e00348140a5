"""Supervised greedy pretraining: each layer first learns to classify, right below the labels.

Problem  The gradient of the labels reaches a lower layer through all layers above it, at a factor
         of sigma'(z) <= 1/4 each. Here no layer is further from them than one.
Method   for l = 1, 2, ...: p = softmax(f(h_(l-1) weight + bias) output + output_bias); minimise
         the cross-entropy of p with the labels; keep weight and bias, throw the output layer away.
Source   Bengio, Lamblin, Popovici, Larochelle (2007), Greedy layer-wise training of deep networks,
         NIPS 19, 153-160, where unsupervised pretraining beats it; BibTeX bengio2007greedy
Since    2007; displaced at once, for a layer that only serves the labels above it throws away
         what later layers could use; comes back now and then to save memory
Departs  mini-batches of 100 with momentum, in place of single examples; the layer learns by itself,
         without the recipe's normalisation and links
Use      Recipe(pretraining=SupervisedGreedy(epochs=10))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from techniques.initialisation.fan_in import FanIn
from techniques.optimisation.sgd import Sgd
from techniques.streams import batches, stream, take

if TYPE_CHECKING:
    from techniques.network import Network
    from techniques.recipe import Recipe

_draw_output = FanIn()  # as for the classifier that stays


@dataclass(frozen=True)
class SupervisedGreedy:
    """Greedy pretraining of each layer as the only hidden layer of a classifier."""

    epochs: int = 10
    lr: float = 0.1
    momentum: float = 0.9
    batch_size: int = 100

    needs_unit_interval = False
    needs_labels = True

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be 1 or more, got {self.epochs}")

    def check(self, recipe: Recipe) -> None:
        """Any activation and connection will do."""

    def train_layer(
        self,
        network: Network,
        index: int,
        visible: Tensor,
        seeds: Sequence[int],
        *,
        unit_interval: bool,
        y: Tensor,
    ) -> None:
        """Train weight and bias of one hidden layer on visible (N, D), or (R, N, n_visible).

        y (N,) are the labels, shared by all runs. The weights start as the recipe's initialisation
        drew them.
        """
        layer, n_examples = network.parameters[index], visible.shape[-2]
        n_hidden, n_classes = layer["weight"].shape[2], network.parameters[-1]["bias"].shape[2]
        streams = [stream(s, f"supervised:output:{index}") for s in seeds]
        output = torch.stack([_draw_output(n_hidden, n_classes, g) for g in streams])
        output = output.to(visible.device).requires_grad_()
        output_bias = output.new_zeros(len(seeds), 1, n_classes).requires_grad_()
        parameters = [layer["weight"], layer["bias"], output, output_bias]

        optimiser = Sgd(self.momentum)
        velocities = optimiser.start(parameters)
        lr = output.new_full((len(seeds), 1, 1), self.lr)
        order = batches(
            seeds, f"supervised:order:{index}", n_examples, self.batch_size, visible.device
        )
        for _ in range(self.epochs * (n_examples // self.batch_size)):
            chosen = next(order)
            v, label = take(visible, chosen), take(y, chosen)
            with torch.enable_grad():
                h = network.activate(index, torch.baddbmm(layer["bias"], v, layer["weight"]))
                logits = torch.baddbmm(output_bias, h, output)  # (R, B, K)
            # d (mean cross-entropy) / d logits
            delta = (torch.softmax(logits, 2) - one_hot(label, n_classes)) / self.batch_size
            gradients = torch.autograd.grad(logits, parameters, delta)
            optimiser.step(parameters, gradients, velocities, lr)
