"""MNIST-1D: ten short curves, hidden in noise at a random place, stretch and slant.

Definition  each class is a template of 12 samples. One is padded with 36 to 60 zeros, resampled
            linearly to 72 points, scaled by U(0.8, 1.2) and shifted to the right, around the end,
            by 0 to 47 points. Points with no signal get noise 0.25 N(0, 1), smoothed by a Gaussian
            of sigma 2 points; all points get 0.02 N(0, 1) and a slope of U(-0.375, 0.375) over the
            length. Then it is resampled to 40 points, and the set is standardised as a whole. The
            label is the class of the template
Source      Greydanus (2020), Scaling down deep learning, arXiv:2011.14439; package mnist1d
            0.0.2.post1, mnist1d/data.py and mnist1d/transform.py
Certain     all of the above, read in the package's code; 4,000 examples to train and 1,000 to test.
            Published accuracies: logistic regression 32 %, MLP 68 %, CNN 94 %, GRU 91 %, people
            96 %
Ours        the numbers come from another generator than the package's, so no example equals one of
            the published file; only the distribution is the same. The published set has no
            validation part: ours, 1,000, is generated in addition, so that training keeps its
            published size. Each part is balanced over the classes as far as its size allows (the
            package balances its 5,000 and then splits them at random), and standardised by the mean
            and the deviation of the distribution, measured once on 10^6 examples, not by those of
            the sample
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d

from benchmarks.datasets.arrays import Arrays, generators

PARTS = (4_000, 1_000, 1_000)
SHA256 = "ab4a51cecfc5851673d114f2aa904bd126810fefd3eee00b05c067ad23454cc8"
N_POINTS = 40
MEAN, DEVIATION = -0.00606, 0.15465  # of all points of 10^6 examples, before standardising

_LONG = 72  # points before the last resampling: 12 of the template and 60 of the longest padding
_CURVES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)
# weights of the smoothing, cut off at 4 sigma; rounded, since exp differs between machines
_GAUSSIAN = np.exp(-(np.arange(-8, 9) ** 2) / 8).round(12)
_GAUSSIAN /= _GAUSSIAN.sum()


def templates() -> np.ndarray:
    """The curve of each class, from 0 and with standard deviation 1/6: (10, 12)."""
    standard = (_CURVES - _CURVES.mean(1, keepdims=True)) / _CURVES.std(1, keepdims=True)
    return (standard - standard[:, :1]) / 6


def transform(
    curves: np.ndarray,
    padding: np.ndarray,
    scale: np.ndarray,
    shift: np.ndarray,
    slope: np.ndarray,
    smooth: np.ndarray,
    white: np.ndarray,
) -> np.ndarray:
    """Examples (N, 40) before standardising, of curves (N, 12).

    padding, shift (N,) in points; scale (N,) as a factor; slope (N,) over the whole length;
    smooth, white (N, 72) noise from N(0, 1), of which the first has yet to be smoothed.
    """
    last = curves.shape[1] + padding - 1  # index of the last point of the padded curve
    # fractions in whole numbers: whether a point falls on the curve must not hang on a last bit
    before, rest = np.divmod(np.arange(_LONG) * last[:, None], _LONG - 1)
    padded = np.pad(curves, ((0, 0), (0, _LONG + 1 - curves.shape[1])))
    left, right = (np.take_along_axis(padded, before + step, axis=1) for step in (0, 1))
    signal = (left + (right - left) * (rest / (_LONG - 1))) * scale[:, None]
    noise = correlate1d(0.25 * smooth, _GAUSSIAN, axis=1, mode="reflect")
    source = (np.arange(_LONG) - shift[:, None]) % _LONG
    has_signal = np.take_along_axis(before < curves.shape[1], source, axis=1)
    x = np.where(has_signal, np.take_along_axis(signal, source, axis=1), noise)
    x += 0.02 * white - slope[:, None] * np.linspace(-0.5, 0.5, _LONG)
    before, rest = np.divmod(np.arange(N_POINTS) * (_LONG - 1), N_POINTS - 1)
    after = np.minimum(before + 1, _LONG - 1)
    return x[:, before] + (x[:, after] - x[:, before]) * (rest / (N_POINTS - 1))


def _part(n: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = generator.permutation(np.arange(n) % 10).astype(np.uint8)
    x = transform(
        templates()[labels],
        padding=generator.integers(36, 61, n),
        scale=1 + 0.4 * (generator.random(n) - 0.5),
        shift=generator.integers(48, size=n),
        slope=0.75 * (generator.random(n) - 0.5),
        smooth=generator.standard_normal((n, _LONG)),
        white=generator.standard_normal((n, _LONG)),
    )
    return ((x - MEAN) / DEVIATION).astype(np.float32), labels


def generate(n_train: int, n_valid: int, n_test: int, seed: int = 0) -> Arrays:
    """Inputs (N, 40) float32 and classes (N,) uint8 of each part."""
    streams = generators("mnist1d", seed)
    parts = [
        _part(n, stream) for n, stream in zip((n_train, n_valid, n_test), streams, strict=True)
    ]
    return Arrays(*(array for part in parts for array in part))
