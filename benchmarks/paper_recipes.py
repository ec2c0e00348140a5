"""Recipes that only a paper's suite needs: its own settings, where the catalogue's are others."""

from __future__ import annotations

from techniques.normalisation.inputs import Standardise
from techniques.pretraining.autoencoder import Autoencoder
from techniques.pretraining.denoising import Denoising
from techniques.pretraining.rbm import Rbm
from techniques.pretraining.real_rbm import RealRbm
from techniques.recipe import BASELINE, RECIPES, Recipe

_SMALL = {"epochs": 60, "batch_size": 20}  # for sets of 1,000 to 10,000 examples


def _damaged(level: float, lr: float = 0.003) -> Recipe:
    """A stack of denoising autoencoders that sees this share of its inputs as 0."""
    return BASELINE.but(pretraining=Denoising(level=level, lr=lr, **_SMALL))


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
    # for pixels that are noise, of which a stack learns too little at the rate of the others
    "denoising-40-percent": _damaged(0.40, lr=0.03),
    "autoencoder-on-noise": BASELINE.but(pretraining=Autoencoder(lr=0.03, **_SMALL)),
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
}
