"""Batch normalisation: standardise every unit's input over the mini-batch, then rescale it.

Problem  The pre-activations of a deep sigmoid net drift as the layers below learn, into regions
         where sigma'(z) is far below even its 1/4; and their scale at the start depends on luck.
Method   z_hat = (z - mean) / sqrt(variance + epsilon) over the batch; z' = scale z_hat + shift.
         For evaluation, mean and variance are running averages over the training batches:
         running <- (1 - momentum) running + momentum batch.
Source   Ioffe and Szegedy (2015), Batch normalization: accelerating deep network training by
         reducing internal covariate shift, ICML, 448-456, algorithms 1 and 2; BibTeX ioffe2015bn
Since    2015; beside it layer normalisation (2016) where batches are small or sequences long
Departs  running averages instead of a pass over the data at the end (as everyone since); the
         layer's bias is kept, though its gradient is zero, so that all recipes share their shapes
Use      Recipe(normalisation=BatchNorm())
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Saved(NamedTuple):
    """What a layer's backward pass needs of its forward pass."""

    z_hat: Tensor  # (R, B, n)
    inverse_sd: Tensor  # (R, 1, n)


@dataclass(frozen=True)
class BatchNorm:
    """z' = scale (z - mean) / sqrt(variance + epsilon) + shift, per unit and run."""

    momentum: float = 0.1
    epsilon: float = 1e-5

    def parameters(self, weight: Tensor) -> dict[str, Tensor]:
        """What is trained: scale 1 and shift 0, each (R, 1, n); weight (R, fan_in, n)."""
        runs, _, n_units = weight.shape
        return {"scale": torch.ones(runs, 1, n_units), "shift": torch.zeros(runs, 1, n_units)}

    def statistics(self, weight: Tensor) -> dict[str, Tensor]:
        """What is tracked for evaluation: running mean 0 and variance 1, each (R, 1, n)."""
        runs, _, n_units = weight.shape
        return {
            "running_mean": torch.zeros(runs, 1, n_units),
            "running_variance": torch.ones(runs, 1, n_units),
        }

    def __call__(
        self,
        z: Tensor,
        parameters: dict[str, Tensor],
        statistics: dict[str, Tensor],
        training: bool,
    ) -> Tensor:
        """z (R, B, n) -> z' (R, B, n); in training, moves the running statistics in place.

        Raises ValueError for training on a batch of one, whose variance is zero.
        """
        if not training:
            mean, variance = statistics["running_mean"], statistics["running_variance"]
        else:
            batch_size = _size_to_train_on(z)
            mean = z.mean(1, keepdim=True)  # (R, 1, n)
            variance = (z - mean).square().mean(1, keepdim=True)  # never E[z^2] - E[z]^2
            self._track(mean, variance, batch_size, statistics)
        inverse_sd = (variance + self.epsilon).rsqrt()
        return (z - mean) * (inverse_sd * parameters["scale"]) + parameters["shift"]

    def forward(
        self, z: Tensor, parameters: dict[str, Tensor], statistics: dict[str, Tensor]
    ) -> tuple[Tensor, Saved]:
        """The same as a call in training, with what ``backward_`` needs; overwrites z."""
        batch_size = _size_to_train_on(z)
        mean = z.mean(1, keepdim=True)
        z_hat = z.sub_(mean)
        variance = z_hat.square().mean(1, keepdim=True)
        self._track(mean, variance, batch_size, statistics)
        inverse_sd = (variance + self.epsilon).rsqrt_()
        z_hat.mul_(inverse_sd)
        out = torch.addcmul(parameters["shift"], z_hat, parameters["scale"])
        return out, Saved(z_hat, inverse_sd)

    def backward_(
        self, grad: Tensor, parameters: dict[str, Tensor], saved: Saved
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """From d loss / d z' (R, B, n), overwritten, to d loss / d z and the parameters' gradients.

        d z = scale / sd (d z' - mean(d z') - z_hat mean(z_hat d z')), means over the batch.
        """
        z_hat, inverse_sd = saved
        d_shift = grad.sum(1, keepdim=True)
        d_scale = (grad * z_hat).sum(1, keepdim=True)
        batch_size = grad.shape[1]
        grad.addcmul_(z_hat, d_scale, value=-1 / batch_size).sub_(d_shift, alpha=1 / batch_size)
        grad.mul_(inverse_sd * parameters["scale"])
        return grad, {"scale": d_scale, "shift": d_shift}

    @torch.no_grad()
    def _track(
        self, mean: Tensor, variance: Tensor, batch_size: int, statistics: dict[str, Tensor]
    ) -> None:
        unbiased = variance * (batch_size / (batch_size - 1))
        statistics["running_mean"].lerp_(mean, self.momentum)
        statistics["running_variance"].lerp_(unbiased, self.momentum)

    def module(
        self, parameters: dict[str, Tensor], statistics: dict[str, Tensor], run: int
    ) -> nn.BatchNorm1d:
        """One run's layer as torch's own, for an exported network."""
        n_units = parameters["scale"].shape[-1]
        norm = nn.BatchNorm1d(n_units, eps=self.epsilon, momentum=self.momentum)
        norm.weight.data.copy_(parameters["scale"][run, 0])
        norm.bias.data.copy_(parameters["shift"][run, 0])
        norm.running_mean.copy_(statistics["running_mean"][run, 0])
        norm.running_var.copy_(statistics["running_variance"][run, 0])
        return norm


def _size_to_train_on(z: Tensor) -> int:
    batch_size = z.shape[1]
    if batch_size < 2:
        raise ValueError(f"batch norm needs a batch of 2 or more to train, got {batch_size}")
    return batch_size
