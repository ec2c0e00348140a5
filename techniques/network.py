"""The multilayer network, many of them at once: every tensor has a leading axis of runs.

A run is one network. A stack holds R of them that differ in seed or learning rate only, so that
one batched product trains them all: weight (R, fan_in, fan_out), bias (R, 1, fan_out), activation
(R, B, n). No operation mixes runs, so a run computes the same bits in any stack.

Shapes: R runs, B batch, N examples, D inputs, K classes, n units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from techniques.initialisation.fan_in import FanIn
from techniques.recipe import Recipe
from techniques.streams import stream

_draw_output = FanIn()  # the classifier on top starts alike under every recipe


class Layer(NamedTuple):
    """What one hidden layer computes, each (R, B, n)."""

    pre_activation: Tensor  # what the activation function is given
    activation: Tensor  # what it returns
    output: Tensor  # what the next layer is given


class Trace(NamedTuple):
    """What a network computes on the way up."""

    layers: list[Layer]
    logits: Tensor  # (R, B, K)


@dataclass
class Network:
    """R networks of one recipe and shape; parameters and statistics by layer, the output's last."""

    recipe: Recipe
    parameters: list[dict[str, Tensor]]
    statistics: list[dict[str, Tensor]]

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.parameters) - 1

    @property
    def runs(self) -> int:
        """Number of networks in the stack."""
        return self.parameters[0]["weight"].shape[0]

    def trainable(self) -> list[Tensor]:
        """Every parameter tensor, from the first layer up."""
        return [tensor for layer in self.parameters for tensor in layer.values()]

    def tensors(self) -> list[Tensor]:
        """Parameters and running statistics: all that the function depends on."""
        return [
            tensor
            for part in (self.parameters, self.statistics)
            for d in part
            for tensor in d.values()
        ]

    def layer(self, index: int, outputs: Sequence[Tensor], *, training: bool = False) -> Layer:
        """Hidden layer ``index`` (0 is the first) on the outputs below it, the nearest last."""
        parameters, recipe = self.parameters[index], self.recipe
        z = torch.baddbmm(parameters["bias"], outputs[-1], parameters["weight"])
        if recipe.normalisation is not None:
            z = recipe.normalisation(z, parameters, self.statistics[index], training)
        a = recipe.activation(z)
        h = a if recipe.connection is None else recipe.connection(index, a, outputs)
        return Layer(z, a, h)

    def trace(self, x: Tensor, *, training: bool = False) -> Trace:
        """x (R, B, D), or (B, D) for all runs alike -> all layers and the logits (R, B, K).

        In training, batch normalisation uses the batch and moves its running statistics.
        """
        outputs = [self._for_each_run(x)]
        layers = []
        for index in range(self.depth):
            layers.append(self.layer(index, outputs, training=training))
            outputs.append(layers[-1].output)
        return Trace(layers, self._logits(outputs[-1]))

    def __call__(self, x: Tensor, *, training: bool = False) -> Tensor:
        """x (R, B, D) or (B, D) -> logits (R, B, K): a trace that keeps no layer once it is used.

        Layers that stay in the cache make an evaluation twice as fast.
        """
        reach = 1 if self.recipe.connection is None else self.recipe.connection.reach
        outputs = [self._for_each_run(x)]
        for index in range(self.depth):
            output = self.layer(index, outputs, training=training).output
            outputs = [*outputs, output][-reach:]
        return self._logits(outputs[-1])

    def _for_each_run(self, x: Tensor) -> Tensor:
        return x if x.dim() == 3 else x.expand(self.runs, -1, -1)

    def _logits(self, output: Tensor) -> Tensor:
        top = self.parameters[-1]
        return torch.baddbmm(top["bias"], output, top["weight"])

    def select(self, runs: Sequence[int]) -> Network:
        """A new stack of copies of these runs, in this order; a run may be taken repeatedly."""

        def pick(part: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
            return [
                {
                    name: t.detach()[list(runs)].requires_grad_(t.requires_grad)
                    for name, t in d.items()
                }
                for d in part
            ]

        return Network(self.recipe, pick(self.parameters), pick(self.statistics))

    def to(self, target: torch.device | str | torch.dtype) -> Network:
        """A new stack on another device or of another precision."""

        def move(part: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
            return [
                {
                    name: t.detach().to(target).requires_grad_(t.requires_grad)
                    for name, t in d.items()
                }
                for d in part
            ]

        return Network(self.recipe, move(self.parameters), move(self.statistics))

    def export(self, run: int) -> nn.Sequential:
        """One run as a plain torch module of the same function, (B, D) -> (B, K), in evaluation."""
        hidden = []
        for parameters, statistics in zip(self.parameters[:-1], self.statistics, strict=True):
            modules: list[nn.Module] = [_linear(parameters, run)]
            if self.recipe.normalisation is not None:
                modules.append(self.recipe.normalisation.module(parameters, statistics, run))
            hidden.append([*modules, self.recipe.activation.module()])
        if self.recipe.connection is None:
            wired = [module for modules in hidden for module in modules]
        else:
            wired = self.recipe.connection.modules(hidden)
        return nn.Sequential(*wired, _linear(self.parameters[-1], run)).eval()


def build(
    recipe: Recipe,
    *,
    n_inputs: int,
    n_classes: int,
    depth: int,
    width: int,
    seeds: Sequence[int],
    device: torch.device | str = "cpu",
) -> Network:
    """A stack of freshly initialised networks, one per seed; pretraining is not done yet.

    A layer is drawn from a stream named after it, so it starts alike at every depth.
    """
    if depth < 1 or width < 1:
        raise ValueError(f"depth and width must be 1 or more, got {depth} and {width}")
    runs, parameters, statistics = len(seeds), [], []
    for index in range(depth):
        fan_in = n_inputs if index == 0 else width
        draws = [recipe.initialisation(fan_in, width, stream(s, f"init:{index}")) for s in seeds]
        layer = {"weight": torch.stack(draws), "bias": torch.zeros(runs, 1, width)}
        if recipe.normalisation is not None:
            layer |= recipe.normalisation.parameters(runs, width)
            statistics.append(recipe.normalisation.statistics(runs, width))
        else:
            statistics.append({})
        parameters.append(layer)
    output = [_draw_output(width, n_classes, stream(s, "init:output")) for s in seeds]
    parameters.append({"weight": torch.stack(output), "bias": torch.zeros(runs, 1, n_classes)})
    for layer in parameters:
        for tensor in layer.values():
            tensor.requires_grad_()
    return Network(recipe, parameters, statistics).to(device)


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Mean of -log softmax(logits)[y] per run, in nats; logits (R, B, K), y (R, B) -> (R,)."""
    log_probability = torch.log_softmax(logits, dim=2)
    return -log_probability.gather(2, y.unsqueeze(2)).squeeze(2).mean(1)


def _linear(parameters: dict[str, Tensor], run: int) -> nn.Linear:
    weight = parameters["weight"][run].detach()
    linear = nn.utils.skip_init(nn.Linear, *weight.shape)  # draws nothing
    linear.weight.data = weight.T.clone()
    linear.bias.data = parameters["bias"][run, 0].detach().clone()
    return linear
