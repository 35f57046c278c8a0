"""Check that the user's profile and executor take effect: Snakemake silently ignores a profile that is not found."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from drive2cloudinary.errors import MigrationError
from drive2cloudinary.run import compat


def check(arguments: Sequence[str], base: Path, executor: str) -> None:
    """Raise MigrationError if the run does not use the profile, or the executor of the profile, that the user named.

    In: snakemake's arguments, the Snakefile's folder, and the name of the run's executor.
    """
    # A small parser, because creating Snakemake's own takes half a second.
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--profile", action="append")
    parser.add_argument("--workflow-profile")
    parser.add_argument("--executor", "-e")
    asked, _ = parser.parse_known_args(arguments)
    known = base / "profiles"
    name = asked.workflow_profile
    if name and name != "none" and not any((folder / name).exists() for folder in (Path(), Path("profiles"), known)):
        raise MigrationError(
            f"--workflow-profile {name}: there is no such profile; the workflow has "
            + ", ".join(sorted(path.name for path in known.iterdir()))
        )
    if executor == "slurm" and not shutil.which("sbatch"):
        raise MigrationError("there is no Slurm on this machine (sbatch is not found): run it where jobs are submitted")
    if asked.executor:
        return
    for profile in asked.profile or os.environ.get("SNAKEMAKE_PROFILE", "").split():
        found = compat.profile_file(profile)
        wanted = found and (yaml.safe_load(found.read_text(encoding="utf-8")) or {}).get("executor")
        if wanted and wanted != executor:
            raise MigrationError(
                f"--profile {profile}: the workflow's own profile overrides its executor, {wanted}; "
                f"use --workflow-profile {profile} instead"
            )
