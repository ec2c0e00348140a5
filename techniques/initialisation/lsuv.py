"""LSUV: orthonormal weights, scaled layer by layer until the data give unit variance.

Problem  A formula for the scale of the weights holds for one activation function and for inputs
         of one kind. Layer-sequential unit variance measures instead: no layer's pre-activations
         can vanish or explode at the start, whatever the units are.
Method   weight = q / sd(x q), from the first layer up; q orthonormal, x the layer's inputs for a
         batch, sd over all examples and units of the layer; bias 0
Source   Mishkin and Matas (2016), All you need is a good init, ICLR, algorithm 1; BibTeX
         mishkin2016lsuv
Since    2016; batch normalisation does the same at every update
Departs  divided once: x q is linear in q, so that the variance on the batch is then 1, where the
         paper draws another batch until it is within 0.1 of 1, ten times at most; one batch for
         all layers, of at most 1000 examples; the output layer is the same under every recipe.
         As in the paper it is the linear layer's output z that gets variance 1, not the unit's.
         For logistic units that does not save the gradient, which still loses sigma'(z) <= 1/4 a
         layer; nor the signal: their mean of 1/2 gives each unit an offset, which takes up most
         of the variance
Use      Recipe(pretraining=Lsuv())
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from techniques.initialisation.orthogonal import Orthogonal
from techniques.streams import batches, stream, take

if TYPE_CHECKING:
    from techniques.network import Network
    from techniques.recipe import Recipe


@dataclass(frozen=True)
class Lsuv:
    """Sets weights from a batch; in the slot of pretraining, as it needs the data."""

    batch_size: int = 1000

    needs_unit_interval = False

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError where normalisation would undo the scale."""
        if recipe.normalisation is not None:
            name = type(recipe.normalisation).__name__
            raise ValueError(f"LSUV scales weights, and {name} makes their scale irrelevant")

    def train_layer(
        self,
        network: Network,
        index: int,
        visible: Tensor,
        seeds: Sequence[int],
        *,
        unit_interval: bool,
    ) -> None:
        """Set weight and bias of one hidden layer from visible (N, D), or (R, N, n)."""
        target = network.parameters[index]
        streams = [stream(seed, f"lsuv:init:{index}") for seed in seeds]
        draws = [Orthogonal()(*target["weight"].shape[1:], g) for g in streams]
        weight = torch.stack(draws).to(visible.device)
        n_examples = visible.shape[-2]
        batch_size = min(self.batch_size, n_examples)
        order = batches(seeds, "lsuv:order", n_examples, batch_size, visible.device)
        z = take(visible, next(order)) @ weight  # (R, B, n)
        # run by run: a sum over several axes may be ordered differently in another stack
        variance = torch.stack([of_run.var(correction=0) for of_run in z]).view(-1, 1, 1)
        # a layer that is given zeros only, as above dead rectifiers, keeps orthonormal weights
        sd = torch.where(variance > 0, variance, 1.0).sqrt()
        target["weight"].copy_(weight / sd)
        target["bias"].zero_()
