"""Bars and stripes by enumeration of all binary images, and the optima by counting."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from benchmarks.datasets import bars_and_stripes
from benchmarks.datasets.arrays import sha256


def kinds(row) -> set[int]:
    """0 if every row of the square image is of one grey level, 1 if every column is."""
    d = math.isqrt(len(row))
    image = [list(row[d * i : d * i + d]) for i in range(d)]
    found = set()
    if all(len(set(line)) == 1 for line in image):
        found.add(0)
    if all(len(set(line)) == 1 for line in zip(*image, strict=True)):
        found.add(1)
    return found


@pytest.mark.parametrize("d", [2, 3, 4])
def test_the_patterns_are_all_images_of_whole_lines(d):
    expected = [row for row in itertools.product((0, 255), repeat=d * d) if kinds(row)]
    assert len(expected) == 2 ** (d + 1) - 2
    images, labels = bars_and_stripes.patterns(d)
    assert images.dtype == labels.dtype == np.uint8
    assert sorted(map(tuple, images.tolist())) == expected
    images, _ = bars_and_stripes.patterns(d, duplicates=True)
    off_and_on = [(0,) * d * d, (255,) * d * d]
    assert sorted(map(tuple, images.tolist())) == sorted(expected + off_and_on)


@pytest.mark.parametrize("duplicates", [False, True])
def test_labels_are_the_direction_of_the_lines_and_0_where_both_are_right(duplicates):
    images, labels = bars_and_stripes.patterns(3, duplicates)
    for row, label in zip(images.tolist(), labels, strict=True):
        assert label == min(kinds(row))
    assert labels.sum() == 6


def test_one_bar_and_one_stripe_by_hand():
    images, labels = bars_and_stripes.patterns(2)
    by_image = dict(zip(map(tuple, images.tolist()), labels.tolist(), strict=True))
    assert by_image[(255, 255, 0, 0)] == 0
    assert by_image[(255, 0, 255, 0)] == 1
    assert by_image[(0, 0, 0, 0)] == by_image[(255, 255, 255, 255)] == 0


TABLE = [  # D, then nats an image and in all: distinct, with duplicates
    (2, -1.7918, -10.751, -1.7329, -13.863),
    (3, -2.6391, -36.947, -2.5993, -41.589),
    (4, -3.4012, -102.036, -3.3791, -108.131),
    (5, -4.1271, -255.882, -4.1156, -263.396),
]


@pytest.mark.parametrize("d, distinct, distinct_sum, doubled, doubled_sum", TABLE)
def test_the_optimal_log_likelihood_is_the_tables(d, distinct, distinct_sum, doubled, doubled_sum):
    for duplicates, mean, total in [(False, distinct, distinct_sum), (True, doubled, doubled_sum)]:
        images, _ = bars_and_stripes.patterns(d, duplicates)
        found = bars_and_stripes.optimal_log_likelihood(d, duplicates)
        assert found == pytest.approx(mean, abs=5e-5)
        assert found * len(images) == pytest.approx(total, abs=6e-4)
        counts = Counter(map(tuple, images.tolist()))
        by_counting = sum(c * math.log(c / len(images)) for c in counts.values()) / len(images)
        assert found == pytest.approx(by_counting, rel=1e-12)


@pytest.mark.parametrize("d", [3, 4])
def test_samples_have_the_frequencies_of_the_set_with_duplicates(d):
    n, rows = 16_000, 2 ** (d + 1)
    arrays = bars_and_stripes.generate(n, 1, 1, d=d)
    sampled = Counter(map(tuple, arrays.x_train.tolist()))
    listed = Counter(map(tuple, bars_and_stripes.patterns(d, duplicates=True)[0].tolist()))
    assert sampled.keys() == listed.keys()
    for row, count in listed.items():
        p = count / rows
        assert sampled[row] / n == pytest.approx(p, abs=4.5 * (p * (1 - p) / n) ** 0.5)
    for row, label in zip(arrays.x_train[:500].tolist(), arrays.y_train, strict=False):
        assert label == min(kinds(row))


def test_the_default_parts_are_pinned():
    arrays = bars_and_stripes.generate(*bars_and_stripes.PARTS)
    assert sha256(arrays) == bars_and_stripes.SHA256
    for x, y, n in zip(arrays[::2], arrays[1::2], bars_and_stripes.PARTS, strict=True):
        assert x.shape == (n, 16) and x.dtype == np.uint8
        assert y.shape == (n,) and y.dtype == np.uint8


def test_the_seed_decides_and_parts_have_streams_of_their_own():
    arrays = bars_and_stripes.generate(60, 60, 60)
    assert sha256(bars_and_stripes.generate(60, 60, 60)) == sha256(arrays)
    other = bars_and_stripes.generate(60, 60, 60, seed=1)
    for one, two in zip(arrays[::2], other[::2], strict=True):
        assert not np.array_equal(one, two)
    for one, two in itertools.combinations(arrays[::2], 2):
        assert not np.array_equal(one, two)
    resized = bars_and_stripes.generate(10, 90, 60)
    assert np.array_equal(resized.x_test, arrays.x_test)
