# Every target makes what it needs first. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup compare reproduce performance scale test test-slow lint reports data lock clean

PYTHON ?= python3
SUITE ?= quick
PAPER ?=
SCALE ?= reduced
WORKERS ?=
ARGS ?=
bin := .venv/bin
installed := .venv/.installed
peers := .venv/.peers

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(installed)  ## make .venv with the pinned packages; nothing to do if it is there

$(installed): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$(PYTHON) is $$($(PYTHON) -V), and 3.11 or newer is needed: make setup PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(bin)/pip install --requirement requirements.lock
	touch $@

compare: $(installed)  ## train SUITE (quick), or what is missing of it, and write its report
	$(bin)/python -m benchmarks run $(SUITE) $(if $(WORKERS),--workers $(WORKERS)) $(ARGS)

reproduce: $(installed)  ## run what the claims of PAPER (all) need at SCALE (reduced), and judge them
	$(bin)/python -m benchmarks reproduce $(PAPER) --scale $(SCALE) \
	    $(if $(WORKERS),--workers $(WORKERS)) $(ARGS)

performance: $(peers)  ## time the program against its peers, which it installs: half an hour
	$(bin)/python -m benchmarks performance $(ARGS)

$(peers): $(installed) requirements-peers.lock
	$(bin)/pip install --requirement requirements-peers.lock
	touch $@

scale: $(installed)  ## measure what sweeps cost beside training, on an idle machine: docs/scale.md
	$(bin)/python -m benchmarks.performance.scale

test: $(installed)  ## run all tests but the slow ones
	$(bin)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

test-slow: $(installed)  ## kill, stop and starve sweeps, also on a Dask cluster: 13 minutes
	$(bin)/python -m pytest -m slow --durations 0

lint: $(installed)  ## check style and formatting
	$(bin)/ruff check .
	$(bin)/ruff format --check .

reports: $(installed)  ## write every report again from its stored trials
	$(bin)/python -m benchmarks reports

data: $(installed)  ## fetch MNIST, Fashion-MNIST and CIFAR-10 to DATA_DIR, checked
	$(bin)/python -m benchmarks data fetch

pins := .venv-lock/bin/pip freeze --all | grep -v -e '^nvidia' -e '^triton' -e '^layer-by-layer' \
	    -e '^pip=' -e '^cuda' | sed 's/^\(torch==[^+]*\).*/\1/'

lock:  ## write the lock files anew from what pyproject.toml allows
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet '.[test]' 'torch==2.13.0'
	{ head -1 requirements.lock; $(pins); } > requirements.lock.new
	.venv-lock/bin/pip install --quiet '.[peers]' 'torch==2.13.0'
	{ head -1 requirements-peers.lock; $(pins) | grep -vxFf requirements.lock.new; } \
	    > requirements-peers.lock.new
	mv requirements.lock.new requirements.lock
	mv requirements-peers.lock.new requirements-peers.lock
	rm -rf .venv-lock build layer_by_layer.egg-info

clean:  ## remove .venv and caches; results and reports stay
	rm -rf .venv .venv-lock .pytest_cache .ruff_cache
	find techniques benchmarks tests -name __pycache__ -prune -exec rm -rf {} +
