"""Activity of hidden units by hand, and of a network that was not trained."""

import torch

from benchmarks.experiments.srivastava2014dropout import EXPERIMENTS, measure, sparsity

CPU = torch.device("cpu")
TINY = EXPERIMENTS[0].conditions["dropout"] | {
    "n_train": 300, "n_valid": 60, "width": 5, "updates": 8, "batch_size": 20,
}  # fmt: skip


def test_sparsity_by_hand():
    """One run, two examples, two units: means 1 and 2; one activation of four is 0."""
    hidden = torch.tensor([[[0.0, 1.0], [1.0, 2.0]]])
    found = sparsity(hidden, torch.full((1, 2, 2), 2.0))
    assert found == [{"relative_activation": 0.5, "active_pct": 75.0}]


def test_untrained_or_without_dropout_both_are_alike():
    for settings in (TINY | {"lr": 0.0}, TINY | {"p": 0.0}):
        assert measure(settings, 1, [100], CPU)[0]["relative_activation"] == 1


def test_dropout_changes_what_is_learnt():
    assert measure(TINY, 1, [100], CPU)[0]["relative_activation"] != 1


def test_a_seed_gives_the_same_alone():
    assert measure(TINY, 1, [101], CPU) == measure(TINY, 1, [100, 101], CPU)[1:]
