"""Spirals: two spirals, wound three times around each other, whose points are to be told apart.

Definition  The spirals are r (sin phi, cos phi), class 1, and its negative, class 0, with phi =
            pi t / 16 and r = 6.5 (104 - t) / 104 for t from 0 (outside) to 96. The training
            set is t = 0, 1, ..., 96 on both, 194 points. Validation points lie half-way, t =
            0.5, 1.5, ..., 95.5, 192 points; test points at the odd multiples of 1/8, 768
            points, so that no point is in two parts. A part is its points in random order, a
            smaller one as many of them as asked for
Source      Lang, Witbrock (1988), Learning to tell two spirals apart, in Proceedings of the
            1988 Connectionist Models Summer School, 52-59. The training set was later made by a
            program in the CMU Neural Networks Benchmark Collection
Certain     the 194 points, with the formulas of that program by M. White, after A. Wieland
            (read); it has sin and cos the other way round, a reflection. Points in between
            are its training set at a greater density
Ours        validation and test points. The program had a test set too, commented out: the
            training points, each moved up by 0.1
"""

from __future__ import annotations

import numpy as np

from benchmarks.datasets.arrays import Arrays, generators

PARTS = (194, 192, 768)
SHA256 = "1d2a664efda65c824b8d0cdccf381907dc1a129f412e3158175ccee4455f7137"

_TURN = 256  # steps of 1/8 in t to one turn, which is 32 in t
_STEPS = (np.arange(0, 769, 8), np.arange(4, 769, 8), np.arange(1, 769, 2))  # t in eighths


def generate(n_train: int, n_valid: int, n_test: int, seed: int = 0) -> Arrays:
    """Points (N, 2) float32 and classes (N,) uint8.

    Raises ValueError for parts greater than 194, 192 and 768.
    """
    sizes = (n_train, n_valid, n_test)
    if any(n > most for n, most in zip(sizes, PARTS, strict=True)):
        raise ValueError(f"two spirals have parts of at most {PARTS}, got {sizes}")
    parts = []
    for n, steps, generator in zip(sizes, _STEPS, generators("spirals", seed), strict=True):
        x = np.concatenate([_spiral(steps), -_spiral(steps)])
        y = np.repeat(np.array([1, 0], np.uint8), len(steps))
        rows = generator.permutation(len(x))[:n]
        parts += [x[rows], y[rows]]
    return Arrays(*parts)


def _spiral(steps: np.ndarray) -> np.ndarray:
    """Points (N, 2) float32 of class 1 at t = steps / 8."""
    # rounded, so that the points do not depend on the last bit of a processor's sine
    sine = np.sin(2 * np.pi * np.arange(_TURN) / _TURN).round(12)
    r = 6.5 * (832 - steps) / 832
    return np.stack([r * sine[steps % _TURN], r * sine[(steps + _TURN // 4) % _TURN]], 1).astype(
        np.float32
    )
