"""The ideas that made deep networks trainable: one module each, and a recipe for each.

``build`` makes a stack of networks of a recipe, ``greedy`` pretrains it layer by layer where the
recipe says so, ``RECIPES`` is the catalogue in historical order. For plain PyTorch: ``pretrain``,
``initialise`` and ``convert`` give ``torch.nn.Sequential`` networks.
"""

from techniques.network import Network, Trace, build, cross_entropy
from techniques.pretraining.greedy import greedy
from techniques.recipe import BASELINE, RECIPES, Recipe
from techniques.sequential import convert, initialise, pretrain

__all__ = [
    "BASELINE",
    "RECIPES",
    "Network",
    "Recipe",
    "Trace",
    "build",
    "convert",
    "cross_entropy",
    "greedy",
    "initialise",
    "pretrain",
]
