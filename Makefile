# For all:        make setup · make demo [PHOTOS=~/Pictures] · make slurm
# For developers: make test · make lint · make coverage · make chaos · make bench bench-slurm bench-quota bench-folders bench-report scaling · make pictures
# With root:      make test-packages
PYTHON ?= python3
BIN := .venv/bin
PHOTOS ?=
PIP := python -m pip --disable-pip-version-check --quiet
# Snakemake looks for plugins on Python's path before it reads the Snakefile, so scripts/ must be on it.
ON_THE_PATH := import pathlib, sysconfig; \
    pathlib.Path(sysconfig.get_path('purelib'), 'drive2cloudinary.pth').write_text(f'{pathlib.Path.cwd()}/scripts\n')
# The descriptions of 500 other services of Google are 100 MB.
DRIVE_ALONE := import googleapiclient.discovery_cache as cache, pathlib; \
    [path.unlink() for path in (pathlib.Path(cache.__file__).parent / 'documents').glob('*.json') if path.name != 'drive.v3.json']

.PHONY: setup slurm demo test test-packages coverage chaos lint bench scaling pictures bench-slurm bench-quota bench-folders bench-report

setup: .venv/complete

# The file marks a finished installation, so that an interrupted `make setup` starts again.
.venv/complete: requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "there is no $(PYTHON): sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and \
	    'Python %d.%d is too old: 3.11 or newer is needed; make setup PYTHON=python3.13 takes another one' % sys.version_info[:2])"
	@$(PYTHON) -c "import venv, ensurepip" 2>/dev/null || { echo "$(PYTHON) has no venv: sudo apt install python3-venv" >&2; exit 1; }
	@echo "installing what is needed into .venv: this takes about a minute"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/$(PIP) install --requirement requirements.lock
	@$(BIN)/python -c "$(ON_THE_PATH)"
	@$(BIN)/python -c "$(DRIVE_ALONE)"
	@touch $@

# What tests and linters need besides, in the same environment.
.venv/developer: requirements-dev.lock .venv/complete
	@echo "installing what developers need into .venv"
	@$(BIN)/$(PIP) install --requirement requirements-dev.lock
	@touch $@

# A separate environment, because Snakemake imports all installed executor plugins each time it starts.
slurm: %: .venv-%/complete

.venv-%/complete: envs/%.lock
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/$(PIP) install --no-deps --requirement envs/$*.lock
	.venv-$*/bin/python -c "$(ON_THE_PATH)"
	touch $@

demo: setup
	@$(BIN)/python -m tests.demo $(if $(PHOTOS),"$(PHOTOS)")

test: .venv/developer slurm
	$(BIN)/python -m pytest

# Without them, make test leaves out what needs a browser, a Slurm or rsync, and says so.
test-packages:
	apt-get update -q
	apt-get install -q -y --no-install-recommends chromium munge slurm-client slurmctld slurmd rsync

# Of all processes: snakemake's, the scripts', the pool's.
coverage: export PYTHONPATH := $(CURDIR)
coverage: .venv/developer slurm
	rm -rf .coverage
	mkdir .coverage
	-$(BIN)/coverage run -m pytest --timeout 600
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --sort=cover

chaos: .venv/developer
	$(BIN)/python -m tests.chaos

lint: .venv/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell
	$(BIN)/snakefmt --check --diff Snakefile scripts/rules
	$(BIN)/snakemake --lint

bench-slurm: .venv/developer slurm
	$(BIN)/python -m benchmarks.slurm

bench: .venv/developer
	$(BIN)/python -m benchmarks.speed

bench-quota: .venv/developer
	$(BIN)/python -m benchmarks.quota

bench-folders: .venv/developer
	$(BIN)/python -m benchmarks.folders

bench-report: .venv/developer
	$(BIN)/python -m benchmarks.report

scaling: .venv/developer
	$(BIN)/python -m benchmarks.scaling

pictures: .venv/developer
	PYTHONPATH=scripts $(BIN)/python -m docs.pictures
