"""The program, but noting in $LOG every trial whose training begins.

A line is the trial's key and "new", or "again" if a finished record of it was there already. Worker
processes import this file as their main module, and Dask's preload it, so that what they train is
noted as well.
"""

import os
import sys
from pathlib import Path

import benchmarks.train
from benchmarks import store
from benchmarks.__main__ import main


def _noted(trials, train_stack=benchmarks.train.train_stack):
    results = Path(os.environ["RESULTS"])
    known = store.load(results, [trial.key for trial in trials], ["status"])
    with open(os.environ["LOG"], "a") as log:
        for trial in trials:
            done = known.get(trial.key, {}).get("status") in store.DONE
            log.write(f"{trial.key} {'again' if done else 'new'}\n")
    return train_stack(trials)


if benchmarks.train.train_stack.__name__ != "_noted":  # a Dask worker loads this twice
    benchmarks.train.train_stack = _noted

if __name__ == "__main__":
    sys.exit(main())
