"""Estimates worked by hand, with a clock that the test sets."""

import io
import json
import math
import re

import pytest

from benchmarks import progress
from benchmarks.__main__ import main
from benchmarks.progress import Progress, clock, seconds_left


@pytest.fixture
def now(monkeypatch) -> list[float]:
    """The time in its only place, to be set."""
    time = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: time[0])
    return time


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_pace_is_the_parts_own_else_that_of_the_nearest_size_else_the_mean():
    measured = {("a", 2): (10.0, 20.0), ("a", 8): (10.0, 40.0)}  # 2 and 4 seconds a unit; 3 in all
    work = {("a", 2): 1.0, ("a", 4): 1.0, ("a", 6): 1.0, ("a", 50): 2.0, ("b", 2): 5.0}
    assert seconds_left(work, measured) == {
        ("a", 2): 2.0, ("a", 4): 2.0, ("a", 6): 4.0, ("a", 50): 8.0, ("b", 2): 15.0
    }  # fmt: skip
    assert all(math.isnan(seconds) for seconds in seconds_left(work, {}).values())
    assert seconds_left({}, {}) == {}


def test_lines_say_what_is_left_of_all_and_of_the_recipe_just_done(now):
    dense, shallow, plain = ("dense", 20), ("dense", 5), ("plain", 20)
    todo = [(dense, 6, 100.0)] * 2 + [(plain, 5, 50.0)] * 2 + [(shallow, 4, 40.0)]
    out = io.StringIO()
    seen = Progress("s, tuning", todo, out=out)

    def after(seconds: float, *done) -> str:
        now[0] = 1000 + seconds
        before = len(out.getvalue())
        seen.advance(*done)
        return out.getvalue()[before:]

    # 100 units took 60 s of work in 30 s: two workers, 0.6 s a unit, of plain as well for now.
    # Left are 240 units = 144 s of work = 72 s; of dense 140 units = 84 s of work = 42 s
    assert after(30, dense, 6, 100.0, 60.0) == (
        "s, tuning: 6/26 trials, 0.2/s, 0:30 + 1:12 left, dense 6/16, 0:42 left\n"
    )
    # plain takes 0.1 s a unit, so 5 s for its 50 left; with dense's 84 that is 89 s of work, of
    # which 65 were done in 40 s: 54.8 s; of plain 3.1 s
    assert after(40, plain, 5, 50.0, 5.0) == (
        "s, tuning: 11/26 trials, 0.275/s, 0:40 + 0:55 left, plain 5/10, 0:03 left\n"
    )
    # shallow dense nets take 0.1 s a unit, deep ones still 0.6: 60 + 5 s of work at 69 in 50 s
    assert after(50, shallow, 4, 40.0, 4.0) == (
        "s, tuning: 15/26 trials, 0.3/s, 0:50 + 0:47 left, dense 10/16, 0:43 left\n"
    )
    assert after(55, plain, 5, 50.0, 5.0) == "", "a line every ten seconds"
    assert after(58, dense, 6, 100.0, 60.0) == (  # but the last one comes at once
        "s, tuning: 26/26 trials, 0.448/s, 0:58 + 0:00 left, dense done\n"
    )
    seen.close()


def test_what_crashed_teaches_nothing_and_nothing_known_is_a_question_mark(now):
    out = io.StringIO()
    seen = Progress("s", [(("a", 1), 1, 10.0)] * 3, out=out)
    now[0] += 10
    seen.advance(("a", 1), 1, 10.0, 0.0)
    assert out.getvalue() == "s: 1/3 trials, 0.1/s, 0:10 + ? left, a 1/3, ? left\n"
    now[0] += 10  # the second took 5 s of the 20 so far, and so would the third: 5 x 20 / 5
    seen.advance(("a", 1), 1, 10.0, 5.0)
    assert out.getvalue().endswith("s: 2/3 trials, 0.1/s, 0:20 + 0:20 left, a 2/3, 0:20 left\n")
    seen.advance(("a", 1), 1, 10.0, 0.0)
    assert out.getvalue().endswith("s: 3/3 trials, 0.15/s, 0:20 + 0:00 left, a done\n")


def test_all_that_crashed_leaves_nothing_to_wait_for(now):
    out = io.StringIO()
    seen = Progress("s", [(("a", 1), 1, 0.1), (("a", 1), 1, 0.2)], out=out)  # 0.3 - 0.1 - 0.2 > 0
    for work in (0.1, 0.2):
        now[0] += 1
        seen.advance(("a", 1), 1, work, 0.0)
    assert out.getvalue() == "s: 2/2 trials, 1/s, 0:02 + 0:00 left, a done\n"


def test_without_seconds_the_time_since_the_last_call_counts(now):
    out = io.StringIO()
    seen = Progress("performance", [((n, 0), 1, 1.0) for n in "aabc"], unit="groups", out=out)
    now[0] += 20
    seen.advance(("a", 0), 1, 1.0)
    now[0] += 40  # left are another a, 20 s, and c, for which the mean of a and b is 30 s
    seen.advance(("b", 0), 1, 1.0)
    assert out.getvalue().splitlines() == [
        "performance: 1/4 groups, 0.05/s, 0:20 + 1:00 left, a 1/2, 0:20 left",
        "performance: 2/4 groups, 0.0333/s, 1:00 + 0:50 left, b done",
    ]


def test_a_terminal_has_a_bar_that_says_the_same_and_ends_with_a_newline(now, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    out = Terminal()
    seen = Progress("s", [(("a", 1), 2, 1.0), (("b", 1), 2, 3.0)], out=out)
    now[0] += 5
    seen.advance(("a", 1), 2, 1.0, 5.0)
    shown = re.split(r"[\r\n]", out.getvalue())[-1]
    assert re.fullmatch(r"s  50%, 2/4 trials, 0\.4/s, 0:05 \+ 0:15 left, a done \|#+ +\|", shown)
    now[0] += 0.01  # too soon to draw again, were it not the last
    seen.advance(("b", 1), 2, 3.0, 5.0)
    seen.close()
    assert "100%" in out.getvalue() and out.getvalue().endswith("\n")
    assert "4/4 trials" in out.getvalue().splitlines()[-1]


SUITE = """
name = "mini"
title = "Two techniques for a moment"
data = { name = "mnist5k", n_train = 100, n_valid = 50 }
recipes = ["plain", "rbm"]
depths = [1]
width = 8
seeds = 2
budget = { updates = 5, batch_size = 10, evaluate_every = 5, probe_at = [0, 5] }
tuning = { lr = [0.1, 1.0], seeds = 1 }
"""


def test_a_run_says_its_progress_and_learns_from_all_that_training_took(
    tmp_path, capsys, monkeypatch
):
    learned = []
    advance = Progress.advance
    monkeypatch.setattr(
        Progress, "advance", lambda self, *done: learned.append(done) or advance(self, *done)
    )
    (tmp_path / "mini.toml").write_text(SUITE)
    places = ["--results", str(tmp_path / "a"), "--reports", str(tmp_path / "b")]
    assert main(["run", str(tmp_path / "mini.toml"), "--workers", "0", *places]) == 0
    told = capsys.readouterr().err
    for part in ("tuning", "reporting"):
        # the costliest stack, with pretraining, is run first
        assert re.search(
            rf"^mini, {part}: 4/4 trials, [\d.]+/s, 0:\d\d \+ 0:00 left, plain done$", told, re.M
        )
    assert [(part, trials) for part, trials, _, _ in learned] == [
        (("rbm", 1), 2), (("plain", 1), 2)
    ] * 2  # fmt: skip
    results = [json.loads(path.read_text())["result"] for path in (tmp_path / "a").rglob("*.json")]
    assert any(result["seconds_pretrain"] > 0 for result in results)
    spent = [result["seconds_train"] + result["seconds_pretrain"] for result in results]
    assert sum(seconds for *_, seconds in learned) == pytest.approx(sum(spent))


def test_clock():
    assert [clock(s) for s in (0, 59.6, 3599, 3600, math.nan)] == [
        "0:00", "1:00", "59:59", "1:00:00", "?"
    ]  # fmt: skip
