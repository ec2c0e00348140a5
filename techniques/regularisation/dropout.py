"""Dropout: in training, each unit is left out of each example with some probability.

Problem  A large network fits its examples with units that only work together with particular
         others, down to the noise; more depth and more units make it worse.
Method   x <- x keep / (1 - p), keep = 1 with probability 1 - p, else 0, drawn per example and unit;
         p = p_input for the network's inputs, p_hidden for hidden outputs. In evaluation nothing
         is dropped: it approximates the mean of all those thinned networks.
Source   Hinton, Srivastava, Krizhevsky, Sutskever, Salakhutdinov (2012), Improving neural networks
         by preventing co-adaptation of feature detectors, arXiv:1207.0580; BibTeX
         hinton2012dropout. Settings: the same authors (2014), Dropout: a simple way to prevent
         neural networks from overfitting, JMLR 15, 1929-1958, appendix A.4; BibTeX
         srivastava2014dropout
Since    2012; less used beside batch normalisation, standard in transformers
Departs  the division by 1 - p happens in training, where the paper multiplies the weights by it in
         evaluation: the same expectation, and a network that is used as it is; p is the
         probability to drop, the paper's to keep; no larger learning rate and momentum. Dropping
         multiplies the mean square of a layer's input by 1 / (1 - p): a deep net wants weights
         smaller by sqrt(1 - p), or the signal grows by sqrt(2) a layer in training and not after
Use      Recipe(regularisation=(Dropout(p_input=0.2, p_hidden=0.5),))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Dropout:
    """x <- x keep / (1 - p), keep = 1 with probability 1 - p, else 0."""

    p_input: float = 0.2
    p_hidden: float = 0.5

    noisy = True

    def __post_init__(self) -> None:
        if not (0 <= self.p_input < 1 and 0 <= self.p_hidden < 1):
            raise ValueError(
                f"p_input and p_hidden must lie in [0, 1), got {self.p_input}, {self.p_hidden}"
            )

    def drop(self, x: Tensor, index: int, uniform: Callable[[Tensor], Tensor] | None) -> Tensor:
        """x (R, B, n) as layer ``index`` is given it in training, unchanged without ``uniform``."""
        p = self.p_input if index == 0 else self.p_hidden
        if uniform is None or p == 0:
            return x
        return x * (uniform(x) >= p) / (1 - p)
