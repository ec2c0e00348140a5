"""Pictures as matplotlib writes them, made a third of their size; they look the same."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image


def smaller_svg(text: str) -> str:
    """Fewer digits, no indentation, a style once for shapes in a row, images of fewer bytes."""
    text = _INDENTATION.sub("\n", text)
    text = _SHAPES.sub(_shorter, text)
    text = _ROWS.sub(_styled_once, text)
    return _IMAGES.sub(_recoded, text)


_INDENTATION = re.compile(r"\n +(?=<)")
_SHAPES = re.compile(r'(?<= )(?:d|x|y)="[^"]*"|translate\([^)]*\)')
_FRACTIONS = re.compile(r"-?[0-9]+\.[0-9]+")
_COMMANDS = re.compile(r"([A-Za-z])([^A-Za-z]*)")  # of a path, each with its numbers
# a group of two or more markers, or of paths, with nothing else in it and all of one style
_ROWS = re.compile(
    r'<g([^>]*)>\n((?:<(use|path) [^>]*( style="[^"]*")/>\n)(?:<\3 [^>]*\4/>\n)+)(?=</g>)'
)
_IMAGES = re.compile(r'(?<=base64,)[^"]*')


def _shorter(shape: re.Match) -> str:
    """Its numbers to a hundredth of a point: six decimals made up half of a file."""
    text = _FRACTIONS.sub(_rounded, shape[0])
    return f'd="{_without_middles(text[3:-1])}"' if text.startswith('d="') else text


def _rounded(number: re.Match) -> str:
    text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _without_middles(path: str) -> str:
    """A path without the points in the middle of a level stretch, and without white space."""
    commands = [(name, numbers.split()) for name, numbers in _COMMANDS.findall(path)]
    kept: list[tuple[str, list[str]]] = []
    for (name, at), (next_name, after) in zip(commands, [*commands[1:], ("", [])], strict=True):
        if kept and name == next_name == "L" and kept[-1][1]:
            before = kept[-1][1][-2:]
            if before[1] == at[1] == after[1]:
                one, two, three = (float(point[0]) for point in (before, at, after))
                if min(one, three) <= two <= max(one, three):
                    continue
        kept.append((name, at))
    return "".join(name + " ".join(numbers) for name, numbers in kept)


def _styled_once(row: re.Match) -> str:
    attributes, shapes, _, style = row.groups()
    if re.search(r'[ "]opacity', style):  # of a group it would be another than of its parts
        return row[0]
    return f"<g{attributes}{style}>\n{shapes.replace(style, '')}"


def _recoded(image: re.Match) -> str:
    return base64.b64encode(smaller_png(base64.b64decode(image[0]))).decode()


def smaller_png(content: bytes) -> bytes:
    """The same pixels, of a palette where they have no more colours than one can hold."""
    picture = Image.open(io.BytesIO(content)).convert("RGBA")
    pixels = np.asarray(picture).reshape(-1, 4)
    colours, index = np.unique(pixels, axis=0, return_inverse=True)
    if len(colours) > 256:
        return content
    small = Image.fromarray(index.reshape(picture.height, picture.width).astype(np.uint8), "P")
    small.putpalette(colours[:, :3].tobytes())
    out = io.BytesIO()
    small.save(out, "png", optimize=True, transparency=colours[:, 3].tobytes())
    return out.getvalue()
