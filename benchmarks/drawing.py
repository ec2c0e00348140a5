"""What all figures share: their look, their axes, and the same bytes for the same records."""

from __future__ import annotations

import io

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from benchmarks.palette import GRID
from benchmarks.pictures import smaller_svg
from benchmarks.suite import Suite

STYLE = {
    "svg.hashsalt": "layer by layer",  # element ids would differ from run to run
    "svg.fonttype": "path",  # looks the same wherever it is cited
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
}


def depth_axis(axes: Axes, suite: Suite) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(few(sorted(suite.depths))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:.0f}")


def percent_axis(axes: Axes, lowest: float, axis: Axis | None = None) -> None:
    """Percent on a logarithmic scale, of y or of the axis given."""
    axis = axis or axes.yaxis
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    floor = max((t for t in ticks if not lowest < t), default=ticks[0])
    (axes.set_ylim if axis is axes.yaxis else axes.set_xlim)(floor, 115)
    axis.set_major_locator(FixedLocator([t for t in ticks if t >= floor]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def few(values, most: int = 7) -> list[int]:
    """At most so many of the values, with the first and the last, evenly picked."""
    values = list(values)
    if len(values) <= most:
        return values
    picked = np.linspace(0, len(values) - 1, most).round().astype(int)
    return [values[i] for i in picked]


def svg(figure: Figure) -> bytes:
    """The figure as a file; closes it."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return smaller_svg(out.getvalue()).encode()
