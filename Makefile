# `make demo` and `make test` do all set-up: a virtual environment in .venv from pyproject.toml and constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PATH := $(CURDIR)/$(BIN):$(PATH)
export OMP_WAIT_POLICY := passive
export GOMP_SPINCOUNT := 20000 # passive alone sleeps after every small operation: training then takes up to twice as long
# freed memory stays with the process: else every step of a training asks the system for it again
export MALLOC_MMAP_THRESHOLD_ := 1073741824
export MALLOC_TRIM_THRESHOLD_ := 4294967296
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1

.PHONY: demo test lint format clean

demo: $(STAMP)
	hallmark demo

test: $(STAMP) lint
	pytest

lint: $(STAMP)
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	codespell

format: $(STAMP)
	ruff check --fix .
	ruff format .

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(STAMP)

clean:
	rm -rf $(VENV) checkpoints mlflow.db mlartifacts
