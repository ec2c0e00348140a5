"""The form that every data set takes: examples in [0, 1] in rows, labels, three parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Split:
    """Inputs (N, D) float32 in [0, 1] and labels (N,) int64 of each part.

    ``valid`` chooses learning rates and checkpoints; ``test`` is only ever reported.
    """

    x_train: Tensor
    y_train: Tensor
    x_valid: Tensor
    y_valid: Tensor
    x_test: Tensor
    y_test: Tensor

    @property
    def n_inputs(self) -> int:
        """Number of inputs D."""
        return self.x_train.shape[1]

    @property
    def n_classes(self) -> int:
        """Number of classes K."""
        return int(self.y_train.max()) + 1

    @property
    def chance_error(self) -> float:
        """Test error, as a fraction, of always naming the commonest class of the training set."""
        commonest = self.y_train.bincount().argmax()
        return int((self.y_test != commonest).sum()) / len(self.y_test)

    def to(self, device: torch.device | str) -> Split:
        """The same split on another device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def map(self, transform: Callable[[Tensor], Tensor]) -> Split:
        """The same split with its inputs transformed, (N, D) -> (N, D)."""
        inputs = ("x_train", "x_valid", "x_test")
        return replace(self, **{name: transform(getattr(self, name)) for name in inputs})


def from_bytes(images: np.ndarray, labels: np.ndarray, parts: tuple[np.ndarray, ...]) -> Split:
    """Split of grey images (N, D) uint8 and labels (N,) by the rows of train, valid and test."""
    tensors = []
    for rows in parts:
        tensors.append(torch.from_numpy(images[rows].astype(np.float32) / 255))
        tensors.append(torch.from_numpy(labels[rows].astype(np.int64)))
    return Split(*tensors)
