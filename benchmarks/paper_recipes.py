"""Recipes that only a paper's suite needs: its own settings, where the catalogue's are others."""

from __future__ import annotations

from techniques.activations.softsign import Softsign
from techniques.activations.tanh import Tanh
from techniques.initialisation.fan_in import FanIn
from techniques.initialisation.glorot import GlorotUniform
from techniques.initialisation.lecun import LeCunNormal
from techniques.initialisation.orthogonal import Orthogonal
from techniques.normalisation.inputs import Standardise
from techniques.optimisation.sgd import Sgd
from techniques.pretraining.autoencoder import Autoencoder
from techniques.pretraining.denoising import Denoising
from techniques.pretraining.rbm import Rbm
from techniques.pretraining.real_rbm import RealRbm
from techniques.recipe import BASELINE, RECIPES, Recipe
from techniques.regularisation.dropout import Dropout

_SMALL = {"epochs": 60, "batch_size": 20}  # for sets of 1,000 to 10,000 examples


def _damaged(level: float) -> Recipe:
    """A stack of denoising autoencoders that sees this share of its inputs as 0."""
    return BASELINE.but(pretraining=Denoising(level=level, lr=0.003, **_SMALL))


_LONG_RBM = BASELINE.but(pretraining=Rbm(epochs=50))  # as long as in hinton2006science

_PLAIN_SGD = Recipe(optimisation=Sgd(momentum=0.0))

PAPER_RECIPES: dict[str, Recipe] = {
    # pretrained for longer than in the catalogue, for MNIST's 50,000 examples
    "rbm-30-epochs": BASELINE.but(pretraining=Rbm(epochs=30)),
    "autoencoder-30-epochs": BASELINE.but(pretraining=Autoencoder(epochs=30)),
    "denoising-30-epochs": BASELINE.but(pretraining=Denoising(level=0.25, epochs=30)),
    # larochelle2007, vincent2008dae, vincent2010sdae; at the catalogue's rate of 0.1 such small
    # batches leave a stack of machines on noisy digits at chance
    "rbm-60-epochs": BASELINE.but(pretraining=Rbm(lr=0.01, **_SMALL)),
    "autoencoder-60-epochs": BASELINE.but(pretraining=Autoencoder(lr=0.003, **_SMALL)),
    "denoising-10-percent": _damaged(0.10),
    "denoising-25-percent": _damaged(0.25),
    "denoising-40-percent": _damaged(0.40),
    # nair2010: what rbm-rectified is without its machine
    "relu-standardised": RECIPES["relu"].but(inputs=Standardise()),
    "rbm-gaussian-50-epochs": RECIPES["rbm-gaussian"].but(pretraining=RealRbm(epochs=50)),
    "rbm-rectified-50-epochs": RECIPES["rbm-rectified"].but(
        pretraining=RealRbm(hidden="rectified", epochs=50)
    ),
    # glorot2011relu: each kind of unit on a stack of denoising autoencoders
    "relu-denoising": RECIPES["relu"].but(pretraining=Denoising(level=0.25)),
    "tanh-denoising": RECIPES["tanh"].but(pretraining=Denoising(level=0.25)),
    "softplus-denoising": RECIPES["softplus"].but(pretraining=Denoising(level=0.25)),
    "rbm-50-epochs": _LONG_RBM,
    "rbm-50-epochs-dropout": _LONG_RBM.but(regularisation=(Dropout(),)),
    # Glorot and Bengio (2010): no momentum; standard weights where the name has fan-in, else theirs
    "sigmoid-sgd": _PLAIN_SGD,
    "tanh-fan-in-sgd": _PLAIN_SGD.but(activation=Tanh()),
    "tanh-sgd": _PLAIN_SGD.but(activation=Tanh(), initialisation=GlorotUniform()),
    "softsign-fan-in-sgd": _PLAIN_SGD.but(activation=Softsign()),
    "softsign-sgd": _PLAIN_SGD.but(activation=Softsign(), initialisation=GlorotUniform()),
    # LeCun et al. (1998): the scaled tanh without each of what belongs to it
    "scaled-tanh-raw": RECIPES["scaled-tanh"].but(inputs=None),
    "scaled-tanh-small": RECIPES["scaled-tanh"].but(initialisation=FanIn()),
    "sigmoid-standardised": RECIPES["standardised"].but(initialisation=LeCunNormal()),
    # Mishkin and Matas (2016): orthonormal weights that are not scaled by the data
    "relu-orthonormal": RECIPES["relu"].but(initialisation=Orthogonal()),
}
