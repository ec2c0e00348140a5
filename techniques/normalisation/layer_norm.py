"""Layer normalisation: standardise a layer's inputs over its units, for each example by itself.

Problem  The pre-activations of a deep sigmoid net drift into regions where sigma'(z) is far below
         even its 1/4. Batch normalisation holds them, but ties an example to its batch, and needs
         running statistics for evaluation.
Method   z_hat = (z - mean) / sqrt(variance + epsilon) over the units of the layer;
         z' = scale z_hat + shift, a scale and a shift for each unit
Source   Ba, Kiros, Hinton (2016), Layer normalization, arXiv:1607.06450, section 3, equation 3, and
         equation 4 for scale and shift; BibTeX ba2016ln. epsilon: torch's
Since    2016; still the default in transformers, beside its variant without the mean
Departs  epsilon is added to the variance; the layer's bias is kept, so that all recipes share
         their shapes
Use      Recipe(normalisation=LayerNorm())
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Saved(NamedTuple):
    """What a layer's backward pass needs of its forward pass."""

    z_hat: Tensor  # (R, B, n)
    inverse_sd: Tensor  # (R, B, 1)


@dataclass(frozen=True)
class LayerNorm:
    """z' = scale (z - mean) / sqrt(variance + epsilon) + shift, per example and run."""

    epsilon: float = 1e-5

    def parameters(self, weight: Tensor) -> dict[str, Tensor]:
        """What is trained: scale 1 and shift 0, each (R, 1, n); weight (R, fan_in, n)."""
        runs, _, n_units = weight.shape
        return {"scale": torch.ones(runs, 1, n_units), "shift": torch.zeros(runs, 1, n_units)}

    def statistics(self, weight: Tensor) -> dict[str, Tensor]:
        """Nothing is tracked: evaluation does what training does."""
        return {}

    def __call__(
        self,
        z: Tensor,
        parameters: dict[str, Tensor],
        statistics: dict[str, Tensor],
        training: bool,
    ) -> Tensor:
        """z (R, B, n) -> z' (R, B, n)."""
        centred = z - z.mean(2, keepdim=True)
        variance = centred.square().mean(2, keepdim=True)  # (R, B, 1)
        inverse_sd = (variance + self.epsilon).rsqrt()
        return centred * inverse_sd * parameters["scale"] + parameters["shift"]

    def forward(
        self, z: Tensor, parameters: dict[str, Tensor], statistics: dict[str, Tensor]
    ) -> tuple[Tensor, Saved]:
        """The same as a call, with what ``backward_`` needs; overwrites z."""
        z_hat = z.sub_(z.mean(2, keepdim=True))
        inverse_sd = z_hat.square().mean(2, keepdim=True).add_(self.epsilon).rsqrt_()
        z_hat.mul_(inverse_sd)
        out = torch.addcmul(parameters["shift"], z_hat, parameters["scale"])
        return out, Saved(z_hat, inverse_sd)

    def backward_(
        self, grad: Tensor, parameters: dict[str, Tensor], saved: Saved
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """From d loss / d z' (R, B, n), overwritten, to d loss / d z and the parameters' gradients.

        With d z_hat = scale d z':
        d z = (d z_hat - mean(d z_hat) - z_hat mean(z_hat d z_hat)) / sd, means over the units.
        """
        z_hat, inverse_sd = saved
        d_shift = grad.sum(1, keepdim=True)
        d_scale = (grad * z_hat).sum(1, keepdim=True)
        grad.mul_(parameters["scale"])
        along = (grad * z_hat).mean(2, keepdim=True)
        grad.sub_(grad.mean(2, keepdim=True)).addcmul_(z_hat, along, value=-1)
        return grad.mul_(inverse_sd), {"scale": d_scale, "shift": d_shift}

    def module(
        self, parameters: dict[str, Tensor], statistics: dict[str, Tensor], run: int
    ) -> nn.LayerNorm:
        """One run's layer as torch's own, for an exported network."""
        norm = nn.LayerNorm(parameters["scale"].shape[-1], eps=self.epsilon)
        norm.weight.data.copy_(parameters["scale"][run, 0])
        norm.bias.data.copy_(parameters["shift"][run, 0])
        return norm
