"""The rate of each grey level, the order of the digits, and the draw pinned."""

import numpy as np
import pytest

from benchmarks.datasets import binarised_mnist, idx
from benchmarks.datasets.arrays import sha256
from benchmarks.datasets.binarised_mnist import generate, sample
from benchmarks.problem import Problem


class Counting:
    """In place of a generator: 0, 1, 2, ..., high - 1, and again, as ``integers``."""

    def integers(self, high, size, dtype):
        return (np.arange(np.prod(size)) % high).reshape(size).astype(dtype)


def test_a_grey_level_is_lit_by_exactly_its_share_of_the_255_outcomes():
    for grey in (0, 1, 2, 127, 128, 254, 255):
        drawn = sample(np.full((5, 255), grey, np.uint8), Counting())
        assert drawn.dtype == np.uint8
        assert (drawn == 255).sum(1).tolist() == [grey] * 5
        assert (drawn == 0).sum(1).tolist() == [255 - grey] * 5


def test_pixels_are_drawn_independently_and_anew_at_each_call():
    generator = np.random.default_rng(0)
    x = np.full((2, 50_000), 51, np.uint8)  # lit at rate 0.2
    draws = np.stack([sample(x, generator), sample(x, generator)]) == 255
    # of 200,000 draws at rate 0.2 the share has standard error 0.0009
    assert draws.mean() == pytest.approx(0.2, abs=4 * 0.0009)
    # two that are independent agree at rate 0.2^2 + 0.8^2 = 0.68; 100,000 pairs: s.e. 0.0015
    for a, b in (
        (draws[0], draws[1]),
        (draws[:, 0], draws[:, 1]),
        (draws[..., 1:], draws[..., :-1]),
    ):
        assert (a == b).mean() == pytest.approx(0.68, abs=4 * 0.0015)
    assert (x == 51).all()


@pytest.fixture
def numbered(monkeypatch):
    """In place of MNIST: pixels black or white, which no draw changes, that write the number."""

    def read(name, folder, what):
        n, start = (60_000, 0) if what.startswith("train") else (10_000, 100_000)
        number = start + np.arange(n)
        if what.endswith("labels"):
            return (number % 7).astype(np.uint8)
        images = np.zeros((n, 28, 28), np.uint8)
        images[:, 0, :20] = 255 * (number[:, None] >> np.arange(20) & 1)
        images[:, 20:] = 100
        return images

    monkeypatch.setattr(idx, "read", read)


def numbers(x: np.ndarray) -> list[int]:
    return (x[:, :20] // 255 @ (1 << np.arange(20))).tolist()


def test_parts_are_the_training_file_up_to_50000_the_rest_of_it_and_the_test_file(numbered):
    arrays = generate(5, 4, 3)
    for x, y, start in zip(arrays[::2], arrays[1::2], (0, 50_000, 100_000), strict=True):
        expected = list(range(start, start + len(x)))
        assert numbers(x) == expected
        assert y.tolist() == [number % 7 for number in expected]
        assert y.dtype == np.uint8 and y.flags.writeable
        assert set(np.unique(x)) == {0, 255}


def test_same_seed_same_bytes_and_parts_have_draws_of_their_own(numbered):
    first, again, other = generate(40, 30, 20), generate(40, 30, 20), generate(40, 30, 20, seed=1)
    assert sha256(first) == sha256(again) != sha256(other)
    assert np.array_equal(first.x_valid, generate(41, 30, 22).x_valid)
    grey = [x[:20, 560:].tobytes() for x in first[::2]]  # the same grey levels in all three
    assert len(set(grey)) == 3


def test_parts_larger_than_the_files_are_refused(numbered):
    for sizes in ((50_001, 1, 1), (1, 10_001, 1), (1, 1, 10_001)):
        with pytest.raises(Problem, match=r"at most \(50000, 10000, 10000\), got \(\d"):
            generate(*sizes)


def test_without_mnists_files_it_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    idx.read.cache_clear()
    with pytest.raises(Problem, match="no such file.*'make data' fetches mnist"):
        generate(1, 1, 1)


@pytest.fixture
def mnist():
    folder = idx.data_folder()
    if not (folder / "mnist").is_dir():
        pytest.skip("no MNIST: set DATA_DIR to the folder that has mnist/")
    return folder / "mnist"


def test_the_published_sizes_have_the_pinned_checksum_and_the_digits_mean(mnist):
    arrays = generate(*binarised_mnist.PARTS)
    assert sha256(arrays) == binarised_mnist.SHA256
    grey = idx.read("mnist", mnist, "t10k-images").reshape(10_000, -1)
    rate = grey / 255
    # the sum of independent pixels has variance sum of p (1 - p)
    deviation = np.sqrt((rate * (1 - rate)).sum())
    assert (arrays.x_test // 255).sum(dtype=int) == pytest.approx(rate.sum(), abs=4 * deviation)
    assert (arrays.x_test[grey == 0] == 0).all() and (arrays.x_test[grey == 255] == 255).all()
