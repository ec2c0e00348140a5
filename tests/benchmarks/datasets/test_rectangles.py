"""Every image against one drawn by hand from its bounding box, and the law of sizes and places."""

import numpy as np
import pytest
from scipy.stats import chi2

from benchmarks.datasets import rectangles
from benchmarks.datasets.arrays import sha256


def test_two_outlines_by_hand():
    drawn = rectangles.outlines(*np.array([[4, 1], [6, 28], [2, 27], [20, 0]]))
    expected = np.zeros((2, 28, 28), np.uint8)
    expected[0, 2:6, 20:26] = 255
    expected[0, 3:5, 21:25] = 0
    expected[1, 27] = 255
    assert drawn.dtype == np.uint8 and np.array_equal(drawn, expected)


@pytest.fixture(scope="module")
def published():
    return rectangles.generate(*rectangles.PARTS)


def boxes(images: np.ndarray) -> np.ndarray:
    """(N, 4): height, width, top and left of what is white."""
    on = images.reshape(-1, 28, 28) > 0
    rows, columns = on.any(2), on.any(1)
    top, left = rows.argmax(1), columns.argmax(1)
    bottom, right = 27 - rows[:, ::-1].argmax(1), 27 - columns[:, ::-1].argmax(1)
    return np.stack([bottom - top + 1, right - left + 1, top, left], axis=1)


def draw(height: int, width: int, top: int, left: int) -> np.ndarray:
    image = np.zeros((28, 28), np.uint8)
    for row in range(top, top + height):
        for column in range(left, left + width):
            if row in (top, top + height - 1) or column in (left, left + width - 1):
                image[row, column] = 255
    return image


def test_every_image_is_the_outline_of_its_bounding_box(published):
    for image, box in zip(published.x_train, boxes(published.x_train), strict=True):
        assert np.array_equal(image.reshape(28, 28), draw(*box))


def test_chunks_join_without_a_seam(monkeypatch):
    whole = rectangles.generate(100, 0, 0)
    monkeypatch.setattr(rectangles, "_CHUNK", 7)
    assert sha256(rectangles.generate(100, 0, 0)) == sha256(whole)


def test_the_class_says_which_side_is_longer_and_both_are_as_frequent(published):
    height, width, _, _ = boxes(published.x_test).T
    assert np.array_equal(published.y_test, width > height)
    # 50,000 fair tosses: standard error 0.0022
    assert published.y_test.mean() == pytest.approx(0.5, abs=3 * 0.0022)


def test_sizes_are_uniform_over_the_pairs_that_differ_by_three(published):
    height, width, _, _ = boxes(published.x_test).T
    counts = np.zeros((29, 29), int)
    np.add.at(counts, (height, width), 1)
    allowed = np.abs(np.subtract.outer(np.arange(29), np.arange(29))) >= 3
    allowed[0] = allowed[:, 0] = False
    assert allowed.sum() == 650 and counts[~allowed].sum() == 0
    expected = len(height) / 650
    assert ((counts[allowed] - expected) ** 2 / expected).sum() < chi2(649).ppf(0.999)


@pytest.mark.parametrize("size, start", [(0, 2), (1, 3)])
def test_places_are_uniform_inside_the_image(published, size, start):
    box = boxes(published.x_test)
    n_places, place = 29 - box[:, size], box[:, start]
    assert place.min() == 0 and (place < n_places).all() and (place == n_places - 1).any()
    free = n_places > 1
    deviation = np.sqrt((n_places[free] ** 2 - 1) / 12)  # of a uniform integer
    standardised = (place[free] - (n_places[free] - 1) / 2) / deviation
    error = 1 / np.sqrt(free.sum())
    assert standardised.mean() == pytest.approx(0, abs=3 * error)
    # its square has a variance of 0.8 at most
    assert (standardised**2).mean() == pytest.approx(1, abs=3 * 0.8**0.5 * error)


def test_the_seed_and_the_part_choose_the_examples():
    arrays = rectangles.generate(50, 50, 50, seed=1)
    assert sha256(arrays) == sha256(rectangles.generate(50, 50, 50, seed=1))
    other = rectangles.generate(50, 50, 50, seed=2)
    inputs = [*arrays[::2], *other[::2]]
    assert len({x.tobytes() for x in inputs}) == 6
    longer = rectangles.generate(50, 70, 90, seed=1)
    assert np.array_equal(longer.x_train, arrays.x_train)
    assert [len(x) for x in longer] == [50, 50, 70, 70, 90, 90]


def test_the_published_parts_at_seed_0(published):
    assert published.x_test.shape == (50_000, 784) and published.x_test.dtype == np.uint8
    assert published.y_test.shape == (50_000,) and published.y_test.dtype == np.uint8
    assert sha256(published) == rectangles.SHA256
