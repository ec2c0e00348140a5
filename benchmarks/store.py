"""Where records lie: one JSON file per trial, and one compressed archive per report.

A file appears under its name whole or not at all, so any number of processes may write at once and
any may be killed. A record exists = the trial is done, unless its status is "crashed".
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from pydantic_core import from_json  # the json module takes twice as long

from benchmarks.problem import Problem
from benchmarks.progress import say

SCHEMA = 1
TEMPORARY = ".tmp-"  # how the name of a file begins that is being written
SECONDS_AT_WORK = 3600  # one that is older was left by a killed program
DONE = ("ok", "diverged")
BRIEF = ("key", "status", "error", "result")  # what a sweep asks for; a tenth of a record
IN_FLIGHT = ".in-flight"  # folder of empty files: the stacks that some program has in hand


def path_of(folder: Path, key: str) -> Path:
    """The file of a trial's record."""
    return folder / key[:2] / f"{key}.json"


def save(folder: Path, record: dict) -> None:
    """Write one record atomically."""
    path = path_of(folder, record["key"])
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, sort_keys=True, allow_nan=False, separators=(",", ":"))
    write_atomically(path, text.encode())


def load(
    folder: Path, keys: Iterable[str], parts: Collection[str] | None = None
) -> dict[str, dict]:
    """The records of these keys that there are; a damaged one is named and left out.

    With ``parts`` only these fields of each are kept.
    """
    records = {}
    for key in keys:
        path = path_of(folder, key)
        try:
            record = from_json(path.read_bytes(), allow_inf_nan=False)
            fits = record["key"] == key and _is_whole(record)
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError, RecursionError):
            fits = False
        if fits:
            records[key] = _only(record, parts)
        else:
            say(f"{path}: damaged record, its trial will be run again", "stderr")
    return records


def _is_whole(record: dict) -> bool:
    """Whether a record has what the tables ask for."""
    return record["schema"] == SCHEMA and parts_of(record["status"]) <= record.keys()


def parts_of(status: str) -> set[str]:
    """What a record of this status has to have."""
    return {"config", "env"} | (set() if status == "crashed" else {"result", "curves", "probes"})


def _only(record: dict, parts: Collection[str] | None) -> dict:
    return record if parts is None else {part: record[part] for part in parts if part in record}


def load_archive(path: Path, parts: Collection[str] | None = None) -> dict[str, dict]:
    """All records of an archive, by key; none if there is no such file.

    With ``parts`` only these fields of each are kept. Raises Problem for an archive that is
    damaged: it would be written again without what is lost.
    """
    records = {}
    try:
        with gzip.open(path) as lines:
            for line in lines:
                record = from_json(line, allow_inf_nan=False)
                if not _is_whole(record):
                    raise ValueError("a record without its parts")
                records[record["key"]] = _only(record, parts)
    except FileNotFoundError:
        return {}
    except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise Problem(
            f"{path}: damaged after {len(records)} records ({error}); restore it (git checkout) "
            "or, to train them again, remove it"
        ) from None
    return records


def prepare_folder(folder: Path) -> None:
    """Make a folder, see that it can be written to, and sweep what killed writers left an hour ago.

    Raises Problem where that fails: better before a sweep than after it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        now = time_of(folder)
        for left in folder.rglob(f"{TEMPORARY}*"):
            with suppress(FileNotFoundError):  # another program may sweep at the same time
                if now - left.stat().st_mtime > SECONDS_AT_WORK:
                    left.unlink()
    except OSError as error:
        raise Problem(f"{folder}: cannot be written to ({error.strerror or error})") from None


def time_of(folder: Path) -> float:
    """Now, in seconds, by the clock that dates the files of a folder: a server may have its own."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=TEMPORARY) as file:
        return os.fstat(file.fileno()).st_mtime


def mark(folder: Path, name: str) -> bool:
    """Note that a stack is in hand; False if it was noted before."""
    path = folder / IN_FLIGHT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def unmark(folder: Path, name: str) -> None:
    """Take the note away."""
    (folder / IN_FLIGHT / name).unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by new content in one step that survives a kill or a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=TEMPORARY, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)  # temporary files start readable by their owner only
            os.replace(file.name, path)
        except BaseException:
            with suppress(FileNotFoundError):  # stopped just after it was renamed
                os.unlink(file.name)
            raise
