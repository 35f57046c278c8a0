"""The jobs that the pending images of a Drive folder become."""

from __future__ import annotations

import logging

from drive2cloudinary.plan.migration import Migration
from drive2cloudinary.results import batches, listing
from drive2cloudinary.run.invocation import Invocation
from drive2cloudinary.settings import Settings
from drive2cloudinary.terminal.console import say
from drive2cloudinary.terminal.preview import Preview, Previews
from drive2cloudinary.terminal.progress import Progress

SINGLY = 2_000
"""Up to this many pending images are one job each, which costs Snakemake 5 ms; above, IN_A_BATCH.

Of a run with N Drive folders: up to an Nth of it in each.
"""
IN_A_BATCH = 100
IN_A_DRY_RUN = 1_000
"""The most jobs in a dry run: each costs Snakemake 2.6 ms and 21 KB, and shows nothing. The preview counts all."""


class Jobs:
    """Decides which files a run asks Snakemake for, so that all pending images are transferred."""

    def __init__(
        self, invocation: Invocation, settings: Settings, run_id: str, progress: Progress, previews: Previews
    ) -> None:
        """In: who is told what a real run, and what a dry run has to do."""
        self._invocation, self._settings, self._run_id = invocation, settings, run_id
        self._progress, self._previews = progress, previews

    def of(self, migration: Migration, folders: int) -> list[str]:
        """The markers of the pending images or, if one job transfers many, the flags of the batches.

        In: how many Drive folders the run has. Markers that exist are left out, because 100,000 of them cost Snakemake
        a minute. With -F or -R upload_image, all images count. Raises MigrationError, OSError.
        """
        if self._invocation.is_real:
            return self._to_run(migration, folders)
        listed = migration.listed_as_set()
        if not self._invocation.is_dry_run:
            # Of what only prints, the jobs that are done are part, too.
            return migration.markers([each for each in listed.images if not each.skipped])[:SINGLY]
        if not migration.listed_now:
            migration.warn_of_token()
        found, left = migration.pending(listed, self._again, dryrun=True)
        self._previews.add(Preview(found, left, listed, migration.listed_now, migration.settings))
        return migration.markers([each.image for each in found])[: IN_A_DRY_RUN // folders]

    def _to_run(self, migration: Migration, folders: int) -> list[str]:
        listed = listing.read(migration.listing)
        found, left = migration.pending(listed, self._again, dryrun=False)
        if self._invocation.repeats("merge_markers", "merge_mappings"):
            migration.is_up_to_date = False
        for line in migration.warnings_while_listing:
            say(line, logging.WARNING)
        images = [each.image for each in found]
        self._progress.listed(migration.results_folder, images, left, len(listed.images), migration.excluded)
        wanted = migration.markers(images)
        size = self._images_per_job(len(wanted), folders)
        # On a cluster, a batch keeps to its share of the limits. And Snakemake would delete the marker of an image that
        # is to be transferred again if its job is dropped: it is not an output of a batch.
        if size == 1 and not (self._invocation.on_cluster or self._again):
            return wanted
        return batches.write(migration.results_folder, self._run_id, wanted, size, self._again)

    @property
    def _again(self) -> bool:
        return self._invocation.repeats("upload_image")

    def _images_per_job(self, pending: int, folders: int) -> int:
        if self._settings.images_per_job != "auto":
            return self._settings.images_per_job
        return IN_A_BATCH if self._invocation.on_cluster or pending > SINGLY // folders else 1
