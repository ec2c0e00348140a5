"""rectangles: is the outline of a rectangle wide or tall?

Definition  28x28 pixels; on a black ground the outline, one white pixel thick, of one rectangle.
            Height and width are uniform over all pairs of integers from 1 to 28 that differ by 3
            or more, and so is the place over all that keep the rectangle inside the image. Class 1
            is wider than high, class 0 higher than wide.
Source      Larochelle, Erhan, Courville, Bergstra, Bengio (2007), An empirical evaluation of deep
            architectures on problems with many factors of variation, ICML, 473-480; BibTeX
            larochelle2007
Certain     the task, the image's size and the outline of one pixel; 1,000 training, 200 validation
            and 50,000 test examples, as we remember the paper. The least difference of 3 pixels is
            known from a later paper only (Bergstra and Bengio 2012, by a summary of it). The
            uniform place is from memory of the paper
Ours        heights and widths from 1 to 28: the range is not published. With 1, a rectangle is a
            line. Which class has the number 1 is not known either. The examples are new, so errors
            compare with published ones in size, not digit by digit
"""

from __future__ import annotations

import numpy as np

from benchmarks.datasets.arrays import Arrays, generators

PARTS = (1_000, 200, 50_000)
SHA256 = "7d69d3aa9cc366f7a2e14a3c1577ba54e4d45e0994728146d48cccc41db73d24"

SIDE = 28
LEAST_DIFFERENCE = 3
_CHUNK = 10_000  # images drawn at once

_LENGTHS = range(1, SIDE + 1)
_SIZES = np.array(  # (650, 2): every (height, width) that is told apart
    [(h, w) for h in _LENGTHS for w in _LENGTHS if abs(w - h) >= LEAST_DIFFERENCE]
)


def generate(n_train: int, n_valid: int, n_test: int, seed: int = 0) -> Arrays:
    """Inputs (N, 784) uint8, 0 or 255, in row-major order; class 1 is wider than high."""
    parts = zip((n_train, n_valid, n_test), generators("rectangles", seed), strict=True)
    return Arrays(*(array for n, rng in parts for array in _examples(n, rng)))


def outlines(height: np.ndarray, width: np.ndarray, top: np.ndarray, left: np.ndarray):
    """Images (N, 28, 28) uint8, 255 on the outline, of rectangles given by four integers (N,)."""
    row_inside, row_edge = _inside_and_edge(top, height)
    column_inside, column_edge = _inside_and_edge(left, width)
    on = row_edge[:, :, None] & column_inside[:, None, :]
    on |= row_inside[:, :, None] & column_edge[:, None, :]
    return on.view(np.uint8) * np.uint8(255)


def _examples(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    height, width = _SIZES[rng.integers(len(_SIZES), size=n)].T
    top = rng.integers(SIDE - height, endpoint=True)
    left = rng.integers(SIDE - width, endpoint=True)
    images = np.empty((n, SIDE * SIDE), np.uint8)
    for start in range(0, n, _CHUNK):
        rows = slice(start, start + _CHUNK)
        drawn = outlines(height[rows], width[rows], top[rows], left[rows])
        images[rows] = drawn.reshape(-1, SIDE * SIDE)
    return images, (width > height).astype(np.uint8)


def _inside_and_edge(start: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of 28 positions (N, 28) lie in an interval, and which are its ends."""
    position = np.arange(SIDE) - start[:, None]
    last = length[:, None] - 1
    return (position >= 0) & (position <= last), (position == 0) | (position == last)
