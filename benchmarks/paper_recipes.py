"""Recipes that only a paper's suite needs: its own settings, where the catalogue's are others."""

from __future__ import annotations

from techniques.activations.relu import Relu
from techniques.activations.selu import Selu
from techniques.activations.sigmoid import Sigmoid
from techniques.activations.softsign import Softsign
from techniques.activations.tanh import Tanh
from techniques.connections.highway import Highway
from techniques.connections.post_activation import PostActivation
from techniques.connections.pre_activation import PreActivation
from techniques.connections.residual import Residual
from techniques.connections.rezero import ReZero
from techniques.initialisation.fan_in import FanIn
from techniques.initialisation.glorot import GlorotNormal, GlorotUniform
from techniques.initialisation.he import HeNormal
from techniques.initialisation.lecun import LeCunNormal
from techniques.initialisation.mean_field import Critical
from techniques.initialisation.orthogonal import Orthogonal
from techniques.normalisation.batch_norm import BatchNorm
from techniques.normalisation.inputs import Standardise
from techniques.normalisation.layer_norm import LayerNorm
from techniques.optimisation.adam import Adam
from techniques.optimisation.sgd import Sgd
from techniques.pretraining.autoencoder import Autoencoder
from techniques.pretraining.denoising import Denoising
from techniques.pretraining.rbm import Rbm
from techniques.pretraining.real_rbm import RealRbm
from techniques.recipe import BASELINE, RECIPES, Recipe
from techniques.regularisation.dropout import Dropout
from techniques.regularisation.max_norm import MaxNorm
from techniques.regularisation.weight_decay import WeightDecay

_SMALL_SETS = {"epochs": 60, "batch_size": 20}  # for sets of 1,000 to 10,000 examples


def _damaged(level: float, lr: float = 0.003) -> Recipe:
    """A stack of denoising autoencoders that sees this share of its inputs as 0."""
    return BASELINE.but(pretraining=Denoising(level=level, lr=lr, **_SMALL_SETS))


_FASTER_AUTOENCODER = BASELINE.but(pretraining=Autoencoder(lr=0.03, **_SMALL_SETS))
_LONG_RBM = BASELINE.but(pretraining=Rbm(epochs=50))  # as long as in hinton2006science

_PLAIN_SGD = Recipe(optimisation=Sgd(momentum=0.0))

_RELU = BASELINE.but(activation=Relu(), initialisation=HeNormal())
_GAUSSIAN = BASELINE.but(initialisation=LeCunNormal())
_DROPOUT_RELU = _RELU.but(initialisation=HeNormal(gain=1.0), regularisation=(Dropout(),))
_SMALL = BASELINE.but(initialisation=HeNormal(gain=0.28))  # sd 0.01 with 784 or 800 inputs
_BOUND = MaxNorm(max_norm=15**0.5)  # 15 is the paper's bound on the square
_HIDDEN_DROPPED = _SMALL.but(regularisation=(Dropout(p_input=0.0), _BOUND))
_ALSO_INPUTS = _SMALL.but(regularisation=(Dropout(), _BOUND))
_RESNET = _RELU.but(normalisation=BatchNorm(), regularisation=(WeightDecay(1e-4),))
_ADAM = _RELU.but(optimisation=Adam())
_SNN = BASELINE.but(inputs=Standardise(), initialisation=LeCunNormal(), activation=Selu())
_SNN_RIVAL = _RELU.but(inputs=Standardise())

PAPER_RECIPES: dict[str, Recipe] = {
    # pretrained for longer than in the catalogue, for MNIST's 50,000 examples
    "rbm-30-epochs": BASELINE.but(pretraining=Rbm(epochs=30)),
    "autoencoder-30-epochs": BASELINE.but(pretraining=Autoencoder(epochs=30)),
    "denoising-30-epochs": BASELINE.but(pretraining=Denoising(level=0.25, epochs=30)),
    # larochelle2007, vincent2008dae, vincent2010sdae; at the catalogue's rate of 0.1 such small
    # batches leave a stack of machines on noisy digits at chance
    "rbm-60-epochs": BASELINE.but(pretraining=Rbm(lr=0.01, **_SMALL_SETS)),
    "autoencoder-60-epochs": BASELINE.but(pretraining=Autoencoder(lr=0.003, **_SMALL_SETS)),
    "denoising-10-percent": _damaged(0.10),
    "denoising-25-percent": _damaged(0.25),
    # for pixels that are noise, of which a stack learns too little at the rate of the others
    "denoising-40-percent": _damaged(0.40, lr=0.03),
    "autoencoder-on-noise": _FASTER_AUTOENCODER,
    # for 10,000 digits, where the rates above were found to be too low
    "rbm-faster": BASELINE.but(pretraining=Rbm(lr=0.03, **_SMALL_SETS)),
    "autoencoder-faster": _FASTER_AUTOENCODER,
    "denoising-10-percent-faster": _damaged(0.10, lr=0.01),
    "denoising-25-percent-faster": _damaged(0.25, lr=0.01),
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
    # ioffe2015bn: "small random Gaussian" weights
    "gaussian-sigmoid": _GAUSSIAN,
    "gaussian-sigmoid-batch-norm": _GAUSSIAN.but(normalisation=BatchNorm()),
    # simard2003: sd 0.05 with 784 inputs
    "gaussian-sigmoid-0.05": BASELINE.but(initialisation=HeNormal(gain=1.4)),
    # hinton2012dropout
    "small-sigmoid": _SMALL,
    "small-sigmoid-dropout-hidden": _HIDDEN_DROPPED,
    "small-sigmoid-dropout": _ALSO_INPUTS,
    "small-sigmoid-momentum-0.99": _SMALL.but(optimisation=Sgd(momentum=0.99)),
    "small-sigmoid-dropout-hidden-momentum-0.99": _HIDDEN_DROPPED.but(
        optimisation=Sgd(momentum=0.99)
    ),
    "small-sigmoid-dropout-momentum-0.99": _ALSO_INPUTS.but(optimisation=Sgd(momentum=0.99)),
    # srivastava2014dropout
    "sigmoid-dropout": BASELINE.but(regularisation=(Dropout(),)),
    "relu-dropout-max-norm-2": _DROPOUT_RELU.but(regularisation=(Dropout(), MaxNorm(max_norm=2.0))),
    "relu-dropout-max-norm-1": _DROPOUT_RELU.but(regularisation=(Dropout(), MaxNorm(max_norm=1.0))),
    "sigmoid-dropout-momentum-0.95": BASELINE.but(
        regularisation=(Dropout(),), optimisation=Sgd(momentum=0.95)
    ),
    "relu-dropout-momentum-0.95": _DROPOUT_RELU.but(optimisation=Sgd(momentum=0.95)),
    "relu-dropout-max-norm-2-momentum-0.95": _DROPOUT_RELU.but(
        regularisation=(Dropout(), MaxNorm(max_norm=2.0)), optimisation=Sgd(momentum=0.95)
    ),
    # he2015prelu
    "relu-xavier": _RELU.but(initialisation=GlorotNormal()),
    "relu-fan-in": BASELINE.but(activation=Relu()),
    # he2016resnet, he2016identity
    "relu-batch-norm-decay": _RESNET,
    "post-activation-batch-norm-decay": _RESNET.but(connection=PostActivation()),
    "pre-activation-batch-norm-decay": _RESNET.but(connection=PreActivation()),
    "post-activation-fan-in": BASELINE.but(activation=Relu(), connection=PostActivation()),
    # srivastava2015highway
    "highway-bias-3": BASELINE.but(connection=Highway(gate_bias=-3.0)),
    # ba2016ln
    "relu-adam": _ADAM,
    "relu-batch-norm-adam": _ADAM.but(normalisation=BatchNorm()),
    "relu-layer-norm-adam": _ADAM.but(normalisation=LayerNorm()),
    # klambauer2017selu
    "selu-standardised": _SNN,
    # and "relu-standardised" of nair2010
    "relu-batch-norm-standardised": _SNN_RIVAL.but(normalisation=BatchNorm()),
    # pennington2017resurrect: each kind of weights at the other's fixed point
    "critical-small-q": RECIPES["critical"].but(initialisation=Critical(Tanh(), q=0.01)),
    "critical-sigmoid-small-q": BASELINE.but(initialisation=Critical(Sigmoid(), q=0.04)),
    "isometry-sigmoid-large-q": BASELINE.but(
        initialisation=Critical(Sigmoid(), q=2.28, orthogonal=True)
    ),
    # bachlechner2020rezero
    "relu-batch-norm": _RELU.but(normalisation=BatchNorm()),
    # with weights of He the loss of 32 layers starts above 1e6: smaller ones for the rival
    "relu-residual": _RELU.but(connection=Residual(every=1), initialisation=FanIn()),
    "relu-rezero": _RELU.but(connection=ReZero()),
}
