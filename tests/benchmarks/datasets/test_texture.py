"""The places allowed against numpy's own deviation, and the spectrum against its definition."""

import hashlib

import numpy as np
import pytest

from benchmarks.datasets import texture


def slowly_varied(image: np.ndarray) -> np.ndarray:
    rows, columns = image.shape[0] - 27, image.shape[1] - 27
    out = np.zeros((rows, columns), bool)
    for r in range(rows):
        for c in range(columns):
            out[r, c] = image[r : r + 28, c : c + 28].std() >= 20
    return out


def test_places_of_enough_contrast_are_those_whose_deviation_is_at_least_20():
    rng = np.random.default_rng(0)
    # noise whose deviation grows from 10 to 30 from left to right
    noise = rng.standard_normal((40, 90)) * np.linspace(10, 30, 90)
    image = np.clip(128 + noise, 0, 255).astype(np.uint8)
    expected = slowly_varied(image)
    assert 0.2 < expected.mean() < 0.8
    assert np.array_equal(texture.varied(image), expected)


def test_a_deviation_of_exactly_20_is_enough():
    columns = np.arange(28) % 2
    image = np.tile(80 + 40 * columns, (28, 1)).astype(np.uint8)  # half 80, half 120
    assert image.std() == 20
    assert texture.varied(image).tolist() == [[True]]
    assert texture.varied(image - (image == 120)).tolist() == [[False]]


def test_the_images_are_20_different_ones_with_all_grey_levels_equally_often_and_read_only():
    images = texture.images()
    assert images.shape == (20, 512, 512) and images.dtype == np.uint8
    assert len({image.tobytes() for image in images}) == 20
    for image in images:
        assert (np.bincount(image.ravel(), minlength=256) == 1024).all()  # 512^2 / 256
    with pytest.raises(ValueError, match="read-only"):
        images[0, 0, 0] = 1


def test_the_amplitude_spectrum_falls_as_the_power_of_the_frequency_stated():
    slopes = []
    for image in texture.images():
        amplitude = np.abs(np.fft.fft2(image - image.mean()))
        f = np.fft.fftfreq(512) * 512
        radius = np.hypot(f[:, None], f)
        band = (radius >= 4) & (radius <= 64)  # above, rounding and equalising add noise
        slopes.append(np.polyfit(np.log(radius[band]), np.log(amplitude[band]), 1)[0])
    assert np.mean(slopes) == pytest.approx(-1.2, abs=0.05)
    assert np.ptp(slopes) < 0.15


def test_patches_are_cut_from_the_images_all_over_and_never_flat(monkeypatch):
    # in these each pixel says where it is: 1 + column, or 101 + row; the last image is flat
    across = np.tile(1 + np.arange(60, dtype=np.uint8), (60, 1))
    images = np.stack([across * 4, 60 + across.T * 3, np.full((60, 60), 77, np.uint8)])
    monkeypatch.setattr(texture, "images", lambda: images)
    texture._places.cache_clear()
    patches = texture.patches(30_000, np.random.default_rng(0))
    texture._places.cache_clear()
    assert patches.shape == (30_000, 28, 28) and patches.dtype == np.uint8
    found = set()
    corners = [(0, 0), (0, 27), (27, 0)]
    kinds = {}
    for image in range(2):
        for r in range(33):
            for c in range(33):
                patch = images[image, r : r + 28, c : c + 28]
                kinds.setdefault(tuple(int(patch[at]) for at in corners), patch)
    for patch in patches:
        key = tuple(int(patch[at]) for at in corners)
        assert np.array_equal(patch, kinds[key])
        found.add(key)
    # gradients look the same along one axis: 33 kinds an image, all of them seen; no flat one
    assert found == set(kinds) and len(found) == 66
    first = sum(int(patch[0, 27]) > int(patch[0, 0]) for patch in patches)
    # half of the places are in each image: standard error sqrt(30,000) / 2 = 87
    assert first == pytest.approx(15_000, abs=4 * 87)


def test_patches_obey_the_generator():
    first, again, other = (texture.patches(50, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_images_are_the_pinned_ones():
    assert hashlib.sha256(texture.images().tobytes()).hexdigest() == texture.SHA256_IMAGES
