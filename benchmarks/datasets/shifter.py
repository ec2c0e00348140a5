"""Shifter: bits, the same bits shifted by one, and which way, with a known best log-likelihood.

Definition  n = 8 bits are tossed. A second row is the first, shifted by one place to the left,
            not at all, or one to the right, each with probability 1/3; the bit that leaves at
            one end comes in at the other. Three more bits tell the shift, the left one, the
            middle or the right one is on. The 2 n + 3 = 19 bits are the inputs, for a model of
            their distribution: 3 * 2^n = 768 patterns of equal probability, so that no model
            has a mean log-likelihood above -ln 768 = -6.6438. There are no targets, as the
            answer is among the inputs.
            Unlabelled, the inputs are the 16 bits of the two rows, and the targets are the
            shifts, 0 left, 1 none, 2 right, to be told by a classifier. 762 of the patterns
            are distinct, the optimum is -6.6316, and no classifier has an expected error
            below 6/768, as a row of equal bits shifts into itself either way, and one of
            alternating bits to the left as to the right
Source      Hinton, Sejnowski (1986), Learning and relearning in Boltzmann machines, in
            Parallel distributed processing 1, 282-317
Certain     the number of inputs and of patterns, which papers on restricted Boltzmann machines
            give; the definition is quoted from memory; the optima are counted
Ours        the order of the inputs and which shift is called left; the sizes of the parts,
            which share their patterns
"""

from __future__ import annotations

import numpy as np

from benchmarks.datasets.arrays import Arrays, empty_targets, generators

PARTS = (7_680, 768, 7_680)
SHA256 = "76c72a12531026ba690011a1dec5a6e9591afa2cb97aacb19300437ecd788083"
SHA256_UNLABELLED = "845e379a784e435c672a1b18c282e6a0d78b8dac87d2d87cd73a8118b90842b8"


def generate(
    n_train: int, n_valid: int, n_test: int, seed: int = 0, n: int = 8, labelled: bool = True
) -> Arrays:
    """Inputs (N, 2 n + 3) uint8, 0 or 255, and targets (N, 0).

    Unlabelled: inputs (N, 2 n) and the shifts (N,) uint8 as classes.
    """
    parts = []
    for size, generator in zip(
        (n_train, n_valid, n_test), generators("shifter", seed), strict=True
    ):
        rows = generator.integers(2, size=(size, n))
        shifts = generator.integers(3, size=size)
        parts.append(_join(rows, shifts, labelled))
        parts.append(empty_targets(size) if labelled else shifts.astype(np.uint8))
    return Arrays(*parts)


def patterns(n: int, labelled: bool = True) -> np.ndarray:
    """The 3 * 2^n equally probable inputs (3 * 2^n, 2 n + 3) uint8, 0 or 255; left shifts first.

    Unlabelled ones (3 * 2^n, 2 n) are not all distinct.
    """
    rows = np.arange(2**n)[:, None] >> np.arange(n) & 1
    return _join(np.tile(rows, (3, 1)), np.repeat(np.arange(3), 2**n), labelled)


def optimal_log_likelihood(n: int, labelled: bool = True) -> float:
    """Mean ln p of the patterns under the distribution that they themselves are, in nats."""
    size = 3 * 2**n
    if labelled:
        return -np.log(size).item()
    _, counts = np.unique(patterns(n, labelled=False), axis=0, return_counts=True)
    return (counts / size * np.log(counts / size)).sum().item()


def _join(rows: np.ndarray, shifts: np.ndarray, labelled: bool) -> np.ndarray:
    """Inputs of rows of bits (N, n) and shifts (N,) from 0, left, to 2, right."""
    n = rows.shape[1]
    come_from = (np.arange(n) + 1 - shifts[:, None]) % n
    shifted = np.take_along_axis(rows, come_from, axis=1)
    label = np.eye(3, dtype=int)[shifts]
    return (255 * np.hstack([rows, shifted, label] if labelled else [rows, shifted])).astype(
        np.uint8
    )
