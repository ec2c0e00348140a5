"""mnist variations: MNIST digits that are rotated, on noise, on texture, or rotated on texture.

Definition  mnist-basic is MNIST in a split of its own. mnist-rot turns each digit about the centre
            of the image by an angle uniform in [0, 2 pi). mnist-back-rand puts the digit on pixels
            that are independent and uniform over 0..255, mnist-back-image on a patch of texture,
            mnist-rot-back-image turns it first. Where digit and background meet, a pixel is the
            greater of the two. The label is the digit's class, whatever the angle (6 and 9 stay)
Source      Larochelle, Erhan, Courville, Bergstra, Bengio (2007), An empirical evaluation of deep
            architectures on problems with many factors of variation, ICML, 473-480; BibTeX
            larochelle2007. Digits: LeCun, Bottou, Bengio, Haffner (1998), Gradient-based learning
            applied to document recognition, Proc. IEEE 86, 2278-2324
Certain     10,000 examples to train, 2,000 to validate, 50,000 to test, out of MNIST's 70,000, and
            the range of the angle, both as we remember the paper; uniform noise; patches at random
            from 20 pictures, those of low variance ignored (authors' page, as others quote it). Of
            the first release, the two rotated sets were wrong and later replaced: compare only with
            papers from 2008 on
Ours        which digit goes to which part; rotation by bilinear interpolation of what is outside as
            0, counterclockwise; noise in whole grey levels; the greater of digit and background
            (unpublished; replacing only where the digit is 0 would change no more than the grey
            rims of strokes, 6 % of all pixels). The pictures are procedural
            texture (see benchmarks/datasets/texture.py), so errors of the two sets with images are
            not comparable with published ones; those of the other three are. All variations of one
            seed show the same digits in the same order, the two rotated ones at the same angles,
            the two with images on the same patches
"""

from __future__ import annotations

import numpy as np

from benchmarks.datasets import idx, texture
from benchmarks.datasets.arrays import Arrays, generators
from benchmarks.problem import Problem

PARTS = (10_000, 2_000, 50_000)
SHA256 = "745f846e81a332122efcf353b7a85600078957002ba020859565c45ce20bd1c3"  # mnist-basic
SHA256_ROT = "949cd7c671e0239d56956016a361fbaae763ab6deb5951f952ff208694d0930e"
SHA256_BACK_RAND = "65bbfb184ae36637a4298f333466aea4e88119cee0c4bfc1b9e070b142aa5e73"
SHA256_BACK_IMAGE = "91ce303f0ab461cf20a74046c435922bdaff9d0396de14546bb8c822d9e9c534"
SHA256_ROT_BACK_IMAGE = "dd2fcbf8b407ed959458d4d8d076feeddef1b5ba337312607a16939a86aa8eb2"
SIDE = 28
_CHUNK = 100  # images turned at a time: what that takes stays in the cache of a core


def digits() -> tuple[np.ndarray, np.ndarray]:
    """All of MNIST, training file first: (70000, 28, 28) and (70000,) uint8.

    Raises Problem where its files are missing or not the official ones.
    """
    folder = idx.data_folder() / "mnist"
    images, labels = (
        np.concatenate([idx.read("mnist", folder, f"{part}-{what}") for part in ("train", "t10k")])
        for what in ("images", "labels")
    )
    return images, labels


def rotate(images: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Turned counterclockwise about the centre by angles (N,) in radians: (N, 28, 28) uint8."""
    turned = np.empty_like(images)
    for start in range(0, len(images), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        turned[chunk] = _rotate(images[chunk], angles[chunk])
    return turned


def _rotate(images: np.ndarray, angles: np.ndarray) -> np.ndarray:
    n = len(images)
    dy, dx = (np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2).reshape(2, 1, -1)  # (1, 784) each
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    # where each pixel comes from; clipped into a frame of zeros, one pixel wide before, two after
    row = np.clip((SIDE - 1) / 2 + sin * dx + cos * dy, -1, SIDE) + 1
    column = np.clip((SIDE - 1) / 2 + cos * dx - sin * dy, -1, SIDE) + 1
    width = SIDE + 3
    framed = np.pad(images, ((0, 0), (1, 2), (1, 2))).ravel()
    r, c = row.astype(np.int64), column.astype(np.int64)
    down, right = row - r, column - c
    at = np.arange(n)[:, None] * width**2 + r * width + c
    upper = (1 - right) * framed[at] + right * framed[at + 1]
    lower = (1 - right) * framed[at + width] + right * framed[at + width + 1]
    grey = (1 - down) * upper + down * lower
    return np.rint(grey).astype(np.uint8).reshape(images.shape)


def compose(images: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The digit on its background, pixel by pixel the greater of the two; all (N, 28, 28) uint8."""
    return np.maximum(images, background)


def _noise(n: int, generator: np.random.Generator) -> np.ndarray:
    return generator.integers(256, size=(n, SIDE, SIDE), dtype=np.uint8)


BACKGROUNDS = {"random": _noise, "image": texture.patches}


def generate(
    n_train: int,
    n_valid: int,
    n_test: int,
    seed: int = 0,
    *,
    rotated: bool = False,
    background: str | None = None,
) -> Arrays:
    """Images (N, 784) and classes (N,), uint8; background is None, "random" or "image".

    No digit is in two parts or twice in one. Raises Problem where MNIST's files are missing, and
    for parts beyond 20,000 for training and validation together, or 50,000 for testing.
    """
    if background not in (None, *BACKGROUNDS):
        raise ValueError(f"background must be None, random or image, got {background}")
    if n_train + n_valid > 20_000 or n_test > 50_000:
        raise Problem(
            f"mnist variations: n_train {n_train} and n_valid {n_valid} may be 20000 together, and "
            f"n_test {n_test} 50000, of MNIST's 70000 digits"
        )
    images, labels = digits()
    order = generators("mnist-variations:digits", seed)[0].permutation(len(images))
    # test from the front, validation from the 50,000th, training from the end: so the size of one
    # part moves no other
    chosen = (order[::-1][:n_train], order[50_000 : 50_000 + n_valid], order[:n_test])
    turning = generators("mnist-variations:angles", seed)
    behind = generators(f"mnist-variations:{background}", seed)
    arrays = []
    for rows, angle_stream, background_stream in zip(chosen, turning, behind, strict=True):
        x = images[rows]
        if rotated:
            x = rotate(x, angle_stream.uniform(0, 2 * np.pi, len(rows)))
        if background:
            x = compose(x, BACKGROUNDS[background](len(rows), background_stream))
        arrays += [x.reshape(len(rows), SIDE**2), labels[rows]]
    return Arrays(*arrays)
