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
from collections.abc import Iterable
from pathlib import Path

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
            fits = record["key"] == key and record["schema"] == SCHEMA
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError):
            fits = False
        if fits:
            records[key] = record
        else:
            print(f"{path}: damaged record, its trial will be run again", file=sys.stderr)
    return records


def load_archive(path: Path) -> dict[str, dict]:
    """All records of an archive, by key; none if there is no such file.

    Lines that cannot be read end the archive there, with a word about it.
    """
    records = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                records[record["key"]] = record
    except FileNotFoundError:
        pass
    except (OSError, EOFError, ValueError, KeyError) as error:
        print(f"{path}: damaged after {len(records)} records ({error})", file=sys.stderr)
    return records


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
