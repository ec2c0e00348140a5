"""A linear classifier on the layers of a stack."""

import torch
from torch import Tensor

from benchmarks.datasets.split import Split
from benchmarks.experiments.vincent2010sdae import linear_error_pct, measure

CPU = torch.device("cpu")
TINY = {"parts": [200, 100, 100], "width": 8, "c": [0.01]}


def test_a_line_separates_two_halves_and_not_exclusive_or():
    generator = torch.Generator().manual_seed(0)

    def split(odd: bool) -> Split:
        def part(n: int) -> tuple[Tensor, Tensor]:
            x = torch.rand(n, 2, generator=generator)
            right, upper = x[:, 0] > 0.5, x[:, 1] > 0.5
            x[:, 0] += torch.where(right, 0.2, -0.2)
            return x, ((right ^ upper) if odd else right).long()

        return Split(*part(200), *part(100), *part(400))

    assert linear_error_pct(split(odd=False), [1.0]) == 0
    assert linear_error_pct(split(odd=True), [1.0]) > 25


def test_pixels_are_the_same_at_every_depth():
    settings = TINY | {"recipe": None}
    assert measure(settings, 1, [5], CPU) == measure(settings, 3, [5], CPU)


def test_a_seed_gives_the_same_alone_and_among_others():
    settings = TINY | {"recipe": "denoising"}
    assert measure(settings, 2, [5], CPU) == measure(settings, 2, [4, 5], CPU)[1:]
