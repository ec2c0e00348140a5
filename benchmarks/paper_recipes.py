"""Recipes that only a paper's suite needs: its own settings, where the catalogue's are others."""

from __future__ import annotations

from techniques.activations.softsign import Softsign
from techniques.activations.tanh import Tanh
from techniques.initialisation.fan_in import FanIn
from techniques.initialisation.glorot import GlorotUniform
from techniques.initialisation.lecun import LeCunNormal
from techniques.initialisation.orthogonal import Orthogonal
from techniques.optimisation.sgd import Sgd
from techniques.recipe import RECIPES, Recipe

_PLAIN_SGD = Recipe(optimisation=Sgd(momentum=0.0))

PAPER_RECIPES: dict[str, Recipe] = {
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
