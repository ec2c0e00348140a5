"""Bars and stripes: images of whole lines, whose best log-likelihood is known.

Definition  In a D x D image, D = 4, a toss of a coin decides between bars, rows of pixels, and
            stripes, columns. Each of the D lines is then on or off by a toss of its own. Label
            0 is bars and 1 stripes; the image that is all off and the one that is all on are
            both, and always have label 0, so that no image has two labels.
            Two conventions for the set of all images: the 2^(D+1) - 2 distinct ones, each once
            (30), or 2^(D+1) of equal weight, where all-off and all-on are there twice (32). The
            sampled parts follow the second. ``patterns`` lists either,
            ``optimal_log_likelihood`` gives the most that a model can reach on it: for D = 4,
            -3.4012 or -3.3791 an image
Source      Hinton, Sejnowski (1986), Learning and relearning in Boltzmann machines, in
            Parallel distributed processing 1, 282-317 (horizontal and vertical lines). MacKay
            (2003), Information theory, inference, and learning algorithms, Cambridge
            University Press (the name)
Certain     the process that makes an image, which many papers on restricted Boltzmann machines
            state alike, quoted from memory; the optima, which are counted
Ours        D = 4 (3 is as common); which direction is called bars; the label of the two
            ambiguous images; the sizes of the parts, which share their images, as there are
            only 30
"""

from __future__ import annotations

import numpy as np

from benchmarks.datasets.arrays import Arrays, generators

PARTS = (3_200, 800, 1_600)
SHA256 = "bc6c52a1787d1039da2eb8e6d27a4b57c22f31c456949febe7fccca957296000"


def generate(n_train: int, n_valid: int, n_test: int, seed: int = 0, d: int = 4) -> Arrays:
    """Images (N, d * d) uint8, 0 or 255, row by row, and labels (N,) uint8."""
    parts = []
    sizes = (n_train, n_valid, n_test)
    for n, generator in zip(sizes, generators("bars-and-stripes", seed), strict=True):
        stripes = generator.integers(2, size=n).astype(bool)
        parts += _draw(generator.integers(2, size=(n, d)), stripes)
    return Arrays(*parts)


def patterns(d: int, duplicates: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """All images (N, d * d) uint8 and labels (N,): N = 2^(d+1) with duplicates, else 2 fewer.

    Bars come before stripes. The duplicates are the first and the last of the stripes.
    """
    lines = np.arange(2**d)[:, None] >> np.arange(d) & 1
    bars = _draw(lines, np.zeros(len(lines), bool))
    stripes = _draw(lines, np.ones(len(lines), bool))
    own = slice(None) if duplicates else slice(1, -1)
    return np.concatenate([bars[0], stripes[0][own]]), np.concatenate([bars[1], stripes[1][own]])


def optimal_log_likelihood(d: int, duplicates: bool = False) -> float:
    """Mean ln p of all images under the distribution that they themselves are, in nats."""
    n = 2 ** (d + 1)
    if not duplicates:
        return -np.log(n - 2).item()
    # n - 4 images have probability 1 / n, two have 2 / n: 4 of the n rows
    return -np.log(n).item() + 4 / n * np.log(2).item()


def _draw(lines: np.ndarray, stripes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, d * d) and labels (N,) of lines (N, d), 0 or 1, along rows or columns (N,)."""
    n, d = lines.shape
    bars = np.broadcast_to(lines[:, :, None], (n, d, d))
    images = np.where(stripes[:, None, None], bars.transpose(0, 2, 1), bars)
    ambiguous = (lines == lines[:, :1]).all(axis=1)
    labels = (stripes & ~ambiguous).astype(np.uint8)
    return (255 * images).astype(np.uint8).reshape(n, -1), labels
