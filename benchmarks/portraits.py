"""What single networks look like inside: first-layer filters and activations, before and after.

Records hold neither, so a handful of stored trials is trained again: same key, same bits. What the
figures need is kept beside the report's records, and they are drawn from that alone.
"""

from __future__ import annotations

import io
import json
import math
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib import rc_context
from numpy.typing import NDArray

from benchmarks import drawing, store
from benchmarks.markup import markdown
from benchmarks.problem import Problem
from benchmarks.suite import Suite
from benchmarks.trial import Trial

FILE = "data/portraits.npz"
# whose filters are drawn: those that pretraining gives, and beside them two that it does not
FILTERED = ("plain", "rbm", "autoencoder", "denoising", "batch-norm")
N_FILTERS = 12  # of the first units: they are all alike before they learn
N_BINS = 40


@dataclass(frozen=True)
class Portrait:
    """One run, before the first update and after the last (the leading axis of the arrays)."""

    key: str
    technique: str
    seed: int
    as_recorded: bool  # trained again, its test errors were those of the record
    low: float  # what the bins of activations lie between; what is outside is in the last ones
    high: float
    histogram: NDArray[np.int32]  # (2, depth, N_BINS): activations, counted
    filters: NDArray[np.int8]  # (2, N_FILTERS, side, side): 127 the largest weight of a filter


def taken(trial: Trial, record: Mapping) -> Portrait:
    """Train a stored trial again, and look into it.

    Raises Problem where the inputs are no square images.
    """
    from benchmarks.executors import prepare_process
    from benchmarks.train import train_stack

    seen: list[tuple[NDArray, list[NDArray]]] = []  # weights (D, n); activations of each layer

    def look(update, network, x) -> None:
        if update in (0, trial.budget.updates):
            copy = network.select([0])  # in training, as the probes see it; but nothing is dropped
            layers = copy.trace(x, training=True).layers
            activations = [layer.activation[0].detach().cpu().numpy() for layer in layers]
            seen.append((copy.weight(0)[0].detach().cpu().numpy(), activations))

    prepare_process()
    (outcome,) = train_stack([trial], look)
    side = math.isqrt(len(seen[0][0]))
    if side**2 != len(seen[0][0]):
        raise Problem(f"portraits: {trial.data.name} has {len(seen[0][0])} inputs: no square image")
    errors = ("test_wrong", "test_wrong_last", "best_update", "trained")
    values = np.concatenate([a.ravel() for _, layers in seen for a in layers])
    values = values[np.isfinite(values)]
    low, high = (float(f"{v:.6g}") for v in np.quantile(values, [0.001, 0.999]))
    if trial.recipe.activation.unit_interval and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    high = high if high > low else low + 1
    return Portrait(
        key=trial.key,
        technique=trial.technique,
        seed=trial.seed,
        as_recorded=all(outcome["result"][e] == record["result"][e] for e in errors),
        low=low,
        high=high,
        histogram=np.array([[counted(a, low, high) for a in layers] for _, layers in seen]),
        filters=np.array([scaled(weight[:, :N_FILTERS]) for weight, _ in seen]),
    )


def counted(activations: NDArray, low: float, high: float) -> NDArray[np.int32]:
    """How many activations lie in each of N_BINS bins; NaN in none."""
    known = activations[~np.isnan(activations)]
    return np.histogram(np.clip(known, low, high), N_BINS, (low, high))[0].astype(np.int32)


def scaled(weight: NDArray) -> NDArray[np.int8]:
    """Weights (side x side, n) as images (n, side, side), each with a largest size of 127."""
    side = math.isqrt(len(weight))
    finite = np.nan_to_num(weight, posinf=0, neginf=0)
    largest = np.maximum(np.abs(finite).max(0), np.finfo(np.float32).tiny)
    return np.rint(127 * (finite / largest)).astype(np.int8).T.reshape(-1, side, side)


def save(path: Path, portraits: Sequence[Portrait]) -> None:
    """Write them to a file, the same bytes for the same portraits."""
    arrays = {}
    about = []
    for number, portrait in enumerate(portraits):
        fields = dict(vars(portrait))
        arrays[f"histogram_{number}"] = fields.pop("histogram")
        arrays[f"filters_{number}"] = fields.pop("filters")
        about.append(fields)
    out = io.BytesIO()
    np.savez_compressed(out, about=np.array(json.dumps(about)), **arrays)
    store.write_atomically(path, out.getvalue())


def load(path: Path, keys: Mapping[str, object]) -> list[Portrait]:
    """The portraits in a file that are of these trials; none if there is no file.

    Raises Problem for a file that is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            found = [
                Portrait(
                    **fields,
                    histogram=arrays[f"histogram_{number}"],
                    filters=arrays[f"filters_{number}"],
                )
                for number, fields in enumerate(about)
            ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise Problem(
            f"{path}: damaged ({str(error)[:100]}); restore it (git checkout), or remove it and "
            "run 'python -m benchmarks portraits' again"
        ) from None
    kept = [portrait for portrait in found if portrait.key in keys]
    if len(kept) < len(found):
        print(
            f"{path}: {len(found) - len(kept)} portraits are of trials that the report no longer "
            "has; left out",
            file=sys.stderr,
        )
    return kept


def take_all(
    suite: Suite,
    trials: Sequence[Trial],
    records: Mapping[str, dict],
    names: Sequence[str],
    depth: int,
) -> list[Portrait]:
    """Portraits of these recipes' first reporting run at one depth, as far as it is stored."""
    found = []
    for trial in trials:
        if (trial.role, trial.depth, trial.seed) != ("report", depth, 0):
            continue
        record = records.get(trial.key, {"status": "missing"})
        if trial.technique in names and record["status"] in store.DONE:
            print(f"{suite.name}: {trial.technique}, depth {depth}", file=sys.stderr, flush=True)
            portrait = taken(trial, record)
            if not portrait.as_recorded:
                print(
                    f"{trial.technique}, depth {depth}, seed {trial.seed}: trained again here, it "
                    "has not the test error of its record (another machine or torch?)",
                    file=sys.stderr,
                )
            found.append(portrait)
    if not found:
        raise Problem(f"suite {suite.name}: no run with seed 0 and {depth} hidden layers is stored")
    return found


@dataclass(frozen=True)
class About:
    """What the captions say."""

    about_filters: str
    about_activations: str


def about(portraits: Sequence[Portrait]) -> About | None:
    """The captions' words; None where there are no portraits."""
    if not portraits:
        return None
    depth = portraits[0].histogram.shape[1]
    unlike = [p.technique for p in portraits if not p.as_recorded]
    check = "Every run, trained again for this picture, had the test error of its record."
    if unlike:
        check = (
            f"Of the {len(portraits)} runs, trained again for this picture on another machine or "
            f"version than their records', {len(unlike)} came to another test error than recorded: "
            f"{', '.join(map(markdown, unlike))}."
        )
    when = (
        f"with {depth} hidden layer{'s' if depth > 1 else ''} and seed {portraits[0].seed}, before "
        "the first update (after pretraining) and after the last"
    )
    return About(
        f"Weights into the first {N_FILTERS} units of the first layer {when}; each on its own "
        f"scale, grey is 0. {check}",
        f"Activations on the probe's examples, layer by layer, the first on top, {when}: the "
        "lighter, the more of a layer's units and examples; values beyond the axis are in its "
        f"last bins. {check}",
    )


def drawn(portraits: Sequence[Portrait]) -> dict[str, bytes]:
    """F12 and F13 by their place in a report; nothing where there are no portraits."""
    if not portraits:
        return {}
    return {
        "figures/F12-first-layer-filters.svg": filters(portraits),
        "figures/F13-activations-by-layer.svg": activations(portraits),
    }


def filters(portraits: Sequence[Portrait]) -> bytes:
    """F12: first-layer weights as images, a row a technique, before and after."""
    shown = [p for p in portraits if p.technique in FILTERED] or list(portraits[:1])

    def draw(axes, portrait: Portrait, moment: int) -> None:
        images = portrait.filters[moment]
        _, side, _ = images.shape
        columns = N_FILTERS // 2
        tiles = np.full((2 * (side + 1) - 1, columns * (side + 1) - 1), np.nan)
        for i, image in enumerate(images):
            top, left = (i // columns) * (side + 1), (i % columns) * (side + 1)
            tiles[top : top + side, left : left + side] = image
        axes.imshow(tiles, cmap="gray", vmin=-127, vmax=127, interpolation="none")
        axes.set_xticks([])

    return _before_and_after(shown, draw, height=0.85)


def activations(portraits: Sequence[Portrait]) -> bytes:
    """F13: how activations are spread in each layer, a row a technique, before and after."""

    def draw(axes, portrait: Portrait, moment: int) -> None:
        counts = portrait.histogram[moment].astype(float)
        shares = counts / np.maximum(counts.max(1, keepdims=True), 1)
        depth = len(counts)
        axes.imshow(  # by the root, so that a few outside a narrow peak are seen
            np.sqrt(shares), cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="none",
            extent=(portrait.low, portrait.high, depth + 0.5, 0.5),
        )  # fmt: skip
        axes.set_xticks([portrait.low, portrait.high])
        axes.set_xticklabels([f"{portrait.low:.2g}", f"{portrait.high:.2g}"], fontsize=7)
        for label, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
            label.set_horizontalalignment(side)

    return _before_and_after(portraits, draw, height=0.62)


def _before_and_after(portraits: Sequence[Portrait], draw, *, height: float) -> bytes:
    with rc_context({**drawing.STYLE, "axes.grid": False}):
        figure, grid = plt.subplots(
            len(portraits),
            2,
            figsize=(4.8, 0.4 + height * len(portraits)),
            squeeze=False,
            layout="constrained",
        )
        for row, portrait in zip(grid, portraits, strict=True):
            for moment, axes in enumerate(row):
                draw(axes, portrait, moment)
                axes.set_yticks([])
                axes.tick_params(length=2)
                axes.spines[:].set_visible(False)
            row[0].set_ylabel(portrait.technique, rotation=0, ha="right", va="center", fontsize=8)
        for axes, title in zip(grid[0], ("before the first update", "after the last"), strict=True):
            axes.set_title(title, fontsize=8.5, loc="left")
        return drawing.svg(figure)
