"""The multilayer network, many of them at once: every tensor has a leading axis of runs.

A run is one network. A stack holds R of them that differ in seed or learning rate only, so that
one batched product trains them all: weight (R, fan_in, fan_out), bias (R, 1, fan_out), activation
(R, B, n). No operation mixes runs, so a run computes the same bits in any stack.

Shapes: R runs, B batch, N examples, D inputs, K classes, n units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from techniques.initialisation.fan_in import FanIn
from techniques.recipe import Recipe
from techniques.streams import stream

_draw_output = FanIn()  # the classifier on top starts alike under every recipe


class Layer(NamedTuple):
    """What one hidden layer computes, each (R, B, n); of the input, three times the same."""

    pre_activation: Tensor  # what the activation function is given
    activation: Tensor  # what it returns
    output: Tensor  # what the next layer is given


class Shape(NamedTuple):
    """Place and size of a hidden layer, for techniques that bring parameters of their own."""

    index: int  # 0 is the first
    depth: int
    fan_in: int
    n_units: int
    n_classes: int


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
    # like (R, B, n) -> U(0, 1): what dropout and its like draw in training
    uniform: Callable[[Tensor], Tensor] | None = None

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

    def weight(self, index: int) -> Tensor:
        """Weight (R, fan_in, fan_out) of a layer as it is used; the output's index is ``depth``."""
        parameters, norm = self.parameters[index], self.recipe.normalisation
        if index < self.depth and hasattr(norm, "weight"):
            return norm.weight(parameters)
        return parameters["weight"]

    def linear(self, index: int, x: Tensor, *, training: bool = False) -> Tensor:
        """x weight + bias of a layer, (R, B, fan_in) -> (R, B, fan_out); training drops inputs."""
        if training:
            for regularisation in self.recipe.regularisation:
                if hasattr(regularisation, "drop"):
                    x = regularisation.drop(x, index, self.uniform)
        return torch.baddbmm(self.parameters[index]["bias"], x, self.weight(index))

    def normalise(self, index: int, z: Tensor, *, training: bool = False) -> Tensor:
        """z (R, B, n) of a hidden layer as the recipe's normalisation gives it on."""
        norm = self.recipe.normalisation
        if norm is None:
            return z
        return norm(z, self.parameters[index], self.statistics[index], training)

    def activate(self, index: int, z: Tensor) -> Tensor:
        """What the units of a hidden layer make of z (R, B, n)."""
        activation = self.recipe.activation
        if hasattr(activation, "parameters"):  # it has something to learn
            return activation(z, self.parameters[index])
        return activation(z)

    def layer(self, index: int, below: Sequence[Layer], *, training: bool = False) -> Layer:
        """Hidden layer ``index`` (0 is the first) on those below it, the nearest last."""
        connection = self.recipe.connection
        if connection is not None:
            return Layer(*connection.layer(self, index, below, training))
        z = self.linear(index, below[-1].output, training=training)
        z = self.normalise(index, z, training=training)
        a = self.activate(index, z)
        return Layer(z, a, a)

    def trace(self, x: Tensor, *, training: bool = False) -> Trace:
        """x (R, B, D), or (B, D) for all runs alike -> all layers and the logits (R, B, K).

        In training, batch normalisation uses the batch and moves its running statistics, and
        units are dropped with the random numbers of ``uniform``, or not at all if there are none.
        """
        below = [self._input(x)]
        for index in range(self.depth):
            below.append(self.layer(index, below, training=training))
        return Trace(below[1:], self._logits(below, training))

    def __call__(self, x: Tensor, *, training: bool = False) -> Tensor:
        """x (R, B, D) or (B, D) -> logits (R, B, K): a trace that keeps no layer once it is used.

        Layers that stay in the cache make an evaluation twice as fast.
        """
        reach = 1 if self.recipe.connection is None else self.recipe.connection.reach
        below = [self._input(x)]
        for index in range(self.depth):
            below = [*below, self.layer(index, below, training=training)][-reach:]
        return self._logits(below, training)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """What training minimises on x (R, B, D) and y (R, B), in nats per run (R,).

        Raises ValueError where units should be dropped and there are no random numbers.
        """
        if self.recipe.noisy and self.uniform is None:
            raise ValueError("the recipe drops units at random: set the network's uniform")
        connection = self.recipe.connection
        if hasattr(connection, "loss"):
            return connection.loss(self, self.trace(x, training=True), y)
        return cross_entropy(self(x, training=True), y)

    def _input(self, x: Tensor) -> Layer:
        x = x if x.dim() == 3 else x.expand(self.runs, -1, -1)
        return Layer(x, x, x)

    def _logits(self, below: Sequence[Layer], training: bool) -> Tensor:
        connection = self.recipe.connection
        gathered = hasattr(connection, "gather")
        output = connection.gather(below) if gathered else below[-1].output
        return self.linear(self.depth, output, training=training)

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
        recipe, hidden = self.recipe, []
        for index in range(self.depth):
            parameters = self.parameters[index]
            modules: list[nn.Module] = [linear_module(self.weight(index), parameters["bias"], run)]
            norm = recipe.normalisation
            if hasattr(norm, "module"):
                modules.append(norm.module(parameters, self.statistics[index], run))
            learnt = hasattr(recipe.activation, "parameters")
            modules.append(recipe.activation.module(*((parameters, run) if learnt else ())))
            hidden.append(modules)
        if recipe.connection is None:
            wired = [module for modules in hidden for module in modules]
        else:
            wired = recipe.connection.modules(self, run, hidden)
        top = linear_module(self.weight(self.depth), self.parameters[-1]["bias"], run)
        return nn.Sequential(*wired, top).eval()


def build(
    recipe: Recipe,
    *,
    n_inputs: int,
    n_classes: int,
    widths: Sequence[int],
    seeds: Sequence[int],
    device: torch.device | str = "cpu",
) -> Network:
    """A stack of freshly initialised networks, one per seed; pretraining is not done yet.

    ``widths`` are the hidden layers' numbers of units, from the first up. A layer is drawn from a
    stream named after it, so it starts alike at every depth.
    """
    if len(widths) < 1 or min(widths) < 1:
        raise ValueError(f"widths must be one or more numbers of 1 or more, got {list(widths)}")
    connection, depth = recipe.connection, len(widths)
    if connection is not None and len(set(widths)) > 1:
        name = type(connection).__name__
        raise ValueError(f"{name} needs layers of equal width, got {list(widths)}")
    if hasattr(connection, "widths"):
        widths = connection.widths(widths)
    fans_in = [n_inputs, *widths]
    if hasattr(connection, "fans_in"):
        fans_in = connection.fans_in(n_inputs, widths)
    pieces = getattr(recipe.activation, "pieces", 1)  # linear maps a unit
    runs, norm, parameters, statistics = len(seeds), recipe.normalisation, [], []
    for index, (fan_in, width) in enumerate(zip(fans_in, widths, strict=False)):
        shape = Shape(index, depth, fan_in, width, n_classes)
        streams = [stream(s, f"init:{index}") for s in seeds]
        draws = [recipe.initialisation(fan_in, pieces * width, g) for g in streams]
        biases = [torch.zeros(pieces * width)] * runs
        if hasattr(recipe.initialisation, "bias"):
            pairs = zip(draws, streams, strict=True)
            biases = [recipe.initialisation.bias(w, index, g) for w, g in pairs]
        weight = torch.stack(draws)
        if hasattr(connection, "initialise"):
            weight = connection.initialise(weight, shape)
        layer = {"weight": weight, "bias": torch.stack(biases).unsqueeze(1)}
        statistics.append({})
        if norm is not None:
            layer |= norm.parameters(weight)
            statistics[index] = norm.statistics(weight)
        if hasattr(recipe.activation, "parameters"):
            layer |= recipe.activation.parameters(runs, width)
        if hasattr(connection, "parameters"):
            layer |= connection.parameters(shape, seeds)
        parameters.append(layer)
    output = [_draw_output(fans_in[-1], n_classes, stream(s, "init:output")) for s in seeds]
    parameters.append({"weight": torch.stack(output), "bias": torch.zeros(runs, 1, n_classes)})
    for layer in parameters:
        for tensor in layer.values():
            tensor.requires_grad_()
    return Network(recipe, parameters, statistics).to(device)


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Mean of -log softmax(logits)[y] per run, in nats; logits (R, B, K), y (R, B) -> (R,)."""
    log_probability = torch.log_softmax(logits, dim=2)
    return -log_probability.gather(2, y.unsqueeze(2)).squeeze(2).mean(1)


def linear_module(weight: Tensor, bias: Tensor, run: int) -> nn.Linear:
    """One run's weight (R, fan_in, fan_out) and bias (R, 1, fan_out) as a torch module."""
    linear = nn.utils.skip_init(nn.Linear, *weight.shape[1:])  # draws nothing
    linear.weight.data = weight[run].detach().T.clone()
    linear.bias.data = bias[run, 0].detach().clone()
    return linear
