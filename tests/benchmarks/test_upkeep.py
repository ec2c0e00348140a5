"""Upkeep of the store: every way to be wrong has its name."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import store, trial, upkeep
from benchmarks.experiment import Measurement, find
from benchmarks.trial import PROTOCOL, REVISIONS, key_of
from tests.benchmarks.stores import (
    AB,
    FF,
    TEXTS,
    WHOLE,
    archive,
    but,
    kinds,
    listing,
    make_a_mess,
    put,
    record,
    told,
    trial_of,
)

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("text, kind, why", TEXTS.values(), ids=TEXTS)
def test_a_record_is_what_it_says(text, kind, why, tmp_path, capsys):
    path = put(tmp_path, text, record()["key"])
    ((place, found),) = kinds(tmp_path).items()
    assert tmp_path / place == path
    assert found[0] == kind and found[1].startswith(why)
    assert found[1].isprintable() and len(found[1]) < 150
    # and a run agrees: what it cannot use is not passed as whole
    taken = store.load(tmp_path, [record()["key"]])
    assert taken or kind not in ("whole", "crashed", "altered")
    # the same bytes in an archive are the same (a line of it holds no line ends)
    lines = text if isinstance(text, bytes) else json.dumps(text).encode()
    if b"\n" not in lines:
        ((found, _),) = upkeep.examine_archive(archive(tmp_path / "a.jsonl.gz", [lines]))
        assert found.kind == kind and found.why.startswith(f"record 1: {why}")


@pytest.mark.parametrize(
    "of_config, kind, why",
    [
        ({"protocol": PROTOCOL - 1}, "stale", f"protocol {PROTOCOL - 1}, Autoencoder 1, and now"),
        ({"protocol": PROTOCOL + 1}, "newer", f"protocol {PROTOCOL + 1}, Autoencoder 1, and now"),
        ({"revisions": {}}, "stale", f"protocol {PROTOCOL}, and now protocol {PROTOCOL}, Autoe"),
        ({"revisions": {"Autoencoder": 0}}, "stale", f"protocol {PROTOCOL}, Autoencoder 0, and"),
        ({"revisions": {"Autoencoder": 2}}, "newer", f"protocol {PROTOCOL}, Autoencoder 2, and"),
        ({"revisions": {"Autoencoder": 1, "Sgd": 1}}, "newer", f"protocol {PROTOCOL}, Autoenc"),
        ({"protocol": PROTOCOL - 1, "revisions": {"Autoencoder": 2}}, "newer", "protocol"),
        ({"protocol": "2"}, "damaged", "not the numbers of a trial"),
        ({"revisions": [1]}, "damaged", "not the numbers of a trial"),
        ({"recipe": []}, "damaged", "not the numbers of a trial"),
        ({"recipe": {"pretraining": {}}}, "damaged", "not the numbers of a trial ('technique'"),
    ],
)
def test_a_record_of_another_time_is_known_by_its_config(of_config, kind, why, tmp_path):
    put(tmp_path, but({}, new_key=True, **of_config))
    ((found, told_why),) = kinds(tmp_path).values()
    assert found == kind and told_why.startswith(why)


def test_a_revision_makes_stale_what_is_whole_today(tmp_path, monkeypatch):
    for seed in range(3):
        store.save(tmp_path, record(seed))
    store.save(tmp_path, record() | {"config": trial_of(0, "plain").config,
                                     "key": trial_of(0, "plain").key})  # fmt: skip
    assert Counter(kind for kind, _ in kinds(tmp_path).values()) == {"whole": 4}
    monkeypatch.setitem(trial.REVISIONS, "Autoencoder", REVISIONS["Autoencoder"] + 1)
    assert Counter(kind for kind, _ in kinds(tmp_path).values()) == {"whole": 1, "stale": 3}


@pytest.mark.parametrize("known, kind", [(1, "whole"), (2, "stale"), (0, "newer"), (None, "newer")])
def test_a_measurement_is_held_against_its_experiments_revision(known, kind, tmp_path, monkeypatch):
    name = "he2015prelu-signal"
    config = Measurement(name, "he", 30, 0, "cpu").config
    put(tmp_path, but({"config": config, "key": key_of(config)}))
    experiments = {} if known is None else {name: replace(find(name), revision=known)}
    monkeypatch.setattr(upkeep, "experiments", lambda: experiments)
    assert [found for found, _ in kinds(tmp_path).values()] == [kind]


def test_experiments_that_share_a_function_may_be_at_different_revisions(tmp_path, monkeypatch):
    found = find("he2015prelu-signal")
    experiments = {"first": replace(found, revision=3), "second": replace(found, revision=2)}
    monkeypatch.setattr(upkeep, "experiments", lambda: experiments)
    config = Measurement(found.name, "he", 30, 0, "cpu").config
    for revision in (1, 2, 3, 4):
        its = config | {"revision": revision}
        put(tmp_path, but({"config": its, "key": key_of(its)}))
    assert sorted(kind for kind, _ in kinds(tmp_path).values()) == [
        "newer", "stale", "whole", "whole",
    ]  # fmt: skip


def test_everything_in_a_store_is_named_once(tmp_path):
    expected = make_a_mess(tmp_path)
    paths = upkeep.contents(tmp_path)
    assert len(paths) == len(set(paths)) == len(expected)
    found = kinds(tmp_path)
    assert {place: kind for place, (kind, _) in found.items()} == expected
    key = record(1)["key"]
    assert found[f"{AB}/{key}.json"][1] == found[f"{key}.json"][1] == (
        f"its place is {key[:2]}/{key}.json"
    )  # fmt: skip
    assert found[FF][1] == "a link" and found[f"{AB}/{AB}{'2' * 30}.json"][1] == "not a file"
    misnamed = f"{record(2)['key'][:2]}/{record(2)['key'][:2]}{'0' * 30}.json"
    assert found[misnamed][1] == f"its key is {record(2)['key']}, not its name"


def test_a_store_may_itself_be_a_link(tmp_path):
    put(tmp_path / "scratch", record())
    os.symlink(tmp_path / "scratch", tmp_path / "results")
    assert [kind for kind, _ in kinds(tmp_path / "results").values()] == ["whole"]


def test_what_may_not_be_read_is_said_and_left_alone(tmp_path, monkeypatch, capsys):
    """By a stand-in: whoever runs the tests as root may read everything."""
    file, folder = put(tmp_path, record(0)), put(tmp_path, record(1)).parent
    bad = archive(tmp_path / "reports/x/data/records.jsonl.gz", [WHOLE])
    read, listdir, opened = Path.read_bytes, os.listdir, gzip.open

    def refuse(use, *forbidden):
        def guarded(path, *rest):
            if Path(path) in forbidden:
                raise PermissionError(13, "Permission denied", str(path))
            return use(path, *rest)

        return guarded

    monkeypatch.setattr(Path, "read_bytes", refuse(read, file))
    monkeypatch.setattr(os, "listdir", refuse(listdir, folder))
    monkeypatch.setattr(gzip, "open", refuse(opened, bad))
    places = ["--results", tmp_path, "--reports", tmp_path / "reports"]
    code, out, _ = told(capsys, "check", *places)
    assert code == 1 and "3 faults" in out
    for path, why in ((file, "Permission denied"), (folder, "a folder that cannot be listed"),
                      (bad, "Permission denied")):  # fmt: skip
        assert f"  {path}: unreadable, {why}; see to its permissions, or to the disk\n" in out
    code, out, _ = told(capsys, "prune", "--yes", "--results", tmp_path)
    assert code == 0 and "0 files, 0 bytes listed, 0 removed" in out and file.exists()
    monkeypatch.setattr(os, "listdir", refuse(listdir, tmp_path))
    code, out, err = told(capsys, "check", *places)
    assert code == 2 and err.count("\n") == 1 and "Permission denied" in err


def test_a_file_that_goes_while_the_store_is_walked_is_no_fault(tmp_path, monkeypatch, capsys):
    paths = [put(tmp_path, record(seed)) for seed in range(3)]
    listed = upkeep.contents(tmp_path)
    paths[1].unlink()
    assert [upkeep.examine(tmp_path, path) is None for path in listed].count(True) == 1
    monkeypatch.setattr(upkeep, "contents", lambda _: listed)
    (tmp_path / "r").mkdir()
    code, out, _ = told(capsys, "check", "--results", tmp_path, "--reports", tmp_path / "r")
    assert code == 0 and "2 files: 2 whole" in out


# archives


def test_an_archive_is_read_as_far_as_it_goes(tmp_path):
    lines = [json.dumps(record(seed)).encode() for seed in range(200)]
    good = archive(tmp_path / "good.jsonl.gz", lines)
    assert Counter(f.kind for f, _ in upkeep.examine_archive(good)) == {"whole": 200}
    packed = good.read_bytes()
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 0xFF
    rests = {
        "cut": packed[:-20],
        "no end": packed[:-8],
        "flipped": bytes(flipped),
        "block": packed[:10] + b"\x07" + packed[11:],  # of a type that deflate does not have
        "sum": packed[:-8] + b"\0\0\0\0" + packed[-4:],
        "tail": packed + b"more",
        "plain": WHOLE,
        "empty": b"",
        "none": gzip.compress(b""),
    }
    for name, content in rests.items():
        path = tmp_path / f"{name}.jsonl.gz"
        path.write_bytes(content)
        *before, last = [found for found, _ in upkeep.examine_archive(path)]
        assert last.kind == "damaged" and last.path == path, name
        assert upkeep.length(path) == len(before), name
        if name in ("empty", "none"):
            assert last.why == "empty"
        elif name != "flipped":  # that may be read as other text for a while
            assert last.why.startswith(f"breaks off after {len(before)} records (")
            assert {f.kind for f in before} <= {"whole"}
    mixed = archive(tmp_path / "mixed.jsonl.gz", [lines[0], b"", b"junk", lines[1]])
    assert [(f.kind, f.why) for f, _ in upkeep.examine_archive(mixed)] == [
        ("whole", "record 1: "),
        ("damaged", "record 2: empty"),
        ("damaged", "record 3: not JSON (expected value at line 1 column 1)"),
        ("whole", "record 4: "),
    ]
    for path in (tmp_path, tmp_path / "nowhere"):
        assert [f.kind for f, _ in upkeep.examine_archive(path)] == ["unreadable"]
        assert upkeep.length(path) == 0


def test_the_projects_own_archives_have_no_fault(tmp_path, capsys):
    (tmp_path / "results").mkdir()
    results, reports = tmp_path / "results", ROOT / "reports"
    code, out, err = told(capsys, "check", "--results", results, "--reports", reports)
    assert code == 0 and out.endswith("no faults\n")
    assert out.count(".jsonl.gz: ") >= len(upkeep.archives(reports)) >= 2
    assert "11902/11902 records" in err or "records, " in err


# check


def test_check_counts_lists_and_says_what_to_do(tmp_path, capsys):
    results, reports = tmp_path / "results", tmp_path / "my reports"
    make_a_mess(results)
    put(results, record(5, status="crashed"))
    put(results, WHOLE[:-5], record(6)["key"])
    put(results, but({}, 7, lr=0.5))
    put(results, but({}, 8, new_key=True, protocol=PROTOCOL - 1))
    old = but({}, 8, new_key=True, protocol=PROTOCOL - 1)
    bad = archive(reports / "x/data/records.jsonl.gz", [WHOLE, WHOLE[:-1]])
    archive(reports / "y/data/records.jsonl.gz", [WHOLE])
    before = listing(tmp_path)
    code, out, err = told(capsys, "check", "--results", results, "--reports", reports, "--all")
    assert listing(tmp_path) == before, "it changes nothing"
    assert code == 1 and out.endswith("3 faults\n")
    lines = out.splitlines()
    assert lines[0] == (
        f"{results}: 28 files: 1 whole, 1 crashed, 1 damaged, 1 altered, 1 stale, 20 foreign, "
        "3 leftover"
    )
    half, old = store.path_of(results, record(6)["key"]), store.path_of(results, old["key"])
    versions = f"protocol {PROTOCOL - 1}, Autoencoder 1, and now protocol {PROTOCOL}, Autoencoder 1"
    for line in (
        f"{half}: damaged, truncated; the next run trains it again; 'store prune' removes it",
        f"{old}: stale, {versions}; no suite finds it any more; 'store prune' removes it",
        f"{results / '.tmp-top'}: leftover, a file half written; of a killed program, or of one at "
        "work; after an hour 'store prune' removes it",
    ):
        assert f"  {line}" in lines
    assert f"{bad}: 2 records: 1 whole, 1 damaged" in lines
    assert f"  {bad}: damaged, record 2: truncated; 'git checkout' restores the archive" in lines
    assert f"{reports}/y/data/records.jsonl.gz: 1 records: 1 whole" in lines
    assert lines[-3:-1] == [
        f"'python -m benchmarks store prune --results {results}' lists what can go; with --yes it "
        "removes that",
        f"'git checkout '{bad}'' restores an archive that was committed",
    ]
    # one line each, whatever the file is called
    assert sum(line.startswith("  ") for line in lines) == 26 + 1
    assert all(line.isprintable() for line in lines)
    assert any(line.startswith(f"  '{results}/README\\n\\x1b[31m.md': foreign") for line in lines)


@pytest.mark.parametrize(
    "text, code",
    [
        (record(), 0),
        (record(status="crashed"), 0),
        (but({}, new_key=True, protocol=PROTOCOL - 1), 0),
        (but({}, new_key=True, protocol=PROTOCOL + 1), 0),
        (b"{", 1),
        (but({}, lr=0.3), 1),
    ],
)
def test_only_damaged_and_altered_records_are_faults(text, code, tmp_path, capsys):
    results, reports = tmp_path / "results", tmp_path / "reports"
    for folder in (results, reports):
        folder.mkdir()
    places = ("--results", results, "--reports", reports)
    put(results, text)
    (results / store.IN_FLIGHT).mkdir()
    (results / store.IN_FLIGHT / record()["key"]).touch()
    (results / ".tmp-x").touch()
    (results / "notes.txt").touch()
    assert told(capsys, "check", *places)[0] == code
    shutil.rmtree(results)
    results.mkdir()
    assert told(capsys, "check", *places)[0] == 0
    line = text if isinstance(text, bytes) else json.dumps(text).encode()
    archive(reports / "x/data/records.jsonl.gz", [line])
    assert told(capsys, "check", *places)[0] == code


def test_long_lists_are_cut_unless_all_is_asked_for(tmp_path, capsys):
    (tmp_path / "reports").mkdir()
    for seed in range(12):
        put(tmp_path / "results", b"", record(seed)["key"])
        (tmp_path / "results" / f"{seed}.txt").touch()
    places = ["--results", tmp_path / "results", "--reports", tmp_path / "reports"]
    _, out, _ = told(capsys, "check", *places)
    assert out.count(": damaged, empty;") == out.count(": foreign, not named") == 10
    assert "  and 2 more damaged; --all lists them\n  " in out and "and 2 more foreign; " in out
    _, out, _ = told(capsys, "check", *places, "--all")
    assert out.count(": damaged, empty;") == out.count(": foreign, not named") == 12
    assert "more" not in out.replace("any more", "")


@pytest.mark.parametrize("action", ["check", "prune", "merge"])
def test_a_folder_that_is_none_is_bad_input(action, tmp_path, capsys):
    (tmp_path / "file").touch()
    (tmp_path / "results").mkdir()
    (tmp_path / "other").mkdir()
    before = listing(tmp_path)
    missing = [tmp_path / "file"] + [tmp_path / "no\nwhere"] * (action != "merge")
    source = [tmp_path / "other"] * (action == "merge")
    wrong = [[*source, "--results", folder] for folder in missing]
    if action == "check":
        good = tmp_path / "results"
        wrong += [["--results", good, "--reports", folder] for folder in missing]
    if action == "merge":
        wrong += [[tmp_path / name, "--results", tmp_path / "results"]
                  for name in ("file", "no\x1bwhere", "results")]  # fmt: skip
    for words in wrong:
        code, out, err = told(capsys, action, *words)
        assert code == 2 and err.startswith("error: ") and err.count("\n") == 1, words
        assert err.strip().isprintable() and out == ""
    assert listing(tmp_path) == before


def test_the_projects_own_store_may_be_missing(tmp_path, monkeypatch, capsys):
    """Nothing has been trained in a fresh clone."""
    from benchmarks import store_commands

    monkeypatch.setattr(store_commands, "ROOT", tmp_path)
    (tmp_path / "reports").mkdir()
    results = ["--results", tmp_path / "results"]
    code, out, _ = told(capsys, "check", *results, "--reports", tmp_path / "reports")
    assert code == 0 and out == f"{tmp_path / 'results'}: no records yet\nno faults\n"
    code, out, _ = told(capsys, "prune", *results)
    assert code == 0 and out.endswith("0 files, 0 bytes can go\n")
    assert not (tmp_path / "results").exists()


def test_help_of_the_store_does_not_load_torch_and_gives_exit_codes():
    code = (
        "import sys\n"
        "from benchmarks.__main__ import main\n"
        "try: main(['store', 'check', '--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'pandas', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "1 damaged, altered or unreadable" in " ".join(done.stdout.split())
