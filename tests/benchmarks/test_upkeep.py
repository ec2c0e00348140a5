"""Upkeep of the store: every way to be wrong has its name, and nothing goes unasked."""

import copy
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import store, trial, upkeep
from benchmarks.__main__ import main
from benchmarks.archive import save_archive
from benchmarks.executors import crashed
from benchmarks.experiment import Measurement, find
from benchmarks.suite import Budget, Data
from benchmarks.trial import PROTOCOL, REVISIONS, Trial, key_of
from techniques.recipe import RECIPES

ROOT = Path(__file__).parent.parent.parent
BUDGET = Budget(updates=10, batch_size=10, evaluate_every=5, probe_at=(0, 10))


def trial_of(seed: int, recipe: str = "autoencoder") -> Trial:
    """One whose technique has been revised."""
    data = Data(name="mnist5k")
    return Trial(recipe, "report", RECIPES[recipe], data, 2, 4, BUDGET, 0.1, seed, "cpu")


def record(seed: int = 0, error: float = 5.0, seconds: float = 1.5, status: str = "ok") -> dict:
    """What training would have stored."""
    if status == "crashed":
        return crashed((trial_of(seed),), "Traceback\nMemoryError: it was\x1b[31m too big")[0]
    return {
        "schema": 1,
        "key": trial_of(seed).key,
        "config": json.loads(json.dumps(trial_of(seed).config)),
        "env": {"torch": "2"},
        "error": None,
        "status": status,
        "result": {"test_error_pct": error, "seconds_train": seconds, "cpu_seconds": seconds},
        "curves": {"update": [0, 5, 10], "train_loss": [2.3, None, 2.0]},
        "probes": [{"update": 0, "gradient_rms": [1e-4, 1e-3]}],
    }


def but(changes: dict, seed: int = 0, new_key: bool = False, **of_config) -> dict:
    """A record with other parts, or without those that are None; as if stored with its key."""
    changed = record(seed) | changes
    changed = {part: value for part, value in changed.items() if changes.get(part, 0) is not None}
    if of_config:
        changed["config"] = changed["config"] | of_config
    if new_key:
        changed["key"] = key_of(changed["config"])
    return changed


def kinds(folder: Path) -> dict[str, tuple[str, str]]:
    """Kind and reason of everything in a store, by its place."""
    found = [upkeep.examine(folder, path) for path in upkeep.contents(folder)]
    return {str(f.path.relative_to(folder)): (f.kind, f.why) for f, _ in found}


def put(folder: Path, text: bytes | dict, key: str | None = None) -> Path:
    """Write what may be anything where the record of a trial would be."""
    if isinstance(text, dict):
        key, text = key or text["key"], json.dumps(text).encode()
    path = store.path_of(folder, key or record()["key"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return path


def archive(path: Path, lines: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))
    return path


def listing(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Everything below, with times and contents."""
    return {
        path: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


def told(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, output and complaint of a command of the store."""
    code = main(["store", *map(str, arguments)])
    return code, *capsys.readouterr()


WHOLE = json.dumps(record()).encode()
TEXTS = {
    "whole": (WHOLE, "whole", ""),
    "indented": (json.dumps(record(), indent=1).encode(), "whole", ""),
    "diverged": (record(status="diverged"), "whole", ""),
    "empty": (b"", "damaged", "empty"),
    "zeros, as after a power cut": (b"\0" * 4096, "damaged", "zero bytes only"),
    "truncated": (WHOLE[:-9], "damaged", "truncated"),
    "truncated in a string": (WHOLE[: WHOLE.index(b"encoder")], "damaged", "truncated"),
    "truncated in a character": (b'{"key": "\xc3', "damaged", "not UTF-8"),
    "Latin-1": (b'{"key": "\xe9"}', "damaged", "not UTF-8"),
    "UTF-16": (WHOLE.decode().encode("utf-16"), "damaged", "not UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf" + WHOLE, "damaged", "not JSON (expected value"),
    "two records": (WHOLE + WHOLE, "damaged", "not JSON (trailing characters"),
    "not JSON": (b"hello\n", "damaged", "not JSON (expected value at line 1 column 1)"),
    "NaN": (WHOLE.replace(b"5.0", b"NaN"), "damaged", "not JSON"),
    "endless": (b"[" * 100_000, "damaged", "not JSON (recursion limit"),
    "no float": (WHOLE.replace(b"5.0", b"1e999"), "damaged", "not the numbers of a trial (Out of"),
    "no float in config": (WHOLE.replace(b'"lr": 0.1', b'"lr": 1e999'), "damaged", "not the num"),
    "a list": (b"[]", "damaged", "not a record"),
    "null": (b"null", "damaged", "not a record"),
    "no key": (but({"key": None}) | {"key": 7}, "damaged", "no schema or no key"),
    "no schema": (but({"schema": None}), "damaged", "no schema or no key"),
    "schema as text": (but({"schema": "1"}), "damaged", "no schema or no key"),
    "no status": (but({"status": None}), "damaged", "status None"),
    "odd status": (but({"status": "\nfine"}), "damaged", "status '\\nfine'"),
    "status a list": (but({"status": ["ok"]}), "damaged", "status ['ok']"),
    "no curves": (but({"curves": None}), "damaged", "lacks curves"),
    "no parts": (but(dict.fromkeys(["config", "env", "result", "probes"])), "damaged",
                 "lacks config, env, probes, result"),
    "result a list": (but({"result": []}), "damaged", "lacks result"),
    "probes a table": (but({"probes": {}}), "damaged", "lacks probes"),
    "crash unexplained": (but({"status": "crashed"}) | {"error": None}, "damaged", "lacks error"),
    "crashed": (record(status="crashed"), "crashed", "'MemoryError: it was\\x1b[31m too big'"),
    "crashed, silent": (record(status="crashed") | {"error": ""}, "crashed", ""),
    "another's record": (record(1) | {"key": record()["key"]}, "altered",
                         f"its config gives the key {record(1)['key']}"),
    "another rate": (but({}, lr=0.2), "altered", "its config gives the key "),
    "no recipe": (but({}, recipe=None), "altered", "its config gives the key "),
    "earlier schema": (but({"schema": 0, "config": None}), "stale", "schema 0, and now it is 1"),
    "later schema": (but({"schema": 9, "status": "new"}), "newer", "schema 9, and now it is 1"),
}  # fmt: skip


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


# folders where no record of these tests belongs, whatever PROTOCOL makes of their keys
USED = {trial_of(seed).key[:2] for seed in range(25)}
AB, CD, EE, FF = [name for name in map("{:02x}".format, range(16, 256)) if name not in USED][-4:]


def make_a_mess(folder: Path) -> dict[str, str]:
    """A store with everything that is not a record, too; the kind of each by its place."""
    key = record(1)["key"]
    in_place = put(folder, record(2))
    misnamed = in_place.with_name(f"{in_place.name[:2]}{'0' * 30}.json")
    in_place.rename(misnamed)
    places = {
        str(put(folder, record(0)).relative_to(folder)): "whole",
        str(misnamed.relative_to(folder)): "foreign",
    }

    def make(place: str, kind: str, content: str | None = None) -> None:
        path = folder / place
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if content is None else path.write_text(content)
        places[place] = kind

    whole = WHOLE.decode()
    make(f"{key}.json", "foreign", json.dumps(record(1)))
    make(f"{AB}/{key}.json", "foreign", json.dumps(record(1)))
    make(f"{AB}/short.json", "foreign", whole)
    make(f"{key[:2]}/{key}.json\n", "foreign", json.dumps(record(1)))
    make(f"{AB}/{AB}{'G' * 30}.json", "foreign", whole)
    make(f"{AB}/{AB}{'A' * 30}.json", "foreign", whole)
    make(f"{AB}/{AB}{'3' * 30}.json", "foreign")
    make(f"{AB}/.tmp-folder", "foreign")
    make(f"{AB}/.tmp-half", "leftover", "half")
    make(".tmp-top", "leftover", "ha")
    make(f"{CD}/ef", "foreign")
    make(EE, "foreign", "a file where a folder should be")
    make("README\n\x1b[31m.md", "foreign", "not ours")
    make("0G", "foreign")
    make("notes", "foreign")
    (folder / "notes" / "inner.json").write_text(whole)
    make(f"{store.IN_FLIGHT}/{key}", "leftover", "")
    make(f"{store.IN_FLIGHT}/full", "foreign", "something")
    make(f"{store.IN_FLIGHT}/d", "foreign")
    links = {
        f"{AB}/{AB}{'1' * 30}.json": store.path_of(folder, record(0)["key"]),
        f"{AB}/.tmp-link": folder / "nowhere",
        FF: folder,  # round and round
    }
    for place, to in links.items():
        os.symlink(to, folder / place)
        places[place] = "foreign"
    pipe = f"{AB}/{AB}{'2' * 30}.json"  # to read it would be to wait forever
    os.mkfifo(folder / pipe)
    return places | {pipe: "foreign"}


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


# prune


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


# merge


def stored(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.glob("??/*.json")}


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
