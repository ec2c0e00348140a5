"""The teacher by its singular values, its learning curve by integration and by training."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from benchmarks.datasets import deep_linear
from benchmarks.datasets.arrays import sha256


def test_training_inputs_are_exactly_white_and_the_others_as_drawn():
    arrays = deep_linear.generate(200, 4000, 50)
    x = arrays.x_train.astype(float)
    np.testing.assert_allclose(x.T @ x / 200, np.eye(16), atol=1e-6)
    x = arrays.x_valid.astype(float)
    off_by = np.abs(x.T @ x / 4000 - np.eye(16))
    assert 0.01 < off_by.max() < 5 * (2 / 4000) ** 0.5  # standard error of a second moment


@pytest.mark.parametrize("n_inputs, n_outputs", [(16, 16), (6, 9), (9, 6)])
def test_targets_are_a_teacher_of_the_given_singular_values(n_inputs, n_outputs):
    s = [3.0, 1.5, 0.2]
    arrays = deep_linear.generate(
        50, 20, 30, n_inputs=n_inputs, n_outputs=n_outputs, singular_values=s
    )
    x, y = arrays.x_train.astype(float), arrays.y_train.astype(float)
    correlation = y.T @ x / 50  # E y x', which whitening makes the teacher
    found = np.linalg.svd(correlation, compute_uv=False)
    np.testing.assert_allclose(found, s + [0] * (min(n_inputs, n_outputs) - 3), atol=2e-6)
    u, v = deep_linear.teacher(0, n_inputs, n_outputs, 3)
    np.testing.assert_allclose(correlation, u @ np.diag(s) @ v.T, atol=2e-6)
    for x, y in zip(arrays[::2], arrays[1::2], strict=True):
        for inputs, targets in zip(x.astype(float), y, strict=True):
            expected = sum(
                s[a] * u[:, a] * sum(v[i, a] * inputs[i] for i in range(n_inputs)) for a in range(3)
            )
            np.testing.assert_allclose(targets, expected, rtol=0, atol=1e-5)


def test_orthonormal_columns_by_hand():
    columns = deep_linear.orthonormal(np.array([[3.0, 5.0], [4.0, 0.0], [0.0, 0.0]]))
    # 5 (1, 0) less its 3 along (0.6, 0.8) is (3.2, -2.4), of length 4
    np.testing.assert_allclose(columns, [[0.6, 0.8], [0.8, -0.6], [0, 0]], atol=1e-15)


def test_columns_that_are_nearly_parallel_come_out_orthonormal():
    matrix = np.ones((6, 3))
    matrix[:, 1] += 1e-9 * np.arange(6)
    matrix[:, 2] += 1e-9 * np.arange(6) ** 2
    columns = deep_linear.orthonormal(matrix)
    np.testing.assert_allclose(columns.T @ columns, np.eye(3), atol=1e-12)


def test_the_teacher_has_orthonormal_columns_and_a_stream_of_its_own():
    for matrix, n in zip(deep_linear.teacher(5, 7, 9, 4), (9, 7), strict=True):
        assert matrix.shape == (n, 4)
        np.testing.assert_allclose(matrix.T @ matrix, np.eye(4), atol=1e-14)
    assert not np.allclose(deep_linear.teacher(0)[0], deep_linear.teacher(1)[0])
    assert not np.allclose(*deep_linear.teacher(0))


@pytest.mark.parametrize("s, u0, tau", [(2.0, 0.001, 1.0), (0.5, 0.01, 3.0), (1.0, 4.0, 0.5)])
def test_the_strength_solves_its_differential_equation(s, u0, tau):
    t = np.linspace(0, 8 * tau / s, 33)
    solution = solve_ivp(
        lambda _, u: 2 * u * (s - u) / tau, (0, t[-1]), [u0], t_eval=t, rtol=1e-11, atol=1e-13
    )
    u = deep_linear.strength(t, s, u0, tau)
    np.testing.assert_allclose(u, solution.y[0], rtol=1e-8)
    assert u[0] == u0 and u[-1] == pytest.approx(s, rel=0.01)


def test_the_strength_is_finite_for_any_time():
    assert deep_linear.strength(np.array([1e6]), 4.0, 1e-6).tolist() == [4.0]


def test_gradient_descent_on_the_data_follows_the_strength():
    s, u0, lr = np.array([2.0, 1.0, 0.5]), 0.01, 1e-3
    arrays = deep_linear.generate(40, 10, 10, n_inputs=4, n_outputs=5, singular_values=s)
    x, y = arrays.x_train.astype(float), arrays.y_train.astype(float)
    u, v = deep_linear.teacher(0, 4, 5, 3)
    hidden, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 3)))
    first, second = u0**0.5 * hidden @ v.T, u0**0.5 * u @ hidden.T  # balanced and aligned
    for step in range(6001):
        if step % 500 == 0:
            found = np.diag(u.T @ second @ first @ v)
            expected = [deep_linear.strength(step, mode, u0, 1 / lr) for mode in s]
            # a step of lr makes an error of order lr s in the rate, lr s^2 t in ln u
            np.testing.assert_allclose(found, expected, rtol=0.02)
        error = second @ first @ x.T - y.T
        pull = error @ x / len(x)
        first, second = first - lr * second.T @ pull, second - lr * pull @ first.T
    assert found[0] > 1.99 and 0.85 < found[2] / 0.5 < 0.95  # strong modes first


def test_the_default_parts_are_pinned():
    arrays = deep_linear.generate(*deep_linear.PARTS)
    assert sha256(arrays) == deep_linear.SHA256
    for array in arrays:
        assert array.shape == (1000, 16) and array.dtype == np.float32
    x, y = arrays.x_train.astype(float), arrays.y_train.astype(float)
    found = np.linalg.svd(y.T @ x / 1000, compute_uv=False)
    np.testing.assert_allclose(found, [4, 2, 1, 0.5, 0.25] + 11 * [0], atol=2e-6)


def test_the_seed_decides_and_parts_have_streams_of_their_own():
    arrays = deep_linear.generate(30, 20, 20)
    assert sha256(deep_linear.generate(30, 20, 20)) == sha256(arrays)
    other = deep_linear.generate(30, 20, 20, seed=1)
    for one, two in zip(arrays, other, strict=True):
        assert not np.isclose(one[: len(two)], two).any(axis=1).all()
    resized = deep_linear.generate(40, 10, 20)
    assert np.array_equal(resized.x_test, arrays.x_test)
    assert np.array_equal(resized.y_test, arrays.y_test)
    assert not np.isclose(arrays.x_valid, arrays.x_test).any(axis=1).any()


def test_what_cannot_be_made_is_refused():
    with pytest.raises(ValueError, match="n_train must be n_inputs = 16 or more, got 15"):
        deep_linear.generate(15, 1, 1)
    for rank in (0, 5):
        with pytest.raises(ValueError, match=f"4 inputs and 6 outputs has 1 to 4 .* got {rank}"):
            deep_linear.teacher(0, 4, 6, rank)
