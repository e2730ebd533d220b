# `make` alone lists what can be done. Everything runs in .venv, which is made when it is needed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made

# The first Python on the path that is new enough; `make env PYTHON=/path/to/python3` takes another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)

# dvc runs its stages by name, so the environment comes first on the path; nobody is called home
export PATH := $(BIN):$(PATH)
export VIRTUAL_ENV := $(VENV)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
unexport PYTHONHOME PYTHONPATH

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

.PHONY: env
env: $(STAMP) ## Make the environment in .venv

$(STAMP): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: Python 3.11 or newer is needed and none is on the path." >&2; \
		echo "       Install one, or name it: make env PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "error: $(PYTHON) cannot make environments: the modules venv and ensurepip are missing." >&2; \
		echo "       On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@"$(BIN)/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear "$(VENV)"
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[umap,simulate,dev]'
	@touch "$@"

.PHONY: repro
repro: $(STAMP) ## Fetch the data, run every stage whose inputs changed, print a summary
	@[ -e data ] || dvc pull --quiet data.dvc
	dvc repro
	@mergerscope summary

.PHONY: test
test: $(STAMP) ## Run the test suite, on up to four cores
	python -m pytest --numprocesses=logical --maxprocesses=4

.PHONY: lint
lint: $(STAMP) ## Check style, import contracts, the graph's wiring and the workflows
	ruff check
	lint-imports
	python tools/wire.py --check
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	zizmor --quiet --offline .github/workflows

.PHONY: types
types: $(STAMP) ## Check types
	mypy

.PHONY: wire
wire: $(STAMP) ## Write the code that each stage imports into dvc.yaml
	python tools/wire.py

.PHONY: bench
bench: $(STAMP) ## Measure speed, a line a figure (an hour); BENCH="bench_rank bench_embed" takes some
	python -m benchmarks $(BENCH)

.PHONY: ui
ui: $(STAMP) ## Open the MLflow UI on the runs and models
	mergerscope ui

.PHONY: sweep
sweep: $(STAMP) ## Search for better settings: a small sweep, taken up again where it was
	@[ -e data ] || dvc pull --quiet data.dvc
	dvc repro --quiet shard
	mergerscope sweep --study small --trials 8 --workers 2 --resume

.PHONY: clean
clean: ## Remove caches and resume points; data, results and models stay
	rm -rf .scratch build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +
