"""Named random streams: one generator per run and purpose, and no global generator anywhere.

A stream is found by its name, never by the order in which streams are made, so adding one shifts
no other. A name that ends in a layer's number gives that layer the same draw at every depth.
Everything is drawn on the CPU and moved, so that two devices see the same numbers; only the
sampling noise of pretraining is drawn where it is used, because moving it would cost more.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

ROOT = 1991  # the year of Hochreiter's diagnosis; any constant would do, but it must never change


def stream(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Generator of the run with this seed for this purpose, such as ``"init:3"``."""
    sequence = np.random.SeedSequence([ROOT, seed], spawn_key=(zlib.crc32(purpose.encode()),))
    state = int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))  # torch wants 63 bits
    return torch.Generator(device).manual_seed(state)


def batches(
    seeds: Sequence[int],
    purpose: str,
    n_examples: int,
    batch_size: int,
    device: torch.device | str = "cpu",
) -> Iterator[Tensor]:
    """Endless indices (R, B) of mini-batches: a new permutation of the examples every epoch.

    An epoch ends at its last whole batch, so that every update averages as many examples.
    Raises ValueError, at once, for a batch larger than the set.
    """
    if not 1 <= batch_size <= n_examples:
        raise ValueError(f"batch_size must lie in [1, {n_examples}], got {batch_size}")
    generators = [stream(seed, purpose) for seed in seeds]
    whole = n_examples - n_examples % batch_size

    def epochs() -> Iterator[Tensor]:
        while True:
            orders = [torch.randperm(n_examples, generator=g)[:whole] for g in generators]
            yield from torch.stack(orders).to(device).split(batch_size, dim=1)

    return epochs()


def take(x: Tensor, index: Tensor) -> Tensor:
    """Rows of x, one set per run: x (N, D), shared, or (R, N, D); index (R, B) -> (R, B, D)."""
    runs, batch_size = index.shape
    if x.dim() == 3:
        first_row = torch.arange(runs, device=index.device).unsqueeze(1) * x.shape[1]
        x, index = x.flatten(0, 1), index + first_row
    return x.index_select(0, index.flatten()).view(runs, batch_size, *x.shape[1:])


def uniform_noise(
    seeds: Sequence[int], purpose: str, device: torch.device | str = "cpu"
) -> Callable[[Tensor], Tensor]:
    """A function like (R, B, n) -> U(0, 1) of that shape, each run from a stream of its own."""
    generators = [stream(seed, purpose, device) for seed in seeds]

    def draw(like: Tensor) -> Tensor:
        noise = torch.empty_like(like)
        for run, generator in zip(noise, generators, strict=True):
            run.uniform_(generator=generator)
        return noise

    return draw
