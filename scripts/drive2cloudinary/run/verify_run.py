"""A run of the target verify: lock the results folders, preview in a dry run, and print the outcome."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.plan.migration import Migration
from drive2cloudinary.results import layout, mapping
from drive2cloudinary.terminal.console import say
from drive2cloudinary.terminal.preview import how_long_ago
from drive2cloudinary.terminal.tally import how_many
from drive2cloudinary.wording import counted

ALONE = "verify checks the existing mapping: run it by itself, after the migration"


class VerifyRun:
    """A run of snakemake that only verifies the mappings of its Drive folders."""

    def __init__(self, migrations: Sequence[Migration], first_results_folder: Path) -> None:
        """In: the run's Drive folders, and the results folder for the job's log."""
        self._migrations = migrations
        self.log = layout.log(first_results_folder, "verify")
        """The file to which the job writes the outcome of each Drive folder."""
        self.begun = False
        self._preview: list[str] = []

    def tables(self, wildcards: object) -> list[str]:
        """verify.csv of each results folder."""
        return [str(layout.verified(each.results_folder)) for each in self._copied]

    @property
    def _copied(self) -> list[Migration]:
        """The migrations that are not left out."""
        return [each for each in self._migrations if not each.left_out]

    def begin(self, run_id: str) -> None:
        """Lock the results folders for a run. Raises MigrationError if one is in use, or has no mapping; OSError."""
        self._need_mappings()
        for migration in self._copied:
            migration.hold(run_id)
        self.log.unlink(missing_ok=True)
        self.begun = True

    def preview(self, silent: bool) -> None:
        """Print the number of URLs at the end of a dry run. Raises MigrationError if there is no valid mapping."""
        self._need_mappings()
        # Snakemake calls input functions repeatedly.
        if not silent and not self._preview:
            self._preview = [_previewed(each.mapping) for each in self._copied]
            atexit.register(print, *self._preview, sep="\n", flush=True)

    def say_outcome(self, level: int) -> None:
        """Print the outcome from the job's log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        for line in lines or ["no URL was checked"]:
            say(one_line(line, 1000), level if lines else logging.ERROR)

    def _need_mappings(self) -> None:
        for migration in self._copied:
            if not migration.mapping.exists():
                command = f"snakemake --cores 8 --config folder_id={migration.settings.folder_id}"
                raise MigrationError(f"there is no mapping yet: run {command} first")


def _previewed(path: Path) -> str:
    """The line of a dry run about this mapping. Raises MigrationError if it is not valid."""
    statuses = mapping.counts(path)
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
    without = sum(statuses[status] for status in mapping.NOT_IN_CLOUDINARY)
    failed = f"{how_many(without)} not in Cloudinary; " if without else ""
    urls = statuses["uploaded"] + statuses["existing"]
    return f"{counted(urls, 'URL')} to ask for; {failed}mapping written {how_long_ago(written)}"
