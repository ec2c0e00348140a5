"""Hierarchy: four living things and their features, which a deep linear net learns in stages.

Definition  The inputs name an item, one of canary, salmon, oak, rose. The targets are its
            features: all grow; canary and salmon move, oak and rose have roots; the canary
            flies, the salmon swims, the oak has leaves, the rose has petals. Seven features by
            four items make a matrix of singular values sqrt(7), sqrt(3), 1, 1: what all share,
            animal or plant, canary or salmon, oak or rose. A deep linear network learns them
            in that order, by curves as in deep_linear, where E x x' = I / 4 and not I, so that
            time runs four times slower and the singular values are as stated.
            A part of n examples names the items in turn, so all parts hold the same four.
            Nothing is random: the seed changes nothing
Source      Saxe, McClelland, Ganguli (2014), Exact solutions to the nonlinear dynamics of
            learning in deep linear neural networks, ICLR; BibTeX saxe2014. The same authors
            (2019), A mathematical theory of semantic development in deep neural networks,
            PNAS 116, 11537-11546
Certain     items and features are listed so in public programs that seem to re-make this set
            (excerpts read); the papers' own matrix was not read, and the older one may have
            bark for leaves. Which item has which feature is what the words say; one program
            remarks that roses have no leaves in the paper. The singular values follow
Ours        each feature is 0 or 1; an item's own input is 1; the order of the rows; four
            examples in each part
"""

from __future__ import annotations

import numpy as np

from benchmarks.datasets.arrays import Arrays

PARTS = (4, 4, 4)
SHA256 = "f7e6ff898ab6170b27231a18bceacebec7e266272082aebd9edc610a93583507"

ITEMS = ("canary", "salmon", "oak", "rose")
FEATURES = ("grow", "move", "roots", "fly", "swim", "leaves", "petals")
# rows are items, columns are features
_HAS = (
    (1, 1, 0, 1, 0, 0, 0),
    (1, 1, 0, 0, 1, 0, 0),
    (1, 0, 1, 0, 0, 1, 0),
    (1, 0, 1, 0, 0, 0, 1),
)


def generate(n_train: int, n_valid: int, n_test: int, seed: int = 0) -> Arrays:
    """Inputs (N, 4) uint8, 255 at the item, and features (N, 7) float32; the seed is not used."""
    parts = []
    for n in (n_train, n_valid, n_test):
        items = np.arange(n) % len(ITEMS)
        parts += [255 * np.eye(len(ITEMS), dtype=np.uint8)[items]]
        parts += [np.array(_HAS, np.float32)[items]]
    return Arrays(*parts)
