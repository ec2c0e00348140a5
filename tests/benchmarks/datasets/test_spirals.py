"""The spirals point by point."""

import math

import numpy as np
import pytest

from benchmarks.datasets import spirals
from benchmarks.datasets.arrays import sha256


def point(t: float) -> tuple[float, float]:
    """Of class 1, from the definition."""
    r = 6.5 * (104 - t) / 104
    return r * math.sin(t * math.pi / 16), r * math.cos(t * math.pi / 16)


TIMES = (
    [i for i in range(97)],
    [i + 0.5 for i in range(96)],
    [i + e / 8 for i in range(96) for e in (1, 3, 5, 7)],
)


def test_every_part_is_its_points_on_both_spirals():
    arrays = spirals.generate(*spirals.PARTS)
    for x, y, times in zip(arrays[::2], arrays[1::2], TIMES, strict=True):
        assert x.dtype == np.float32 and y.dtype == np.uint8
        expected = [(*point(t), 1) for t in times] + [(-p, -q, 0) for p, q in map(point, times)]
        found = [(p, q, label) for (p, q), label in zip(x.tolist(), y.tolist(), strict=True)]
        np.testing.assert_allclose(sorted_rows(found), sorted_rows(expected), atol=1e-6)


def sorted_rows(rows) -> list:
    """By class and distance from the middle, which no two points of a spiral share."""
    return sorted(rows, key=lambda row: (row[2], math.hypot(row[0], row[1])))


def test_the_training_set_by_hand():
    arrays = spirals.generate(*spirals.PARTS)
    assert arrays.x_train.shape == (194, 2)
    assert arrays.y_train.tolist().count(1) == 97
    labels = arrays.y_train.tolist()
    has = {(*row, label) for row, label in zip(arrays.x_train.tolist(), labels, strict=True)}
    # the outer ends; a quarter of a turn in; the inner ends after three turns, where r = 0.5
    for corner in [(0, 6.5, 1), (-0.0, -6.5, 0), (6, 0, 1), (0, 0.5, 1), (0, -0.5, 0)]:
        assert corner in has


def test_no_point_is_in_two_parts():
    rows = np.concatenate(spirals.generate(*spirals.PARTS)[::2])
    assert len(np.unique(rows, axis=0)) == 194 + 192 + 768


def test_a_smaller_part_is_some_of_its_points():
    whole, some = spirals.generate(*spirals.PARTS), spirals.generate(50, 20, 30)
    for part in range(3):
        x, y, n = some[2 * part], some[2 * part + 1], (50, 20, 30)[part]
        known = dict(zip(map(tuple, whole[2 * part].tolist()), whole[2 * part + 1], strict=True))
        assert len(x) == len(set(map(tuple, x.tolist()))) == n
        assert [known[row] for row in map(tuple, x.tolist())] == y.tolist()
        # random ones: with 20 or more, both classes but once in half a million times
        assert set(y.tolist()) == {0, 1}


def test_more_points_than_there_are_are_refused():
    for sizes in [(195, 1, 1), (1, 193, 1), (1, 1, 769)]:
        with pytest.raises(ValueError, match=r"at most \(194, 192, 768\), got"):
            spirals.generate(*sizes)


def test_the_default_parts_are_pinned_and_the_seed_decides_the_order():
    arrays = spirals.generate(*spirals.PARTS)
    assert sha256(arrays) == sha256(spirals.generate(*spirals.PARTS)) == spirals.SHA256
    other = spirals.generate(*spirals.PARTS, seed=1)
    for one, two in zip(arrays[::2], other[::2], strict=True):
        assert not np.array_equal(one, two)
        assert np.array_equal(np.unique(one, axis=0), np.unique(two, axis=0))
    resized = spirals.generate(10, 20, 768)
    assert np.array_equal(resized.x_test, arrays.x_test)
