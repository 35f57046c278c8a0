"""What Snakemake needs of its own process."""

from __future__ import annotations

import gc
import getpass
import os
import sys
from pathlib import Path

from drive2cloudinary.errors import MigrationError


def need_writable(directory: Path) -> None:
    """Raise MigrationError if .snakemake cannot be written: Snakemake would end with a traceback."""
    own = directory / ".snakemake"
    if not os.access(own if own.exists() else directory, os.W_OK | os.X_OK, effective_ids=True):
        raise MigrationError(
            f"{directory} cannot be written to, where Snakemake keeps its .snakemake: run it in a folder of your own"
        )


def prepare() -> None:
    """Prepare this process, and the environment of its jobs, for a run of any size."""
    # Snakemake keeps its jobs to the end: garbage collection would find none, but take a tenth of its time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    # If snakemake was called by its path, its Python is not on PATH, where jobs look for it.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    _have_a_user_name()


def _have_a_user_name() -> None:
    """Set a user name if there is none, as in many containers: Snakemake would end with a traceback."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = str(os.getuid())
