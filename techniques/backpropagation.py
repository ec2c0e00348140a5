"""One update of every run by hand: what ``step`` has from autograd, with little but its products.

``step`` is the definition. ``fused_step`` gives the same up to rounding and differs in three
ways, each of them found with a profiler (reports/performance):

- A layer's derivative is taken in place, from what the layer gave out: a (1 - a) for a sigmoid.
- The error at the top is multiplied by -lr before it goes down. All that follows is linear in it,
  so each layer's product is already the descent -lr gradient.
- That product is added to the momentum by the call that computes it (beta of ``baddbmm``) and the
  weights move while it is in the cache. No gradient is ever written to memory.

Every tensor is made on the device of its inputs and nothing waits for one, so a GPU is never
asked for a value in the middle of a step.

Shapes: R runs, B batch, n units; outputs[l] is what hidden layer l (0 is the first) is given.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from techniques.network import Network
from techniques.optimisation.sgd import Sgd
from techniques.recipe import Recipe


def step(network: Network, x: Tensor, y: Tensor, state: list[Tensor], lr: Tensor) -> Tensor:
    """One update of every run, in place, on x (R, B, D), y (R, B); the loss before it, (R,).

    ``state`` is the optimiser's, lr (R, 1, 1) each run's learning rate.
    """
    parameters = network.trainable()
    loss = network.loss(x, y)
    gradients = torch.autograd.grad(loss.sum(), parameters)
    for regularisation in network.recipe.regularisation:
        if hasattr(regularisation, "add_gradient"):
            gradients = regularisation.add_gradient(network, gradients)
    network.recipe.optimisation.step(parameters, gradients, state, lr)
    for regularisation in network.recipe.regularisation:
        if hasattr(regularisation, "project_"):
            regularisation.project_(network)
    return loss.detach()


def has_fused_step(recipe: Recipe) -> bool:
    """Whether every technique of the recipe brings its derivative along."""
    slots = (recipe.activation, recipe.normalisation, recipe.connection)
    derivatives = all(slot is None or hasattr(slot, "backward_") for slot in slots)
    plain = not recipe.regularisation and type(recipe.optimisation) is Sgd
    return derivatives and plain


def fastest_step(recipe: Recipe) -> Callable[..., Tensor]:
    """The optimiser's own if it needs more than one gradient, ``fused_step`` if there is one, or
    ``step``.
    """
    if hasattr(recipe.optimisation, "update"):
        return recipe.optimisation.update
    return fused_step if has_fused_step(recipe) else step


@torch.no_grad()
def fused_step(
    network: Network, x: Tensor, y: Tensor, velocities: list[Tensor], lr: Tensor
) -> Tensor:
    """The same as ``step``, for a recipe of which ``has_fused_step`` is true."""
    recipe, depth = network.recipe, network.depth
    activation, norm, connection = recipe.activation, recipe.normalisation, recipe.connection

    outputs, activations, saved = [x], [], []
    for index, parameters in enumerate(network.parameters[:-1]):
        z = torch.baddbmm(parameters["bias"], outputs[-1], parameters["weight"])
        if norm is not None:
            z, for_backward = norm.forward(z, parameters, network.statistics[index])
            saved.append(for_backward)
        activations.append(activation.forward_(z))
        h = activations[-1]
        outputs.append(h if connection is None else connection.join(index, h, outputs))
    top = network.parameters[-1]
    logits = torch.baddbmm(top["bias"], outputs[-1], top["weight"])

    log_probability = torch.log_softmax(logits, dim=2)
    target = y.unsqueeze(2)
    loss = -log_probability.gather(2, target).squeeze(2).mean(1)
    delta = log_probability.exp_()  # d loss / d logits = (probability - one-hot target) / B
    delta.scatter_add_(2, target, delta.new_full((), -1).expand_as(target))
    delta.mul_(lr / -y.shape[1])

    momentum = recipe.optimisation.momentum
    each_velocity = iter(velocities)
    velocity = [dict(zip(layer, each_velocity, strict=False)) for layer in network.parameters]
    links: dict[int, Tensor] = {}  # what residual links bring down, by the output they start from
    for index in range(depth, -1, -1):  # delta (R, B, n) belongs to layer index's pre-activation
        parameters, v = network.parameters[index], velocity[index]
        if index < depth:
            if connection is not None:
                delta = connection.backward_(index, delta, links)
            delta = activation.backward_(delta, activations[index])
            if norm is not None:
                delta, descent = norm.backward_(delta, parameters, saved[index])
                for name, direction in descent.items():
                    parameters[name].add_(v[name].mul_(momentum).add_(direction))
        v["weight"].baddbmm_(outputs[index].mT, delta, beta=momentum)
        # no product with ones: of a single row MKL takes another kernel where there is one run
        v["bias"].mul_(momentum).add_(delta.sum(1, keepdim=True))
        if index > 0:
            weight = parameters["weight"].mT
            link = links.pop(index, None)
            below = torch.bmm(delta, weight) if link is None else link.baddbmm_(delta, weight)
        parameters["weight"].add_(v["weight"])
        parameters["bias"].add_(v["bias"])
        delta = below if index > 0 else delta
    return loss
