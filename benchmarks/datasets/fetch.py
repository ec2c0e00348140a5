"""Fetches data sets from their known mirrors, each file checked before it gets its name.

pooch does the checking and naming; its downloader cannot go on with a partial file, so ours does:
what has come stays beside the target as ``.partial-<file>`` until the file is whole.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path
from typing import BinaryIO

from benchmarks.datasets import cifar10, idx
from benchmarks.datasets.idx import data_folder
from benchmarks.problem import Problem

FILES = {  # name -> its files and their SHA-256 as they are served
    "mnist": {f"{file}.gz": idx.SHA256_GZ["mnist"][what] for what, (file, _) in idx.FILES.items()},
    "fashion-mnist": {
        f"{file}.gz": idx.SHA256_GZ["fashion-mnist"][what] for what, (file, _) in idx.FILES.items()
    },
    "cifar10": {cifar10.FILE: cifar10.SHA256},
}
MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion-mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    "cifar10": (
        "https://www.cs.toronto.edu/~kriz/",
        "https://cave.cs.toronto.edu/kriz/",
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
    ),
}
TIMEOUT = (10, 30)  # seconds to connect, and to wait for more bytes
_BLOCK = 1 << 16


def fetch(name: str) -> None:
    """Put the files of a data set under the data folder; what is there and right stays.

    Raises Problem where no mirror gives the right file, or it cannot be written.
    """
    if name not in MIRRORS:
        raise Problem(f"data {name}: nothing to fetch; allowed: {', '.join(MIRRORS)}")
    folder = data_folder() / name
    for file, sha256 in FILES[name].items():
        plain = folder / file.removesuffix(".gz")
        if _is_good(name, plain):
            print(plain, file=sys.stderr)
        else:
            _fetch_file(name, folder / file, sha256)
            print(folder / file, file=sys.stderr)


def _is_good(name: str, plain: Path) -> bool:
    """Whether an unpacked IDX file is there, no packed one before it, and the loader takes it."""
    packed = plain.with_name(f"{plain.name}.gz")
    what = next((w for w, (file, _) in idx.FILES.items() if file == plain.name), None)
    if what is None or not plain.exists() or packed.exists():
        return False
    try:
        idx.read(name, plain.parent, what)
    except Problem:
        return False
    return True


def _fetch_file(name: str, path: Path, sha256: str) -> None:
    import pooch  # only needed here, and it brings an HTTP client with it
    import requests

    failures = []
    for mirror in MIRRORS[name]:
        # a mirror that goes on with another's bad beginning fails the check: then once from nothing
        for resumed in (_partial(path).exists(), False):
            try:
                pooch.retrieve(
                    f"{mirror}{path.name}",
                    known_hash=f"sha256:{sha256}",
                    fname=path.name,
                    path=path.parent,
                    downloader=_download,
                )
                return
            except requests.RequestException as error:  # unreachable, refused, broken off
                failures.append(f"{mirror}: {_first_line(error)}")
                break
            except ValueError as error:  # not the file expected; pooch has removed it
                if not resumed:
                    failures.append(f"{mirror}: {_first_line(error)}")
                    break
            except OSError as error:  # a full disk, a folder that cannot be written to
                raise Problem(f"{path}: cannot be written ({error.strerror or error})") from None
    raise Problem(
        f"{path}: no mirror has it ({'; '.join(failures)}); put the official files there, or set "
        f"DATA_DIR to the folder that has {name}/"
    )


def _partial(path: Path) -> Path:
    return path.with_name(f".partial-{path.name}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _download(url: str, output_file: str, pooch: object) -> None:
    """Fetch url to output_file, on from where an earlier try was broken off; with progress.

    Raises requests.RequestException for what the network does, OSError for what the disk does.
    """
    name = url.rsplit("/", 1)[1]
    partial = _partial(Path(output_file).with_name(name))
    with partial.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(f"{partial}: another process is fetching it; wait for that") from None
        try:
            _complete(url, file)
            os.replace(partial, output_file)
        finally:
            if partial.exists() and not os.path.getsize(partial):
                partial.unlink()  # nothing came


def _complete(url: str, file: BinaryIO) -> None:
    """Append to an open file what it lacks of the url's content."""
    import requests
    from tqdm import tqdm

    there = os.fstat(file.fileno()).st_size
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # all of it is there, or more than should be: the check will tell
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            file.truncate(there := 0)  # the server sends all of it again
        to_come = response.headers.get("Content-Length")
        total = there + int(to_come) if to_come else None
        bar = tqdm(
            total=total,
            initial=there,
            unit="B",
            unit_scale=True,
            desc=url.rsplit("/", 1)[1],
            disable=None,
            leave=False,
        )
        with bar:
            for block in response.iter_content(_BLOCK):
                file.write(block)
                bar.update(len(block))
    file.flush()
    got = os.fstat(file.fileno()).st_size
    if total is not None and got < total:
        raise requests.ConnectionError(f"broken off at {got} of {total} bytes")
