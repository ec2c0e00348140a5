"""What of its records a report keeps beside it: all that its tables and figures are made of.

The archive is committed, and so has to be small. It is read by ``benchmarks.store``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.store import write_atomically
from benchmarks.suite import FIRST_TUNING_SEED

DIGITS = 4  # significant ones, of losses and of what probes measured; tables print three at most


def condensed(record: dict) -> dict:
    """A record as an archive has it; that of one condensed before is the same.

    A tuning trial is without probes: it is there to choose a learning rate, and no table looks into
    its layers. Losses and probes have four digits of seven. Errors, results and all that decides
    the numbers are as they were, so that a sweep goes on from an archive as from the store. Tables
    are made of condensed records only, wherever they come from.
    """
    if "probes" not in record:  # it crashed
        return record
    tuning = record["config"]["seed"] >= FIRST_TUNING_SEED
    return {
        **record,
        "curves": {
            name: _short(values) if name.endswith("_loss") else values
            for name, values in record["curves"].items()
        },
        "probes": [] if tuning else _short(record["probes"]),
    }


def _short(value: object) -> object:
    """The same with every fraction in it rounded."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list):
        return [_short(v) for v in value]
    if isinstance(value, dict):
        return {name: _short(v) for name, v in value.items()}
    return value


def save_archive(path: Path, records: Iterable[dict]) -> None:
    """Write condensed records as gzipped JSON lines, the same bytes for the same records."""

    def place(record: dict) -> tuple[str, str]:  # runs of a cell side by side: a sixth smaller
        return json.dumps(record["config"], sort_keys=True), record["key"]

    lines = [
        json.dumps(condensed(record), sort_keys=True, allow_nan=False, separators=(",", ":")) + "\n"
        for record in sorted(records, key=place)
    ]
    write_atomically(path, gzip.compress("".join(lines).encode(), mtime=0))
