"""Upkeep of the store: what each file of it is, what may go, and records brought in from elsewhere.

Only ``merge`` and ``remove`` change anything. Links in a store are never followed.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pydantic_core import from_json, to_json

from benchmarks import store
from benchmarks.archive import condensed
from benchmarks.experiment import experiments
from benchmarks.trial import PROTOCOL, key_of, revisions_of

# What a file or record is:
#   whole, crashed          as the program writes them
#   damaged                 not to be read, or without its parts; a run trains its trial again
#   altered                 its config does not give its key: one of them was changed
#   stale                   of an older schema, protocol or revision: nothing finds it any more
#   newer                   the same from a later version of this program
#   unreadable              not allowed, or a fault of the disk
#   foreign                 nothing that the program puts there
#   leftover                of a killed program, unless that is still at work
FAULTS = ("damaged", "altered", "unreadable")
REMOVABLE = ("stale", "damaged", "leftover")
REPLACEABLE = ("crashed", "damaged", "stale")  # what a run does not count as done

RECORD_NAME = re.compile(r"[0-9a-f]{32}\.json")
FOLDER_NAME = re.compile(r"[0-9a-f]{2}")
_BROKEN_ARCHIVE = (gzip.BadGzipFile, EOFError, zlib.error)


class Finding(NamedTuple):
    """What a file of the store, or a record of an archive, was found to be."""

    path: Path
    kind: str
    why: str


Found = tuple[Finding, dict | None]  # with the record, if there is one to be read


def archives(reports: Path) -> list[Path]:
    """Those of all reports."""
    return sorted([*reports.glob("*/data/records.jsonl.gz"), *reports.glob("papers/*/*.jsonl.gz")])


def contents(folder: Path) -> list[Path]:
    """All files of a store, and the folders in it that are not its own or cannot be read."""
    found = []
    for name in sorted(os.listdir(folder)):
        path = folder / name
        try:
            if _is_own_folder(path) and not path.is_symlink():
                found += [path / inner for inner in sorted(os.listdir(path))]
                continue
        except FileNotFoundError:
            continue
        except OSError:  # a file of that name, or a folder that cannot be read
            pass
        found.append(path)
    return found


def _is_own_folder(path: Path) -> bool:
    return path.name == store.IN_FLIGHT or FOLDER_NAME.fullmatch(path.name) is not None


def examine(folder: Path, path: Path) -> Found | None:
    """What one of a store's ``contents`` is; None if it is gone by now."""
    record = None
    try:
        kind, why, record = _examine(folder, path)
    except FileNotFoundError:
        return None
    except OSError as error:
        kind, why = "unreadable", error.strerror or str(error)
    return Finding(path, kind, why), record


def _examine(folder: Path, path: Path) -> tuple[str, str, dict | None]:
    place, name, status = path.parent.relative_to(folder), path.name, path.lstat()
    if stat.S_ISDIR(status.st_mode):
        if place == Path() and _is_own_folder(path):
            return "unreadable", "a folder that cannot be listed", None
        return "foreign", "a folder", None
    if not stat.S_ISREG(status.st_mode):  # to open a named pipe would be to wait
        return "foreign", "a link" if path.is_symlink() else "not a file", None
    if place == Path(store.IN_FLIGHT):
        if status.st_size:
            return "foreign", "not empty, as a mark of a running stack would be", None
        return "leftover", "the mark of a stack in hand", None
    if name.startswith(store.TEMPORARY):
        return "leftover", "a file half written", None
    if not RECORD_NAME.fullmatch(name):
        return "foreign", "not named as a record", None
    if place != Path(name[:2]):
        return "foreign", f"its place is {name[:2]}/{name}", None
    kind, why, record = judge(path.read_bytes())
    if record is not None and record["key"] != path.stem:
        return "foreign", f"its key is {_brief(record['key'])}, not its name", record
    return kind, why, record


def examine_archive(path: Path) -> Iterator[Found]:
    """What each record of an archive is, and last where it breaks off."""
    n = 0
    try:
        if not path.is_file():
            raise OSError("not a file")
        with gzip.open(path) as lines:
            for n, line in enumerate(lines, 1):
                kind, why, record = judge(line.rstrip(b"\n"))
                yield Finding(path, kind, f"record {n}: {why}"), record
    except _BROKEN_ARCHIVE as error:
        yield Finding(path, "damaged", f"breaks off after {n} records ({error})"), None
    except OSError as error:
        yield Finding(path, "unreadable", error.strerror or str(error)), None
    else:
        if n == 0:
            yield Finding(path, "damaged", "empty"), None


def length(archive: Path) -> int:
    """How many records it has, as far as it can be read."""
    n = 0
    if archive.is_file():
        with suppress(OSError, *_BROKEN_ARCHIVE), gzip.open(archive) as lines:
            for _ in lines:
                n += 1
    return n


def judge(text: bytes) -> tuple[str, str, dict | None]:
    """Kind of a record, why, and the record itself unless it is damaged."""
    try:
        record = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        return "damaged", _not_json(text, str(error)), None
    if lacking := _lacking(record):
        return "damaged", lacking, None
    if record["schema"] != store.SCHEMA:
        kind = "stale" if record["schema"] < store.SCHEMA else "newer"
        return kind, f"schema {_brief(record['schema'])}, and now it is {store.SCHEMA}", record
    config = record["config"]
    try:
        if b"Infinity" in to_json(record, inf_nan_mode="constants"):  # as a word it is no fault
            json.dumps(record, allow_nan=False)  # 1e999 is JSON, but save would refuse it
        key = key_of(config)
        if key != record["key"]:
            return "altered", f"its config gives the key {key}", record
        version, now = _version(config), _version_now(config)
        if version != now:
            newer = any(number > now.get(name, 0) for name, number in version.items())
            return "newer" if newer else "stale", f"{_said(version)}, and now {_said(now)}", record
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return "damaged", f"not the numbers of a trial ({_brief(str(error))})", None
    if record["status"] == "crashed":
        last = record["error"].splitlines()[-1:]
        return "crashed", _brief("".join(last)), record
    return "whole", "", record


def _not_json(text: bytes, error: str) -> str:
    if not text.strip(b"\0"):
        return "zero bytes only" if text.strip() else "empty"
    try:
        text.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    return "truncated" if error.startswith("EOF") else f"not JSON ({error})"


def _lacking(record: object) -> str | None:
    """Which part a record lacks or has as something else."""
    if not isinstance(record, dict):
        return "not a record"
    if type(record.get("schema")) is not int or not isinstance(record.get("key"), str):
        return "no schema or no key"
    if record["schema"] != store.SCHEMA:
        return None  # its parts may be others
    status = record.get("status")
    if status not in (*store.DONE, "crashed"):
        return f"status {_brief(status)}"
    parts = store.parts_of(status) | ({"error"} if status == "crashed" else set())
    types = {"probes": list, "error": str}
    lacks = [p for p in sorted(parts) if not isinstance(record.get(p), types.get(p, dict))]
    return f"lacks {', '.join(lacks)}" if lacks else None


def _version(config: dict) -> dict[str, int]:
    of_experiment = {"revision": config["revision"]} if "experiment" in config else {}
    return {"protocol": config["protocol"]} | config.get("revisions", {}) | of_experiment


def _version_now(config: dict) -> dict[str, int]:
    """What the same trial or measurement would say; revision 0 of an unknown experiment."""
    now = {"protocol": PROTOCOL} | revisions_of(config.get("recipe", {}))
    if "experiment" in config:
        mine = [e for e in experiments().values() if e.measured_by == config["experiment"]]
        known = {e.revision for e in mine}  # several experiments may share a function
        now["revision"] = config["revision"] if config["revision"] in known else max(known or {0})
    return now


def _said(version: dict[str, int]) -> str:
    return ", ".join(f"{_brief(name)} {_brief(number)}" for name, number in version.items())


def _brief(value: object) -> str:
    """What a file says, fit to be shown: it may say anything."""
    return plain(str(value))[:80]


def plain(text: str) -> str:
    """Text on one line: as it is, or escaped if it would move the cursor or cannot be encoded."""
    return text if text.isprintable() else repr(text)


def removable(found: Finding, now: float) -> int | None:
    """Bytes that pruning would free at this time in seconds; None for what is to stay."""
    if found.kind not in REMOVABLE:
        return None
    try:
        status = found.path.lstat()
    except FileNotFoundError:  # what a running sweep has in hand comes and goes
        return None
    in_use = found.kind == "leftover" and now - status.st_mtime <= store.SECONDS_AT_WORK
    return None if in_use else status.st_size


def remove(folder: Path, found: Finding) -> bool:
    """Remove a file of the store, unless it has become something else since it was found."""
    again = examine(folder, found.path)
    if again is None or again[0] != found:
        return False
    found.path.unlink(missing_ok=True)
    return True


def merge(items: Iterable[Found], folder: Path) -> Iterator[Finding]:
    """Save what the store at ``folder`` lacks; of each item, what became of it.

    Only whole records are taken. The kind of the finding is then "new", "there" if the store has
    the same, "instead of ..." for one that a run would not count as done, or "differs": the store's
    own is kept. Other items keep their kind. Nothing is held, and any number may do this at once.
    """
    for found, record in items:
        if found.kind == "whole":
            found = Finding(found.path, *_merge(record, folder))
        yield found


def _merge(record: dict, folder: Path) -> tuple[str, str]:
    path = store.path_of(folder, record["key"])
    there = examine(folder, path)
    if there is not None:
        (_, kind, why), own = there
        if kind == "whole":
            parts = differing(own, record)
            return ("differs", f"{path.stem}: other {', '.join(parts)}") if parts else ("there", "")
        if kind not in REPLACEABLE:
            return "differs", f"{path.stem}: in the store it is {kind} ({why})"
    store.save(folder, record)
    return ("new", "") if there is None else (f"instead of {kind}", "")


def differing(one: dict, other: dict) -> list[str]:
    """Which of their results two records of a trial do not share, timings aside.

    One may be of an archive, which has fewer digits and no probes of tuning trials.
    """
    parts = ("status", "result", "curves", "probes")
    one, other = condensed(one), condensed(other)
    return [part for part in parts if _timeless(one[part]) != _timeless(other[part])]


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {name: _timeless(v) for name, v in value.items() if "seconds" not in name}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_timeless(v) for v in value]
    return value
