"""Orthogonal initialisation: every layer starts as a rotation.

Problem  A product of random matrices keeps the mean length of a vector, but its singular values
         spread exponentially with depth: most directions die and a few explode.
Method   weight = gain q, q the orthogonal factor of a Gaussian matrix, q'q = 1 (or qq' = 1 where
         fan_in < fan_out): all singular values equal gain. gain = 1/f'(0): 1 for tanh, 4 for the
         logistic sigmoid.
Source   Saxe, McClelland, Ganguli (2014), Exact solutions to the nonlinear dynamics of learning in
         deep linear neural networks, ICLR; BibTeX saxe2014
Since    2014; still used where isometry matters (recurrent networks, very deep plain ones)
Departs  nothing; the signs of q are fixed by those of the triangular factor, so that q is uniform
         over the orthogonal matrices (Haar measure)
Use      Recipe(initialisation=Orthogonal(gain=4.0))
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Orthogonal:
    """weight = gain q with orthonormal columns (or rows)."""

    gain: float = 1.0

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw a weight matrix (fan_in, fan_out)."""
        long, short = max(fan_in, fan_out), min(fan_in, fan_out)
        # in float64: the factorisation's rounding would otherwise be the largest error
        gaussian = torch.empty(long, short, dtype=torch.float64).normal_(generator=generator)
        q, r = torch.linalg.qr(gaussian)  # (long, short), (short, short)
        q = self.gain * q * r.diagonal().sign()
        return (q if fan_in >= fan_out else q.T).float().contiguous()
