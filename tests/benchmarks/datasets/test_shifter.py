"""The shifter by enumeration, by hand, and its optima by counting."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from benchmarks.datasets import shifter
from benchmarks.datasets.arrays import sha256


def slow_patterns(n: int, labelled: bool) -> Counter:
    rows = Counter()
    for bits in itertools.product((0, 255), repeat=n):
        left, none, right = bits[1:] + bits[:1], bits, bits[-1:] + bits[:-1]
        for shift, shifted in enumerate((left, none, right)):
            label = tuple(255 * (shift == i) for i in range(3)) if labelled else ()
            rows[bits + shifted + label] += 1
    return rows


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("n", [3, 4, 8])
def test_the_patterns_are_all_rows_with_their_shifts(n, labelled):
    rows = shifter.patterns(n, labelled)
    assert rows.dtype == np.uint8
    assert Counter(map(tuple, rows.tolist())) == slow_patterns(n, labelled)


def test_eight_bits_have_768_distinct_patterns_of_which_762_differ_without_the_label():
    assert np.unique(shifter.patterns(8), axis=0).shape == (768, 19)
    assert shifter.patterns(8, labelled=False).shape == (768, 16)
    assert np.unique(shifter.patterns(8, labelled=False), axis=0).shape == (762, 16)
    assert np.unique(shifter.patterns(4, labelled=False), axis=0).shape == (42, 8)


@pytest.mark.parametrize(
    "n, labelled, optimum", [(8, True, -6.64379), (4, True, -3.8712), (8, False, -6.6316)]
)
def test_the_optimal_log_likelihood_is_the_tables(n, labelled, optimum):
    found = shifter.optimal_log_likelihood(n, labelled)
    assert found == pytest.approx(optimum, abs=5e-5)
    rows = slow_patterns(n, labelled)
    total = sum(rows.values())
    by_counting = sum(c * math.log(c / total) for c in rows.values()) / total
    assert found == pytest.approx(by_counting, rel=1e-12)


def test_four_unlabelled_bits_by_hand():
    # 0000 and 1111 look alike at three shifts, 0101 and 1010 at two: of 48 rows, 6 and 4
    expected = -math.log(48) + (6 * math.log(3) + 4 * math.log(2)) / 48
    assert shifter.optimal_log_likelihood(4, labelled=False) == pytest.approx(expected)
    assert expected == pytest.approx(-3.6761, abs=5e-5)


def test_no_classifier_of_the_unlabelled_rows_errs_less_than_6_in_768():
    classes: dict[bytes, Counter] = {}
    for row, shift in zip(
        shifter.patterns(8, labelled=False), np.repeat(range(3), 256), strict=True
    ):
        classes.setdefault(row.tobytes(), Counter())[int(shift)] += 1
    assert sum(c.total() - max(c.values()) for c in classes.values()) == 6


def test_samples_are_patterns_each_as_often_as_another():
    x = shifter.generate(24_000, 1, 1, n=4).x_train
    rows = Counter(map(tuple, x.tolist()))
    assert rows.keys() == slow_patterns(4, True).keys()
    p = 1 / 48
    for count in rows.values():
        assert count / 24_000 == pytest.approx(p, abs=4.5 * (p * (1 - p) / 24_000) ** 0.5)


def test_unlabelled_samples_are_the_same_rows_with_the_shift_as_their_class():
    labelled = shifter.generate(500, 100, 100)
    unlabelled = shifter.generate(500, 100, 100, labelled=False)
    for x, y, x_less, classes in zip(
        labelled[::2], labelled[1::2], unlabelled[::2], unlabelled[1::2], strict=True
    ):
        assert np.array_equal(x[:, :16], x_less)
        assert classes.dtype == np.uint8
        assert np.array_equal(x[:, 16:].argmax(axis=1), classes)
        assert set(classes.tolist()) == {0, 1, 2}
        assert y.shape == (len(x), 0) and y.dtype == np.float32
        for row, shift in zip(x_less.tolist(), classes.tolist(), strict=True):
            assert row[8:] == [row[(j + 1 - shift) % 8] for j in range(8)]


def test_the_default_parts_are_pinned():
    arrays = shifter.generate(*shifter.PARTS)
    assert sha256(arrays) == shifter.SHA256
    assert [x.shape for x in arrays[::2]] == [(n, 19) for n in shifter.PARTS]
    unlabelled = shifter.generate(*shifter.PARTS, labelled=False)
    assert sha256(unlabelled) == shifter.SHA256_UNLABELLED


def test_the_seed_decides_and_parts_have_streams_of_their_own():
    arrays = shifter.generate(60, 60, 60)
    assert sha256(shifter.generate(60, 60, 60)) == sha256(arrays)
    other = shifter.generate(60, 60, 60, seed=1)
    for one, two in zip(arrays[::2], other[::2], strict=True):
        assert not np.array_equal(one, two)
    for one, two in itertools.combinations(arrays[::2], 2):
        assert not np.array_equal(one, two)
    resized = shifter.generate(10, 90, 60)
    assert np.array_equal(resized.x_test, arrays.x_test)
