"""Smaller pictures look as the larger ones did."""

import io
import re
import subprocess
from shutil import which
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from benchmarks.pictures import smaller_png, smaller_svg


def drawn() -> str:
    """A figure with what ours have: markers, bars, bands, level lines, an image, text."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(5, 2))
    x = np.arange(12)
    y = np.repeat([1.0, 3.0, 2.0], 4)
    left.errorbar(x, y, 0.5, marker="o", capsize=2, label="a & b")
    left.plot(x, 3 - y, "s", fillstyle="none")
    left.fill_between(x, y - 0.2, y + 0.2, alpha=0.2)
    left.scatter(x, y + 1, alpha=0.5)
    left.legend()
    right.imshow(np.arange(100).reshape(10, 10), cmap="cividis")
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return out.getvalue()


def test_a_figure_is_smaller_and_names_the_same_things():
    before = drawn()
    after = smaller_svg(before)
    assert len(after) < 0.8 * len(before)
    roots = [ElementTree.fromstring(text) for text in (before, after)]
    tags = [[(e.tag, e.get("id")) for e in root.iter()] for root in roots]
    assert tags[0] == tags[1]
    assert re.findall("<!--.*?-->", before) == re.findall("<!--.*?-->", after)
    assert smaller_svg(after) == after


@pytest.mark.skipif(not which("rsvg-convert"), reason="apt-get install librsvg2-bin")
def test_a_figure_looks_the_same():
    before = drawn()
    seen = []
    for text in (before, smaller_svg(before)):
        png = subprocess.run(["rsvg-convert"], input=text.encode(), capture_output=True, check=True)
        seen.append(np.asarray(Image.open(io.BytesIO(png.stdout)).convert("RGB")).astype(int))
    assert np.ptp(seen[0]) == 255 and np.abs(seen[0] - seen[1]).max() < 64
    assert (np.abs(seen[0] - seen[1]).max(-1) > 8).mean() < 1e-3


@pytest.mark.parametrize(
    "before, after",
    [
        ('<path d="M 1.004 2 \nL 2.5 2 \nL 3 2 \nL 4.10 2 \nz\n"/>', '<path d="M1 2L4.1 2z"/>'),
        # the ends of a stretch stay, and so does a point that lies beyond both neighbours
        ('<path d="M 0 0 \nL 5 0 \nL 3 0 \n"/>', '<path d="M0 0L5 0L3 0"/>'),
        ('<path d="M 0 1 \nL 1 1 \nL 2 0 \n"/>', '<path d="M0 1L1 1L2 0"/>'),
        ('<path d="M 0 1 \nL 1 1 \nQ 2 1 3 1 \n"/>', '<path d="M0 1L1 1Q2 1 3 1"/>'),
        ('<use x="-0.001" y="12.345678"/>', '<use x="0" y="12.35"/>'),
        ('<g transform="translate(1.239 -2.0) scale(0.015625)">',
         '<g transform="translate(1.24 -2) scale(0.015625)">'),
        ('<g>\n <use x="1" style="a"/>\n <use x="2" style="a"/>\n</g>',
         '<g style="a">\n<use x="1"/>\n<use x="2"/>\n</g>'),
        # one alone, two of other styles, and parts that are seen through one another
        ('<g>\n <use x="1" style="a"/>\n</g>', '<g>\n<use x="1" style="a"/>\n</g>'),
        ('<g>\n<use x="1" style="a"/>\n<use x="1" style="b"/>\n</g>',) * 2,
        ('<g>\n<path x="1" style="opacity: 0.5"/>\n<path x="1" style="opacity: 0.5"/>\n</g>',) * 2,
        ('<g>\n<use x="1" style="fill-opacity: 0"/>\n<use x="1" style="fill-opacity: 0"/>\n</g>',
         '<g style="fill-opacity: 0">\n<use x="1"/>\n<use x="1"/>\n</g>'),
    ],
)  # fmt: skip
def test_what_is_left_out(before, after):
    assert smaller_svg(before) == after


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png")
    return out.getvalue()


@pytest.mark.parametrize("n_colours", [1, 2, 256])
def test_every_pixel_of_an_image_stays_with_its_transparency(n_colours):
    rng = np.random.default_rng(0)
    colours = rng.permutation(1 << 16)[:n_colours]
    colours = np.stack([colours >> 8, colours & 255, colours & 7, colours % 251], -1)
    pixels = colours[rng.integers(n_colours, size=(30, 41))].astype(np.uint8)
    small = smaller_png(png(pixels))
    assert len(small) < len(png(pixels))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(small)).convert("RGBA")), pixels)
    assert smaller_png(small) == small


def test_an_image_of_more_colours_than_a_palette_holds_is_left_as_it_is():
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(20), np.arange(20)[:, None]
    assert smaller_png(png(pixels)) == png(pixels)
