"""Sizes by enumeration, rectangles pixel by pixel, and the patches recovered from the images."""

import numpy as np
import pytest

from benchmarks.datasets import rectangles_image, texture
from benchmarks.datasets.arrays import sha256
from benchmarks.datasets.rectangles_image import generate, inside, sizes


def allowed_pairs() -> set[tuple[int, int]]:
    return {
        (h, w)
        for h in range(1, 29)
        for w in range(1, 29)
        if min(h, w) >= 10 and abs(w - h) >= 5 and 0.25 <= h * w / 784 <= 0.75
    }


def test_the_sizes_are_all_that_the_definition_allows():
    pairs = [tuple(pair) for pair in sizes().tolist()]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == allowed_pairs()
    assert (10, 20) in pairs and (28, 21) in pairs  # 200 and 588 pixels: the latter is 75 %
    assert not {(10, 19), (20, 16), (28, 22), (9, 28)} & set(pairs)


def test_a_rectangle_covers_its_pixels_and_no_others():
    tops, lefts, heights, widths = np.array([[0, 0, 28, 10], [18, 0, 10, 28], [3, 5, 21, 12]]).T
    for mask, top, left, height, width in zip(
        inside(tops, lefts, heights, widths), tops, lefts, heights, widths, strict=True
    ):
        expected = np.zeros((28, 28), bool)
        for r in range(height):
            for c in range(width):
                expected[top + r, left + c] = True
        assert np.array_equal(mask, expected)


@pytest.fixture
def black_on_white(monkeypatch):
    """Front patches black, back patches white, so that rectangles can be read off."""
    shades = {}

    def patches(n, generator):
        shade = shades.setdefault(id(generator), [0, 255]).pop(0)
        return np.full((n, 28, 28), shade, np.uint8)

    monkeypatch.setattr(texture, "patches", patches)


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = rows[0], columns[0]
    return top, left, rows[-1] - top + 1, columns[-1] - left + 1


def test_examples_are_rectangles_uniform_in_size_and_place_with_the_right_label(black_on_white):
    arrays = generate(1, 1, 40_000)
    masks = arrays.x_test.reshape(-1, 28, 28) == 0
    pairs = dict.fromkeys(allowed_pairs(), 0)
    places = np.zeros(19)  # of rectangles 10 tall, which may begin in rows 0 to 18
    for mask, label in zip(masks, arrays.y_test, strict=True):
        top, left, height, width = bounds(mask)
        assert mask[top : top + height, left : left + width].all()
        assert mask.sum() == height * width
        assert label == (width > height)
        pairs[int(height), int(width)] += 1
        if height == 10:
            places[top] += 1
    for counts in (np.array(list(pairs.values())), places):
        # Pearson's statistic of k cells has mean k - 1 and deviation sqrt(2 (k - 1))
        expected = counts.sum() / len(counts)
        freedom = len(counts) - 1
        statistic = ((counts - expected) ** 2 / expected).sum()
        assert statistic == pytest.approx(freedom, abs=4 * np.sqrt(2 * freedom))


def test_inside_and_outside_are_two_patches_of_the_texture_where_they_lie(monkeypatch):
    drawn = []
    real = texture.patches
    monkeypatch.setattr(texture, "patches", lambda n, g: drawn.append(real(n, g)) or drawn[-1])
    x = generate(200, 0, 0).x_train.reshape(-1, 28, 28)
    front, back = drawn[:2]
    for image, a, b in zip(x, front, back, strict=True):
        top, left, height, width = bounds(image != b)
        cut = (slice(top, top + height), slice(left, left + width))
        assert np.array_equal(image[cut], a[cut])  # and outside of it, b by construction
        assert height * width >= 100  # with 1 in 25 edge pixels equal by chance it shrinks little


def test_forms_and_balance():
    arrays = generate(3, 2, 10_000)
    assert [a.shape for a in arrays] == [(3, 784), (3,), (2, 784), (2,), (10_000, 784), (10_000,)]
    assert all(a.dtype == np.uint8 for a in arrays)
    # a Bernoulli(1/2) share of 10,000 has standard error 0.005
    assert arrays.y_test.mean() == pytest.approx(0.5, abs=4 * 0.005)


def test_same_seed_same_bytes_and_no_part_moves_another():
    first, again, other = generate(40, 30, 20), generate(40, 30, 20), generate(40, 30, 20, seed=1)
    assert sha256(first) == sha256(again) != sha256(other)
    more = generate(41, 30, 22)
    assert np.array_equal(first.x_valid, more.x_valid)
    assert not np.array_equal(first.x_train[:20], first.x_test)
    assert not np.array_equal(first.x_train[:30], first.x_valid)


def test_the_published_sizes_have_the_pinned_checksum():
    assert rectangles_image.PARTS == (10_000, 2_000, 50_000)
    assert sha256(generate(*rectangles_image.PARTS)) == rectangles_image.SHA256
