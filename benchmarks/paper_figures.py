"""The papers' verdicts as pictures: which claims came out, and how far ours are from theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmarks.claims import Numeric
from benchmarks.drawing import STYLE, svg
from benchmarks.palette import BLACK, COLOURS, DARK_INK, FAINT, GREY, GRID, LIGHT_INK, PAPER
from benchmarks.sweeps import SCALES, scale_of
from benchmarks.verdicts import Outcome, Verdict

# fill, ink and sign: the sign tells them apart without colours
_LOOKS = {
    Outcome.REPRODUCED: (COLOURS[2], LIGHT_INK, "✓"),
    Outcome.PARTLY: (COLOURS[3], DARK_INK, "~"),
    Outcome.BETTER: (COLOURS[0], LIGHT_INK, "↓"),
    Outcome.NOT_REPRODUCED: (COLOURS[1], DARK_INK, "×"),
    Outcome.INCONCLUSIVE: (FAINT, DARK_INK, "?"),
    Outcome.NOT_TESTED: (PAPER, GREY, ""),
}
_FURTHEST = 3.0  # margins; what lies further away is shown as an arrow at the edge


def verdict_map(by_paper: Mapping[str, Sequence[Verdict]]) -> bytes:
    """A row a paper, a square a claim in the order of its file, on the side of its scale."""
    keys = list(by_paper)
    rows = {
        scale: [[v for v in by_paper[key] if scale_of(v) == scale] for key in keys]
        for scale in SCALES
    }
    widths = [max(1, *map(len, found)) for found in rows.values()]
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure, panels = plt.subplots(
            1, 2, figsize=(2.4 + 0.21 * sum(widths), 1.1 + 0.21 * len(keys)), sharey=True,
            width_ratios=widths, layout="constrained",
        )  # fmt: skip
        for axes, (scale, found), width in zip(panels, rows.items(), widths, strict=True):
            for row, verdicts in enumerate(found):
                for column, verdict in enumerate(verdicts):
                    _draw_square(axes, column, row, verdict.outcome)
            axes.set_xlim(-0.6, width - 0.4)
            axes.set_ylim(len(keys) - 0.4, -0.6)
            axes.set_title(f"{scale} scale", loc="left", fontsize=8.5)
            axes.set_yticks(range(len(keys)), keys, fontsize=7.5)
            axes.set_xticks([])
            axes.tick_params(length=0)
            axes.spines[["left", "bottom"]].set_visible(False)
        handles = [
            plt.Rectangle((0, 0), 1, 1, facecolor=fill, edgecolor=GREY, lw=0.5)
            for fill, _, _ in _LOOKS.values()
        ]
        labels = [f"{sign} {o.value.lower()}".strip() for o, (_, _, sign) in _LOOKS.items()]
        figure.legend(
            handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=7.5
        )
        return svg(figure)


def _draw_square(axes: Axes, column: int, row: int, outcome: Outcome) -> None:
    fill, ink, sign = _LOOKS[outcome]
    place = (column - 0.45, row - 0.45)
    axes.add_patch(plt.Rectangle(place, 0.9, 0.9, facecolor=fill, edgecolor=GREY, lw=0.5))
    axes.text(column, row, sign, ha="center", va="center_baseline", color=ink, size=7)


def distances(by_paper: Mapping[str, Sequence[Verdict]]) -> bytes:
    """Published numbers that were measured: ours less theirs, in margins, with intervals.

    Between -1 and 1 a number counts as the paper's. Raises ValueError if none was measured.
    """
    shown = [(key, v) for key, found in by_paper.items() for v in found if was_measured(v)]
    if not shown:
        raise ValueError("no published number was measured")
    papers = list(dict.fromkeys(key for key, _ in shown))
    places, at = [], 0
    for i, (key, _) in enumerate(shown):
        at += 2 if i == 0 or shown[i - 1][0] != key else 1  # a line for each paper's name
        places.append(at)
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = plt.subplots(figsize=(7.0, 0.9 + 0.17 * at), layout="constrained")
        axes.axvspan(-1, 1, color=GRID, linewidth=0)
        axes.axvline(0, color=GREY, linewidth=0.6)
        for (_, v), y in zip(shown, places, strict=True):
            low, ours, high = ((x - v.claim.published) / v.margin for x in (v.low, v.ours, v.high))
            colour = _LOOKS[v.outcome][0] if v.outcome != Outcome.INCONCLUSIVE else GREY
            edges = [max(-_FURTHEST, min(_FURTHEST, x)) for x in (low, high)]
            axes.plot(edges, [y, y], color=colour, solid_capstyle="butt")
            marker = "o" if abs(ours) <= _FURTHEST else "<" if ours < 0 else ">"
            axes.plot(max(-_FURTHEST, min(_FURTHEST, ours)), y, marker, color=colour, clip_on=False)
        first = {key: y for (key, _), y in reversed(list(zip(shown, places, strict=True)))}
        ticks = sorted([(y, v.claim.id) for (_, v), y in zip(shown, places, strict=True)]
                       + [(first[key] - 1, key) for key in papers])  # fmt: skip
        axes.set_yticks([y for y, _ in ticks], [name for _, name in ticks], fontsize=7)
        for label, (_, name) in zip(axes.get_yticklabels(), ticks, strict=True):
            label.set_fontweight("bold" if name in first else "normal")
        axes.set_ylim(at + 0.8, 0.2)
        axes.set_xlim(-1.05 * _FURTHEST, 1.05 * _FURTHEST)
        axes.set_xlabel("ours less the published number, in margins")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        there = [o for o in _LOOKS if any(v.outcome == o for _, v in shown)]
        handles = [
            Line2D([], [], marker="o", color=GREY if o == Outcome.INCONCLUSIVE else _LOOKS[o][0])
            for o in there
        ]
        labels = [o.value.lower() for o in there]
        figure.legend(
            handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=7.5,
            labelcolor=BLACK,
        )  # fmt: skip
        return svg(figure)


def was_measured(verdict: Verdict) -> bool:
    """Whether it is on a published number, and trials of the paper's scale were there."""
    return isinstance(verdict.claim, Numeric) and verdict.outcome != Outcome.NOT_TESTED
