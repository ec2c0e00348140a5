"""Fetches data sets from their known mirrors, each file checked before it gets its name."""

from __future__ import annotations

import sys

from benchmarks.datasets.idx import FILES, MD5_GZ, data_folder
from benchmarks.problem import Problem

MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion-mnist": (
        "https://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
}


def fetch(name: str) -> None:
    """Put the four files of ``mnist`` or ``fashion-mnist`` under the data folder.

    What is there and right stays. Raises Problem where no mirror gives the right file.
    """
    import pooch  # only needed here, and it brings an HTTP client with it

    if name not in MIRRORS:
        raise Problem(f"data {name}: nothing to fetch; allowed: {', '.join(MIRRORS)}")
    folder = data_folder() / name
    for what, (file, _) in FILES.items():
        if (folder / file).exists():
            continue  # a plain file: the loader checks it
        failures = []
        for mirror in MIRRORS[name]:
            try:
                pooch.retrieve(
                    f"{mirror}{file}.gz",
                    known_hash=f"md5:{MD5_GZ[name][what]}",
                    fname=f"{file}.gz",
                    path=folder,
                    downloader=pooch.HTTPDownloader(timeout=30),
                )
                break
            except (OSError, ValueError) as error:  # unreachable, or not the file expected
                failures.append(f"{mirror}: {str(error).splitlines()[0][:120]}")
        else:
            raise Problem(
                f"{folder / file}.gz: no mirror has it ({'; '.join(failures)}); put the official "
                f"files there, or set DATA_DIR to the folder that has {name}/"
            )
        print(f"{folder / file}.gz", file=sys.stderr)
