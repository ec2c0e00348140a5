# Every target makes what it needs first. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup compare test lint reports data lock clean

PYTHON ?= python3
SUITE ?= quick
ARGS ?=
bin := .venv/bin
installed := .venv/.installed

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(installed)  ## make .venv with the pinned packages; nothing to do if it is there

$(installed): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$(PYTHON) is $$($(PYTHON) -V), and 3.11 or newer is needed: make setup PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(bin)/pip install --requirement requirements.lock
	touch $@

compare: $(installed)  ## train SUITE (quick), or what is missing of it, and write its report
	$(bin)/python -m benchmarks run $(SUITE) $(ARGS)

test: $(installed)  ## run all tests
	$(bin)/python -m pytest

lint: $(installed)  ## check style and formatting
	$(bin)/ruff check .
	$(bin)/ruff format --check .

reports: $(installed)  ## write every report again from its stored trials
	$(bin)/python -m benchmarks reports

data: $(installed)  ## fetch MNIST and Fashion-MNIST to DATA_DIR, checked
	$(bin)/python -m benchmarks data

lock: $(installed)  ## write requirements.lock anew from what pyproject.toml allows
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet '.[test]' 'torch==2.13.0'
	{ head -1 requirements.lock; .venv-lock/bin/pip freeze --all | grep -v -e '^nvidia' -e '^triton' -e '^layer-by-layer' -e '^pip=' -e '^cuda' | sed 's/^\(torch==[^+]*\).*/\1/'; } > requirements.lock.new
	mv requirements.lock.new requirements.lock
	rm -r .venv-lock

clean:  ## remove .venv and caches; results and reports stay
	rm -rf .venv .venv-lock .pytest_cache .ruff_cache
	find techniques benchmarks tests -name __pycache__ -prune -exec rm -rf {} +
