"""Shapeset-3x2: which one or two shapes, triangles, parallelograms or ellipses, are in an image?

Definition  32x32 grey levels, of one or two opaque shapes, as probable, on an even ground. Either
            the ground's level is uniform in 0..114 and each shape's in 140..255, or the other way
            round, as probable; two shapes may have the same level. A shape is, as probable, a
            triangle, a parallelogram or an ellipse (a polygon of 20 corners), of two diameters
            U(6.4, 25.6) pixels, sheared and turned at random, anywhere inside the image with a
            margin of one pixel. The second shape covers the first; it is drawn anew, size and
            place, while a bound on the first shape's covered share is above 1/2. No smoothing of
            edges. Classes by the numbers of (triangles, parallelograms, ellipses): 0 (1, 0, 0),
            1 (0, 1, 0), 2 (0, 0, 1), 3 (1, 1, 0), 4 (0, 1, 1), 5 (1, 0, 1), 6 (2, 0, 0),
            7 (0, 2, 0), 8 (0, 0, 2); their probabilities are 1/6 each of 0-2, 1/9 of 3-5 and 1/18
            of 6-8, so that always naming one class errs on 83.3 % of examples.
            GeomShapes and BasicShapes have one shape an image, classes 0-2: isosceles triangles,
            rectangles and ellipses, or only equilateral triangles, squares and circles.
Source      Glorot, Bengio (2010), Understanding the difficulty of training deep feedforward neural
            networks, AISTATS, 249-256; BibTeX glorot2010. GeomShapes and BasicShapes: Bengio,
            Louradour, Collobert, Weston (2009), Curriculum learning, ICML, 41-48
Certain     everything in the definition of Shapeset-3x2 is read in the authors' generator (github
            glorotxa/Shapeset, commit a0cd8be) and in the fill of polygons that it calls (pygame of
            2009); the parts' sizes in their experiment script (glorotxa/DeepANN). Of GeomShapes and
            BasicShapes only the shapes, the image's size and the parts' sizes, from memory of the
            paper
Ours        inputs lie in [0, 1]: one of the authors' scripts has that, another [-1, 1], and which
            one the published figures used is not known; the random numbers themselves, and so the
            examples; corners of the first shape enter the overlap's bound untruncated, which our
            notes on the generator leave open. GeomShapes and BasicShapes: margin, sizes and grey
            levels are those of Shapeset-3x2, whose generator can draw such shapes, for the numbers
            were not published; a triangle's base is along its longer diameter
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from benchmarks.datasets.arrays import Arrays, generators

PARTS = (100_000, 10_000, 10_000)
SHA256 = "e7c99a7ee0e9008d20e54b90ba6b44a38c4dc3edbddca996c39ef64428e1f214"

PARTS_ONE_SHAPE = (10_000, 5_000, 5_000)  # of geomshapes and basicshapes
SHA256_GEOMSHAPES = "6f4b5f75d985f61c6b0318f1565165e0dde2632cc99af58d07e2a52d2e2454e4"
SHA256_BASICSHAPES = "b30ef21dd55a2cbbc443da4c3ef2e35d5f01e8441bba59f48b5b0033cf8df436"

SIDE = 32
VERTICES = (3, 4, 20)  # of a triangle, a parallelogram, an ellipse: kinds 0, 1, 2
CLASSES = np.array([[6, 3, 5], [3, 7, 4], [5, 4, 8]], np.uint8)  # of two kinds
DARK, LIGHT = (0, 114), (140, 255)  # ranges of grey levels, ends included
DIAMETER = (0.2 * SIDE, 0.8 * SIDE)  # pixels
MARGIN = 1  # pixels
MOST_COVERED = 0.5
TRIES = 50  # at placing a second shape, after which there is none

_STEPS = 255  # into which a full turn is divided
_CHUNK = 1_000  # images drawn at once


@dataclass(frozen=True)
class Variant:
    """What is drawn: at most this many shapes an image, of one diameter or two, sheared or not."""

    most_shapes: int
    diameters: int
    sheared: bool


VARIANTS = {
    "shapeset-3x2": Variant(most_shapes=2, diameters=2, sheared=True),
    "geomshapes": Variant(most_shapes=1, diameters=2, sheared=False),
    "basicshapes": Variant(most_shapes=1, diameters=1, sheared=False),
}


class Shapes(NamedTuple):
    """One shape of each of N images; lengths in pixels, the coordinates are (x, y)."""

    kind: np.ndarray  # (N,) index of VERTICES
    shear: np.ndarray  # (N,) angle before scaling, in steps of 1/255 turn
    turn: np.ndarray  # (N,) angle after scaling, in the same steps
    grey: np.ndarray  # (N,) 0..255
    diameter: np.ndarray  # (N, 2)
    centre: np.ndarray  # (N, 2)
    corners: np.ndarray  # (N, 2, 20); the last is repeated where there are fewer than 20


class Scenes(NamedTuple):
    """What N images show; ``second`` counts only where ``two``."""

    ground: np.ndarray  # (N,) 0..255
    two: np.ndarray  # (N,) bool
    first: Shapes
    second: Shapes


def generate(
    n_train: int, n_valid: int, n_test: int, seed: int = 0, *, variant: str = "shapeset-3x2"
) -> Arrays:
    """Inputs (N, 1024) uint8 grey levels, in row-major order, and classes.

    ``variant`` is "shapeset-3x2" of 9 classes, or "geomshapes" or "basicshapes" of 3.
    """
    parts = zip((n_train, n_valid, n_test), generators(variant, seed), strict=True)
    return Arrays(*(array for n, rng in parts for array in _examples(n, rng, VARIANTS[variant])))


def stream(batch_size: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless mini-batches of Shapeset-3x2, (B, 1024) and (B,) uint8, that share no example.

    They have nothing in common with the parts that ``generate`` makes of the same seed.
    """
    (rng, *_) = generators("shapeset-3x2 online", seed)
    n = -(-_CHUNK // batch_size) * batch_size  # drawn in large numbers, given out in small ones
    while True:
        images, classes = _examples(n, rng, VARIANTS["shapeset-3x2"])
        for start in range(0, n, batch_size):
            yield images[start : start + batch_size], classes[start : start + batch_size]


def _examples(n: int, rng: np.random.Generator, variant: Variant) -> tuple[np.ndarray, np.ndarray]:
    images = np.empty((n, SIDE * SIDE), np.uint8)
    classes = np.empty(n, np.uint8)
    for start in range(0, n, _CHUNK):
        rows = slice(start, min(start + _CHUNK, n))
        drawn = scenes(rows.stop - start, rng, variant)
        images[rows] = render(drawn).reshape(-1, SIDE * SIDE)
        classes[rows] = classify(drawn)
    return images, classes


def scenes(n: int, rng: np.random.Generator, variant: Variant) -> Scenes:
    """N images' shapes, drawn at random."""
    light_shapes = rng.random(n) > 0.5
    two = rng.integers(variant.most_shapes, size=n) == 1
    ground = _greys(~light_shapes, rng)
    first, second = (_shapes(light_shapes, rng, variant) for _ in range(2))
    crowded = np.flatnonzero(two)
    crowded = crowded[covers(_rows(first, crowded), _rows(second, crowded))]
    for _ in range(TRIES - 1):
        kept = _rows(second, crowded)
        second.diameter[crowded], second.centre[crowded], second.corners[crowded] = _place(
            kept.kind, kept.shear, kept.turn, rng, variant
        )
        crowded = crowded[covers(_rows(first, crowded), _rows(second, crowded))]
    two[crowded] = False
    return Scenes(ground, two, first, second)


def classify(drawn: Scenes) -> np.ndarray:
    """Classes (N,) uint8."""
    kind = drawn.first.kind
    return np.where(drawn.two, CLASSES[kind, drawn.second.kind], kind).astype(np.uint8)


def _greys(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Levels (N,) uint8, uniform over the light or the dark ones."""
    lowest, highest = np.where(light[:, None], LIGHT, DARK).T
    return rng.integers(lowest, highest, endpoint=True).astype(np.uint8)


def _shapes(light: np.ndarray, rng: np.random.Generator, variant: Variant) -> Shapes:
    """One shape an image, light or dark (N,), of any kind."""
    n = len(light)
    kind = rng.integers(len(VERTICES), size=n)
    shear = _shear_steps(kind, rng) if variant.sheared else np.zeros(n, np.int64)
    turn = rng.integers(_STEPS - 1, size=n)  # the authors' generator never draws the last step
    grey = _greys(light, rng)
    return Shapes(kind, shear, turn, grey, *_place(kind, shear, turn, rng, variant))


def _shear_steps(kind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Angles of half a corner's share of the circle to either side; negative ones are below 255."""
    vertices = np.array(VERTICES)[kind]
    steps = rng.integers(_STEPS // vertices)
    negative = np.minimum(_STEPS - (_STEPS - 1) // vertices + steps, _STEPS - 1)
    return np.where(steps > (_STEPS - 1) // (2 * vertices), negative, steps)


def _place(
    kind: np.ndarray,
    shear: np.ndarray,
    turn: np.ndarray,
    rng: np.random.Generator,
    variant: Variant,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """New diameters, a place uniform over those inside the margin, and the corners there."""
    n = len(kind)
    diameter = rng.uniform(*DIAMETER, (n, variant.diameters))
    diameter = np.broadcast_to(np.sort(diameter)[:, ::-1], (n, 2)).copy()  # the longer one first
    corners = outlines(kind, shear, turn, diameter)
    nearest, furthest = MARGIN - corners.min(2), SIDE - MARGIN - corners.max(2)
    centre = nearest + rng.random((n, 2)) * (furthest - nearest)
    return diameter, centre, corners + centre[:, :, None]


def _rows(shapes: Shapes, rows: np.ndarray) -> Shapes:
    return Shapes(*(field[rows] for field in shapes))


def _circle(turns: np.ndarray) -> np.ndarray:
    """(cos, sin) of angles in turns; rounded, so that no processor's last bit is in them."""
    return np.round([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], 12)


def _regular_polygon(vertices: int) -> np.ndarray:
    """Corners (2, 20), the last one repeated, of diameter 1 and one edge parallel to x."""
    corner = np.minimum(np.arange(max(VERTICES)), vertices - 1)
    return 0.5 * _circle(corner / vertices + 1 / (2 * vertices) + 1 / 4)


_POLYGONS = np.stack([_regular_polygon(vertices) for vertices in VERTICES])  # (3, 2, 20)
_COS, _SIN = _circle(np.arange(_STEPS) / _STEPS)  # (255,)
# area of a polygon by that of the ellipse around it, (3,)
_FILLED = np.round([v * np.sin(2 * np.pi / v) / (2 * np.pi) for v in VERTICES], 12)


def outlines(
    kind: np.ndarray, shear: np.ndarray, turn: np.ndarray, diameter: np.ndarray
) -> np.ndarray:
    """Corners (N, 2, 20) about a shape's centre.

    The regular polygon, turned by ``shear``, scaled along the axes, turned back until its edge is
    parallel to x again, turned by ``turn``: a triangle or parallelogram of any angles.
    """
    x, y = _rotate(_POLYGONS[kind].transpose(1, 0, 2), _COS[shear], _SIN[shear])
    x, y = x * diameter[:, :1], y * diameter[:, 1:]
    # the edge now points along (1, slope), whose direction needs a root only, no arcus tangent
    slope = diameter[:, 1] / diameter[:, 0] * (_SIN[shear] / _COS[shear])
    cos_back = 1 / np.sqrt(1 + slope * slope)
    sin_back = -slope * cos_back
    cos, sin = _rotate((cos_back[:, None], sin_back[:, None]), _COS[turn], _SIN[turn])
    return np.stack(_rotate((x, y), cos[:, 0], sin[:, 0]), axis=1)


def _rotate(xy, cos: np.ndarray, sin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y (N, K) turned by an angle (N,) each."""
    x, y = xy
    cos, sin = cos[:, None], sin[:, None]
    return x * cos - y * sin, x * sin + y * cos


def covers(first: Shapes, second: Shapes) -> np.ndarray:
    """Whether (N,) the second shape hides too much of the first, by the authors' approximation.

    Along the line that joins the centres, d apart, the shapes together reach r far. If r > d, the
    share 1 - 2^-((r - d) / d) of the second shape's area is taken to lie on the first one.
    """
    centre = np.trunc(first.centre)  # it is stored in integers
    x, y = (second.centre - centre).T
    distance = np.sqrt(x * x + y * y)

    def reach(shapes: Shapes, origin: np.ndarray, sign: int) -> np.ndarray:
        corners = shapes.corners - origin[:, :, None]
        along = corners[:, 0] * (sign * x)[:, None] + corners[:, 1] * (sign * y)[:, None]
        return along.max(1) / distance

    beyond = reach(first, centre, 1) + reach(second, second.centre, -1) - distance
    shared = 1 - np.exp2(-beyond / distance)  # negative where the shapes are apart
    return _area(second) * shared / _area(first) > MOST_COVERED


def _area(shapes: Shapes) -> np.ndarray:
    """(N,), in units of pi / 4 square pixels."""
    return shapes.diameter[:, 0] * shapes.diameter[:, 1] * _FILLED[shapes.kind]


def render(drawn: Scenes) -> np.ndarray:
    """Images (N, 32, 32) uint8, rows along y."""
    n = len(drawn.ground)
    images = np.repeat(drawn.ground, SIDE * SIDE).reshape(n, SIDE, SIDE)
    columns = np.arange(SIDE, dtype=np.int8)
    for shapes, shown in ((drawn.first, np.ones(n, bool)), (drawn.second, drawn.two)):
        for kind, vertices in enumerate(VERTICES):
            rows = np.flatnonzero(shown & (shapes.kind == kind))
            left, right = spans(shapes.corners[rows, :, :vertices])
            inside = (columns >= left[:, :, None]) & (columns <= right[:, :, None])
            images[rows] = np.where(inside, shapes.grey[rows, None, None], images[rows])
    return images


def spans(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last column filled (N, 32) int8 of each row, 32 and -1 where none is.

    corners (N, 2, V) are truncated to integers. A row is filled between the points where it meets
    the edges, its x truncated to an integer towards that of the edge's upper end; an edge holds its
    upper end and not its lower one, but for the shape's last row. Every row meets two edges, for
    truncation leaves a convex outline's two sides monotone in y.
    """
    start = np.trunc(corners)
    end = np.roll(start, -1, axis=2)
    downwards = start[:, 1:] <= end[:, 1:]
    # float32 holds these integers, and a quotient that is none is 1/31 or more away from one
    x1, y1 = np.where(downwards, start, end).astype(np.float32).transpose(1, 2, 0)  # (V, N)
    x2, y2 = np.where(downwards, end, start).astype(np.float32).transpose(1, 2, 0)
    stop = y2 + (y2 == y2.max(0))  # a level edge there only repeats an end of its neighbour
    dx, dy = x2 - x1, np.maximum(y2 - y1, 1)
    y = np.arange(SIDE, dtype=np.float32)
    left = np.full((len(corners), SIDE), SIDE, np.float32)
    right = np.full((len(corners), SIDE), -1, np.float32)
    edges = zip(*(values[:, :, None] for values in (x1, y1, stop, dx, dy)), strict=True)
    for x1_, y1_, stop_, dx_, dy_ in edges:
        x = np.trunc((y - y1_) * dx_ / dy_) + x1_
        crossed = (y1_ <= y) & (y < stop_)
        np.minimum(left, x, out=left, where=crossed)
        np.maximum(right, x, out=right, where=crossed)
    return left.astype(np.int8), right.astype(np.int8)
