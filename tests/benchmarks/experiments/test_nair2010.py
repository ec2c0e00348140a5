"""Features of an input and of the same input at another intensity."""

import torch

from benchmarks.experiments.nair2010 import cosine_distance, deviation_pct, measure

CPU = torch.device("cpu")
TINY = {"n_train": 200, "n_valid": 100, "width": 8, "scale": 2.0}


def test_rectified_units_without_biases_scale_exactly():
    (found,) = measure(TINY | {"recipe": "rbm-rectified"}, 2, [3], CPU)
    assert abs(found["cosine_distance"]) < 1e-6 and found["deviation_pct"] < 1e-3


def test_binary_units_do_not():
    (found,) = measure(TINY | {"recipe": "rbm-gaussian"}, 1, [3], CPU)
    assert found["cosine_distance"] > 1e-5 and found["deviation_pct"] > 10


def test_distances_worked_by_hand():
    a = torch.tensor([[[3.0, 4.0], [1.0, 0.0]]])
    b = torch.tensor([[[6.0, 8.0], [1.0, 1.0]]])
    # angles of 0 and 45 degrees; distances 5 of 5 and 1 of 1
    assert abs(cosine_distance(a, b).item() - (1 - 0.5**0.5) / 2) < 1e-12
    nothing = torch.zeros(1, 1, 2)
    assert cosine_distance(nothing, nothing).item() == 0
    assert abs(deviation_pct(a, b).item() - 100) < 1e-4


def test_a_seed_gives_the_same_alone_and_among_others():
    settings = TINY | {"recipe": "rbm-gaussian"}
    assert measure(settings, 1, [5], CPU) == measure(settings, 1, [4, 5], CPU)[1:]
