"""Deep supervision: a classifier on every hidden layer, so that each has the labels next to it.

Problem  The only error that reaches layer l comes down from the top, with a factor
         sigma'(z) <= 1/4 from every layer in between.
Method   loss = loss(h_L) + weight (loss(h_1) + ... + loss(h_(L-1))), the last hidden layer h_L
         under the network's classifier, the others under a companion each,
         logits_l = h_l companion_weight + companion_bias, that is left out after training
Source   Lee, Xie, Gallagher, Zhang, Tu (2015), Deeply-supervised nets, AISTATS, 562-570, section 2,
         equation 3; BibTeX lee2015dsn. weight 0.3: that of the two auxiliary classifiers in
         Szegedy et al. (2015), Going deeper with convolutions, CVPR, 1-9, section 5; BibTeX
         szegedy2015
Since    2014; displaced by batch normalisation and residual links, lives on in segmentation
Departs  cross-entropy for every classifier where the paper's main form has squared hinges; a
         companion's loss counts all along, while the paper drops it below a threshold and lets
         its weight decay over the epochs; no penalty on the classifiers' weights
Use      Recipe(connection=DeepSupervision(weight=0.3))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from techniques.initialisation.fan_in import FanIn
from techniques.streams import stream

if TYPE_CHECKING:
    from techniques.network import Layer, Network, Shape, Trace

_draw_companion = FanIn()  # like the network's classifier


@dataclass(frozen=True)
class DeepSupervision:
    """loss = loss(h_L) + weight (loss(h_1) + ... + loss(h_(L-1)))."""

    weight: float = 0.3  # of each companion's loss

    reach = 1

    def parameters(self, shape: Shape, seeds: Sequence[int]) -> dict[str, Tensor]:
        """Weight (R, n, K) and bias (R, 1, K) of a layer's companion; none for the last layer."""
        if shape.index == shape.depth - 1:
            return {}
        n, n_classes = shape.n_units, shape.n_classes
        streams = [stream(seed, f"companion:{shape.index}") for seed in seeds]
        return {
            "companion_weight": torch.stack([_draw_companion(n, n_classes, g) for g in streams]),
            "companion_bias": torch.zeros(len(seeds), 1, n_classes),
        }

    def layer(
        self, network: Network, index: int, below: Sequence[Layer], training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pre-activation, activation and output (R, B, n), as without companions."""
        z = network.linear(index, below[-1].output, training=training)
        z = network.normalise(index, z, training=training)
        a = network.activate(index, z)
        return z, a, a

    def loss(self, network: Network, trace: Trace, y: Tensor) -> Tensor:
        """What training minimises, in nats, on examples of the classes y (R, B); (R,)."""
        from techniques.network import cross_entropy  # here, as it imports the recipes above it

        loss = cross_entropy(trace.logits, y)
        companions = zip(trace.layers[:-1], network.parameters, strict=False)
        for layer, own in companions:
            weight, bias = own["companion_weight"], own["companion_bias"]
            logits = torch.baddbmm(bias, layer.output, weight)
            loss = loss + self.weight * cross_entropy(logits, y)
        return loss

    def modules(
        self, network: Network, run: int, layers: Sequence[Sequence[nn.Module]]
    ) -> list[nn.Module]:
        """One run's hidden layers, given as lists of modules, in sequence, without companions."""
        return [module for modules in layers for module in modules]
