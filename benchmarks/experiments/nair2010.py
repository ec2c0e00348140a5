"""Whether a hidden layer's features keep their direction when the input's intensity changes.

Paper     Nair, Hinton (2010), Rectified linear units improve restricted Boltzmann machines, ICML,
          807-814, section on intensity equivariance: without biases, rectified units scale with
          their input exactly, so that the cosine between features, by which it compares faces,
          does not see intensity; binary units saturate.
Protocol  A machine of Gaussian visible units is trained on standardised digits; then features are
          computed without biases and noise for an input and for that input times ``scale``.
Departs   digits in place of faces; the biases are left out after training, not during it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from benchmarks import datasets, fit
from benchmarks.experiment import Experiment, Quantity
from benchmarks.suite import KNOWN


def measure(
    settings: Mapping[str, object], depth: int, seeds: Sequence[int], device: torch.device
) -> list[dict[str, float]]:
    """How far features of v and ``scale`` v are apart, over the lowest ``depth`` layers."""
    split = datasets.load("mnist5k", settings["n_train"], settings["n_valid"]).to(device)
    recipe = KNOWN[settings["recipe"]]
    split = split.map(recipe.inputs.fit(split.x_train))
    network = fit.initial(recipe, split, seeds, [settings["width"]] * depth, layers=depth)
    with torch.no_grad():
        for layer in network.parameters[:-1]:
            layer["bias"].zero_()
        dim, bright = (
            network.trace(split.x_test * scale).layers[-1].output
            for scale in (1.0, settings["scale"])
        )
    distances = cosine_distance(dim, bright).tolist()
    deviations = deviation_pct(dim * settings["scale"], bright).tolist()
    return [
        {"cosine_distance": distance, "deviation_pct": deviation}
        for distance, deviation in zip(distances, deviations, strict=True)
    ]


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    """1 - cosine of the angle between feature vectors, (R, N, n) twice -> mean (R,).

    Two vectors of zeros alone have the same direction.
    """
    cosine = torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=2)
    silent = (a == 0).all(2) & (b == 0).all(2)
    return torch.where(silent, 0, 1 - cosine).mean(1)


def deviation_pct(wanted: Tensor, got: Tensor) -> Tensor:
    """||got - wanted|| in % of ||wanted||, (R, N, n) twice -> mean (R,)."""
    return 100 * ((got - wanted).norm(dim=2) / wanted.norm(dim=2).clamp_min(1e-12)).mean(1)


_PROTOCOL = {"n_train": 3000, "n_valid": 1000, "width": 100, "scale": 2.0}

EXPERIMENTS = (
    Experiment(
        name="nair2010-intensity",
        paper="nair2010",
        title="Features of an input and of the same input at twice the intensity",
        scale="reduced",
        conditions={
            "rectified": {"recipe": "rbm-rectified-50-epochs", **_PROTOCOL},
            "binary": {"recipe": "rbm-gaussian-50-epochs", **_PROTOCOL},
        },
        depths=(1, 2),
        seeds=10,
        quantities={
            "cosine_distance": Quantity("1 - cosine", "angle between the two feature vectors"),
            "deviation_pct": Quantity("%", "distance from features that scale with the input"),
        },
        measure=measure,
        seconds=3.0,
        at_once=5,
    ),
)
