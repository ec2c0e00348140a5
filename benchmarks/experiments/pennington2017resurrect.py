"""Singular values of the whole network's Jacobian: which weights and units give isometry.

Paper     Pennington, Schoenholz, Ganguli (2017), Resurrecting the sigmoid in deep learning through
          dynamical isometry, NIPS 30: the spectra of random tanh and rectifier networks
Protocol  layers of 400 units; orthogonal or Gaussian weights; tanh at the critical point
          q = 0.0259 (weight variance 1.05^2, bias variance 2.01e-5), rectifiers with weights of
          variance 2 / fan_in. The Jacobian is that of the last layer's pre-activations by the
          first layer's
Departs   at one input, which is noise of the size at which the length map starts in its fixed point
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.experiment import Experiment, Quantity, Settings
from benchmarks.signals import layer_jacobian
from techniques.activations.relu import Relu
from techniques.activations.tanh import Tanh
from techniques.initialisation.he import HeNormal
from techniques.initialisation.mean_field import Critical
from techniques.initialisation.orthogonal import Orthogonal
from techniques.network import Network, build
from techniques.recipe import Recipe
from techniques.streams import stream

Q = 0.0259  # of tanh
UNITS, WEIGHTS = ("tanh", "rectifier"), ("orthogonal", "gaussian")


def recipe(units: str, weights: str, q: float) -> Recipe:
    """At criticality, and for tanh at the fixed point q."""
    orthogonal = weights == "orthogonal"
    if units == "tanh":
        return Recipe(
            activation=Tanh(), initialisation=Critical(Tanh(), q=q, orthogonal=orthogonal)
        )
    scaled = Orthogonal(gain=2**0.5) if orthogonal else HeNormal()
    return Recipe(activation=Relu(), initialisation=scaled)


def spectrum(
    settings: Settings, depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """Spread of the Jacobian's singular values."""
    q, width = settings["q"], settings["width"]
    critical = recipe(settings["units"], settings["weights"], q)
    found = []
    for seed in seeds:
        network = build(
            critical,
            n_inputs=width,
            n_classes=1,
            widths=[width] * depth,
            seeds=[seed],
            device=device,
        ).to(torch.float64)
        x = torch.empty(1, width, dtype=torch.float64)
        x.normal_(0, q**0.5, generator=stream(seed, "pennington2017:input"))
        found.append(_spread(torch.linalg.svdvals(jacobian(network, x.to(device)))))
    return found


def jacobian(network: Network, x: Tensor) -> Tensor:
    """d z_L / d z_1 (n, n) of the first run at x (1, D)."""
    layers = network.trace(x).layers
    product = torch.eye(layers[0].pre_activation.shape[2], dtype=x.dtype, device=x.device)
    for index in range(network.depth - 1):
        product = product @ layer_jacobian(network, index, layers[index].pre_activation[0, 0])
    return product


def _spread(singular: Tensor) -> dict[str, float]:
    square = singular.square()
    mean = square.mean()
    return {
        "mean_square_log10": float(mean.log10()),
        "square_variance": float(((square / mean) - 1).square().mean()),
        "largest_log10": float((square.max() / mean).log10() / 2),
    }


QUANTITIES = {
    "mean_square_log10": Quantity(
        "decades", "log10 of the mean squared singular value", signed=True
    ),
    "square_variance": Quantity(
        "ratio", "variance of the squared singular values over their squared mean"
    ),
    "largest_log10": Quantity("decades", "log10 of the largest singular value over their rms"),
}


def _of(width: int) -> dict[str, Settings]:
    return {
        f"{weights}-{units}": {"units": units, "weights": weights, "width": width, "q": Q}
        for units in UNITS
        for weights in WEIGHTS
    }


EXPERIMENTS = (
    Experiment(
        name="pennington2017resurrect-spectrum",
        paper="pennington2017resurrect",
        title="Singular values of the Jacobian, layers of 100 units",
        scale="reduced",
        conditions=_of(100),
        depths=(5, 10, 20, 40, 80),
        seeds=10,
        quantities=QUANTITIES,
        measure=spectrum,
        seconds=0.3,
    ),
    Experiment(
        name="pennington2017resurrect-spectrum-paper",
        paper="pennington2017resurrect",
        title="Singular values of the Jacobian, layers of 400 units",
        scale="paper",
        conditions=_of(400),
        depths=(11, 51, 201),
        seeds=10,
        quantities=QUANTITIES,
        measure=spectrum,
        seconds=0.9,
    ),
)
