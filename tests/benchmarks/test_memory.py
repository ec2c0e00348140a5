"""Memory that training frees is kept for its next step, however the process was started."""

import os
import platform
import subprocess
import sys

import pytest

# page faults of ten steps that each need and free 20 x 1 MiB, once the first has run
STEPS = """
import resource, sys, torch
from benchmarks.executors import prepare_process
if sys.argv[1] == "prepared":
    prepare_process()
def step():
    for tensor in [torch.ones(1 << 18) for _ in range(20)]:
        tensor.add_(1)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str, **variables: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", STEPS, how],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc is what is set")
def test_freed_memory_is_kept_also_where_dask_asks_for_the_contrary():
    dask = {"MALLOC_TRIM_THRESHOLD_": "65536"}  # the environment that it gives its workers
    pages = 20 * 2**20 // 4096  # of a step
    assert page_faults("bare", **dask) > 5 * pages
    assert page_faults("prepared", **dask) < pages
    assert page_faults("prepared") < pages
