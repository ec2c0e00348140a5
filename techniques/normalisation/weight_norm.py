"""Weight normalisation: train the length of a unit's weights apart from their direction.

Problem  The gradient of a layer's weights grows and shrinks with the lengths of all weights above
         it, beside sigma'(z) <= 1/4 a layer; and one learning rate has to serve them all. Batch
         normalisation mends that with noisy statistics of the batch.
Method   weight = scale v / ||v||, a scale and a ||v|| for each unit; trained are v and scale. The
         gradient of v is orthogonal to v and divided by ||v||, so v only grows, and its step adapts
Source   Salimans and Kingma (2016), Weight normalization: a simple reparameterization to accelerate
         training of deep neural networks, NIPS 29, section 2, equations 2 and 3; BibTeX
         salimans2016wn
Since    2016; displaced by batch and layer normalisation, still used in generative models
Departs  scale starts at ||v||, so that the network starts as it would without; the paper sets
         scale and bias from a first batch (its section 3). scale itself, not its logarithm
Use      Recipe(normalisation=WeightNorm())
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class WeightNorm:
    """weight = scale v / ||v||, per unit and run; v is what the recipe calls the weight."""

    def parameters(self, weight: Tensor) -> dict[str, Tensor]:
        """What is trained beside v (R, fan_in, n): scale (R, 1, n), at first ||v||."""
        return {"scale": _length(weight.detach())}

    def statistics(self, weight: Tensor) -> dict[str, Tensor]:
        """Nothing is tracked."""
        return {}

    def weight(self, parameters: dict[str, Tensor]) -> Tensor:
        """The weight (R, fan_in, n) that the layer multiplies by."""
        v = parameters["weight"]
        return v * (parameters["scale"] / _length(v))

    def __call__(
        self,
        z: Tensor,
        parameters: dict[str, Tensor],
        statistics: dict[str, Tensor],
        training: bool,
    ) -> Tensor:
        """z (R, B, n) as it is: the weight that made it was normalised."""
        return z


def _length(v: Tensor) -> Tensor:
    """Euclidean length of every unit's weights, (R, fan_in, n) -> (R, 1, n)."""
    return torch.linalg.vector_norm(v, dim=1, keepdim=True)
