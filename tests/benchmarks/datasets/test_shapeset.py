"""Shapes and their fill against slow ones written from the definition, and the law of scenes."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import kstest

from benchmarks.datasets import shapeset
from benchmarks.datasets.arrays import sha256
from benchmarks.datasets.shapeset import VARIANTS, Scenes, Shapes

CORNERS = {0: 3, 1: 4, 2: 20}
N = 20_000


@pytest.fixture(scope="module")
def drawn() -> Scenes:
    return shapeset.scenes(N, np.random.default_rng(5), VARIANTS["shapeset-3x2"])


@pytest.fixture(scope="module")
def images(drawn) -> np.ndarray:
    return shapeset.render(drawn)


def select(shapes: Shapes, rows) -> Shapes:
    return Shapes(*(field[rows] for field in shapes))


# ---- the fill -----------------------------------------------------------------------------------


def fill_slowly(corners: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """Pixels (x, y) of any polygon: crossings of each row, sorted, filled in pairs."""
    pixels = set()
    edges = list(zip(corners, corners[1:] + corners[:1], strict=True))
    lowest, highest = min(y for _, y in corners), max(y for _, y in corners)
    for y in range(lowest, highest + 1):
        crossings = []
        for start, end in edges:
            (x1, y1), (x2, y2) = sorted([start, end], key=lambda corner: corner[1])
            if y1 == y2:
                continue
            if y1 <= y < y2 or (y == highest and y1 < y <= y2):
                product = (y - y1) * (x2 - x1)
                towards_zero = abs(product) // (y2 - y1)
                crossings.append(x1 + (towards_zero if product >= 0 else -towards_zero))
        crossings.sort()
        for left, right in zip(crossings[::2], crossings[1::2], strict=True):
            pixels |= {(x, y) for x in range(left, right + 1)}
    return pixels


def test_a_triangle_by_hand():
    # truncated to (7, 1), (1, 4), (5, 6): left side x = 7 - 2 (y - 1), then 1 + 2 (y - 4);
    # right side 7 + trunc(-2 (y - 1) / 5) = 7, 7, 7, 6, 6, 5: towards the upper end, not down
    corners = np.array([[[7.9, 1.2, 5.5], [1.7, 4.9, 6.1]]])
    left, right = shapeset.spans(corners)
    assert left[0, :8].tolist() == [32, 7, 5, 3, 1, 3, 5, 32]
    assert right[0, :8].tolist() == [-1, 7, 7, 7, 6, 6, 5, -1]


def test_a_flat_top_and_a_flat_bottom_are_filled_from_end_to_end():
    corners = np.array([[[2.0, 6.0, 8.0, 4.0], [3.0, 3.0, 5.0, 5.0]]])
    left, right = shapeset.spans(corners)
    assert left[0, 2:7].tolist() == [32, 2, 3, 4, 32]
    assert right[0, 2:7].tolist() == [-1, 6, 7, 8, -1]


def test_500_images_equal_those_filled_slowly(drawn, images):
    for i in range(500):
        expected = np.full((32, 32), drawn.ground[i])
        for shapes in (drawn.first, drawn.second)[: 1 + drawn.two[i]]:
            x, y = np.trunc(shapes.corners[i, :, : CORNERS[shapes.kind[i]]]).astype(int).tolist()
            for column, row in fill_slowly(list(zip(x, y, strict=True))):
                expected[row, column] = shapes.grey[i]
        assert np.array_equal(images[i], expected)


# ---- one shape ----------------------------------------------------------------------------------


def rotation(angle: float) -> np.ndarray:
    """For row vectors, as the definition has it."""
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def test_corners_equal_those_by_matrices_and_trigonometry(drawn):
    for i, shapes in itertools.product(range(300), (drawn.first, drawn.second)):
        n = CORNERS[shapes.kind[i]]
        phase = 2 * math.pi * (np.arange(n) / n + 1 / (2 * n) + 1 / 4)
        polygon = 0.5 * np.stack([np.cos(phase), np.sin(phase)], axis=1)
        shear, turn = (2 * math.pi * steps[i] / 255 for steps in (shapes.shear, shapes.turn))
        longer, shorter = shapes.diameter[i]
        back = -math.atan(shorter / longer * math.tan(shear))
        scaled = (polygon @ rotation(shear)) * shapes.diameter[i]
        expected = scaled @ rotation(back) @ rotation(turn) + shapes.centre[i]
        assert shapes.corners[i, :, :n].T == pytest.approx(expected, abs=1e-9)
        assert (shapes.corners[i, :, n:] == shapes.corners[i, :, n - 1 : n]).all()


def test_angles_take_the_steps_of_the_definition(drawn):
    both = [np.concatenate(pair) for pair in zip(drawn.first, drawn.second, strict=True)]
    kind, shear, turn = both[:3]
    assert set(turn) == set(range(254))
    assert set(shear[kind == 0]) == set(range(43)) | set(range(214, 255))
    assert set(shear[kind == 1]) == set(range(32)) | set(range(224, 255))
    assert set(shear[kind == 2]) == set(range(7)) | set(range(250, 255))
    # of 85 steps of a triangle two become 254, and one each other value
    share, n = 2 / 85, (kind == 0).sum()
    error = math.sqrt(share * (1 - share) / n)
    assert (shear[kind == 0] == 254).mean() == pytest.approx(share, abs=3 * error)
    assert kstest(turn + 0.5, "uniform", (0, 254)).pvalue > 0.001


def test_diameters_are_two_uniform_ones_the_longer_first(drawn):
    longer, shorter = drawn.first.diameter.T  # the second shape's are conditioned on its place
    assert (longer >= shorter).all()
    # the greater of two U(0, 1) has the distribution function u^2, the lesser 1 - (1 - u)^2
    assert kstest(((longer - 6.4) / 19.2) ** 2, "uniform").pvalue > 0.001
    assert kstest((1 - (shorter - 6.4) / 19.2) ** 2, "uniform").pvalue > 0.001


@pytest.mark.parametrize("axis", [0, 1])
def test_places_are_uniform_over_those_inside_the_margin(drawn, axis):
    least, greatest = (f(drawn.first.corners[:, axis], axis=1) for f in (np.min, np.max))
    assert kstest((least - 1) / (30 - (greatest - least)), "uniform").pvalue > 0.001


def test_the_margin_is_one_pixel(drawn, images):
    for shapes in (drawn.first, drawn.second):
        assert shapes.corners.min() >= 1 - 1e-9 and shapes.corners.max() <= 31 + 1e-9
    border = np.ones((32, 32), bool)
    border[1:31, 1:31] = False
    assert (images[:, border] == drawn.ground[:, None]).all()
    touched = (images != drawn.ground[:, None, None]).any(0)
    assert touched[1:31, 1:31].sum() > 890  # of 900: all but some in the very corners


# ---- grey levels --------------------------------------------------------------------------------


def test_grey_levels_fill_their_ranges_and_contrast_by_26_or_more(drawn, images):
    dark_ground = drawn.ground <= 114
    # 20,000 fair tosses: standard error 0.0035
    assert dark_ground.mean() == pytest.approx(0.5, abs=3 * 0.0035)
    greys = np.stack([drawn.first.grey, drawn.second.grey])
    for dark, light in (
        (drawn.ground[dark_ground], greys[:, dark_ground]),
        (greys[:, ~dark_ground], drawn.ground[~dark_ground]),
    ):
        assert set(dark.ravel()) == set(range(115)) and set(light.ravel()) == set(range(140, 256))
    contrast = np.abs(images.astype(int) - drawn.ground[:, None, None])
    assert contrast[contrast > 0].min() == 26  # of 255, in 20,000 images surely attained
    # each shape has a level of its own: as often the same as 1 of 115 or 116
    assert (greys[0] == greys[1]).mean() == pytest.approx(1 / 115.5, abs=3 * 0.00066)


# ---- two shapes ---------------------------------------------------------------------------------


def ratio_slowly(first: Shapes, second: Shapes, i: int) -> float:
    """What the definition holds against a half; below 0 where the shapes are apart."""
    centre = first.centre[i].astype(int)
    joining = second.centre[i] - centre
    distance = math.hypot(*joining)
    along = joining / distance
    forth = max(float(np.dot(corner - centre, along)) for corner in first.corners[i].T)
    back = max(float(np.dot(corner - second.centre[i], -along)) for corner in second.corners[i].T)
    if forth + back < distance:
        return -1.0
    factor = 1 - math.exp(-(forth + back - distance) * math.log(2) / distance)
    areas = []
    for shapes in (first, second):
        n = CORNERS[shapes.kind[i]]
        filled = n * math.sin(2 * math.pi / n) / (2 * math.pi)
        areas.append(shapes.diameter[i].prod() * filled)
    return areas[1] / areas[0] * factor


def test_covering_equals_the_slow_computation(drawn):
    pairs = [select(shapes, np.arange(1000)) for shapes in drawn[2:]]
    # as they are some were redrawn; rolled, they never met
    for first, second in (pairs, (pairs[0], select(pairs[1], np.roll(np.arange(1000), 1)))):
        ratios = np.array([ratio_slowly(first, second, i) for i in range(1000)])
        assert np.array_equal(shapeset.covers(first, second), ratios > 0.5)
    assert 0.3 < (ratios > 0.5).mean() < 0.7 and (ratios == -1).any()


def test_no_image_of_two_has_its_first_shape_covered(drawn):
    for i in np.flatnonzero(drawn.two)[:2000]:
        assert ratio_slowly(drawn.first, drawn.second, i) <= 0.5


def test_a_second_shape_that_finds_no_place_is_left_out(monkeypatch):
    monkeypatch.setattr(shapeset, "TRIES", 1)
    one_try = shapeset.scenes(4000, np.random.default_rng(0), VARIANTS["shapeset-3x2"])
    assert not shapeset.covers(one_try.first, one_try.second)[one_try.two].any()
    # independent pairs are too near each other in half of all cases, see above
    assert 0.2 < one_try.two.mean() < 0.3


def test_the_second_shape_covers_the_first():
    corners = np.array([[[4.0, 12, 12, 4], [4, 4, 8, 8]], [[8, 20, 20, 8], [6, 6, 10, 10]]])
    (first, second) = (
        Shapes(np.ones(2, int), None, None, np.array([g, g], np.uint8), None, None, c)
        for g, c in ((200, corners[[0, 0]]), (250, corners[[1, 1]]))
    )
    ground = np.array([10, 10], np.uint8)
    image, alone = shapeset.render(Scenes(ground, np.array([True, False]), first, second))
    assert image[[4, 7, 7, 10, 11], [4, 7, 8, 20, 20]].tolist() == [200, 200, 250, 250, 10]
    assert alone[[4, 7, 7, 10], [4, 7, 8, 20]].tolist() == [200, 200, 200, 10]


# ---- classes ------------------------------------------------------------------------------------

COUNTS = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1)]
COUNTS += [(2, 0, 0), (0, 2, 0), (0, 0, 2)]


def test_classes_are_the_numbers_of_each_kind(drawn):
    classes = shapeset.classify(drawn)
    for i in range(500):
        counts = [0, 0, 0]
        counts[drawn.first.kind[i]] += 1
        if drawn.two[i]:
            counts[drawn.second.kind[i]] += 1
        assert COUNTS[classes[i]] == tuple(counts)


def test_class_priors(drawn):
    shares = np.bincount(shapeset.classify(drawn), minlength=9) / N
    priors = np.repeat([1 / 6, 1 / 9, 1 / 18], 3)
    assert (np.abs(shares - priors) < 3 * np.sqrt(priors * (1 - priors) / N)).all()


@pytest.mark.parametrize("name", ["geomshapes", "basicshapes"])
def test_one_shape_variants(name):
    drawn = shapeset.scenes(6000, np.random.default_rng(1), VARIANTS[name])
    assert not drawn.two.any()
    shares = np.bincount(shapeset.classify(drawn)) / 6000
    assert shares == pytest.approx([1 / 3] * 3, abs=3 * math.sqrt(2 / 9 / 6000))
    assert np.ptp(drawn.first.turn) == 253
    for kind, n in CORNERS.items():
        shapes = select(drawn.first, drawn.first.kind == kind)
        corners = shapes.corners[:, :, :n]
        edges = np.roll(corners, -1, axis=2) - corners
        lengths = np.sqrt((edges**2).sum(1))
        if name == "basicshapes":  # regular, of the one diameter
            assert np.ptp(lengths, axis=1).max() < 1e-9
            radii = np.sqrt(((corners - shapes.centre[:, :, None]) ** 2).sum(1))
            assert np.allclose(radii, shapes.diameter[:, :1] / 2, rtol=0, atol=1e-9)
            assert kstest((shapes.diameter[:, 0] - 6.4) / 19.2, "uniform").pvalue > 0.001
        elif kind == 0:  # isosceles; the base joins the last corner and the first
            assert np.allclose(lengths[:, 0], lengths[:, 1], rtol=0, atol=1e-9)
            assert np.ptp(lengths, axis=1).max() > 1
        elif kind == 1:  # right angles, two lengths
            assert np.abs((edges * np.roll(edges, 1, axis=2)).sum(1)).max() < 1e-9
            assert np.ptp(lengths, axis=1).max() > 1


# ---- what is given out --------------------------------------------------------------------------


def test_the_seed_and_the_part_choose_the_examples():
    arrays = shapeset.generate(50, 50, 50, seed=1)
    assert sha256(arrays) == sha256(shapeset.generate(50, 50, 50, seed=1))
    inputs = [*arrays[::2], *shapeset.generate(50, 50, 50, seed=2)[::2]]
    assert len({x.tobytes() for x in inputs}) == 6
    longer = shapeset.generate(50, 70, 2050, seed=1)  # more than are drawn at once
    assert np.array_equal(longer.x_train, arrays.x_train)
    assert [len(x) for x in longer] == [50, 50, 70, 70, 2050, 2050]
    assert len(np.unique(longer.x_test, axis=0)) == 2050


def test_images_and_classes_come_in_the_same_order():
    arrays = shapeset.generate(3000, 0, 0)
    single = arrays.y_train < 3
    levels = np.array([len(np.unique(image)) for image in arrays.x_train])
    assert (levels[single] == 2).all()
    # two shapes show two levels but where they share one (1 in 115) or one hides the other
    assert (levels[~single] == 3).mean() > 0.95


@pytest.mark.parametrize("batch_size", [10, 300, 1700])
def test_the_stream_is_endless_and_fresh(batch_size):
    n_batches = 4000 // batch_size + 1
    batches = list(itertools.islice(shapeset.stream(batch_size, seed=3), n_batches))
    for x, y in batches:
        assert x.shape == (batch_size, 1024) and y.shape == (batch_size,)
        assert x.dtype == y.dtype == np.uint8
    x = np.concatenate([x for x, _ in batches])
    parts = shapeset.generate(1000, 1000, 1000, seed=3)
    assert len(np.unique(np.concatenate([x, *parts[::2]]), axis=0)) == len(x) + 3000
    again = next(shapeset.stream(batch_size, seed=3))
    other = next(shapeset.stream(batch_size, seed=4))
    assert np.array_equal(again[0], batches[0][0]) and np.array_equal(again[1], batches[0][1])
    assert not np.array_equal(other[0], batches[0][0])


@pytest.mark.parametrize(
    "variant, parts, expected",
    [
        ("shapeset-3x2", shapeset.PARTS, shapeset.SHA256),
        ("geomshapes", shapeset.PARTS_ONE_SHAPE, shapeset.SHA256_GEOMSHAPES),
        ("basicshapes", shapeset.PARTS_ONE_SHAPE, shapeset.SHA256_BASICSHAPES),
    ],
    ids=list(VARIANTS),
)
def test_the_published_parts_at_seed_0(variant, parts, expected):
    arrays = shapeset.generate(*parts, variant=variant)
    assert arrays.x_train.shape == (parts[0], 1024) and arrays.y_test.shape == (parts[2],)
    assert arrays.x_train.dtype == arrays.y_train.dtype == np.uint8
    assert sha256(arrays) == expected
