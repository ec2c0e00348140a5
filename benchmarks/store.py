"""Where records lie: one JSON file per trial, and one compressed archive per report.

A file appears under its name whole or not at all, so any number of processes may write at once and
any may be killed. A record exists = the trial is done, unless its status is "crashed".
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

from benchmarks.problem import Problem

SCHEMA = 1
DONE = ("ok", "diverged")


def path_of(folder: Path, key: str) -> Path:
    """The file of a trial's record."""
    return folder / key[:2] / f"{key}.json"


def save(folder: Path, record: dict) -> None:
    """Write one record atomically."""
    path = path_of(folder, record["key"])
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, sort_keys=True, allow_nan=False, separators=(",", ":"))
    write_atomically(path, text.encode())


def load(folder: Path, keys: Iterable[str]) -> dict[str, dict]:
    """The records of these keys that there are; a damaged one is named and left out."""
    records = {}
    for key in keys:
        path = path_of(folder, key)
        try:
            record = json.loads(path.read_bytes())
            fits = record["key"] == key and _is_whole(record)
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError, RecursionError):
            fits = False
        if fits:
            records[key] = record
        else:
            print(f"{path}: damaged record, its trial will be run again", file=sys.stderr)
    return records


def _is_whole(record: dict) -> bool:
    """Whether a record has what the tables ask for."""
    parts = {"config", "env"}
    if record["status"] != "crashed":
        parts |= {"result", "curves", "probes"}
    return record["schema"] == SCHEMA and parts <= record.keys()


def load_archive(path: Path) -> dict[str, dict]:
    """All records of an archive, by key; none if there is no such file.

    Raises Problem for an archive that is damaged: it would be written again without what is lost.
    """
    records = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                if not _is_whole(record):
                    raise ValueError("a record without its parts")
                records[record["key"]] = record
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
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".tmp-"):
            pass
        for left in folder.rglob(".tmp-*"):
            if time.time() - left.stat().st_mtime > 3600:
                left.unlink(missing_ok=True)
    except OSError as error:
        raise Problem(f"{folder}: cannot be written to ({error.strerror or error})") from None


def save_archive(path: Path, records: Iterable[dict]) -> None:
    """Write records as gzipped JSON lines, by key, the same bytes for the same records."""
    lines = [
        json.dumps(record, sort_keys=True, allow_nan=False, separators=(",", ":")) + "\n"
        for record in sorted(records, key=lambda r: r["key"])
    ]
    write_atomically(path, gzip.compress("".join(lines).encode(), mtime=0))


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by new content in one step that survives a kill or a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".tmp-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)  # temporary files start readable by their owner only
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
