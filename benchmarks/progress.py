"""How far a sweep is: a bar on a terminal, plain lines elsewhere, both with the time left."""

from __future__ import annotations

import math
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TextIO

from tqdm import tqdm

_SECONDS_BETWEEN = {"lines": 10, "bars": 0.1}

Part = tuple[str, int]  # a part of what is to do, by name and size: recipe and depth of a cell


def seconds_left(
    work: Mapping[Part, float], measured: Mapping[Part, tuple[float, float]]
) -> dict[Part, float]:
    """Seconds that the work left of each part will take; ``measured`` has work done and seconds.

    What a unit of work takes is learned from the part itself; while it has nothing, from the part
    of its name that is nearest in size (some recipes cost forty times what their arithmetic says,
    and deep networks more than shallow ones); else it is the mean over all. NaN if nothing is
    measured.
    """
    sizes: dict[str, list[int]] = {}
    for name, size in measured:
        sizes.setdefault(name, []).append(size)
    all_work = sum(done for done, _ in measured.values())
    mean = sum(seconds for _, seconds in measured.values()) / all_work if all_work else math.nan

    def rate(name: str, size: int) -> float:
        if name not in sizes:
            return mean
        done, seconds = measured[name, min(sizes[name], key=lambda other: abs(other - size))]
        return seconds / done

    return {part: left * rate(*part) for part, left in work.items()}


class Progress:
    """Counts trials, or whatever is done in units, and estimates the time left for all of them.

    ``todo`` has an entry for each thing that `advance` will be told of: its part, how many trials
    it is, and its work in any unit.
    """

    def __init__(
        self,
        label: str,
        todo: Iterable[tuple[Part, int, float]],
        unit: str = "trials",
        out: TextIO | None = None,
    ) -> None:
        self.out = sys.stderr if out is None else out
        self.label, self.unit = label, unit
        self.trials: Counter[Part] = Counter()  # these two of what is left
        self.work: Counter[Part] = Counter()
        for part, trials, work in todo:
            self.trials[part] += trials
            self.work[part] += work
        self.measured: dict[Part, tuple[float, float]] = {}  # work done, and seconds for it
        self.total, self.totals = self.trials.total(), self._by_name()
        self.started = self.last_advance = self.last_shown = time.monotonic()
        self.bar = None
        if self.out.isatty():
            self.bar = tqdm(
                total=self.total,
                desc=label,
                file=self.out,
                bar_format="{desc} {percentage:3.0f}%{postfix} |{bar}|",
            )

    def advance(self, part: Part, trials: int, work: float, seconds: float | None = None) -> None:
        """Some trials of a part are done.

        ``seconds`` is what they took where they were run, 0 if that is not known; by default all
        the time since the last call. Several workers together spend more than the clock shows:
        how much more says how many are at work.
        """
        now = time.monotonic()
        if seconds is None:
            seconds = now - self.last_advance
        self.last_advance = now
        self.trials[part] -= trials
        self.work[part] -= work
        if not self.trials[part]:
            del self.work[part]  # rounding would leave a little
        if seconds > 0:
            done, spent = self.measured.get(part, (0.0, 0.0))
            self.measured[part] = (done + work, spent + seconds)
        between = _SECONDS_BETWEEN["lines" if self.bar is None else "bars"]
        if now - self.last_shown < between and self.trials.total():
            return
        self.last_shown = now
        text = self._text(part[0], now - self.started)
        if self.bar is None:
            try:
                print(f"{self.label}: {text}", file=self.out, flush=True)
            except BrokenPipeError:  # nobody reads it any more; what is done goes on
                self.out = open(os.devnull, "w")  # noqa: SIM115 it has to outlive this call
        else:
            self.bar.n = self.total - self.trials.total()
            self.bar.set_postfix_str(text)

    def _text(self, name: str, elapsed: float) -> str:
        done = self.total - self.trials.total()
        spent = sum(seconds for _, seconds in self.measured.values())
        scale = elapsed / spent if spent else math.nan  # 1/2 where two workers share the work
        left = {p: scale * seconds for p, seconds in seconds_left(self.work, self.measured).items()}
        text = (
            f"{done}/{self.total} {self.unit}, {done / max(elapsed, 1e-9):.3g}/s, "
            f"{clock(elapsed)} + {clock(sum(left.values()))} left, {name}"
        )
        total, own = self.totals[name], self.totals[name] - self._by_name()[name]
        if own == total:
            return f"{text} done"
        own_left = sum(seconds for part, seconds in left.items() if part[0] == name)
        return f"{text} {own}/{total}, {clock(own_left)} left"

    def _by_name(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for (name, _), trials in self.trials.items():
            counts[name] += trials
        return counts

    def close(self) -> None:
        """Leave the terminal as it should be."""
        if self.bar is not None:
            self.bar.close()


def say(text: str, stream: str = "stdout") -> bool:
    """Print to "stdout" or "stderr"; False, and no fault, if its reader (`| head`) has gone.

    A sweep goes on, whoever has stopped reading what it says.
    """
    try:
        print(text, file=getattr(sys, stream), flush=True)
    except BrokenPipeError:
        setattr(sys, stream, open(os.devnull, "w"))  # noqa: SIM115 it has to outlive this call
        return False
    return True


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss; a question mark for NaN."""
    if math.isnan(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
