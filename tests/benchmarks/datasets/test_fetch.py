"""Fetching, from a server on loopback that behaves in every way a mirror can."""

import gzip
import hashlib
import http.server
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks.datasets import fetch, idx
from benchmarks.problem import Problem

FILE = "train-images-idx3-ubyte.gz"
CONTENT = gzip.compress(bytes(range(256)) * 4000 + Path(__file__).read_bytes(), 0)  # a megabyte


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT at /good/ and, at other folders, what a bad mirror makes of it."""

    seen: list[tuple[str, str | None]] = []  # folder and Range of every request
    stalled = threading.Event()
    go_on = threading.Event()

    def do_GET(self):
        folder = self.path.split("/")[1]
        asked = self.headers.get("Range")
        self.seen.append((folder, asked))
        if folder == "moved":
            self.send_response(302)
            self.send_header("Location", f"/good/{FILE}")
            self.end_headers()
            return
        if folder == "missing":
            self.send_error(404)
            return
        content = CONTENT if folder != "tampered" else CONTENT[:-1] + b"!"
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if folder == "rangeless":
            start = 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        half = len(content) // 2
        if folder in ("truncated", "stalling") and start < half:
            self.wfile.write(content[start:half])
            self.wfile.flush()
            if folder == "stalling":
                self.stalled.set()
                self.go_on.wait(20)
            self.connection.close()
            return
        self.wfile.write(content[start:])

    def log_message(self, *_):
        pass


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The data folder; one file is wanted, from the mirrors that ``mirrors`` sets."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setitem(fetch.FILES, "mnist", {FILE: hashlib.sha256(CONTENT).hexdigest()})
    return tmp_path / "mnist"


@pytest.fixture
def mirrors(monkeypatch, folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Mirror.seen = []
    Mirror.stalled.clear()
    Mirror.go_on.clear()

    def use(*names: str) -> list[str]:
        urls = [f"http://127.0.0.1:{server.server_port}/{name}/" for name in names]
        monkeypatch.setitem(fetch.MIRRORS, "mnist", tuple(urls))
        return urls

    yield use
    Mirror.go_on.set()
    server.shutdown()
    server.server_close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_good_file_is_fetched_once(mirrors, folder):
    mirrors("good")
    fetch.fetch("mnist")
    assert (folder / FILE).read_bytes() == CONTENT and names(folder) == [FILE]
    fetch.fetch("mnist")
    assert Mirror.seen == [("good", None)]


def test_a_good_plain_file_is_enough_and_a_damaged_one_is_not(mirrors, folder, monkeypatch):
    mirrors("good")
    folder.mkdir()
    plain = folder / FILE.removesuffix(".gz")
    content = (
        bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (2, 28, 28)) + bytes(1568)
    )
    monkeypatch.setitem(idx.FILES, "train-images", (plain.name, (2, 28, 28)))
    known = {**idx.SHA256_UNPACKED["mnist"], "train-images": hashlib.sha256(content).hexdigest()}
    monkeypatch.setitem(idx.SHA256_UNPACKED, "mnist", known)
    plain.write_bytes(content)
    fetch.fetch("mnist")
    assert Mirror.seen == [] and names(folder) == [plain.name]
    idx.read.cache_clear()
    plain.write_bytes(content[:-1] + b"!")
    fetch.fetch("mnist")
    assert (folder / FILE).read_bytes() == CONTENT
    idx.read.cache_clear()


def test_a_redirect_is_followed(mirrors, folder):
    mirrors("moved")
    fetch.fetch("mnist")
    assert [name for name, _ in Mirror.seen] == ["moved", "good"]
    assert (folder / FILE).read_bytes() == CONTENT


@pytest.mark.parametrize("bad", ["missing", "tampered"])
def test_the_next_mirror_is_tried(mirrors, folder, bad):
    mirrors(bad, "good")
    fetch.fetch("mnist")
    assert [name for name, _ in Mirror.seen] == [bad, "good"] and names(folder) == [FILE]


def test_a_tampered_file_leaves_nothing_behind(mirrors, folder):
    mirrors("tampered")
    with pytest.raises(Problem, match=rf"{FILE}: no mirror has it \(http.*tampered.*hash"):
        fetch.fetch("mnist")
    assert names(folder) == []


def test_a_wrong_file_that_is_there_is_replaced_only_by_the_right_one(mirrors, folder):
    mirrors("tampered")
    folder.mkdir()
    (folder / FILE).write_bytes(b"old")
    with pytest.raises(Problem):
        fetch.fetch("mnist")
    assert (folder / FILE).read_bytes() == b"old"
    mirrors("good")
    fetch.fetch("mnist")
    assert (folder / FILE).read_bytes() == CONTENT


def test_a_download_that_broke_off_goes_on_where_it_was(mirrors, folder):
    mirrors("truncated")
    with pytest.raises(Problem, match="no mirror has it"):
        fetch.fetch("mnist")
    assert names(folder) == [f".partial-{FILE}"]  # and nothing under the file's own name
    partial = (folder / f".partial-{FILE}").read_bytes()
    assert 0 < len(partial) < len(CONTENT) and CONTENT.startswith(partial)
    mirrors("good")
    fetch.fetch("mnist")
    assert Mirror.seen[-1] == ("good", f"bytes={len(partial)}-")
    assert (folder / FILE).read_bytes() == CONTENT and names(folder) == [FILE]


def test_another_mirror_goes_on_with_what_the_first_one_gave(mirrors, folder):
    mirrors("truncated", "good")
    fetch.fetch("mnist")
    assert Mirror.seen[0] == ("truncated", None) and Mirror.seen[1][1].startswith("bytes=")
    assert (folder / FILE).read_bytes() == CONTENT


@pytest.mark.parametrize("beginning", [b"not the beginning", b"x" * (len(CONTENT) + 5)])
def test_a_bad_beginning_is_thrown_away_and_all_fetched_anew(mirrors, folder, beginning):
    mirrors("good")
    folder.mkdir()
    (folder / f".partial-{FILE}").write_bytes(beginning)
    fetch.fetch("mnist")
    assert (folder / FILE).read_bytes() == CONTENT and names(folder) == [FILE]


def test_a_server_that_knows_no_ranges_sends_all_of_it(mirrors, folder):
    mirrors("rangeless")
    folder.mkdir()
    (folder / f".partial-{FILE}").write_bytes(CONTENT[:1000])
    fetch.fetch("mnist")
    assert (folder / FILE).read_bytes() == CONTENT


def test_a_refused_connection_is_told_in_one_line(monkeypatch, folder):
    monkeypatch.setitem(fetch.MIRRORS, "mnist", ("http://127.0.0.1:9/",))
    with pytest.raises(Problem, match=r"no mirror has it \(http://127.0.0.1:9/: ") as caught:
        fetch.fetch("mnist")
    assert "\n" not in str(caught.value) and "DATA_DIR" in str(caught.value)
    assert not (folder / FILE).exists()


def test_a_mirror_that_stalls_is_given_up(mirrors, folder, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", (1, 0.5))
    mirrors("stalling", "good")
    fetch.fetch("mnist")
    assert (folder / FILE).read_bytes() == CONTENT


def test_a_full_disk_is_named_and_leaves_nothing_under_the_files_name(mirrors, folder):
    """Writing past a limit on file sizes fails like writing to a full disk: in mid-file."""
    mirrors("good", "good")
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT) // 3, hard))
    try:
        with pytest.raises(Problem, match=f"{FILE}: cannot be written"):
            fetch.fetch("mnist")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert Mirror.seen == [("good", None)]  # no mirror is to blame, so no other was asked
    assert not (folder / FILE).exists()
    fetch.fetch("mnist")
    assert (folder / FILE).read_bytes() == CONTENT


def test_a_kill_in_the_middle_leaves_a_part_that_the_next_fetch_completes(mirrors, folder):
    (url,) = mirrors("stalling")
    program = (
        "from benchmarks.datasets import fetch\n"
        f"fetch.FILES['mnist'] = {{{FILE!r}: {hashlib.sha256(CONTENT).hexdigest()!r}}}\n"
        f"fetch.MIRRORS['mnist'] = ({url!r},)\n"
        "fetch.fetch('mnist')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    partial = folder / f".partial-{FILE}"
    deadline = time.monotonic() + 30
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert not (folder / FILE).exists() and partial.stat().st_size > 0
    got = partial.stat().st_size
    mirrors("good")
    fetch.fetch("mnist")
    assert Mirror.seen[-1] == ("good", f"bytes={got}-")
    assert (folder / FILE).read_bytes() == CONTENT


def test_two_at_once_do_not_write_into_one_file(mirrors, folder):
    """The second one is told so; the first one's file comes out whole."""
    mirrors("stalling", "good")
    first = threading.Thread(target=fetch.fetch, args=("mnist",))
    first.start()
    assert Mirror.stalled.wait(10)
    with pytest.raises(Problem, match="another process is fetching it"):
        fetch.fetch("mnist")
    Mirror.go_on.set()
    first.join(30)
    assert (folder / FILE).read_bytes() == CONTENT and names(folder) == [FILE]


def test_every_data_set_to_fetch_has_mirrors_and_digests():
    assert fetch.MIRRORS.keys() == fetch.FILES.keys() == {"mnist", "fashion-mnist", "cifar10"}
    for name, urls in fetch.MIRRORS.items():
        assert len(urls) >= 2 and all(url.endswith("/") for url in urls)
        assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in fetch.FILES[name].values())


def test_there_is_nothing_to_fetch_for_other_names():
    with pytest.raises(Problem, match="data mnist5k: nothing to fetch; allowed: mnist, fashion"):
        fetch.fetch("mnist5k")
