"""Growth a layer against the closed form, n Var(w) / 2, and against weights that are known."""

import pytest
import torch

from benchmarks.experiments import he2015prelu
from benchmarks.experiments.he2015prelu import measure

CPU = torch.device("cpu")
SMALL = {"width": 300, "examples": 50}


@pytest.mark.parametrize(("name", "expected"), [("he", 0.0), ("xavier", -1.0)])
def test_growth_is_that_of_the_paper(name, expected):
    found = measure({**SMALL, "initialisation": name}, 12, [100, 101, 102], CPU)
    for way in ("forward_log2", "backward_log2"):
        mean = sum(f[way] for f in found) / 3
        assert mean == pytest.approx(expected, abs=0.12)


def test_weights_that_double_what_they_are_given(monkeypatch):
    """2 times the identity: negative inputs die in the first layer, the others double."""
    monkeypatch.setitem(
        he2015prelu.INITIALISATIONS, "he", lambda n_in, n_out, generator: 2 * torch.eye(n_in)
    )
    (found,) = measure({**SMALL, "initialisation": "he"}, 2, [100], CPU)
    assert found["forward_log2"] == pytest.approx(2 - 1, abs=0.1)  # 4, of half of the examples
    assert found["backward_log2"] == pytest.approx(2 - 1, abs=0.1)


def test_a_seed_gives_the_same_alone():
    settings = {**SMALL, "initialisation": "he"}
    assert measure(settings, 5, [101], CPU) == measure(settings, 5, [100, 101], CPU)[1:]
