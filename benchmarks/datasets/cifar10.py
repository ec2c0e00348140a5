"""CIFAR-10 from the official archive of its binary version, read in place and without pickle.

The archive lies under ``$DATA_DIR/cifar10/``. The first n_train images of the training batches are
the training set, the n_valid that follow the validation set, and the test batch is the test set.
"""

from __future__ import annotations

import hashlib
import tarfile

import numpy as np

from benchmarks.datasets.arrays import Arrays
from benchmarks.datasets.idx import data_folder
from benchmarks.datasets.split import Split
from benchmarks.problem import Problem

FILE = "cifar-10-binary.tar.gz"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
DEFAULT_PARTS = (40_000, 10_000)
BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
PER_BATCH = 10_000
_RECORD = 1 + 3 * 32 * 32  # a class, then red, green and blue, each in rows


def load(n_train: int, n_valid: int) -> Split:
    """Split of CIFAR-10: 3,072 inputs (red, green, blue of 32 x 32 pixels), 10 classes.

    Raises Problem for a file that is missing, damaged or not the official one.
    """
    n_available = 5 * PER_BATCH
    if n_train < 1 or n_valid < 1 or n_train + n_valid > n_available:
        raise Problem(
            f"data cifar10: n_train {n_train} and n_valid {n_valid} must be positive and together "
            f"at most {n_available}"
        )
    records = _records()
    train, valid, test = np.split(records, [n_train, n_train + n_valid])
    test = test[-PER_BATCH:]
    return Arrays(
        *(part for rows in (train, valid, test) for part in (rows[:, 1:], rows[:, 0]))
    ).split()


def _records() -> np.ndarray:
    """All records (60000, 3073) uint8, the test batch last."""
    path = data_folder() / "cifar10" / FILE
    remedy = "'make data' fetches it, DATA_DIR=... uses a file that is already there"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != SHA256:
                raise Problem(f"{path}: expected SHA-256 {SHA256}, got {found}; {remedy}")
            file.seek(0)
            batches = {}
            with tarfile.open(fileobj=file, mode="r|gz") as archive:  # a stream: nothing unpacked
                for member in archive:
                    name = member.name.rsplit("/", 1)[-1]
                    if name in BATCHES and member.isfile():
                        content = archive.extractfile(member).read()
                        batches[name] = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    except FileNotFoundError:
        raise Problem(f"{path}: no such file; {remedy}") from None
    except OSError as error:
        raise Problem(f"{path}: cannot be read ({error.strerror or error}); {remedy}") from None
    return np.concatenate([batches[name] for name in BATCHES])
