"""Texture: 20 procedural grey images that stand in for photographs behind digits and rectangles.

Definition  image i of 20 is 512 x 512 white Gaussian noise whose Fourier amplitudes are divided by
            (spatial frequency)^1.2, the mean removed, and whose values are then replaced by grey
            levels in the order of their size so that each of 0..255 is equally frequent. A patch is
            a 28 x 28 cut, uniform over all places in all images whose grey levels have a standard
            deviation of at least 20. The images are always the same; a seed only chooses patches
Source      Larochelle, Erhan, Courville, Bergstra, Bengio (2007), An empirical evaluation of deep
            architectures on problems with many factors of variation, ICML, 473-480; BibTeX
            larochelle2007. That photographs have such spectra: Field (1987), Relations between the
            statistics of natural images and the response properties of cortical cells, J. Opt. Soc.
            Am. A 4, 2379-2394; Tolhurst, Tadmor, Chao (1992), Amplitude spectra of natural images,
            Ophthalmic Physiol. Opt. 12, 229-232 (mean exponent 1.2; both as we remember them)
Certain     20 black-and-white pictures from the internet, patches at random places, patches of low
            pixel variance ignored (authors' page, as others quote it)
Ours        the pictures were not published apart from the data made with them, so the texture is
            ours: spectrum, size, equal histogram, and the threshold of 20, which refuses 4 % of all
            places. It has no edges and no objects. Of eight combinations of exponent and histogram
            tried we took the one that makes mnist-back-image as much harder than mnist-back-rand as
            the paper's SVM found it: that erred 22.6 % and 14.6 %, kernel ridge regression on 6,000
            of our digits 28.2 % and 17.7 %. Published errors are not comparable all the same
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.datasets.arrays import generators

N_IMAGES = 20
IMAGE_SIDE = 512
PATCH_SIDE = 28
EXPONENT = 1.2  # of the fall of the amplitudes with spatial frequency
LEAST_DEVIATION = 20  # grey levels
SHA256_IMAGES = (
    "49c954e02027b99a8a6df46262944c8d8e5dfedf46f1e0b16f84b768c7c6d94e"  # of the bytes of ``images``
)


@cache
def images() -> np.ndarray:
    """The images, (20, 512, 512) uint8, read-only."""
    stack = np.stack([_image(generators("texture", i)[0]) for i in range(N_IMAGES)])
    stack.flags.writeable = False
    return stack


def _image(generator: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft2(generator.standard_normal((IMAGE_SIDE, IMAGE_SIDE)))
    rows = np.fft.fftfreq(IMAGE_SIDE)[:, None]
    frequency = np.sqrt(rows**2 + np.fft.rfftfreq(IMAGE_SIDE) ** 2)
    frequency[0, 0] = np.inf  # removes the mean
    field = np.fft.irfft2(spectrum / frequency**EXPONENT, (IMAGE_SIDE, IMAGE_SIDE))
    image = np.empty(field.size, np.uint8)
    image[np.argsort(field, axis=None, kind="stable")] = np.arange(256).repeat(field.size // 256)
    return image.reshape(field.shape)


def varied(image: np.ndarray) -> np.ndarray:
    """Which places have a patch of enough contrast: (H, W) uint8 -> (H - 27, W - 27) bool."""
    grey = image.astype(np.int64)
    n = PATCH_SIDE**2
    total, squares = _sums(grey), _sums(grey**2)
    # in whole numbers, so that a deviation of exactly the least one counts on every machine
    return n * squares - total**2 >= (n * LEAST_DEVIATION) ** 2


def _sums(values: np.ndarray) -> np.ndarray:
    """Sum over the patch at each place, from cumulative sums."""
    c = np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    s = PATCH_SIDE
    return c[s:, s:] - c[:-s, s:] - c[s:, :-s] + c[:-s, :-s]


@cache
def _places() -> np.ndarray:
    """Flat indices (image, row, column) of all patches of enough contrast."""
    return np.flatnonzero(np.stack([varied(image) for image in images()]))


def patches(n: int, generator: np.random.Generator) -> np.ndarray:
    """Patches at random, (n, 28, 28) uint8; two may be from the same place or overlap."""
    windows = sliding_window_view(images(), (PATCH_SIDE, PATCH_SIDE), axis=(1, 2))
    places = _places()
    chosen = places[generator.integers(len(places), size=n)]
    return windows[np.unravel_index(chosen, windows.shape[:3])]
