"""Parity against counting, and what the parts share and do not share."""

import itertools

import numpy as np
import pytest

from benchmarks.datasets import parity
from benchmarks.datasets.arrays import sha256


def rows_of(x: np.ndarray) -> list[tuple]:
    return list(map(tuple, x.astype(int).tolist()))


@pytest.mark.parametrize("n, k", [(3, 3), (5, 2), (6, 5)])
def test_the_table_has_every_row_once_with_its_class_by_counting(n, k):
    x, y = parity.table(n, k)
    assert x.dtype == np.float32 and y.dtype == np.uint8
    assert rows_of(x) == list(itertools.product((-1, 1), repeat=n))
    assert y.tolist() == [row[:k].count(1) % 2 for row in rows_of(x)]
    assert ((-1.0) ** (k - y) == x[:, :k].prod(axis=1)).all()
    assert y.mean() == 0.5


def test_no_fewer_inputs_tell_anything():
    x, y = parity.table(5, 4)
    for some in itertools.chain.from_iterable(
        itertools.combinations(range(5), m) for m in range(6)
    ):
        product = x[:, some].prod(axis=1)
        correlation = abs(float(product @ (2.0 * y - 1)) / 32)
        assert correlation == (1 if some == (0, 1, 2, 3) else 0)


def test_the_default_parts_are_pinned():
    assert sha256(parity.generate(*parity.PARTS)) == parity.SHA256


def test_the_default_parts_are_the_whole_table_cut_in_three_by_chance():
    arrays = parity.generate(*parity.PARTS)
    for x, y, n in zip(arrays[::2], arrays[1::2], parity.PARTS, strict=True):
        assert x.shape == (n, 10) and y.shape == (n,)
        assert y.tolist() == [row.count(1) % 2 for row in rows_of(x)]
        # drawn without replacement from a balanced table: standard error below 1 / (2 sqrt n)
        assert y.mean() == pytest.approx(0.5, abs=4 * 0.5 / n**0.5)
        assert np.abs(x.mean(axis=0)).max() < 4.5 / n**0.5
    rows = rows_of(np.concatenate(arrays[::2]))
    assert len(rows) == len(set(rows)) == 1024


@pytest.mark.parametrize("n, sizes", [(10, (100, 256, 3)), (9, (256, 100, 128)), (2, (2, 1, 1))])
def test_no_row_is_twice_in_parts_no_greater_than_their_shares(n, sizes):
    arrays = parity.generate(*sizes, n=n, k=2)
    rows = rows_of(np.concatenate(arrays[::2]))
    assert len(rows) == len(set(rows)) == sum(sizes)


def test_a_part_greater_than_its_share_has_all_rows_equally_often():
    arrays = parity.generate(16, 9, 39, n=4, k=4)
    everything = set(itertools.product((-1, 1), repeat=4))
    assert set(rows_of(arrays.x_train)) == everything  # each once
    assert len(set(rows_of(arrays.x_valid))) == 9
    counts = [rows_of(arrays.x_test).count(row) for row in everything]
    assert sorted(counts) == 9 * [2] + 7 * [3]
    assert rows_of(arrays.x_train) != rows_of(parity.table(4, 4)[0])  # in random order


def test_only_the_first_k_inputs_count():
    arrays = parity.generate(200, 50, 50, n=12, k=3)
    for x, y in zip(arrays[::2], arrays[1::2], strict=True):
        assert y.tolist() == [row[:3].count(1) % 2 for row in rows_of(x)]
        assert (x[:, 3:].std(axis=0) > 0).all()


def test_the_seed_decides_and_parts_sizes_do_not_affect_each_other():
    arrays = parity.generate(300, 200, 200)
    assert sha256(parity.generate(300, 200, 200)) == sha256(arrays)
    shares = [parity.generate(*parity.PARTS, seed=seed)[::2] for seed in (0, 1)]
    for one, two in zip(*shares, strict=True):
        assert set(rows_of(one)) != set(rows_of(two))  # other shares, not only another order
    resized = parity.generate(1024, 10, 200)
    assert np.array_equal(resized.x_test, arrays.x_test)


@pytest.mark.parametrize("n, k", [(1, 1), (25, 3), (5, 6), (5, 0)])
def test_what_has_no_table_is_refused(n, k):
    with pytest.raises(ValueError, match=f"got n = {n}, k = {k}"):
        parity.generate(1, 1, 1, n=n, k=k)
