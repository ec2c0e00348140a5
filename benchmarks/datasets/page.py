"""What a data set looks like: a description in text, a contact sheet, and the page of them all."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import ModuleType

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks import store
from benchmarks.datasets import DATA_SETS, DataSet, load
from benchmarks.datasets.split import Split
from benchmarks.markup import markdown, markdown_table
from benchmarks.palette import COLOURS, MARKERS
from benchmarks.pictures import smaller_png
from benchmarks.progress import say

HEADINGS = ("Definition", "Source", "Certain", "Ours")
FOLDER = "datasets"  # below reports/
PER_ROW = 12  # pictures of a class in a contact sheet


def facts(name: str, split: Split, checksum: str) -> list[tuple[str, str]]:
    """Sizes, class balance, statistics of the inputs and checksum, each with what it is."""
    data = DATA_SETS[name]
    sizes = [len(split.x_train), len(split.x_valid), len(split.x_test)]
    x = split.x_train
    sd, mean = float(x.std(correction=0)), float(x.mean())
    shape = " x ".join(map(str, data.picture)) if data.picture else f"{split.n_inputs}"
    rows = [
        ("examples", "{:,} training, {:,} validation, {:,} test".format(*sizes)),
        ("inputs", f"{shape}, from {float(x.min()):g} to {float(x.max()):g}"),
        ("training inputs", f"mean {mean:.4f}, standard deviation {sd:.4f}"),
    ]
    if data.classes:
        for part, y in (
            ("training", split.y_train),
            ("validation", split.y_valid),
            ("test", split.y_test),
        ):
            counts = y.bincount(minlength=len(data.classes)).tolist()
            named = zip(data.classes, counts, strict=True)
            balance = ", ".join(f"{label} {n / len(y):.1%}" for label, n in named)
            rows.append((f"{part} classes", balance))
        rows.append(("always naming the commonest class", f"errs on {split.chance_error:.2%}"))
    elif split.y_train.shape[1]:
        rows.append(("targets", f"{split.y_train.shape[1]} numbers an example"))
    else:
        rows.append(("targets", "none"))
    return [*rows, ("SHA-256", checksum)]


def sections(module: ModuleType) -> dict[str, str]:
    """A generator's docstring by its headings; of a loader, whatever it says after its title."""
    title, *lines = module.__doc__.splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        heading = line.split(" ", 1)[0]
        if heading in HEADINGS:
            found[heading] = [line.removeprefix(heading).strip()]
        elif found:
            list(found.values())[-1].append(line.strip())
    if not found:
        found = {"Definition": [title, *lines]}
    joined = {heading: " ".join(lines).strip() for heading, lines in found.items()}
    return {
        heading: re.sub(r"\s+", " ", text).replace("``", "`") for heading, text in joined.items()
    }


def contact_sheet(name: str, split: Split) -> bytes:
    """PNG of the first training examples, class by class where there are classes."""
    data = DATA_SETS[name]
    x, y = split.x_train.numpy(), split.y_train.numpy()
    with matplotlib.rc_context({"font.size": 8}):
        if data.picture:
            figure = _pictures(data, x, y)
        elif data.classes and x.shape[1] == 2:
            figure = _points(data, x, y)
        elif data.classes and np.unique(x[:100]).size > 2:
            figure = _lines(data, x, y)
        else:
            figure = _matrix(data, x, y)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return smaller_png(buffer.getvalue())


def _pictures(data: DataSet, x: np.ndarray, y: np.ndarray) -> Figure:
    if data.classes:
        chosen = [x[y == label][:PER_ROW] for label in range(len(data.classes))]
    else:
        chosen = np.split(x[: 4 * PER_ROW], 4)
    *colours, height, width = data.picture
    gap = max(1, height // 14)
    rows = len(chosen)
    sheet = np.full((rows * (height + gap) + gap, PER_ROW * (width + gap) + gap, 3), 0.85)
    for row, examples in enumerate(chosen):
        for column, example in enumerate(examples):
            image = example.reshape(*colours, height, width)
            image = np.moveaxis(image, 0, -1) if colours else np.repeat(image[..., None], 3, 2)
            top, left = gap + row * (height + gap), gap + column * (width + gap)
            sheet[top : top + height, left : left + width] = image
    figure, axes = plt.subplots(figsize=(7.4, 0.1 + 0.47 * rows), layout="constrained")
    axes.imshow(sheet, interpolation="nearest")
    middles = [gap + row * (height + gap) + height / 2 for row in range(rows)]
    axes.set_yticks(middles if data.classes else [], data.classes)
    axes.set_xticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _points(data: DataSet, x: np.ndarray, y: np.ndarray) -> Figure:
    figure, axes = plt.subplots(figsize=(3.6, 3.6), layout="constrained")
    for label, class_name in enumerate(data.classes):
        axes.plot(
            *x[y == label].T,
            MARKERS[label],
            color=COLOURS[label],
            markersize=3,
            label=f"class {class_name}",
        )
    axes.set_aspect("equal")
    figure.legend(loc="outside upper center", ncols=len(data.classes), frameon=False)
    return figure


def _lines(data: DataSet, x: np.ndarray, y: np.ndarray) -> Figure:
    columns = 5
    rows = -(-len(data.classes) // columns)
    figure, panels = plt.subplots(
        rows, columns, figsize=(7.4, 1.5 * rows), sharex=True, sharey=True, layout="constrained"
    )
    for label, axes in enumerate(panels.flat):
        if label >= len(data.classes):
            axes.set_axis_off()
            continue
        for i, example in enumerate(x[y == label][:3]):
            axes.plot(example, color=COLOURS[i], linewidth=1)
        axes.set_title(data.classes[label], fontsize=8)
    figure.supxlabel("input", fontsize=8)
    return figure


def _matrix(data: DataSet, x: np.ndarray, y: np.ndarray) -> Figure:
    """A row an example: inputs, and beside them the targets or the class."""
    shown = min(40, len(x))
    targets = y[:shown, None].astype(float) if data.classes else y[:shown]
    widths = [x.shape[1], *([targets.shape[1]] if targets.shape[1] else [])]
    figure, panels = plt.subplots(
        1,
        len(widths),
        figsize=(1.2 + 0.14 * sum(widths), 0.7 + 0.11 * shown),
        width_ratios=widths,
        squeeze=False,
        layout="constrained",
    )
    titles = ("inputs", "class" if data.classes else "targets")
    for axes, values, title in zip(panels.flat, (x[:shown], targets), titles, strict=False):
        largest = abs(values).max() or 1
        low = -largest if values.min() < 0 else 0
        axes.imshow(
            values,
            cmap="PuOr_r" if low < 0 else "Greys",
            vmin=low,
            vmax=largest,
            aspect="auto",
            interpolation="nearest",
        )
        axes.set_title(title, fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])
    panels[0, 0].set_ylabel("one example a row")
    return figure


def write(reports: Path) -> Path:
    """The page and its contact sheets, of every data set whose files are here; where it lies.

    Raises Problem, naming it, for one whose files are not: the page has to have all.
    """
    folder = reports / FOLDER
    groups: dict[ModuleType, list[str]] = {}
    for name, data in DATA_SETS.items():
        if data.generate is not None or name == "mnist5k":
            groups.setdefault(data.module, []).append(name)
    parts = [
        "# The data sets\n\n",
        "Written by `python -m benchmarks data report` from the generators and their docstrings. "
        "But for the digits, which are MNIST's, examples are generated from a set's definition at "
        "seed 0, in the published sizes where there are any: under *Certain* stands what is known "
        "of the definition and from where, under *Ours* what had to be chosen. "
        "`python -m benchmarks data export NAME FILE.npz` writes one for use elsewhere. MNIST, "
        "Fashion-MNIST and CIFAR-10, which are fetched, are not shown.\n",
    ]
    for module, names in groups.items():
        title = module.__doc__.splitlines()[0].rstrip(".")
        parts.append(f"\n## {markdown(title[0].upper() + title[1:])}\n")
        for name in names:
            say(f"  {name}")
            data = DATA_SETS[name]
            split = load(name, *data.parts)
            store.write_atomically(folder / f"{name}.png", contact_sheet(name, split))
            parts.append(f"\n### `{name}`\n\n{markdown(data.about)}\n\n")
            parts.append(f"![Examples of {name}]({name}.png)\n\n")
            rows = [[what, markdown(value)] for what, value in facts(name, split, data.checksum)]
            parts.append(markdown_table(["", ""], rows))
            del split  # one at a time in memory
            load.cache_clear()
        parts.append("\n")
        said = sections(module)
        parts += [f"**{heading}.** {markdown(text)}\n\n" for heading, text in said.items()]
    text = re.sub(r"\n{3,}", "\n\n", "".join(parts)).rstrip() + "\n"
    store.write_atomically(folder / "README.md", text.encode())
    return folder / "README.md"
