# make setup · make slurm · make kubernetes · make demo [PHOTOS=~/Pictures] · make test · make chaos · make lint · make bench · make scaling · make bench-quota · make pictures bench-slurm
PYTHON ?= python3
BIN := .venv/bin
PHOTOS ?=
# Snakemake looks for plugins on Python's path before it reads the Snakefile, so scripts/ must be on it.
ON_THE_PATH := import pathlib, sysconfig; \
    pathlib.Path(sysconfig.get_path('purelib'), 'drive2cloudinary.pth').write_text(f'{pathlib.Path.cwd()}/scripts\n')

.PHONY: setup slurm kubernetes demo test chaos lint bench scaling pictures bench-slurm bench-quota

setup: .venv/complete

# The file marks a finished installation, so that an interrupted `make setup` starts again.
.venv/complete: requirements.lock
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -c "$(ON_THE_PATH)"
	touch $@

# Separate environments, because Snakemake imports all installed executor plugins each time it starts.
slurm kubernetes: %: .venv-%/complete

.venv-%/complete: envs/%.lock
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement envs/$*.lock
	.venv-$*/bin/python -c "$(ON_THE_PATH)"
	touch $@

demo: setup
	@$(BIN)/python -m tests.demo $(if $(PHOTOS),"$(PHOTOS)")

test: setup slurm kubernetes
	$(BIN)/python -m pytest

chaos: setup
	$(BIN)/python -m tests.chaos

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check --diff Snakefile
	$(BIN)/snakemake --lint

bench-slurm: setup slurm
	$(BIN)/python -m benchmarks.slurm

bench: setup
	$(BIN)/python -m benchmarks.speed

bench-quota: setup
	$(BIN)/python -m benchmarks.quota

scaling: setup
	$(BIN)/python -m benchmarks.scaling

pictures: setup
	PYTHONPATH=scripts $(BIN)/python -m docs.pictures
