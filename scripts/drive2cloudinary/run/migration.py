"""One Drive folder of a run: what of it is left to be moved, and what is made of it when the run ends early."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from drive2cloudinary.command import CANCELLED
from drive2cloudinary.files import make_older
from drive2cloudinary.listing.filters import excluded
from drive2cloudinary.network.services import tell_on_stderr
from drive2cloudinary.results import batches, layout, listing, marker
from drive2cloudinary.results.listing import Listing
from drive2cloudinary.results.pending import Pending, pending
from drive2cloudinary.results.run import Run
from drive2cloudinary.run.console import say
from drive2cloudinary.settings import Settings

INTERRUPTED = "interrupted while the folder was listed: nothing was moved"


class Migration:
    """One Drive folder and its results folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.results_folder = settings.results_folder
        self.run = Run(self.results_folder)
        self.listing = layout.listing(self.results_folder)
        self.mapping = layout.mapping_json(self.results_folder)
        self.report = layout.report(self.results_folder)
        self.orphans = layout.orphans(self.results_folder)
        self._old_mapping = "unknown"

    @property
    def targets(self) -> list[str]:
        """What a run makes of it."""
        return [str(layout.mapping_csv(self.results_folder)), str(self.mapping), str(self.report)]

    def begin(self, run_id: str) -> None:
        """Take the results folder for a run, and clear away what the last one has left. Raises MigrationError."""
        self.hold(run_id)
        self._put_aside_what_is_no_file()
        # Only then does Snakemake list anew.
        make_older(self.listing, self.run.path)
        marker.remove_unfinished(self.results_folder)
        batches.forget(self.results_folder)
        said = layout.log(self.results_folder, "list_images"), layout.reason_to_stop(self.results_folder)
        for path in (*said, *layout.all_waits(self.results_folder)):
            path.unlink(missing_ok=True)

    def hold(self, run_id: str) -> None:
        """Take the results folder for a run. Raises MigrationError if another one has it."""
        self.run.begin(run_id)

    def _put_aside_what_is_no_file(self) -> None:
        """Snakemake copies or removes what it is to make anew: it cannot copy a pipe, and not remove a folder."""
        for path in [self.listing, *(Path(target) for target in self.targets)]:
            if path.exists() and not path.is_file():
                aside = path.replace(path.with_name(f"{path.name}.corrupt"))
                say(f"{path} is no file: taken as missing, and kept as {aside.name}", logging.WARNING)

    def list_for_a_dry_run(self, anew: bool) -> None:
        """List the folder unless there is a listing at hand that will do. Raises MigrationError."""
        if self.listing.exists() and (not anew or self.run.is_alive(self.run.id)):
            return
        # Only here, because the Google client takes long to import.
        from drive2cloudinary.listing.making import list_images

        made = self.listing.with_name(f".listing.dry-run.{os.getpid()}.json")
        try:
            list_images(self.settings, made, tell_on_stderr)
            # A real run that has begun meanwhile knows better.
            if not self.run.is_alive(self.run.id):
                made.replace(self.listing)
        finally:
            made.unlink(missing_ok=True)

    def listed_as_set(self) -> Listing:
        """The listing at hand with what the present settings leave out; it may have been made with others."""
        listed = listing.read(self.listing)
        return replace(listed, images=[replace(each, skipped=excluded(self.settings, each)) for each in listed.images])

    def pending(self, listed: Listing, again: bool) -> list[Pending]:
        """The images of a listing that are to be transferred; if `again`, also those that have a marker.

        A corrupt marker is named on the terminal.
        """
        return pending(listed.images, self.results_folder, say, again)

    def markers(self, images: Sequence[listing.Image]) -> list[str]:
        """The markers that these images will have."""
        return [str(marker.path_of(self.results_folder, image.id, image.fingerprint)) for image in images]

    def said_while_listing(self) -> list[str]:
        """The lines that the checkpoint had to say."""
        log = layout.log(self.results_folder, "list_images")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        # Ctrl-C in a terminal reaches it, too, wherever it is; its traceback stays in the log.
        return [INTERRUPTED if line in ("KeyboardInterrupt", CANCELLED) else line for line in lines]

    def need_mapping(self) -> None:
        """The listing is new: see to it that Snakemake takes the mapping at hand for an old one. Raises OSError."""
        for path in (self.mapping, layout.mapping_csv(self.results_folder), self.orphans):
            make_older(path, self.listing)
        self._old_mapping = _state_of(self.mapping)

    @property
    def is_merged(self) -> bool:
        """Whether this run has written a mapping of its listing."""
        return self._old_mapping not in ("unknown", _state_of(self.mapping))

    def merge(self, run_id: str) -> bool:
        """Write the mapping and the report that the run did not come to, unless it has not even listed the folder."""
        if listing.made_by(self.listing) != run_id:
            return False
        # Only here, because a run that succeeds has rules for them.
        from drive2cloudinary.report.merging import merge_markers
        from drive2cloudinary.report.page import write_report

        merge_markers(self.listing)
        write_report(self.listing)
        return True


def _state_of(path: Path) -> str:
    """What tells a file from any other that takes its place; "" if there is none."""
    if not path.exists():
        return ""
    found = path.stat()
    return f"{found.st_ino} {found.st_mtime_ns}"
