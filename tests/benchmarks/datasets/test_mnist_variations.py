"""Rotation against np.rot90 and pixel by pixel; the rest with digits that carry their number."""

import math

import numpy as np
import pytest

from benchmarks.datasets import idx, texture
from benchmarks.datasets import mnist_variations as variations
from benchmarks.datasets.arrays import sha256
from benchmarks.datasets.mnist_variations import compose, generate, rotate
from benchmarks.problem import Problem


def random_images(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(256, size=(n, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3, 4, -1])
def test_quarter_turns_are_exact_and_counterclockwise(quarters):
    images = random_images(3)
    turned = rotate(images, np.full(3, quarters * np.pi / 2))
    assert turned.dtype == np.uint8
    assert np.array_equal(turned, np.rot90(images, quarters, axes=(1, 2)))


def turned_by_hand(image: np.ndarray, angle: float) -> np.ndarray:
    """In coordinates with y up: the value at a point is that of the point turned back."""

    def grey(column: int, row: int) -> float:
        return float(image[row, column]) if 0 <= column < 28 and 0 <= row < 28 else 0.0

    out = np.zeros((28, 28))
    for row in range(28):
        for column in range(28):
            point = complex(column - 13.5, 13.5 - row) * complex(math.cos(-angle), math.sin(-angle))
            c, r = point.real + 13.5, 13.5 - point.imag
            for near_c in (math.floor(c), math.floor(c) + 1):
                for near_r in (math.floor(r), math.floor(r) + 1):
                    weight = (1 - abs(c - near_c)) * (1 - abs(r - near_r))
                    out[row, column] += weight * grey(near_c, near_r)
    return out


def test_any_angle_is_bilinear_with_zeros_outside():
    images = random_images(8)
    angles = np.array([0.3, 0.785, 1.9, 2.5, 3.6, 4.9, 6.1, -1.0])
    expected = [turned_by_hand(i, a) for i, a in zip(images, angles, strict=True)]
    # the nearest whole grey level, or either where it lies between two to the last bits
    assert np.abs(rotate(images, angles) - np.array(expected)).max() <= 0.5 + 1e-9


def test_every_image_of_many_is_turned_by_its_own_angle():
    images = random_images(1203)  # more than two chunks
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 1203)
    turned = rotate(images, angles)
    for i in (0, 499, 500, 1000, 1202):
        assert np.array_equal(turned[i : i + 1], rotate(images[i : i + 1], angles[i : i + 1]))
    assert np.array_equal(images, random_images(1203))


def test_a_pixel_shows_the_greater_of_digit_and_background():
    digit = np.array([[[0, 0, 200], [255, 90, 91]]], np.uint8)
    background = np.array([[[0, 7, 100], [255, 91, 90]]], np.uint8)
    assert compose(digit, background).tolist() == [[[0, 7, 200], [255, 91, 91]]]


@pytest.fixture
def numbered(monkeypatch):
    """In place of MNIST: 70,000 black images, the number of each in base 256 in three pixels."""
    number = np.arange(70_000)
    images = np.zeros((70_000, 28, 28), np.uint8)
    images[:, 13, 13], images[:, 13, 14], images[:, 14, 13] = (
        number % 256,
        number // 256 % 256,
        number // 65536,
    )
    labels = (number % 10).astype(np.uint8)
    monkeypatch.setattr(variations, "digits", lambda: (images, labels))


def numbers(x: np.ndarray) -> np.ndarray:
    x = x.reshape(-1, 28, 28).astype(int)
    return x[:, 13, 13] + 256 * x[:, 13, 14] + 65536 * x[:, 14, 13]


def test_parts_are_a_split_of_all_digits_without_repeats(numbered):
    arrays = generate(18_000, 2_000, 50_000)
    parts = [numbers(x) for x in (arrays.x_train, arrays.x_valid, arrays.x_test)]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(70_000))
    for part, y in zip(parts, (arrays.y_train, arrays.y_valid, arrays.y_test), strict=True):
        assert np.array_equal(y, part % 10)
        # a share 6/7 of the training file: standard error sqrt(6/49 / 2,000) = 0.008 at most
        assert np.mean(part < 60_000) == pytest.approx(6 / 7, abs=4 * 0.008)


def test_no_part_moves_another(numbered):
    settings = {"rotated": True, "background": "image"}
    base = generate(30, 20, 40, **settings)
    for sizes in ((33, 20, 40), (30, 27, 40), (30, 20, 51)):
        other = generate(*sizes, **settings)
        for size, before, x, y in zip(sizes, (30, 20, 40), base[::2], other[::2], strict=True):
            assert size != before or np.array_equal(x, y)


def test_the_digits_are_the_same_in_all_variations_of_a_seed(numbered):
    basic = generate(30, 20, 40)
    for rotated in (False, True):
        for background in (None, "random", "image"):
            other = generate(30, 20, 40, rotated=rotated, background=background)
            assert all(map(np.array_equal, basic[1::2], other[1::2]))


def test_a_variation_is_rotation_then_composition(numbered, monkeypatch):
    calls = []
    real_rotate, real_patches = variations.rotate, texture.patches

    def rotate(images, angles):
        calls.append(("rotate", images, angles))
        return real_rotate(images, angles)

    def patches(n, generator):
        calls.append(("patches", real_patches(n, generator)))
        return calls[-1][1]

    monkeypatch.setattr(variations, "rotate", rotate)
    monkeypatch.setitem(variations.BACKGROUNDS, "image", patches)
    arrays = generate(50, 3, 4, rotated=True, background="image")
    assert [call[0] for call in calls] == ["rotate", "patches"] * 3
    basic = generate(50, 3, 4).x_train.reshape(-1, 28, 28)
    (_, images, angles), (_, behind) = calls[:2]
    assert np.array_equal(images, basic)
    expected = np.maximum(real_rotate(basic, angles), behind).reshape(50, 784)
    assert np.array_equal(arrays.x_train, expected)


def test_angles_cover_the_circle_evenly(numbered, monkeypatch):
    seen = []
    monkeypatch.setattr(variations, "rotate", lambda images, angles: seen.append(angles) or images)
    generate(10, 20, 10_000, rotated=True)
    assert [len(angles) for angles in seen] == [10, 20, 10_000]
    angles = seen[2]
    assert angles.min() >= 0 and angles.max() < 2 * np.pi
    counts = np.histogram(angles, bins=20, range=(0, 2 * np.pi))[0]
    # 500 expected in each of 20 bins; Pearson's statistic has mean 19 and deviation sqrt(38)
    assert ((counts - 500) ** 2 / 500).sum() == pytest.approx(19, abs=4 * np.sqrt(38))
    assert len({angles.round(9).tobytes() for angles in seen}) == 3


def test_noise_is_independent_and_uniform_over_all_grey_levels(numbered):
    x = generate(1, 1, 2_000, background="random").x_test
    noise = x.reshape(-1, 28, 28)[:, :10].reshape(2_000, -1)  # rows above the numbers
    counts = np.bincount(noise.ravel(), minlength=256)
    expected = noise.size / 256
    # Pearson's statistic of 256 cells: mean 255, deviation sqrt(510)
    assert ((counts - expected) ** 2 / expected).sum() == pytest.approx(255, abs=4 * 510**0.5)
    z = (noise - 127.5) / 73.9  # deviation of 0..255: sqrt((256^2 - 1) / 12)
    # products of independent values have mean 0 and deviation 1
    assert (z[:, 1:] * z[:, :-1]).mean() == pytest.approx(0, abs=4 / z[:, 1:].size ** 0.5)
    assert (z[1:] * z[:-1]).mean() == pytest.approx(0, abs=4 / z[1:].size ** 0.5)


def test_same_seed_same_bytes_other_seed_other_digits_angles_and_backgrounds(numbered):
    for settings in ({}, {"rotated": True}, {"background": "random"}, {"background": "image"}):
        first, again, other = (generate(30, 30, 30, seed=s, **settings) for s in (0, 0, 1))
        assert sha256(first) == sha256(again)
        for x, y in zip(first[::2], other[::2], strict=True):
            assert not np.array_equal(x, y)
        if "background" in settings:  # parts do not share theirs
            corners = [x.reshape(-1, 28, 28)[:, :10].tobytes() for x in first[::2]]
            assert len(set(corners)) == 3


def test_settings_and_sizes_that_mean_nothing_are_refused(numbered):
    with pytest.raises(ValueError, match="background must be None, random or image, got noise"):
        generate(1, 1, 1, background="noise")
    with pytest.raises(Problem, match="n_train 18001 and n_valid 2000 may be 20000 together"):
        generate(18_001, 2_000, 1)
    with pytest.raises(Problem, match="n_test 50001"):
        generate(1, 1, 50_001)


def test_without_mnists_files_it_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    idx.read.cache_clear()
    with pytest.raises(Problem, match="no such file.*'make data' fetches mnist"):
        generate(1, 1, 1)


@pytest.fixture(scope="module")
def mnist():
    folder = idx.data_folder()
    if not (folder / "mnist").is_dir():
        pytest.skip("no MNIST: set DATA_DIR to the folder that has mnist/")


def test_the_source_is_the_training_file_and_then_the_test_file(mnist):
    images, labels = variations.digits()
    assert images.shape == (70_000, 28, 28)
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert labels[60_000:60_005].tolist() == [7, 2, 1, 0, 4]
    assert images[0].sum() == 27_525  # a 5, the first digit that everybody sees


@pytest.mark.parametrize(
    "settings, checksum",
    [
        ({}, variations.SHA256),
        ({"rotated": True}, variations.SHA256_ROT),
        ({"background": "random"}, variations.SHA256_BACK_RAND),
        ({"background": "image"}, variations.SHA256_BACK_IMAGE),
        ({"rotated": True, "background": "image"}, variations.SHA256_ROT_BACK_IMAGE),
    ],
    ids=["basic", "rot", "back-rand", "back-image", "rot-back-image"],
)
def test_the_published_sizes_have_the_pinned_checksum(mnist, settings, checksum):
    assert variations.PARTS == (10_000, 2_000, 50_000)
    assert sha256(generate(*variations.PARTS, **settings)) == checksum
