"""Parity: whether an odd number of some inputs is on, of which no fewer inputs tell anything.

Definition  n inputs, each -1 or +1 with probability 1/2. The class is 1 if an odd number of the
            first k inputs is +1, else 0: a function of their product, (-1)^(k - class). n = k =
            10 by default, where each input has a say; with k < n, the other inputs are of no
            use and have to be ignored.
            Parts are cut from the table of all 2^n rows, each row having a share of the table
            by chance: half of the rows are the training set's, a quarter the validation set's
            and a quarter the test set's. A part no greater than its share is drawn from it
            without replacement: no row twice, and none in two parts. A part that is greater
            is drawn from the whole table instead, each row as often as another, or once more:
            a part of 2^n has each row once. By default each part is its share
Source      Minsky, Papert (1969), Perceptrons, MIT Press (no perceptron of bounded order can).
            Rumelhart, Hinton, Williams (1986), Learning internal representations by error
            propagation, in Parallel distributed processing 1, 318-362 (networks that do)
Certain     the function; it is a standard test, without a standard size
Ours        n, k, that the inputs which count are the first (an untrained network makes no
            difference between inputs), and the parts. Papers that ask for no more than fit to
            the table train and test on all of it: n_train = n_test = 2^n
"""

from __future__ import annotations

import numpy as np

from benchmarks.datasets.arrays import Arrays, generators

PARTS = (512, 256, 256)
SHA256 = "dd6c20b7fab1314b8a5378e5555dea094427822b3f4300b72709a54ea80d0d4e"

_N_MAX = 24  # the table's order is kept in memory, 2^24 int64


def generate(
    n_train: int, n_valid: int, n_test: int, seed: int = 0, n: int = 10, k: int = 10
) -> Arrays:
    """Inputs (N, n) float32, -1 or +1, and classes (N,) uint8.

    Raises ValueError unless 2 <= n <= 24 and 1 <= k <= n.
    """
    if not 2 <= n <= _N_MAX or not 1 <= k <= n:
        raise ValueError(f"parity needs 2 <= n <= {_N_MAX} and 1 <= k <= n, got n = {n}, k = {k}")
    size = 2**n
    # the shares come from a stream of their own, the same whatever the parts' sizes
    cutter, *_ = generators("parity:shares", seed)
    shares = np.split(cutter.permutation(size), [size // 2, size // 2 + size // 4])
    parts = []
    sizes = (n_train, n_valid, n_test)
    for m, share, generator in zip(sizes, shares, generators("parity", seed), strict=True):
        pool = share if m <= len(share) else np.arange(size)
        parts += _rows(np.resize(generator.permutation(pool), m), n, k)
    return Arrays(*parts)


def table(n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """All inputs (2^n, n) float32 and their classes (2^n,) uint8; the last input changes first."""
    return _rows(np.arange(2**n), n, k)


def _rows(numbers: np.ndarray, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the table by their numbers (N,)."""
    bits = (numbers[:, None] >> np.arange(n - 1, -1, -1) & 1).astype(np.uint8)
    return 2 * bits.astype(np.float32) - 1, np.bitwise_xor.reduce(bits[:, :k], axis=1)
