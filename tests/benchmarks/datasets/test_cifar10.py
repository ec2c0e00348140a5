"""CIFAR-10 from an archive of the official form, made here, whole and damaged."""

import hashlib
import io
import tarfile

import numpy as np
import pytest

from benchmarks.datasets import cifar10
from benchmarks.problem import Problem


def write_archive(path, records, extra=()):
    """An archive of six batches; ``extra`` are more members (name, content)."""
    with tarfile.open(path, "w:gz") as archive:
        batches = zip(cifar10.BATCHES, np.split(records, 6), strict=True)
        named = [(f"cifar-10-batches-bin/{name}", batch.tobytes()) for name, batch in batches]
        for name, content in [*extra, *reversed(named)]:  # the order inside does not matter
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Twelve pictures, two in each batch, whose digest is taken for the official one."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr(cifar10, "PER_BATCH", 2)
    records = np.random.default_rng(0).integers(0, 256, (12, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(12) % 10
    path = tmp_path / "cifar10" / cifar10.FILE
    path.parent.mkdir()
    write_archive(path, records, extra=[("cifar-10-batches-bin/batches.meta.txt", b"airplane\n")])
    monkeypatch.setattr(cifar10, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path, records


def test_the_archive_is_read_in_place(archive):
    path, records = archive
    split = cifar10.load(6, 3)
    assert [len(x) for x in (split.x_train, split.x_valid, split.x_test)] == [6, 3, 2]
    assert split.y_train.tolist() == records[:6, 0].tolist()
    assert split.y_valid.tolist() == records[6:9, 0].tolist()
    assert split.y_test.tolist() == records[10:, 0].tolist()
    np.testing.assert_allclose(split.x_test, records[10:, 1:] / 255, rtol=1e-6)
    assert [p.name for p in path.parent.iterdir()] == [cifar10.FILE]  # nothing unpacked beside it


def test_a_changed_archive_is_refused(archive):
    path, records = archive
    records[0, 5] ^= 1
    write_archive(path, records)
    with pytest.raises(Problem, match=rf"{cifar10.FILE}: expected SHA-256 [0-9a-f]{{64}}, got"):
        cifar10.load(6, 3)


def test_a_missing_archive_names_the_command(archive):
    archive[0].unlink()
    with pytest.raises(Problem, match="no such file; 'make data' fetches it"):
        cifar10.load(6, 3)


@pytest.mark.parametrize("n_train, n_valid", [(0, 1), (1, 0), (8, 3)])
def test_parts_beyond_the_training_batches_are_refused(archive, n_train, n_valid):
    with pytest.raises(Problem, match=f"n_train {n_train} and n_valid {n_valid} must be positive"):
        cifar10.load(n_train, n_valid)
