"""How a migration's run ends: with its summary and, after a failure, with the mappings that Snakemake did not make."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, TypeVar

from drive2cloudinary.errors import MigrationError, line_of, one_line
from drive2cloudinary.plan.migration import Migration
from drive2cloudinary.report import orphans
from drive2cloudinary.report.summary import summary
from drive2cloudinary.results import layout, listing
from drive2cloudinary.results.merged import is_of_run
from drive2cloudinary.results.run import Run
from drive2cloudinary.terminal.console import say
from drive2cloudinary.terminal.progress import Outcome, Progress, say_folders

Result = TypeVar("Result")


class Ending:
    """The end of one run, of one Drive folder or many."""

    def __init__(
        self,
        migrations: Sequence[Migration],
        wrong_lines: Sequence[str],
        combined_in: Path | None,
        run: Run,
        run_id: str,
        progress: Progress,
    ) -> None:
        """In: the lines of the setting folders that are left out; the folder of the combined mapping, None for a run of
        one Drive folder.
        """
        self._migrations, self._wrong_lines, self._combined_in = migrations, wrong_lines, combined_in
        self._run, self._run_id, self._progress = run, run_id, progress
        self._said: set[str] = set()

    @property
    def _copied(self) -> list[Migration]:
        """The migrations that are not left out."""
        return [each for each in self._migrations if not each.left_out]

    @property
    def stopped_because(self) -> str:
        """Why this run was stopped, in one line; "" if it was not."""
        return next((line for each in self._migrations if (line := each.run.stopped_because)), "")

    @property
    def without_effect(self) -> list[str]:
        """Lines about what the user asked for and what fits nothing in any Drive folder; [] until all are listed."""
        found = [each.without_effect for each in self._copied]
        lines = []
        for line in found[0] or () if found else ():
            nearest = [each[line] for each in found if each is not None and line in each]
            if len(nearest) == len(found):
                hint = max(nearest, key=lambda hint: SequenceMatcher(None, line, hint).ratio())
                lines.append(f"{line}; did you mean '{one_line(hint, 100)}'?" if hint else line)
        return lines

    def succeeded(self, verbose: bool) -> bool:
        """Print the summary, unless the user asked for less than the whole migration. Raises MigrationError, OSError.

        In: also print the counts of each subfolder. Out: whether each image is where it should be.
        """
        if not all(each.is_up_to_date or is_of_run(each.results_folder, self._run_id) for each in self._copied):
            return True
        if all(each.is_up_to_date for each in self._copied):
            say("nothing has changed since the last run: mapping and report stay as they are")
        return self._say_outcome(self._copied, "", verbose).is_good

    def failed(self, verbose: bool) -> None:
        """Write the missing mappings and reports, and print what was not listed, and the summary. In: as above."""
        stopped_because = self.stopped_because
        listed = {each: self._or_say(self._merge, each, stopped_because) for each in self._copied}
        merged = [each for each, is_merged in listed.items() if is_merged]
        if self._combined_in and merged:
            self._or_say(self._merge_mappings, self._combined_in)
        unlisted = [each for each, is_merged in listed.items() if is_merged is False]
        self._or_say(self._say_unlisted, unlisted, stopped_because)
        if merged:
            self._or_say(self._say_outcome, merged, stopped_because, verbose)

    def _or_say(self, function: Callable[..., Result], *arguments: Any) -> Result | None:
        """The result of a function; None if it has raised MigrationError or OSError, after one line that says so."""
        try:
            return function(*arguments)
        except (MigrationError, OSError) as error:
            self.say_error(line_of(error))
        return None

    def say_error(self, line: str) -> None:
        """Print a line about an error, once."""
        if line not in self._said:
            self._said.add(line)
            say(line, logging.ERROR)

    def _say_unlisted(self, migrations: Sequence[Migration], stopped_because: str) -> None:
        # On a full disk, list_images cannot write its error to its log either.
        reason = stopped_because or self._run.unwritable_because
        # If the user asked for one marker, nothing had to be listed.
        if not reason and self._progress.listing_has_begun:
            reason = "nothing was listed"
        for line in dict.fromkeys(each.error_while_listing or reason for each in migrations):
            if line:
                self.say_error(one_line(line))

    def _merge(self, migration: Migration, stopped_because: str) -> bool:
        """Write the mapping and the report of a Drive folder; False if this run made no listing of it."""
        if listing.confirmed(migration.results_folder).run != self._run_id:
            return False
        if migration.is_up_to_date:
            return True
        # Imported here, because a successful run has a rule for this.
        from drive2cloudinary.report.merging import merge_markers

        migration.run.note(stopped_because=stopped_because)
        merge_markers(migration.results_folder)
        return True

    def _merge_mappings(self, folder: Path) -> None:
        # Imported here, because a successful run has a rule for this.
        from drive2cloudinary.report.merging import merge_mappings

        at_hand = [each.mapping for each in self._copied if each.mapping.exists()]
        merge_mappings(at_hand, folder)

    def _say_outcome(self, migrations: Sequence[Migration], stopped_because: str, verbose: bool) -> Outcome:
        mappings = [each.mapping for each in migrations]
        if verbose:
            say_folders(mappings)
        outcome = Outcome(
            summary=summary(mappings),
            mapping=layout.mapping_csv(self._combined_in or migrations[0].results_folder),
            reports=[each.report for each in migrations],
            gone={each.orphans: count for each in migrations if (count := orphans.count(each.orphans)).files},
            unmerged=len(self._copied) - len(migrations),
            stopped_because=stopped_because,
            without_effect=self.without_effect,
            leaves_out=bool(self._wrong_lines) or len(self._copied) < len(self._migrations),
        )
        self._progress.sum_up(outcome)
        return outcome
