"""Merging stores: what is new is taken, what differs is listed, and nothing is lost at a kill."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import store, upkeep
from benchmarks.archive import save_archive
from benchmarks.trial import key_of
from tests.benchmarks.stores import (
    TEXTS,
    archive,
    but,
    kinds,
    listing,
    make_a_mess,
    put,
    record,
    stored,
    told,
)


@pytest.mark.parametrize("packed", [False, True])
def test_merge_takes_what_is_new_and_twice_changes_nothing(packed, tmp_path, capsys):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    mine = [record(0), record(1, status="crashed"), record(2)]
    offered = [record(0, seconds=9.0), record(1), record(3), record(4, status="diverged")]
    for one in mine:
        store.save(ours, one)
    put(ours, b"half", record(4)["key"])
    put(ours, but({"schema": 0}, 5))
    offered.append(record(5))
    for one in offered:
        store.save(theirs, one)
    source = theirs
    if packed:
        source = tmp_path / "records.jsonl.gz"
        save_archive(source, offered)
    before = listing(theirs)
    code, out, _ = told(capsys, "merge", source, "--results", ours)
    assert code == 0 and out.splitlines()[0] == f"{source} -> {ours}: 1 new, 1 already there"
    assert sorted(out.splitlines()[1:]) == [
        "  1 instead of crashed", "  1 instead of damaged", "  1 instead of stale"
    ]  # fmt: skip
    keys = [one["key"] for one in (*mine, *offered)]
    assert store.load(ours, keys) == {
        one["key"]: one for one in (record(0), record(2), *offered[1:])
    }
    assert listing(theirs) == before
    after = listing(ours)
    code, out, _ = told(capsys, "merge", source, "--results", ours)
    assert code == 0 and out == f"{source} -> {ours}: 0 new, 5 already there\n"
    assert listing(ours) == after
    assert {kind for kind, _ in kinds(ours).values()} == {"whole"}


def changed(part: str, *place: object, to: object) -> dict:
    """A record of seed 0 with another value at a place of a part."""
    other = copy.deepcopy(record())
    if not place:
        return other | {part: to}
    inner = other[part]
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = to
    return other


@pytest.mark.parametrize(
    "theirs, parts",
    [
        (changed("status", to="diverged"), "status"),
        (changed("result", "test_error_pct", to=5.000001), "result"),
        (changed("result", "new", to=1), "result"),
        (changed("curves", "train_loss", 2, to=2.1), "curves"),
        (changed("probes", 0, "gradient_rms", 1, to=2e-3), "probes"),
        (changed("probes", to=[]), "probes"),
        (record(error=6.0) | {"status": "diverged", "curves": {}}, "status, result, curves"),
    ],
)
def test_a_result_that_differs_is_listed_and_ours_kept(theirs, parts, tmp_path, capsys):
    store.save(tmp_path / "ours", record())
    store.save(tmp_path / "theirs", theirs)
    before = listing(tmp_path)
    for _ in range(2):
        words = ("merge", tmp_path / "theirs", "--results", tmp_path / "ours")
        code, out, _ = told(capsys, *words)
        assert code == 1 and listing(tmp_path) == before
        path = store.path_of(tmp_path / "theirs", record()["key"])
        assert out.splitlines() == [
            f"{path}: the store's own is kept, {record()['key']}: other {parts}",
            f"{tmp_path / 'theirs'} -> {tmp_path / 'ours'}: 0 new, 0 already there",
            "  1 differs",
        ]


@pytest.mark.parametrize(
    "theirs",
    [
        changed("result", "seconds_train", to=99.0),
        changed("result", "seconds_more", to=99.0),
        changed("curves", "cpu_seconds", to=[1, 2]),
        changed("probes", 0, "seconds", to=1),
        changed("env", "torch", to="3"),
    ],
)
def test_timings_and_machines_make_no_difference(theirs, tmp_path, capsys):
    store.save(tmp_path / "ours", record())
    store.save(tmp_path / "theirs", theirs)
    code, out, _ = told(capsys, "merge", tmp_path / "theirs", "--results", tmp_path / "ours")
    assert code == 0 and "0 new, 1 already there" in out
    assert store.load(tmp_path / "ours", [record()["key"]]) == {record()["key"]: record()}


@pytest.mark.parametrize("seed", [0, 1000])
def test_an_archives_record_is_the_stores_though_it_has_fewer_digits(seed, tmp_path, capsys):
    """Both ways; and what is taken from an archive is done, as a run sees it."""
    full = record(seed)
    full["curves"]["train_loss"][2] = 1.234567
    full["probes"][0]["gradient_rms"][1] = 1.234567e-3
    archive = tmp_path / "records.jsonl.gz"
    save_archive(archive, [full])
    (kept,) = store.load_archive(archive).values()
    assert kept != full
    for own in (full, kept):
        store.save(tmp_path / "ours", own)
        store.save(tmp_path / "theirs", full)
        for source in (archive, tmp_path / "theirs"):
            code, out, _ = told(capsys, "merge", source, "--results", tmp_path / "ours")
            assert code == 0 and "0 new, 1 already there" in out
        assert store.load(tmp_path / "ours", [full["key"]]) == {full["key"]: own}
    code, out, _ = told(capsys, "merge", archive, "--results", tmp_path / "new")
    assert code == 0 and "1 new" in out
    assert store.load(tmp_path / "new", [full["key"]]) == {full["key"]: kept}


def test_every_conflict_is_listed(tmp_path, capsys):
    for seed in range(25):
        store.save(tmp_path / "ours", record(seed))
        store.save(tmp_path / "theirs", record(seed, error=6.0))
    code, out, _ = told(capsys, "merge", tmp_path / "theirs", "--results", tmp_path / "ours")
    assert code == 1 and out.count("the store's own is kept") == 25 and "  25 differs" in out


@pytest.mark.parametrize("text, kind, why", TEXTS.values(), ids=TEXTS)
def test_merge_takes_only_what_is_whole_and_leaves_alone_what_is_in_the_way(
    text, kind, why, tmp_path, capsys
):
    """From anything to an empty store, and from a whole record to anything."""
    put(tmp_path / "odd", text, record()["key"])
    code, _, _ = told(capsys, "merge", tmp_path / "odd", "--results", tmp_path / "ours")
    assert code == (1 if kind in ("damaged", "altered") else 0)
    assert bool(stored(tmp_path / "ours")) == (kind == "whole")
    store.save(tmp_path / "theirs", record())
    before = stored(tmp_path / "odd")
    code, out, _ = told(capsys, "merge", tmp_path / "theirs", "--results", tmp_path / "odd")
    if kind in ("crashed", "damaged", "stale"):
        assert code == 0 and f"1 instead of {kind}" in out
        assert stored(tmp_path / "odd") == stored(tmp_path / "theirs")
    else:
        same = isinstance(text, bytes)
        assert code == (0 if kind == "whole" and same else 1)
        assert stored(tmp_path / "odd") == before


def test_merge_from_a_mess_says_why_it_refuses(tmp_path, capsys):
    make_a_mess(tmp_path / "theirs")
    for seed in range(10, 25):
        put(tmp_path / "theirs", b"", record(seed)["key"])
    code, out, _ = told(capsys, "merge", tmp_path / "theirs", "--results", tmp_path / "ours")
    assert code == 1 and stored(tmp_path / "ours").keys() == {record(0)["key"]}
    assert out.count(": not taken: damaged, empty\n") == 10 and "and 5 more damaged\n" in out
    assert out.count(": not taken: foreign, ") == 10 and "and 10 more foreign\n" in out
    assert "  15 damaged\n" in out and "  20 foreign\n" in out and "  3 leftover\n" in out
    assert all(line.isprintable() for line in out.splitlines())


def test_what_stands_where_a_record_should_is_kept(tmp_path, capsys):
    """A link of somebody's, a folder: replaced by no merge."""
    ours = tmp_path / "ours"
    linked = store.path_of(ours, record(0)["key"])
    linked.parent.mkdir(parents=True)
    (tmp_path / "kept").write_text("somebody's")
    os.symlink(tmp_path / "kept", linked)
    store.path_of(ours, record(1)["key"]).mkdir(parents=True)
    for seed in range(2):
        store.save(tmp_path / "theirs", record(seed))
    code, out, _ = told(capsys, "merge", tmp_path / "theirs", "--results", ours)
    assert code == 1 and linked.is_symlink() and (tmp_path / "kept").read_text() == "somebody's"
    assert "in the store it is foreign (a link)" in out and "is foreign (a folder)" in out


def test_a_broken_archive_gives_what_can_be_read_of_it(tmp_path, capsys):
    path = tmp_path / "records.jsonl.gz"
    lines = [json.dumps(record(seed)).encode() for seed in range(300)]
    whole = archive(path, lines).read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    code, out, _ = told(capsys, "merge", path, "--results", tmp_path / "ours")
    assert code == 1 and "not taken: damaged, breaks off after " in out
    n = len(stored(tmp_path / "ours"))
    assert 0 < n < 300 and f"{n} new" in out
    path.write_bytes(whole)
    code, out, _ = told(capsys, "merge", path, "--results", tmp_path / "ours")
    assert code == 0 and f"{300 - n} new, {n} already there" in out


def test_a_full_disk_ends_a_merge_in_one_line(tmp_path, capsys, monkeypatch):
    store.save(tmp_path / "theirs", record())

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = told(capsys, "merge", tmp_path / "theirs", "--results", tmp_path / "ours")
    assert code == 2 and "error: [Errno 28] No space left on device" in err
    assert "Traceback" not in err and upkeep.contents(tmp_path / "ours") == []


def many(folder: Path, seeds: range) -> Path:
    """Records in numbers, made without training or planning."""
    one = record()
    for seed in seeds:
        config = one["config"] | {"seed": seed}
        path = store.path_of(folder, key_of(config))
        path.parent.mkdir(parents=True, exist_ok=True)
        text = one | {"config": config, "key": path.stem}
        path.write_text(json.dumps(text, sort_keys=True, separators=(",", ":")))
    return folder


def merging(source: Path, results: Path) -> subprocess.Popen:
    words = [sys.executable, "-m", "benchmarks", "store", "merge", source, "--results", results]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_merge_killed_in_the_middle_is_completed_by_the_next(tmp_path, capsys):
    source, ours = many(tmp_path / "theirs", range(1500)), tmp_path / "ours"
    process = merging(source, ours)
    deadline = time.monotonic() + 60
    while len(stored(ours)) < 50 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    half = stored(ours)
    assert 0 < len(half) < 1500, "it was to be killed in the middle"
    assert half.items() <= stored(source).items(), "whole or not there"
    code, out, _ = told(capsys, "merge", source, "--results", ours)
    assert code == 0 and f"{1500 - len(half):,} new, {len(half):,} already there" in out
    assert stored(ours) == stored(source)
    found = Counter(kind for kind, _ in kinds(ours).values())
    assert found.pop("leftover", 0) <= 1 and found == {"whole": 1500}


def test_merges_at_the_same_time_end_with_everything(tmp_path):
    """Two that overlap; each may find what the other has just saved."""
    both = [many(tmp_path / "a", range(500)), many(tmp_path / "b", range(250, 750))]
    processes = [merging(source, tmp_path / "ours") for source in both]
    for process in processes:
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert " new, " in out
    assert stored(tmp_path / "ours") == stored(both[0]) | stored(both[1])
    assert Counter(kind for kind, _ in kinds(tmp_path / "ours").values()) == {"whole": 750}


def test_merge_saves_record_by_record(tmp_path):
    """Nothing is gathered first, so memory does not grow with the store."""
    seen = []

    def offered():
        for seed in range(3):
            seen.append(len(stored(tmp_path)))
            yield upkeep.Finding(Path("x"), "whole", ""), record(seed)

    assert [found.kind for found in upkeep.merge(offered(), tmp_path)] == ["new"] * 3
    assert seen == [0, 1, 2]
