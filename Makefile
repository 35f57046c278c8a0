# make setup · make demo [PHOTOS=~/Pictures] · make test · make chaos · make lint · make bench · make scaling
PYTHON ?= python3
BIN := .venv/bin
PHOTOS ?=

.PHONY: setup demo test chaos lint bench scaling

setup: .venv/complete

# Complete only when everything in the lock file is installed; a broken-off set-up begins again.
.venv/complete: requirements.lock
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	touch $@

demo: setup
	@$(BIN)/python -m tests.demo $(if $(PHOTOS),"$(PHOTOS)")

test: setup
	$(BIN)/python -m pytest

chaos: setup
	$(BIN)/python -m tests.chaos

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check --diff Snakefile
	$(BIN)/snakemake --lint

bench: setup
	$(BIN)/python -m benchmarks.speed

scaling: setup
	$(BIN)/python -m benchmarks.scaling
