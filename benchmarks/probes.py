"""What each layer looks like at one moment: size of its gradient, state of its units."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from techniques.network import Network, cross_entropy

PROBE_EXAMPLES = 512  # the first of the training set: the same for every run


class Probe(NamedTuple):
    """Per run and hidden layer, (R, depth) each."""

    gradient_rms: Tensor  # ||dL/dW||_F / sqrt(numel), L the mean cross-entropy in nats
    activation_mean: Tensor
    activation_sd: Tensor
    saturated: Tensor  # fraction, as the activation function defines it


def probe(network: Network, x: Tensor, y: Tensor) -> Probe:
    """Look at a stack on one batch, x (B, D) and y (B,), as in training; changes nothing."""
    copy = network.select(range(network.runs))  # training moves batch norm's running statistics
    trace = copy.trace(x, training=True)
    loss = cross_entropy(trace.logits, y.expand(copy.runs, -1))
    weights = [layer["weight"] for layer in copy.parameters[:-1]]
    gradients = torch.autograd.grad(loss.sum(), weights)
    with torch.no_grad():
        activations = [layer.activation for layer in trace.layers]
        return Probe(
            torch.stack([_rms(gradient) for gradient in gradients], 1),
            torch.stack([a.mean((1, 2)) for a in activations], 1),
            torch.stack([a.std((1, 2)) for a in activations], 1),
            torch.stack([network.recipe.activation.saturated(a) for a in activations], 1),
        )


def _rms(gradient: Tensor) -> Tensor:
    """Root of the mean square per run, (R, m, n) -> (R,).

    Scaled by the largest element first: the squares of a vanishing gradient would be zero.
    """
    largest = gradient.abs().amax((1, 2), keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
    return largest.flatten() * (gradient / largest).square().mean((1, 2)).sqrt()
