"""The transform against a slow transcription of the definition, given the same random numbers."""

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression

from benchmarks.datasets import mnist1d
from benchmarks.datasets.arrays import sha256
from benchmarks.datasets.mnist1d import generate, templates, transform


def test_templates_start_at_zero_with_deviation_one_sixth():
    curves = templates()
    assert curves.shape == (10, 12)
    assert np.array_equal(curves[:, 0], np.zeros(10))
    assert curves.std(1) == pytest.approx(np.full(10, 1 / 6))
    # class 4 is 5, 4.4, ... with its least value 2.6 twice: 2.4 below the start, mean 4.4
    values = np.array([5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5])
    assert curves[4] == pytest.approx((values - 5) / (6 * values.std()))
    assert curves[:, -1] == pytest.approx(np.zeros(10))  # all return to where they start
    assert curves[[0, 3, 6, 8], ::-1] == pytest.approx(curves[[0, 3, 6, 8]])  # symmetric
    assert curves[2, ::-1] == pytest.approx(-curves[2]) and curves[8] == pytest.approx(-curves[3])


def test_the_published_curves_are_copied_right():
    # sums added up by hand from the package's list
    sums = [76.5, 53.2, 60, 70, 51.6, 56.5, 43.5, 66.8, 50, 54]
    assert mnist1d._CURVES.sum(1) == pytest.approx(sums)


def by_definition(curve, padding, scale, shift, slope, smooth, white):
    """One example, in the order of the text, with scipy's own interpolation and smoothing."""

    def resample(values, n):
        return interp1d(np.linspace(0, 1, len(values)), values)(np.linspace(0, 1, n))

    x = np.concatenate([curve + 1e-8, np.zeros(padding)])
    x = resample(x, 72) * scale
    for _ in range(shift):
        x = np.concatenate([x[-1:], x[:-1]])
    noise = gaussian_filter(0.25 * smooth, 2)
    x = np.array([noise[i] if x[i] == 0 else x[i] for i in range(72)])
    x = x + 0.02 * white
    x = x - slope * np.array([-0.5 + i / 71 for i in range(72)])
    return resample(x, 40)


def draws(n: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "padding": np.arange(n) % 25 + 36,
        "scale": rng.uniform(0.8, 1.2, n),
        "shift": np.arange(n) // 2 % 48,
        "slope": rng.uniform(-0.4, 0.4, n),
        "smooth": rng.standard_normal((n, 72)),
        "white": rng.standard_normal((n, 72)),
    }


def test_the_transform_is_the_definition_for_every_padding_and_shift():
    n = 200
    curves, given = templates()[np.arange(n) % 10], draws(n, 0)
    got = transform(curves, **given)
    assert got.shape == (n, 40)
    for i in range(n):
        expected = by_definition(curves[i], **{name: values[i] for name, values in given.items()})
        # it adds 1e-8 to the curve, so as to tell it from the padding by being other than 0
        assert got[i] == pytest.approx(expected, abs=3e-8), (i, given["padding"][i])


def test_a_curve_without_noise_by_hand():
    # 12 ones and 60 zeros: 72 points, so the first resampling keeps them; shifted by 2
    plain = {name: np.zeros(1) for name in ("slope",)} | {
        name: np.zeros((1, 72)) for name in ("smooth", "white")
    }
    x = transform(np.ones((1, 12)), np.array([60]), np.array([1.5]), np.array([2]), **plain)[0]
    # point j of 40 lies at 71 j / 39 of 72; points 2 to 13 are 1.5
    assert x[0] == 0 and x[1] == pytest.approx(1.5 * (71 / 39 - 1))
    assert x[2:8] == pytest.approx(np.full(6, 1.5)) and (71 * 7 / 39) < 13
    assert x[8:] == pytest.approx(np.zeros(32)) and (71 * 8 / 39) > 14
    tilted = transform(
        np.zeros((1, 12)),
        np.array([60]),
        np.ones(1),
        np.array([0]),
        **plain | {"slope": np.ones(1)},
    )[0]
    assert tilted == pytest.approx(0.5 - np.arange(40) / 39)


def test_every_random_number_has_its_range(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        mnist1d,
        "transform",
        lambda curves, **given: seen.update(given) or np.zeros((len(curves), 40)),
    )
    n = 20_000
    generate(n, 0, 0)  # the parts that follow are empty and overwrite ``seen``
    mnist1d._part(n, np.random.default_rng(0))
    for name, low, high in (("padding", 36, 60), ("shift", 0, 47)):
        counts = np.bincount(seen[name])
        assert counts[:low].sum() == 0 and len(counts) == high + 1
        cells = counts[low:]
        freedom = len(cells) - 1  # Pearson's statistic: mean freedom, deviation sqrt(2 freedom)
        expected = n / len(cells)
        statistic = ((cells - expected) ** 2 / expected).sum()
        assert statistic == pytest.approx(freedom, abs=4 * np.sqrt(2 * freedom))
    for name, low, high in (("scale", 0.8, 1.2), ("slope", -0.375, 0.375)):
        values = seen[name]
        # the extremes of n uniform draws lie within some 10 / n of the range from its ends
        assert low <= values.min() < low + (high - low) * 10 / n
        assert high >= values.max() > high - (high - low) * 10 / n
        error = (high - low) / np.sqrt(12 * n)
        assert values.mean() == pytest.approx((low + high) / 2, abs=4 * error)
    for name in ("smooth", "white"):
        assert seen[name].shape == (n, 72)
        assert seen[name].std() == pytest.approx(1, abs=4 / np.sqrt(2 * 72 * n))
    assert abs(np.corrcoef(seen["smooth"].ravel(), seen["white"].ravel())[0, 1]) < 4 / 1200


def test_examples_are_standardised_and_classes_balanced():
    arrays = generate(4_000, 1_000, 25)
    assert arrays.x_train.dtype == np.float32 and arrays.y_train.dtype == np.uint8
    assert arrays.x_train.shape == (4_000, 40)
    assert np.bincount(arrays.y_train).tolist() == [400] * 10
    assert np.bincount(arrays.y_valid).tolist() == [100] * 10
    assert sorted(np.bincount(arrays.y_test)) == [2] * 5 + [3] * 5
    assert len(set(arrays.y_train[:20].tolist())) > 5  # shuffled: not class by class
    assert arrays.y_train[:20].tolist() != [i % 10 for i in range(20)]
    # by examples, whose points hang together: errors of mean and of mean square over 4,000
    x = arrays.x_train.astype(float)
    for moment, expected in ((x, 0), (x**2, 1)):
        means = moment.mean(1)
        assert means.mean() == pytest.approx(expected, abs=4 * means.std() / np.sqrt(4_000))


def test_the_constants_are_those_of_the_distribution():
    # 40,000 examples: within 4 standard errors of what 10^6 gave
    x = mnist1d._part(40_000, np.random.default_rng(5))[0].astype(float)
    for moment, expected in ((x, 0), (x**2, 1)):
        means = moment.mean(1)
        assert means.mean() == pytest.approx(expected, abs=4 * means.std() / 200)


def test_a_linear_classifier_is_right_about_a_third_of_the_time():
    # published: 32 %; of 1,000 examples the standard error is 1.5 %
    arrays = generate(*mnist1d.PARTS)
    linear = LogisticRegression(max_iter=200).fit(arrays.x_train, arrays.y_train)
    assert 0.27 < linear.score(arrays.x_test, arrays.y_test) < 0.37


def test_same_seed_same_bytes_and_no_part_moves_another():
    first, again, other = generate(40, 30, 20), generate(40, 30, 20), generate(40, 30, 20, seed=1)
    assert sha256(first) == sha256(again) != sha256(other)
    assert np.array_equal(first.x_valid, generate(41, 30, 22).x_valid)
    assert len({x[:20].tobytes() for x in first[::2]}) == 3
    assert len({y[:20].tobytes() for y in first[1::2]}) == 3


def test_the_stated_sizes_have_the_pinned_checksum():
    assert mnist1d.PARTS == (4_000, 1_000, 1_000)
    assert sha256(generate(*mnist1d.PARTS)) == mnist1d.SHA256
