"""Recipes that only a paper's suite needs: its own settings, where the catalogue's are others."""

from __future__ import annotations

from techniques.pretraining.rbm import Rbm
from techniques.recipe import BASELINE, Recipe
from techniques.regularisation.dropout import Dropout

_LONG_RBM = BASELINE.but(pretraining=Rbm(epochs=50))  # as long as in hinton2006science

PAPER_RECIPES: dict[str, Recipe] = {
    "rbm-50-epochs": _LONG_RBM,
    "rbm-50-epochs-dropout": _LONG_RBM.but(regularisation=(Dropout(),)),
}
