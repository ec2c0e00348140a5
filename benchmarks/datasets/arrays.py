"""What a generated data set consists of, before it becomes a Split: compact arrays with a checksum.

A generator module has, beside a docstring under the headings Definition, Source, Certain and Ours,

    PARTS = (n_train, n_valid, n_test)                   # as published
    SHA256 = "..."                                       # of PARTS at seed 0
    def generate(n_train, n_valid, n_test, seed=0) -> Arrays

The parts come from streams of their own, so that the size of one changes no other.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks import store
from benchmarks.datasets.split import Split


class Arrays(NamedTuple):
    """Inputs (N, D) and targets of each part; rows are examples.

    Inputs are uint8 grey levels (255 stands for 1) or float32 as they are. Targets are uint8
    classes (N,), or float32 (N, K) that a network should give, with K = 0 where there are none.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_valid: np.ndarray
    y_valid: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def split(self) -> Split:
        """The form that training takes: inputs float32, classes int64."""
        return Split(*map(_tensor, self))


def _tensor(array: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if array.dtype == np.uint8:
        return tensor.float().div_(255) if array.ndim == 2 else tensor.long()
    return tensor


def sha256(arrays: Arrays) -> str:
    """Checksum of types, shapes and bytes, hexadecimal."""
    return _digest(arrays._asdict())


def generators(name: str, seed: int) -> tuple[np.random.Generator, ...]:
    """Random generators of the training, validation and test part of a data set."""
    words = [seed, *name.encode()]
    return tuple(np.random.default_rng([*words, part]) for part in range(3))


def empty_targets(n: int) -> np.ndarray:
    """Targets of examples that have none: (n, 0) float32."""
    return np.zeros((n, 0), np.float32)


def cache_folder() -> Path:
    """Where what is slow to make is kept: $XDG_CACHE_HOME/layer-by-layer, or under ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "layer-by-layer"


def cached(file: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays in this file of the cache; made, and kept there, if it is absent or damaged.

    A cache that cannot be written costs time in each process, nothing else.
    """
    path = cache_folder() / file
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored if name != "sha256"}
            if str(stored["sha256"]) == _digest(arrays):
                return arrays
    except Exception as error:  # noqa: BLE001 of a damaged file numpy raises what it likes
        if not isinstance(error, FileNotFoundError):
            print(f"{path}: damaged, made again ({type(error).__name__})", file=sys.stderr)
    arrays = make()
    packed = io.BytesIO()
    np.savez_compressed(packed, sha256=_digest(arrays), **arrays)
    with contextlib.suppress(OSError):
        store.write_atomically(path, packed.getvalue())
    return arrays


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays.values():
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
