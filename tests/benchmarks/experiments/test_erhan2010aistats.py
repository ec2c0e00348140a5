"""Pretraining only the lowest k of three layers."""

import math

import torch

from benchmarks.experiments.erhan2010aistats import LAYERS, measure

CPU = torch.device("cpu")
TINY = {
    "recipe": "rbm",
    "n_train": 200,
    "n_valid": 100,
    "width": 8,
    "lr": [0.1],
    "updates": 10,
    "batch_size": 20,
    "evaluate_every": 5,
}


def test_a_seed_gives_the_same_alone_and_among_others():
    assert measure(TINY, 2, [5], CPU) == measure(TINY, 2, [4, 5, 6], CPU)[1:2]


def test_without_pretraining_the_kind_of_pretraining_is_all_the_same():
    assert measure(TINY, 0, [5], CPU) == measure(TINY | {"recipe": "denoising"}, 0, [5], CPU)


def test_each_layer_more_that_is_pretrained_gives_another_net():
    assert len({measure(TINY, k, [5], CPU)[0]["train_loss"] for k in range(LAYERS + 1)}) == 4


def test_before_the_first_update_the_loss_is_that_of_guessing():
    (found,) = measure(TINY | {"updates": 0, "width": 1}, 0, [5], CPU)
    assert abs(found["train_loss"] - math.log(10)) < 0.5
