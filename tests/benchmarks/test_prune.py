"""Pruning the store: nothing goes that is not listed first, and nothing unasked."""

import os
import time
from pathlib import Path

from benchmarks import store, upkeep
from benchmarks.trial import PROTOCOL
from tests.benchmarks.stores import AB, WHOLE, archive, but, listing, make_a_mess, put, record, told


def aged(path: Path) -> Path:
    os.utime(path, (time.time() - 3700,) * 2, follow_symlinks=False)
    return path


def test_prune_removes_what_it_lists_and_only_when_told(tmp_path, capsys):
    results = tmp_path / "results"
    make_a_mess(results)
    for path in [*results.rglob("*")]:
        aged(path)
    fresh = [results / AB / ".tmp-fresh", results / store.IN_FLIGHT / "fresh"]
    for path in fresh:
        path.touch()
    for damage in (record(5, status="crashed"), but({}, 7, lr=0.5)):
        put(results, damage)
    put(results, but({}, 9, new_key=True, protocol=PROTOCOL + 1))
    going = {
        put(results, WHOLE[:-5], record(6)["key"]): "damaged, truncated",
        put(results, but({}, 8, new_key=True, protocol=PROTOCOL - 1)): "stale, protocol",
        put(results, but({"schema": 0}, 3)): "stale, schema 0",
        results / ".tmp-top": "leftover, a file half written",
        results / AB / ".tmp-half": "leftover, a file half written",
        results / store.IN_FLIGHT / record(1)["key"]: "leftover, the mark of a stack in hand",
    }
    archive(tmp_path / "reports/x/data/records.jsonl.gz", [b"junk"])
    size = sum(path.stat().st_size for path in going)
    before = listing(tmp_path)
    code, out, _ = told(capsys, "prune", "--results", results)
    assert code == 0 and listing(tmp_path) == before, "a dry run removes nothing"
    *lines, total = out.splitlines()
    assert total == (
        f"6 files, {size:,} bytes can go; 'python -m benchmarks store prune --results {results} "
        "--yes' removes them"
    )
    assert {Path(line.split(": ")[0]) for line in lines} == set(going) and len(lines) == 6
    for path, why in going.items():
        (line,) = [line for line in lines if line.startswith(f"{path}: ")]
        assert line.startswith(f"{path}: {why}")
        assert line.endswith(f"; {path.stat().st_size:,} bytes")
    code, again, _ = told(capsys, "prune", "--results", results, "--yes")
    assert code == 0 and again.splitlines()[:-1] == lines
    assert again.endswith(f"6 files, {size:,} bytes listed, 6 removed\n")
    after = listing(tmp_path)
    assert before.keys() - after.keys() == set(going)
    changed = {path for path in after if after[path] != before[path] and not path.is_dir()}
    assert not changed
    code, out, _ = told(capsys, "prune", "--results", results, "--yes")
    assert code == 0 and out == "0 files, 0 bytes listed, 0 removed\n"
    assert listing(tmp_path) == after


def test_a_clock_that_is_ahead_of_the_file_servers_removes_nothing_in_use(
    tmp_path, capsys, monkeypatch
):
    fresh = tmp_path / ".tmp-fresh"
    fresh.write_text("being written")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7200)
    code, out, _ = told(capsys, "prune", "--results", tmp_path, "--yes")
    assert code == 0 and out.endswith(
        "1 files, 13 bytes listed, 0 removed, 1 in use or changed meanwhile\n"
    )
    assert fresh.exists()


def test_a_record_trained_again_while_prune_looks_is_not_removed(tmp_path, capsys, monkeypatch):
    path = put(tmp_path, b"", record()["key"])
    gone = put(tmp_path, b"", record(1)["key"])
    last = put(tmp_path, b"", record(2)["key"])
    look = upkeep.remove

    def a_run_writes_first(folder, found):
        if found.path == path:
            store.save(folder, record())
        gone.unlink(missing_ok=True)
        return look(folder, found)

    monkeypatch.setattr(upkeep, "remove", a_run_writes_first)
    code, out, _ = told(capsys, "prune", "--yes", "--results", tmp_path)
    assert code == 0 and store.load(tmp_path, [record()["key"]]) == {record()["key"]: record()}
    assert not last.exists() and not gone.exists()
    assert "3 files, 0 bytes listed, 1 removed, 2 in use or changed meanwhile" in out


def test_an_hour_is_what_a_leftover_is_given(tmp_path):
    path = tmp_path / ".tmp-x"
    path.touch()
    changed = path.stat().st_mtime
    (found, _) = upkeep.examine(tmp_path, path)
    assert upkeep.removable(found, changed + 3600) is None
    assert upkeep.removable(found, changed + 3601) == 0
    path.unlink()
    assert upkeep.removable(found, changed + 3601) is None
