"""rectangles-image: is a rectangle of one texture on another taller than wide, or wider?

Definition  28 x 28 pixels. Inside a rectangle, border included, they are those of one image patch,
            outside those of another. Its height and width are uniform over all pairs of whole
            numbers with height, width >= 10, |width - height| >= 5 and an area of 25 % to 75 % of
            the image; its place is uniform over all that keep it inside. Label 1 where it is wider
            than tall, else 0
Source      Larochelle, Erhan, Courville, Bergstra, Bengio (2007), An empirical evaluation of deep
            architectures on problems with many factors of variation, ICML, 473-480; BibTeX
            larochelle2007
Certain     the sizes of the parts, as we remember the paper. That both patches come from the
            pictures of mnist-back-image, and the limits on height, width and area, are as we
            remember the paper and were not read again
Ours        the pictures are procedural texture (see benchmarks/datasets/texture.py), so published
            errors (SVM 24.0 %, one hidden layer 33.2 %) are not comparable. Also ours: that sides
            reach up to 28 and are uniform over the pairs allowed, that both patches are independent
            draws from all 20 images, that the rectangle shows its patch where it lies (unscaled),
            and that 1 is the wider one (which of the two the files call 1 changes nothing: both are
            equally frequent)
"""

from __future__ import annotations

import numpy as np

from benchmarks.datasets import texture
from benchmarks.datasets.arrays import Arrays, generators

PARTS = (10_000, 2_000, 50_000)
SHA256 = "09b27335117212dca4730b87171ff68d419b5c9ad5bf8c5418fb2b5bbd47819b"
SIDE = 28


def sizes() -> np.ndarray:
    """All pairs of height and width allowed, (number of pairs, 2)."""
    height, width = np.mgrid[10 : SIDE + 1, 10 : SIDE + 1].reshape(2, -1)
    area = height * width
    allowed = (abs(width - height) >= 5) & (4 * area >= SIDE**2) & (4 * area <= 3 * SIDE**2)
    return np.stack([height[allowed], width[allowed]], axis=1)


def inside(top: np.ndarray, left: np.ndarray, height: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Which pixels a rectangle covers: four (N,) in pixels -> (N, 28, 28) bool."""
    at = np.arange(SIDE)
    rows = (at >= top[:, None]) & (at < (top + height)[:, None])
    columns = (at >= left[:, None]) & (at < (left + width)[:, None])
    return rows[:, :, None] & columns[:, None, :]


def _part(n: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    allowed = sizes()
    height, width = allowed[generator.integers(len(allowed), size=n)].T
    top = generator.integers(SIDE - height + 1)
    left = generator.integers(SIDE - width + 1)
    front, back = texture.patches(n, generator), texture.patches(n, generator)
    x = np.where(inside(top, left, height, width), front, back)
    return x.reshape(n, SIDE**2), (width > height).astype(np.uint8)


def generate(n_train: int, n_valid: int, n_test: int, seed: int = 0) -> Arrays:
    """Images (N, 784) uint8 and labels (N,) uint8, 0 tall and 1 wide, of each part."""
    streams = generators("rectangles-image", seed)
    sizes_of_parts = (n_train, n_valid, n_test)
    parts = [_part(n, stream) for n, stream in zip(sizes_of_parts, streams, strict=True)]
    return Arrays(*(array for part in parts for array in part))
