"""Stored trials for TensorBoard: one run a trial, with its curves, its probes and its settings.

``DIR/<suite>/<recipe>/depth-<d>/<role>-lr-<lr>-seed-<s>/`` holds one file of a fixed name, which is
replaced as a whole: exporting twice doubles no point, and nothing is ever removed. Its events are
dated by the record, so that the same records give the same bytes.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from benchmarks import store
from benchmarks.plan import Cell
from benchmarks.problem import Problem
from benchmarks.progress import Progress, say
from benchmarks.run import outcome
from benchmarks.suite import Suite
from benchmarks.trial import Trial

EVENTS = "events.out.tfevents.layer-by-layer"  # TensorBoard reads what has tfevents in its name


def chosen_cells(suite: Suite, recipes: Sequence[str], depths: Sequence[int]) -> list[Cell]:
    """Cells of these recipes and depths; none given is all. Raises Problem if there is none."""
    for option, values, allowed in [
        ("--recipe", recipes, suite.recipes),
        ("--depth", depths, suite.depths),
    ]:
        for value in values:
            if value not in allowed:
                known = ", ".join(map(str, allowed))
                raise Problem(f"{option}: {value} is not in suite {suite.name}; allowed: {known}")
    cells = [
        (recipe, depth)
        for recipe, depth in suite.cells
        if recipe in (recipes or [recipe]) and depth in (depths or [depth])
    ]
    if not cells:
        raise Problem(f"--depth: suite {suite.name} has no such depth of {', '.join(recipes)}")
    return cells


def to_tensorboard(
    suite: Suite,
    device: str,
    *,
    role: str,
    cells: Collection[Cell],
    folder: Path,
    results: Path,
    reports: Path,
) -> None:
    """Write the trials of these cells that are stored, and say how many there are.

    Raises Problem if none is, if runs of another program are in the way, or without tensorboard.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401 its absence should not be found out later
    except ModuleNotFoundError as error:
        raise Problem(
            f"export: the package {error.name} is missing; "
            f"'{sys.executable} -m pip install tensorboard' installs it"
        ) from None
    trials, _, records = outcome(suite, device=device, results=results, reports=reports)
    stored = [
        trial
        for trial in trials
        if trial.role == role
        and trial.cell in cells
        and records.get(trial.key, {}).get("status") in store.DONE
    ]
    if not stored:
        raise Problem(f"suite {suite.name}: none of these trials is stored in {results}")
    for trial in stored:  # all are looked at before any is written
        for other in run_folder(folder, suite, trial).glob("*tfevents*"):
            if other.name != EVENTS:
                raise Problem(f"{other}: a run of another program; choose another folder")
    progress = Progress("export", [(trial.cell, 1, 1.0) for trial in stored], unit="runs")
    try:
        for trial in stored:
            content = events(trial, records[trial.key])
            store.write_atomically(run_folder(folder, suite, trial) / EVENTS, content)
            progress.advance(trial.cell, 1, 1.0)
    finally:
        progress.close()
    tuning = suite.tuning
    planned = len(cells) * (suite.seeds if role == "report" else len(tuning.lr) * tuning.seeds)
    say(f"{len(stored)} of {planned} trials are stored, and written to {folder / suite.name}: "
        f"tensorboard --logdir {folder}")  # fmt: skip


def run_folder(folder: Path, suite: Suite, trial: Trial) -> Path:
    """Where a trial's run goes; its recipe's name is made fit for a folder."""
    recipe = quote(trial.technique, safe="+")
    run = f"{trial.role}-lr-{trial.lr}-seed-{trial.seed}"
    return folder / suite.name / recipe / f"depth-{trial.depth}" / run


def events(trial: Trial, record: dict) -> bytes:
    """The event file of a trial."""
    from torch.utils.tensorboard import SummaryWriter

    started = datetime.fromisoformat(record["env"]["started"]).timestamp()
    with tempfile.TemporaryDirectory() as folder:
        with SummaryWriter(folder) as writer:
            writer.add_text("trial", _settings(trial, record), walltime=started)
            for tag, update, value in scalars(record):
                writer.add_scalar(tag, value, update, walltime=started)
        (written,) = Path(folder).iterdir()
        return _dated(written.read_bytes(), started)


def scalars(record: dict) -> Iterator[tuple[str, int, float]]:
    """Tag, update and value of every figure of a record that is a number."""
    curves = record["curves"]
    for name, values in curves.items():
        if name == "update":
            continue
        part, _, figure = name.partition("_")  # batch_loss -> loss/batch
        # once the loss is not finite, an error of 100 % is what NaN counts as, not a measurement
        measured = values if figure == "loss" else curves[f"{part}_loss"]
        for update, value, there in zip(curves["update"], values, measured, strict=True):
            if value is not None and there is not None:
                yield f"{figure}/{part}", update, value
    for probe in record["probes"]:
        for name in ("gradient_rms", "saturated"):
            # NaN is neither inside nor outside a range, so it says nothing of saturation
            measured = probe["activation_mean"] if name == "saturated" else probe[name]
            for layer, (value, there) in enumerate(zip(probe[name], measured, strict=True), 1):
                if value is not None and there is not None:
                    yield f"{name}/layer-{layer}", probe["update"], value


def _settings(trial: Trial, record: dict) -> str:
    """What the record says in words, as a code block of Markdown, in which nothing is special."""
    said = {"technique": trial.technique, "role": trial.role}
    said |= {name: record[name] for name in ("key", "status", "config", "result", "env")}
    return "".join(f"    {line}\n" for line in json.dumps(said, indent=2).splitlines())


def _dated(content: bytes, started: float) -> bytes:
    """The same events, with the date on the first one too: the writer puts the time of day there.

    An event is its length (8 bytes), a checksum (4), itself, and another checksum (4).
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    (size,) = struct.unpack_from("<Q", content)
    first = Event.FromString(content[12 : 12 + size])
    first.wall_time = started
    dated = io.BytesIO()
    RecordWriter(dated).write(first.SerializeToString())
    return dated.getvalue() + content[12 + size + 4 :]
