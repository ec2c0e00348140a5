"""A recipe: the plain deep sigmoid network plus what is changed about it.

One slot per family of ideas; the defaults are the plain network, so a technique fills one slot and
a combination several. Everything in a slot is a frozen dataclass whose fields are its settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace

from techniques.activations.relu import Relu
from techniques.activations.sigmoid import Sigmoid
from techniques.activations.tanh import Tanh
from techniques.connections.residual import Residual
from techniques.initialisation.fan_in import FanIn
from techniques.initialisation.glorot import GlorotUniform
from techniques.initialisation.he import HeNormal
from techniques.initialisation.orthogonal import Orthogonal
from techniques.normalisation.batch_norm import BatchNorm
from techniques.optimisation.sgd import Sgd
from techniques.pretraining.autoencoder import Autoencoder
from techniques.pretraining.rbm import Rbm


@dataclass(frozen=True)
class Recipe:
    """How a deep network is made and trained; ``Recipe()`` is the plain deep sigmoid net.

    Raises ValueError where techniques do not go together, naming both.
    """

    inputs: object | None = None  # what is done to the examples before they are seen
    initialisation: Callable = field(default_factory=FanIn)
    activation: Callable = field(default_factory=Sigmoid)
    pretraining: object | None = None  # whatever sets weights from data before training
    normalisation: object | None = None
    connection: object | None = None
    optimisation: object = field(default_factory=Sgd)
    regularisation: tuple = ()  # several go together

    def __post_init__(self) -> None:
        for technique in self.techniques():
            if hasattr(technique, "check"):
                technique.check(self)

    def techniques(self) -> list[object]:
        """All techniques in the slots."""
        slots = [getattr(self, f.name) for f in fields(self) if f.name != "regularisation"]
        return [t for t in (*slots, *self.regularisation) if t is not None]

    @property
    def noisy(self) -> bool:
        """Whether training draws random numbers, as dropout does."""
        return any(getattr(technique, "noisy", False) for technique in self.techniques())

    def but(self, **changes: object) -> Recipe:
        """The same recipe with some slots filled otherwise."""
        return replace(self, **changes)

    @property
    def outputs_in_unit_interval(self) -> bool:
        """Whether every hidden layer's output lies in [0, 1]."""
        return self.activation.unit_interval and self.connection is None

    def settings(self) -> dict[str, dict[str, object]]:
        """Filled slots as plain data: slot -> technique and its settings (for keys and tables)."""
        filled = {f.name: getattr(self, f.name) for f in fields(self)}
        several = filled.pop("regularisation")
        filled |= {f"regularisation:{type(t).__name__}": t for t in several}
        return {
            slot: {"technique": type(technique).__name__, **_plain(technique)}
            for slot, technique in filled.items()
            if technique is not None
        }


def _plain(technique: object) -> dict[str, object]:
    """A technique's settings; of one that wraps another, with the other's name."""
    settings = asdict(technique)
    for name in settings:
        inner = getattr(technique, name)
        if is_dataclass(inner):
            settings[name] = {"technique": type(inner).__name__, **_plain(inner)}
    return settings


BASELINE = Recipe()  # logistic units, U(+-1/sqrt(fan_in)), SGD with momentum

RECIPES: dict[str, Recipe] = {  # in historical order
    "plain": BASELINE,
    "tanh": BASELINE.but(activation=Tanh(), initialisation=GlorotUniform()),
    "rbm": BASELINE.but(pretraining=Rbm()),
    "autoencoder": BASELINE.but(pretraining=Autoencoder()),
    "denoising": BASELINE.but(pretraining=Autoencoder(corruption_level=0.25)),
    "glorot": BASELINE.but(initialisation=GlorotUniform(gain=4.0)),  # 1/sigma'(0) = 4
    "relu": BASELINE.but(activation=Relu(), initialisation=HeNormal()),
    "orthogonal": BASELINE.but(initialisation=Orthogonal(gain=4.0)),
    "batch-norm": BASELINE.but(normalisation=BatchNorm()),
    "residual": BASELINE.but(connection=Residual(every=1)),
    "residual-2": BASELINE.but(connection=Residual(every=2)),
    "combined": BASELINE.but(  # one technique of each family
        initialisation=HeNormal(),
        activation=Relu(),
        pretraining=Autoencoder(),
        normalisation=BatchNorm(),
        connection=Residual(every=1),
    ),
}
