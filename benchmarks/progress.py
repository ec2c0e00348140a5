"""How far a sweep is: a bar on a terminal, plain lines elsewhere, both with the time left."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10


class Progress:
    """Counts trials, and estimates the time left from the arithmetic done and still to do."""

    def __init__(
        self,
        label: str,
        trials: int,
        work: float,
        out: TextIO | None = None,
        unit: str = "trials",
    ) -> None:
        self.out = sys.stderr if out is None else out
        self.label, self.trials, self.work, self.unit = label, trials, work, unit
        self.done_trials, self.done_work = 0, 0.0
        self.started = self.last_line = time.monotonic()
        self.bar = None
        if self.out.isatty():
            self.bar = tqdm(
                total=work,
                desc=label,
                file=self.out,
                bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed} + {remaining}{postfix}",
            )

    def advance(self, trials: int, work: float, what: str) -> None:
        """Some trials are done."""
        self.done_trials += trials
        self.done_work += work
        if self.bar is not None:
            self.bar.set_postfix_str(f"{self.done_trials}/{self.trials} {self.unit}, {what}")
            self.bar.update(work)
            return
        now = time.monotonic()
        if now - self.last_line >= _SECONDS_BETWEEN_LINES or self.done_trials == self.trials:
            self.last_line = now
            elapsed = now - self.started
            left = elapsed * (self.work - self.done_work) / self.done_work
            print(
                f"{self.label}: {self.done_trials}/{self.trials} {self.unit}, "
                f"{clock(elapsed)} + {clock(left)} left, last {what}",
                file=self.out,
                flush=True,
            )

    def close(self) -> None:
        """Leave the terminal as it should be."""
        if self.bar is not None:
            self.bar.close()


def say(text: str) -> None:
    """Print to the standard output; a reader who has seen enough (`| head`) is no fault."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 it has to outlive this call


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
