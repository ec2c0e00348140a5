"""Deep linear: a linear teacher of known singular values, whose learning curves are known too.

Definition  y = U diag(s) V' x. The training inputs are Gaussian and then whitened exactly,
            E x x' = I (second moments, means are not taken out; up to the rounding to float32),
            so that the targets' correlation with the inputs, E y x', is the teacher itself.
            Validation and test inputs are N(0, I) as drawn. There is no noise. U and V have
            random orthonormal columns, uniform over all such.
            A linear network of one hidden layer on the loss E |y - W2 W1 x|^2 / 2 learns the
            modes independently: started small and balanced, the strength u of a mode of
            singular value s obeys tau du/dt = 2 u (s - u), which ``strength`` solves. With
            gradient descent, tau is one over the learning rate, if t counts updates. A mode
            takes a time of about tau ln(s / u0) / (2 s)
Source      Saxe, McClelland, Ganguli (2014), Exact solutions to the nonlinear dynamics of
            learning in deep linear neural networks, ICLR; BibTeX saxe2014
Certain     the differential equation and its solution, quoted from memory and proved again by
            the tests, which integrate it and train a network by gradient descent
Ours        everything that is a number: 16 inputs and outputs, singular values 4, 2, 1, 1/2,
            1/4 (the times to learn them are 1 : 2 : 4 : 8 : 16, but for a logarithm), and the
            sizes of the parts. The paper has whitened inputs, but fixes no teacher
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.datasets.arrays import Arrays, generators

PARTS = (1_000, 1_000, 1_000)
SHA256 = "126511ec8f928f79abf633467df38d6609c85d079af2ffaf5c341b8177dae34d"

SINGULAR_VALUES = (4.0, 2.0, 1.0, 0.5, 0.25)


def generate(
    n_train: int,
    n_valid: int,
    n_test: int,
    seed: int = 0,
    n_inputs: int = 16,
    n_outputs: int = 16,
    singular_values: Sequence[float] = SINGULAR_VALUES,
) -> Arrays:
    """Inputs (N, n_inputs) and targets (N, n_outputs), float32.

    Raises ValueError for fewer training examples than inputs, which cannot be whitened.
    """
    if n_train < n_inputs:
        raise ValueError(f"n_train must be n_inputs = {n_inputs} or more, got {n_train}")
    u, v = teacher(seed, n_inputs, n_outputs, len(singular_values))
    train, *others = generators("deep-linear", seed)
    inputs = [np.sqrt(n_train) * orthonormal(train.standard_normal((n_train, n_inputs)))]
    for n, generator in zip((n_valid, n_test), others, strict=True):
        inputs.append(generator.standard_normal((n, n_inputs)))
    parts = []
    for part in inputs:
        x = part.astype(np.float32)
        parts += [x, ((x.astype(float) @ v) * singular_values @ u.T).astype(np.float32)]
    return Arrays(*parts)


def teacher(
    seed: int = 0,
    n_inputs: int = 16,
    n_outputs: int = 16,
    rank: int = len(SINGULAR_VALUES),
) -> tuple[np.ndarray, np.ndarray]:
    """U (n_outputs, rank) and V (n_inputs, rank), orthonormal columns, float64.

    Raises ValueError for a rank that is not in 1 ... min(n_inputs, n_outputs).
    """
    if not 1 <= rank <= min(n_inputs, n_outputs):
        raise ValueError(
            f"a teacher of {n_inputs} inputs and {n_outputs} outputs has "
            f"1 to {min(n_inputs, n_outputs)} singular values, got {rank}"
        )
    # from a stream of its own: the teacher is the same however many examples there are
    generator, *_ = generators("deep-linear:teacher", seed)
    u = orthonormal(generator.standard_normal((n_outputs, rank)))
    return u, orthonormal(generator.standard_normal((n_inputs, rank)))


def orthonormal(matrix: np.ndarray) -> np.ndarray:
    """Orthonormal columns (N, K) that span those of matrix (N, K), K <= N, in their order.

    By Gram and Schmidt, so that no column's sign is left to a linear-algebra library.
    """
    columns = np.empty(matrix.shape)
    for k, column in enumerate(matrix.T):
        for _ in range(2):  # the second time takes out what rounding left the first
            column = column - columns[:, :k] @ (columns[:, :k].T @ column)
        columns[:, k] = column / np.sqrt(column @ column)
    return columns


def strength(t: np.ndarray, s: float, u0: float, tau: float = 1.0) -> np.ndarray:
    """Strength u(t) of a mode of singular value s with u(0) = u0, both above 0; t >= 0."""
    return s / (1 + (s / u0 - 1) * np.exp(-2 * s * np.asarray(t) / tau))
