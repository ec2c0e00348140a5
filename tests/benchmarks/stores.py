"""Stores of records for the tests of upkeep, whole and spoilt in every way."""

import gzip
import json
import os
from pathlib import Path

from benchmarks import store, upkeep
from benchmarks.__main__ import main
from benchmarks.executors import crashed
from benchmarks.suite import Budget, Data
from benchmarks.trial import Trial, key_of
from techniques.recipe import RECIPES

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


def stored(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.glob("??/*.json")}
