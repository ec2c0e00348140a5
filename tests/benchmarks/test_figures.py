"""What the figures draw is what the tables hold, and no frame is too poor to be drawn."""

import itertools
import math
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from benchmarks import figures, trial_figures
from benchmarks.palette import COLOURS, IN_THE_DARK, panels
from benchmarks.report import HEADLINE_RECIPES
from benchmarks.suite import Suite, read
from techniques.recipe import RECIPES

SUITE = Suite(
    name="known",
    title="Known",
    data={"name": "mnist5k"},
    recipes=("plain", "relu", "batch-norm"),
    depths=(1, 2),
    width=4,
    seeds=3,
    budget={"updates": 10, "batch_size": 10, "evaluate_every": 5, "probe_at": [0, 10]},
    tuning={"lr": [0.1, 1.0], "seeds": 1},
)
NAMES = list(SUITE.recipes)
ERRORS = {"plain": 80.0, "relu": 10.0, "batch-norm": 20.0}


def trials_of(seeds=range(3), **changes) -> pd.DataFrame:
    rows = [
        {"technique": name, "depth": depth, "seed": seed, "role": "report", "status": "ok",
         "test_error_pct": ERRORS[name] + seed, "trained": ERRORS[name] < 45}
        for name in NAMES for depth in SUITE.depths for seed in seeds
    ]  # fmt: skip
    columns = ["technique", "depth", "seed", "role", "status", "test_error_pct", "trained"]
    return pd.DataFrame(rows, columns=columns).assign(**changes)


def layers_of(seeds=range(3), **changes) -> pd.DataFrame:
    rows = [
        {"technique": name, "depth": 2, "seed": seed, "update": update, "layer": layer,
         "gradient_rms": 10.0 ** -(layer + update), "saturated": 0.1 * layer + update / 100}
        for name in NAMES for seed in seeds for update in (0, 10) for layer in (1, 2)
    ]  # fmt: skip
    columns = ["technique", "depth", "seed", "update", "layer", "gradient_rms", "saturated"]
    return pd.DataFrame(rows, columns=columns).assign(**changes)


def rates_of(**changes) -> pd.DataFrame:
    rows = [
        {"technique": name, "depth": depth, "lr": lr, "valid_error_pct": ERRORS[name] * depth / 2,
         "chosen": lr == 1.0}
        for name in NAMES for depth in SUITE.depths for lr in (0.1, 1.0)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**changes)


@pytest.fixture
def lines(monkeypatch):
    """What is plotted, and texts that are written, as they are asked for."""
    plotted, written = [], []
    plot, text = Axes.plot, Axes.text

    def spy_plot(axes, x, y, *rest, **style):
        x, y = (np.atleast_1d(np.asarray(v, float)).tolist() for v in (x, y))
        plotted.append((x, y, rest, style))
        return plot(axes, x, y, *rest, **style)

    def spy_text(axes, x, y, words, *rest, **style):
        written.append(words)
        return text(axes, x, y, words, *rest, **style)

    monkeypatch.setattr(Axes, "plot", spy_plot)
    monkeypatch.setattr(Axes, "text", spy_text)
    return plotted, written


def words(svg: bytes) -> list[str]:
    """The texts of a figure: matplotlib keeps them beside their glyphs."""
    return re.findall(r"<!-- (.*?) -->", svg.decode())


def test_learning_rates_are_drawn_as_t4_has_them_with_the_chosen_ringed(lines):
    svg = trial_figures.rate_sensitivity(SUITE, rates_of(), NAMES)
    plotted, _ = lines
    curves = [(x, y) for x, y, rest, _ in plotted if not rest]
    rings = [(x, y) for x, y, rest, _ in plotted if rest == ("o",)]
    assert curves[:2] == [([0.1, 1.0], [40, 40]), ([0.1, 1.0], [80, 80])]  # plain, 1 and 2 layers
    assert rings[:3] == [([1.0], [40]), ([1.0], [80]), ([1.0], [5])]
    assert {"1 hidden layer", "2 hidden layers", *NAMES} <= set(words(svg))


def test_score_profiles_count_runs_above_and_the_area_is_the_mean_score(lines):
    trial_figures.score_profiles(trials_of(), NAMES, 90.0)
    plotted, written = lines
    # best cell: relu, errors 10 11 12, median 11; plain 80 81 82: (90 - e) / 79, at most 1
    assert written == ["area 0.11", "area 1.00", "area 0.87"]
    own = [(x, y) for x, y, _, style in plotted if style.get("linewidth") == 2]
    x, y = own[0]
    below = [v for t, v in zip(x, y, strict=True) if t < 8 / 79]
    above = [v for t, v in zip(x, y, strict=True) if t > 10 / 79]
    assert set(below) == {1.0} and set(above) == {0.0}
    assert own[1][1][-1] == 0  # no score is above 1


def test_score_profiles_count_only_depths_that_all_were_run_at(lines):
    trials = trials_of()
    trials.loc[trials["depth"] == 2, "test_error_pct"] = 90.0
    trials = trials[(trials["technique"] != "plain") | (trials["depth"] == 1)]
    trial_figures.score_profiles(trials, NAMES, 90.0)
    assert lines[1] == ["area 0.11", "area 1.00", "area 0.87"]


def test_saturation_and_gradient_are_medians_by_layer_at_start_and_end(lines):
    layers = layers_of()
    layers.loc[layers["seed"] == 2, ["gradient_rms", "saturated"]] = [1e9, 1.0]
    trial_figures.saturation_by_layer(SUITE, layers, NAMES, 2)
    trial_figures.gradient_start_and_end(SUITE, layers, NAMES, 2)
    plotted, _ = lines
    drawn = [(x, y) for x, y, *_ in plotted]
    assert drawn[0] == ([1, 2], pytest.approx([10, 20]))
    assert drawn[1] == ([1, 2], pytest.approx([20, 30]))
    assert drawn[6] == ([1, 2], pytest.approx([1e-1, 1e-2]))
    assert drawn[7] == ([1, 2], pytest.approx([1e-11, 1e-12]))
    labels = [style["label"] for *_, style in plotted[:2]]
    assert labels == ["before the first update", "after the last"]


def test_a_gradient_of_zero_is_left_out_and_not_drawn_as_small(lines):
    layers = layers_of()
    layers.loc[(layers["layer"] == 2) & (layers["update"] == 0), "gradient_rms"] = 0.0
    trial_figures.gradient_start_and_end(SUITE, layers, NAMES, 2)
    assert lines[0][0][0] == [1]


def test_errors_over_seeds_are_all_there_and_failures_have_another_mark(lines):
    trials = trials_of()
    trials.loc[(trials["technique"] == "relu") & (trials["seed"] == 1), "trained"] = False
    trials.loc[trials["depth"] == 1, "test_error_pct"] = 1.0  # of another depth
    trial_figures.errors_over_seeds(trials, NAMES, 2)
    drawn = [(rest[0], x, y) for x, y, rest, _ in lines[0]]
    plain, relu = drawn[:3], drawn[3:6]
    assert plain[0] == ("o", [], []) and plain[1][:2] == ("x", [80, 81, 82])
    assert relu[0][:2] == ("o", [10, 12]) and relu[1] == ("x", [11], [1])
    assert relu[0][2] == [0.75, 1.25]  # seeds from above, so that equal errors show
    assert plain[2] == ("|", [81], [0]) and relu[2] == ("|", [11], [1])


EMPTY = {"trials": trials_of(seeds=()), "layers": layers_of(seeds=())}
POOR = {
    "nothing": (EMPTY["trials"], EMPTY["layers"], rates_of(valid_error_pct=math.nan)),
    "one seed": (trials_of(seeds=[0]), layers_of(seeds=[0]), rates_of()),
    "all diverged": (
        trials_of(test_error_pct=90.0, status="diverged", trained=False),
        layers_of(gradient_rms=math.nan, saturated=None),
        rates_of(valid_error_pct=90.0),
    ),
    "all crashed": (
        trials_of(test_error_pct=None, status="crashed", trained=None),
        EMPTY["layers"],
        rates_of(valid_error_pct=math.nan, chosen=False),
    ),
    "no error at all": (trials_of(test_error_pct=0.0), layers_of(), rates_of(valid_error_pct=0.0)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", POOR)
def test_poor_frames_give_figures_that_say_so_and_the_same_bytes_twice(kind):
    trials, layers, rates = POOR[kind]
    made = [trial_figures.of_trials(SUITE, trials, layers, rates, NAMES, 2, 90.0) for _ in range(2)]
    assert made[0] == made[1]
    assert [name.partition("-")[0] for name in made[0]] == [f"figures/F{n}" for n in range(7, 12)]
    for name, svg in made[0].items():
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert set(NAMES) <= set(words(svg)), name
        if kind == "nothing":
            assert "no results" in words(svg), name


def test_figures_of_many_recipes_show_the_chosen_dozen():
    depth = read("depth")
    shown = trial_figures.chosen(depth, HEADLINE_RECIPES)
    assert shown == [name for name in depth.recipes if name in HEADLINE_RECIPES]
    assert 12 <= len(shown) <= 13 < len(depth.recipes)
    assert trial_figures.chosen(SUITE, HEADLINE_RECIPES) == NAMES
    factorial = read("factorial")
    assert trial_figures.chosen(factorial, ["none of them"]) == list(factorial.recipes[:13])


def test_no_coordinate_has_more_than_two_decimals():
    svg = trial_figures.saturation_by_layer(SUITE, layers_of(), NAMES, 2).decode()
    shapes = re.findall(r' (?:d|x|y)="([^"]*)"', svg)
    assert shapes and not any(re.search(r"\.[0-9]{3}", shape) for shape in shapes)
    assert len(re.findall(r"scale\(0\.[0-9]{3,}", svg)) > 0  # of glyphs, which need it


def test_legends_lie_beside_the_lines_and_lines_on_one_another_have_other_dashes(monkeypatch):
    seen = []
    legend, error_bars = Axes.legend, Axes.errorbar
    styles = []

    def spy(axes, **options):
        seen.append(options["bbox_to_anchor"][0])
        return legend(axes, **options)

    def bars(axes, *rest, **style):
        styles.append((str(style["linestyle"]), style["color"]))
        return error_bars(axes, *rest, **style)

    monkeypatch.setattr(Axes, "legend", spy)
    monkeypatch.setattr(Axes, "errorbar", bars)
    t1 = pd.DataFrame(
        [{"technique": n, "depth": d, "n": 3, "test_error_pct": 9.0, "low": 8.0, "high": 10.0}
         for n, d in read("depth").cells]
    )  # fmt: skip
    figures.error_against_depth(read("depth"), t1)
    groups = panels({name: RECIPES[name] for name in read("depth").recipes})
    assert seen == [1] * len(groups)
    for one, other in itertools.pairwise(styles):
        assert one != other and one[0] != other[0]


# How the three kinds of colour blindness see linear RGB. Source: Machado, Oliveira and Fernandes
# (2009), A physiologically-based model for simulation of color vision deficiency, severity 1.
SEEN = {
    "all colours": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def oklab(linear: np.ndarray) -> np.ndarray:
    """Ottosson's (2020) space of even differences, from linear RGB."""
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    axes = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(axes) @ np.cbrt(np.array(cones) @ np.clip(linear, 0, 1))


@pytest.mark.parametrize("light", ["light", "dark"])
@pytest.mark.parametrize("eye", SEEN)
def test_the_palettes_colours_are_told_apart_by_every_eye(eye, light):
    shown = COLOURS if light == "light" else [IN_THE_DARK[c] for c in COLOURS]
    srgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in shown])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = [oklab(np.array(SEEN[eye]) @ colour) for colour in linear]
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
    assert nearest > 0.12  # Okabe and Ito's: 0.076
