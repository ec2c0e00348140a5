"""What all tests need: one thread, as in the workers, and no global generator moved."""

import pytest
import torch

from benchmarks.executors import prepare_process


@pytest.fixture(scope="session", autouse=True)
def _as_in_a_worker():
    prepare_process()


@pytest.fixture(autouse=True)
def _global_generator_untouched():
    before = torch.get_rng_state()
    yield
    assert torch.equal(before, torch.get_rng_state()), "the global generator was used"
