"""A recipe: the plain deep sigmoid network plus what is changed about it.

One slot per family of ideas; the defaults are the plain network, so a technique fills one slot and
a combination several. Everything in a slot is a frozen dataclass whose fields are its settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cached_property

from techniques.activations.elu import Elu
from techniques.activations.gelu import Gelu
from techniques.activations.leaky_relu import LeakyRelu
from techniques.activations.maxout import Maxout
from techniques.activations.prelu import Prelu
from techniques.activations.relu import Relu
from techniques.activations.scaled_tanh import ScaledTanh
from techniques.activations.selu import Selu
from techniques.activations.sigmoid import Sigmoid
from techniques.activations.softplus import Softplus
from techniques.activations.softsign import Softsign
from techniques.activations.tanh import Tanh
from techniques.connections.deep_supervision import DeepSupervision
from techniques.connections.dense import Dense
from techniques.connections.fixup import Fixup
from techniques.connections.highway import Highway
from techniques.connections.post_activation import PostActivation
from techniques.connections.pre_activation import PreActivation
from techniques.connections.residual import Residual
from techniques.connections.rezero import ReZero
from techniques.connections.skip_init import SkipInit
from techniques.connections.stochastic_depth import StochasticDepth
from techniques.initialisation.fan_in import FanIn
from techniques.initialisation.glorot import GlorotNormal, GlorotUniform
from techniques.initialisation.he import HeNormal
from techniques.initialisation.lecun import LeCunNormal
from techniques.initialisation.lsuv import Lsuv
from techniques.initialisation.mean_field import Critical
from techniques.initialisation.orthogonal import Orthogonal
from techniques.initialisation.random_walk import RandomWalk
from techniques.initialisation.sparse import Sparse
from techniques.normalisation.batch_norm import BatchNorm
from techniques.normalisation.inputs import Standardise, Zca
from techniques.normalisation.layer_norm import LayerNorm
from techniques.normalisation.weight_norm import WeightNorm
from techniques.optimisation.adam import Adam
from techniques.optimisation.clipping import Clipping
from techniques.optimisation.conjugate_gradients import ConjugateGradients
from techniques.optimisation.hessian_free import HessianFree
from techniques.optimisation.nesterov import Nesterov
from techniques.optimisation.rmsprop import RmsProp
from techniques.optimisation.rprop import Rprop
from techniques.optimisation.sgd import Sgd
from techniques.pretraining.autoencoder import Autoencoder
from techniques.pretraining.contractive import Contractive
from techniques.pretraining.denoising import Denoising
from techniques.pretraining.persistent import PersistentRbm
from techniques.pretraining.rbm import Rbm
from techniques.pretraining.real_rbm import RealRbm
from techniques.pretraining.sparse_autoencoder import SparseAutoencoder
from techniques.pretraining.supervised import SupervisedGreedy
from techniques.regularisation.dropout import Dropout
from techniques.regularisation.max_norm import MaxNorm
from techniques.regularisation.weight_decay import WeightDecay


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
        """Filled slots as plain data: slot -> technique and its settings (for keys and tables).

        The recipe remembers them: to be read, not changed.
        """
        return self._settings

    @cached_property  # of this very recipe: one that is equal may say 1.0 where it says 1
    def _settings(self) -> dict[str, dict[str, object]]:
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

_RECTIFIER = BASELINE.but(activation=Relu(), initialisation=HeNormal())
_TANH = BASELINE.but(activation=Tanh(), initialisation=GlorotUniform())

RECIPES: dict[str, Recipe] = {  # in historical order
    "plain": BASELINE,
    "rprop": BASELINE.but(optimisation=Rprop(largest=0.3)),  # 50 is for full batches
    "tanh": _TANH,
    "scaled-tanh": BASELINE.but(
        activation=ScaledTanh(), initialisation=LeCunNormal(), inputs=Standardise()
    ),
    "standardised": BASELINE.but(inputs=Standardise()),
    "whitened": BASELINE.but(inputs=Zca()),
    "weight-decay": BASELINE.but(regularisation=(WeightDecay(),)),
    "softplus": BASELINE.but(activation=Softplus(), initialisation=HeNormal()),
    "rbm": BASELINE.but(pretraining=Rbm()),
    "rbm-persistent": BASELINE.but(pretraining=PersistentRbm()),
    "rbm-gaussian": BASELINE.but(inputs=Standardise(), pretraining=RealRbm()),
    "conjugate-gradients": BASELINE.but(optimisation=ConjugateGradients()),
    "autoencoder": BASELINE.but(pretraining=Autoencoder()),
    "denoising": BASELINE.but(pretraining=Denoising(corruption="masking", level=0.25)),
    "denoising-salt-and-pepper": BASELINE.but(
        pretraining=Denoising(corruption="salt-and-pepper", level=0.25)
    ),
    "denoising-gaussian": BASELINE.but(pretraining=Denoising(corruption="gaussian", level=0.25)),
    "sparse-autoencoder": BASELINE.but(pretraining=SparseAutoencoder()),
    "contractive": BASELINE.but(pretraining=Contractive()),
    "supervised-greedy": BASELINE.but(pretraining=SupervisedGreedy()),
    "softsign": BASELINE.but(activation=Softsign(), initialisation=GlorotUniform()),
    "glorot": BASELINE.but(initialisation=GlorotUniform(gain=4.0)),  # 1/sigma'(0) = 4
    "glorot-normal": BASELINE.but(initialisation=GlorotNormal(gain=4.0)),
    "relu": _RECTIFIER,
    "rbm-rectified": _RECTIFIER.but(inputs=Standardise(), pretraining=RealRbm(hidden="rectified")),
    "hessian-free": BASELINE.but(initialisation=Sparse(), optimisation=HessianFree()),
    "sparse": BASELINE.but(initialisation=Sparse()),
    "nesterov": BASELINE.but(optimisation=Nesterov()),
    "rmsprop": BASELINE.but(optimisation=RmsProp()),
    # sd sqrt(2 (1 - p) / fan_in): each unit that dropout keeps counts for 1 / (1 - p)
    "dropout": _RECTIFIER.but(initialisation=HeNormal(gain=1.0), regularisation=(Dropout(),)),
    "max-norm": _RECTIFIER.but(  # with dropout, as in the paper
        initialisation=HeNormal(gain=1.0), regularisation=(Dropout(), MaxNorm())
    ),
    "clipping": BASELINE.but(optimisation=Clipping()),
    "leaky-relu": _RECTIFIER.but(activation=LeakyRelu()),
    "maxout": BASELINE.but(activation=Maxout(), initialisation=LeCunNormal()),
    "orthogonal": BASELINE.but(initialisation=Orthogonal(gain=4.0)),
    "random-walk": _RECTIFIER.but(initialisation=RandomWalk(rectifier=True)),
    "deep-supervision": BASELINE.but(connection=DeepSupervision()),
    "adam": BASELINE.but(optimisation=Adam()),
    "prelu": _RECTIFIER.but(activation=Prelu(), initialisation=HeNormal(gain=1.372)),
    "elu": _RECTIFIER.but(activation=Elu()),
    "batch-norm": BASELINE.but(normalisation=BatchNorm()),
    "highway": BASELINE.but(connection=Highway()),
    "residual": BASELINE.but(connection=Residual(every=1)),
    "residual-2": BASELINE.but(connection=Residual(every=2)),
    "residual-post-activation": _RECTIFIER.but(connection=PostActivation()),
    "residual-pre-activation": BASELINE.but(connection=PreActivation(), normalisation=BatchNorm()),
    "stochastic-depth": BASELINE.but(connection=StochasticDepth()),
    "lsuv": _RECTIFIER.but(pretraining=Lsuv()),
    "lsuv-tanh": _TANH.but(pretraining=Lsuv()),
    "weight-norm": BASELINE.but(normalisation=WeightNorm()),
    "layer-norm": BASELINE.but(normalisation=LayerNorm()),
    "gelu": _RECTIFIER.but(activation=Gelu()),
    "dense": BASELINE.but(connection=Dense()),
    # a logistic unit is a tanh of half its input, hence four times the q
    "critical-sigmoid": BASELINE.but(initialisation=Critical(Sigmoid(), q=2.28)),
    "critical": _TANH.but(initialisation=Critical(Tanh(), q=0.57)),
    "isometry": _TANH.but(initialisation=Critical(Tanh(), q=0.01, orthogonal=True)),
    "isometry-sigmoid": BASELINE.but(initialisation=Critical(Sigmoid(), q=0.04, orthogonal=True)),
    "selu": BASELINE.but(activation=Selu(), initialisation=LeCunNormal()),
    "fixup": _RECTIFIER.but(connection=Fixup()),
    "skip-init": BASELINE.but(connection=SkipInit()),
    "rezero": BASELINE.but(connection=ReZero()),
    "combined": BASELINE.but(  # one technique of each family
        initialisation=HeNormal(),
        activation=Relu(),
        pretraining=Autoencoder(),
        normalisation=BatchNorm(),
        connection=Residual(every=1),
    ),
}
