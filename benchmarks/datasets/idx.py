"""MNIST and Fashion-MNIST from their official IDX files, plain or gzipped, checked to the byte.

The files lie under ``$DATA_DIR/<name>/``. The first n_train images of the training file are the
training set and the n_valid that follow the validation set: 50,000 and 10,000 as in the papers.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.datasets.split import Split, from_bytes
from benchmarks.problem import Problem

DEFAULT_PARTS = (50_000, 10_000)

FILES = {  # name of the file (.gz may follow), shape of the array in it
    "train-images": ("train-images-idx3-ubyte", (60_000, 28, 28)),
    "train-labels": ("train-labels-idx1-ubyte", (60_000,)),
    "t10k-images": ("t10k-images-idx3-ubyte", (10_000, 28, 28)),
    "t10k-labels": ("t10k-labels-idx1-ubyte", (10_000,)),
}

# Digests of the unpacked IDX bytes, which a file has however it was compressed ...
SHA256_UNPACKED = {
    "mnist": {
        "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
}
# ... and of the official .gz files. Only these are known of Fashion-MNIST, so its plain files are
# checked by their form alone; each record keeps the SHA-256 of the split that it was made from.
SHA256_GZ = {
    "mnist": {
        "train-images": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    "fashion-mnist": {
        "train-images": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
}


def data_folder() -> Path:
    """$DATA_DIR, or layer-by-layer under $XDG_DATA_HOME or ~/.local/share."""
    if chosen := os.environ.get("DATA_DIR"):
        return Path(chosen)
    root = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(root) / "layer-by-layer"


def load(name: str, n_train: int, n_valid: int) -> Split:
    """Split of ``mnist`` or ``fashion-mnist``; the test set is the official one.

    Raises Problem for a file that is missing, damaged or not the official one.
    """
    if n_train < 1 or n_valid < 1 or n_train + n_valid > 60_000:
        raise Problem(
            f"data {name}: n_train {n_train} and n_valid {n_valid} must be positive and together "
            "at most 60000"
        )
    folder = data_folder() / name
    images = np.concatenate([read(name, folder, f"{part}-images") for part in ("train", "t10k")])
    labels = np.concatenate([read(name, folder, f"{part}-labels") for part in ("train", "t10k")])
    valid_end = n_train + n_valid
    parts = (np.arange(n_train), np.arange(n_train, valid_end), np.arange(60_000, 70_000))
    return from_bytes(images.reshape(len(images), -1), labels, parts)


@cache
def read(name: str, folder: Path, what: str) -> np.ndarray:
    """The array of one of ``FILES``, plain or .gz in this folder, uint8 of the official shape.

    Raises Problem naming the file, what was expected of it and the command that fetches it.
    """
    file, shape = FILES[what]
    plain, packed = folder / file, folder / f"{file}.gz"
    path = packed if packed.exists() else plain
    remedy = f"'make data' fetches {name}, DATA_DIR=... uses files that are already there"
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise Problem(f"{path}: no such file, plain or .gz; {remedy}") from None
    except OSError as error:
        raise Problem(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    content = raw
    if path == packed:
        try:
            content = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise Problem(f"{path}: truncated or not gzip ({error}); {remedy}") from None
    header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
    if not content.startswith(header):
        found = content[:4].hex(" ") or "nothing"
        raise Problem(
            f"{path}: expected an IDX file of unsigned bytes of shape {shape}, "
            f"whose header starts {header.hex(' ')}, got {found} ...; {remedy}"
        )
    expected = len(header) + int(np.prod(shape))
    if len(content) != expected:
        raise Problem(f"{path}: expected {expected} bytes unpacked, got {len(content)}; {remedy}")
    _check_digest(name, what, path, raw, content, remedy)
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def _check_digest(
    name: str, what: str, path: Path, raw: bytes, content: bytes, remedy: str
) -> None:
    if name in SHA256_UNPACKED:
        kind, found = "SHA-256 unpacked", hashlib.sha256(content).hexdigest()
        known = SHA256_UNPACKED[name][what]
    elif path.suffix == ".gz":
        kind, found = "SHA-256", hashlib.sha256(raw).hexdigest()
        known = SHA256_GZ[name][what]
    else:
        return
    if found != known:
        raise Problem(f"{path}: expected {kind} {known} of {name}, got {found}; {remedy}")
