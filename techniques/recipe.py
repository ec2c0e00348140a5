"""A recipe: the plain deep sigmoid network plus what is changed about it.

One slot per family of ideas; the defaults are the plain network, so a technique fills one slot and
a combination several. Everything in a slot is a frozen dataclass whose fields are its settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace

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

    initialisation: Callable = field(default_factory=FanIn)
    activation: Callable = field(default_factory=Sigmoid)
    pretraining: Rbm | Autoencoder | None = None
    normalisation: BatchNorm | None = None
    connection: Residual | None = None
    optimisation: Sgd = field(default_factory=Sgd)

    def __post_init__(self) -> None:
        if self.pretraining is not None:
            self.pretraining.check(self)

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
        return {
            slot: {"technique": type(technique).__name__, **asdict(technique)}
            for slot, technique in filled.items()
            if technique is not None
        }


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
