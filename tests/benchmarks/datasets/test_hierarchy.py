"""The item-feature matrix word by word, and its singular values by hand."""

import numpy as np
import pytest

from benchmarks.datasets import hierarchy
from benchmarks.datasets.arrays import sha256
from benchmarks.datasets.deep_linear import strength

WORDS = {
    "canary": {"grow", "move", "fly"},
    "salmon": {"grow", "move", "swim"},
    "oak": {"grow", "roots", "leaves"},
    "rose": {"grow", "roots", "petals"},
}


def test_items_have_their_features():
    arrays = hierarchy.generate(4, 4, 4)
    for x, y in zip(arrays[::2], arrays[1::2], strict=True):
        assert x.dtype == np.uint8 and y.dtype == np.float32
        assert x.tolist() == (255 * np.eye(4, dtype=int)).tolist()
        for item, row in zip(hierarchy.ITEMS, y, strict=True):
            assert set(row.tolist()) == {0.0, 1.0}
            has = {f for f, value in zip(hierarchy.FEATURES, row, strict=True) if value}
            assert has == WORDS[item]


def test_singular_values_and_vectors_by_hand():
    y = hierarchy.generate(4, 4, 4).y_train.astype(float)
    # items share grow, and animals (plants) one more; each has three: y y' = J + blocks of J + I
    shared = y @ y.T
    assert shared.tolist() == [[3, 2, 1, 1], [2, 3, 1, 1], [1, 1, 3, 2], [1, 1, 2, 3]]
    for vector, square in [
        ([1, 1, 1, 1], 7),  # all: 4 + 2 + 1
        ([1, 1, -1, -1], 3),  # animal or plant: 0 + 2 + 1
        ([1, -1, 0, 0], 1),
        ([0, 0, 1, -1], 1),
    ]:
        assert (shared @ vector).tolist() == [square * element for element in vector]
    found = np.linalg.svd(y, compute_uv=False)
    np.testing.assert_allclose(found, [7**0.5, 3**0.5, 1, 1])


def test_a_linear_network_learns_the_levels_in_order_four_times_slower_than_white_inputs():
    arrays = hierarchy.generate(4, 4, 4)
    x, y = arrays.split().x_train.double().numpy(), arrays.y_train.astype(float)
    u, s, vt = np.linalg.svd(y.T, full_matrices=False)  # features by items
    u0, lr = 0.01, 4e-3
    first, second = u0**0.5 * vt, u0**0.5 * u
    for step in range(3001):
        if step % 500 == 0:
            found = np.diag(u.T @ second @ first @ vt.T)
            expected = [strength(step, mode, u0, 4 / lr) for mode in s]
            np.testing.assert_allclose(found, expected, rtol=0.02)
        if step == 1500:
            assert found[0] / s[0] > 0.9 > 0.7 > found[1] / s[1] > 0.3 > found[2] / s[2]
        pull = (second @ first @ x.T - y.T) @ x / 4
        first, second = first - lr * second.T @ pull, second - lr * pull @ first.T


def test_parts_of_any_size_name_the_items_in_turn():
    arrays = hierarchy.generate(6, 0, 1)
    assert arrays.x_train.argmax(axis=1).tolist() == [0, 1, 2, 3, 0, 1]
    assert np.array_equal(arrays.y_train[4:], arrays.y_train[:2])
    assert arrays.x_valid.shape == (0, 4) and arrays.y_valid.shape == (0, 7)
    assert arrays.y_test.shape == (1, 7)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_parts_are_pinned_whatever_the_seed(seed):
    assert sha256(hierarchy.generate(*hierarchy.PARTS, seed=seed)) == hierarchy.SHA256
