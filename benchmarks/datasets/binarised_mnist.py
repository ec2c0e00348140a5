"""Binarised MNIST: digits whose pixels are drawn black or white, likelier white where brighter.

Definition  each pixel is 1 with probability grey level / 255, independently. ``generate`` draws
            once, so that the data set is fixed; ``sample`` draws anew from grey levels each time it
            is called, for training on a fresh draw at every presentation. The label is the digit's
            class, which density models do not use
Source      Salakhutdinov, Murray (2008), On the quantitative analysis of deep belief networks,
            ICML, 872-879 (binary by sampling); Larochelle, Murray (2011), The neural autoregressive
            distribution estimator, AISTATS, JMLR W&CP 15, 29-37 (one fixed draw, these parts).
            Digits: LeCun, Bottou, Bengio, Haffner (1998), Gradient-based learning applied to
            document recognition, Proc. IEEE 86, 2278-2324
Certain     the rule, and 50,000 / 10,000 / 10,000 examples, the last MNIST's own test set
Ours        the fixed draw is not that of the published files (binarized_mnist_train.amat and so
            on): same distribution, other bits, so a log-likelihood may differ from published ones
            by the noise of one draw. That validation is the last 10,000 of the training file is
            customary and was not checked against those files
"""

from __future__ import annotations

import numpy as np

from benchmarks.datasets import idx
from benchmarks.datasets.arrays import Arrays, generators
from benchmarks.problem import Problem

PARTS = (50_000, 10_000, 10_000)
SHA256 = "92c4519242a0857a2003b07f7772409f63f6d734eb86be5ab0a1c848cc7bc90f"


def sample(x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A fresh draw: grey levels uint8 -> 0 or 255 uint8 of the same shape, 255 at rate x / 255."""
    # of 255 equally likely whole numbers from 0, x are below x: exact, and no floating point
    lit = generator.integers(255, size=x.shape, dtype=np.uint8) < x
    return np.multiply(lit, 255, dtype=np.uint8)


def generate(n_train: int, n_valid: int, n_test: int, seed: int = 0) -> Arrays:
    """Pixels (N, 784), 0 or 255, and classes (N,), uint8: the first digits of each part.

    Raises Problem where MNIST's files are missing, and for parts larger than PARTS.
    """
    wanted = (n_train, n_valid, n_test)
    if any(n > most for n, most in zip(wanted, PARTS, strict=True)):
        raise Problem(f"binarised mnist: parts may be at most {PARTS}, got {wanted}")
    folder = idx.data_folder() / "mnist"
    first_of_part = (("train", 0), ("train", PARTS[0]), ("t10k", 0))
    arrays = []
    streams = generators("binarised-mnist", seed)
    for (file, start), n, stream in zip(first_of_part, wanted, streams, strict=True):
        rows = slice(start, start + n)
        grey = idx.read("mnist", folder, f"{file}-images")[rows].reshape(n, -1)
        arrays += [sample(grey, stream), idx.read("mnist", folder, f"{file}-labels")[rows].copy()]
    return Arrays(*arrays)
