"""Pictures of verdicts show each claim once, where it belongs, and what was measured to scale."""

from types import SimpleNamespace

import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from benchmarks import paper_figures, sweeps
from benchmarks.verdicts import Outcome, Verdict
from tests.benchmarks.test_verdicts import claim, ordinal

SIGNS = {look[2] for look in paper_figures._LOOKS.values()}


def numeric(published: float, **found) -> Verdict:
    said = claim(
        "numeric", published=published, unit="%", cell={"recipe": "plain", "depth": 5},
        id=f"number-{published:g}", scale="paper", suite="depth-paper",
    )  # fmt: skip
    return Verdict(said, **{"outcome": Outcome.REPRODUCED, "reason": "", "margin": 0.5, **found})


def of(outcome: Outcome) -> Verdict:
    return Verdict(ordinal(), outcome, "")


@pytest.fixture
def drawn(monkeypatch):
    """Figures, as they are before they become files."""
    scales = {"depth": "reduced", "depth-paper": "paper"}
    known = {name: SimpleNamespace(scale=scale) for name, scale in scales.items()}
    monkeypatch.setattr(sweeps, "by_name", lambda: known)
    monkeypatch.setattr(paper_figures, "svg", lambda figure: figure)
    yield paper_figures
    plt.close("all")


def squares(axes) -> dict[tuple[int, int], str]:
    """(row, column) -> colour."""
    found = {}
    for patch in axes.patches:
        x, y = patch.get_xy()
        found[round(y + 0.45), round(x + 0.45)] = to_hex(patch.get_facecolor())
    return found


def test_each_outcome_has_a_sign_and_a_colour_of_its_own():
    assert set(paper_figures._LOOKS) == set(Outcome)
    assert len(SIGNS) == len({look[0] for look in paper_figures._LOOKS.values()}) == len(Outcome)


def test_the_map_has_a_square_for_each_claim_on_the_side_of_its_scale(drawn):
    by_paper = {
        "a2000": [of(Outcome.REPRODUCED), numeric(2.0), of(Outcome.NOT_REPRODUCED)],
        "b2001": [numeric(3.0, outcome=Outcome.BETTER)],
    }
    reduced, paper = drawn.verdict_map(by_paper).axes
    colour = {outcome: look[0] for outcome, look in paper_figures._LOOKS.items()}
    assert squares(reduced) == {
        (0, 0): colour[Outcome.REPRODUCED],
        (0, 1): colour[Outcome.NOT_REPRODUCED],
    }
    assert squares(paper) == {(0, 0): colour[Outcome.REPRODUCED], (1, 0): colour[Outcome.BETTER]}
    assert [label.get_text() for label in reduced.get_yticklabels()] == ["a2000", "b2001"]
    assert [text.get_text() for text in reduced.texts] == ["✓", "×"]


def test_numbers_are_shown_in_margins_and_those_far_off_at_the_edge(drawn):
    by_paper = {
        "a2000": [
            numeric(2.0, ours=2.25, low=2.0, high=2.5),
            numeric(3.0, outcome=Outcome.NOT_TESTED),
            of(Outcome.REPRODUCED),
        ],
        "b2001": [numeric(1.0, ours=9.0, low=8.0, high=10.0, outcome=Outcome.NOT_REPRODUCED)],
    }
    (axes,) = drawn.distances(by_paper).axes
    lines = [line for line in axes.lines if len(set(line.get_ydata())) == 1]
    (near, middle, far, edge) = lines
    assert list(near.get_xdata()) == [0.0, 1.0]
    assert (list(middle.get_xdata()), middle.get_marker()) == ([0.5], "o")
    assert list(far.get_xdata()) == [3.0, 3.0]
    assert (list(edge.get_xdata()), edge.get_marker()) == ([3.0], ">")
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["a2000", "number-2", "b2001", "number-1"]


def test_without_measured_numbers_there_is_no_such_picture(drawn):
    with pytest.raises(ValueError, match="no published number was measured"):
        drawn.distances({"a2000": [of(Outcome.REPRODUCED)]})


def test_the_same_verdicts_give_the_same_bytes():
    by_paper = {"a2000": [of(outcome) for outcome in Outcome]}
    first = paper_figures.verdict_map(by_paper)
    assert first == paper_figures.verdict_map(by_paper)
    assert first.startswith(b"<?xml")
