"""IDX files in every state of repair, and the real MNIST where it is."""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import DATA_SETS, idx
from benchmarks.problem import Problem

TINY = {  # the four files in the official format, and of sizes that a test can afford
    "train-images": ("train-images-idx3-ubyte", (20, 28, 28)),
    "train-labels": ("train-labels-idx1-ubyte", (20,)),
    "t10k-images": ("t10k-images-idx3-ubyte", (10, 28, 28)),
    "t10k-labels": ("t10k-labels-idx1-ubyte", (10,)),
}


def idx_bytes(array: np.ndarray) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Path:
    """Good gzipped files under $DATA_DIR/mnist, with their digests taken for the known ones."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "mnist"
    folder.mkdir()
    unpacked, gz = {}, {}
    for what, (file, shape) in TINY.items():
        content = idx_bytes(rng.integers(0, 10, shape).astype(np.uint8))
        packed = gzip.compress(content, mtime=0)
        (folder / f"{file}.gz").write_bytes(packed)
        unpacked[what] = hashlib.sha256(content).hexdigest()
        gz[what] = hashlib.sha256(packed).hexdigest()
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr(idx, "FILES", TINY)
    monkeypatch.setitem(idx.SHA256_UNPACKED, "mnist", unpacked)
    monkeypatch.setitem(idx.SHA256_GZ, "mnist", gz)
    idx.read.cache_clear()
    yield folder
    idx.read.cache_clear()


def test_plain_and_gzipped_files_hold_the_same(tiny):
    packed = idx.read("mnist", tiny, "train-images").copy()
    path = tiny / "train-images-idx3-ubyte.gz"
    (tiny / "train-images-idx3-ubyte").write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    idx.read.cache_clear()
    assert np.array_equal(idx.read("mnist", tiny, "train-images"), packed)


def break_missing(path: Path) -> None:
    path.unlink()


def break_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def break_short(path: Path) -> None:
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-5]))


def break_swapped(path: Path) -> None:
    path.write_bytes((path.parent / "train-labels-idx1-ubyte.gz").read_bytes())


def break_one_pixel(path: Path) -> None:
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] ^= 1
    path.write_bytes(gzip.compress(bytes(content)))


def break_not_gzip(path: Path) -> None:
    path.write_bytes(b"<html>404 not found</html>")


@pytest.mark.parametrize(
    "damage, expected",
    [
        (break_missing, "no such file, plain or .gz"),
        (break_truncated, "truncated or not gzip"),
        (break_not_gzip, "truncated or not gzip"),
        (break_short, "expected 15696 bytes unpacked, got 15691"),  # 16 + 20 * 784
        (break_swapped, r"unsigned bytes of shape \(20, 28, 28\), .* got 00 00 08 01"),
        (break_one_pixel, "expected SHA-256 unpacked [0-9a-f]{64} of mnist, got"),
    ],
)
def test_a_bad_file_is_named_with_what_was_expected_and_the_command(tiny, damage, expected):
    damage(tiny / "train-images-idx3-ubyte.gz")
    with pytest.raises(Problem, match=expected) as caught:
        idx.read("mnist", tiny, "train-images")
    told = str(caught.value)
    assert told.startswith(str(tiny / "train-images-idx3-ubyte"))
    assert "'make data' fetches mnist" in told and "\n" not in told


def test_a_gzipped_fashion_file_is_checked_by_its_digest(tiny, tmp_path):
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes((tiny / path.name).read_bytes())
    with pytest.raises(Problem, match="expected SHA-256 3aede38d61863908"):
        idx.read("fashion-mnist", folder, "train-images")


def test_the_real_mnist_loads_where_it_is():
    folder = os.environ.get("DATA_DIR")
    if folder is None or not (Path(folder) / "mnist").is_dir():
        pytest.skip("no MNIST: set DATA_DIR to the folder that has mnist/")
    split = DATA_SETS["mnist"].load(*DATA_SETS["mnist"].parts)
    assert split.x_train.shape == (50_000, 784) and split.x_valid.shape == (10_000, 784)
    assert split.y_test[:5].tolist() == [7, 2, 1, 0, 4]  # the test set's well-known start
    # its commonest class, 1, is 1,135 of the 10,000 test digits
    assert split.chance_error == pytest.approx(1 - 0.1135)
