"""Progress messages: a bar or occasional lines, a line for each failure, and the summary."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.filesize import decimal
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import one_line
from drive2cloudinary.report.folders import ByFolder
from drive2cloudinary.report.orphans import Gone
from drive2cloudinary.report.summary import Summary
from drive2cloudinary.results import batches, failure, layout, listing, mapping, marker
from drive2cloudinary.terminal.console import HEADLINE, Console, say
from drive2cloudinary.terminal.tally import Listed, Now, Tally, folder_in_words, how_many, in_words
from drive2cloudinary.wording import agreeing, counted

if TYPE_CHECKING:
    from drive2cloudinary.results.listing import Image

_SAID_AGAIN_AFTER = 60.0
"""Seconds between two messages about waiting for the same service."""


@dataclass(frozen=True)
class Outcome:
    """What a run ends with.

    gone: orphans.csv of each results folder → its counts, if it names any. unmerged: how many Drive folders have no
    mapping of this run. stopped_because: the line that says why the run was stopped, "" if it was not. without_effect:
    lines about what the user asked for and what fits nothing. leaves_out: whether a line of the setting folders, or a
    Drive folder inside another one, is left out.
    """

    summary: Summary
    mapping: Path
    reports: Sequence[Path]
    gone: Mapping[Path, Gone]
    unmerged: int
    stopped_because: str
    without_effect: Sequence[str]
    leaves_out: bool

    @property
    def is_good(self) -> bool:
        """Whether each image that the run came to is in Cloudinary and not rejected, and every setting took effect."""
        return not (self.summary.failures or self.summary.details["rejected"] or self.without_effect or self.leaves_out)


class Progress(logging.Handler):
    """Counts the images by the events of Snakemake and of the executor, and prints the progress."""

    def __init__(self, job_failed: Callable[[], None]) -> None:
        """In: called when a job of Snakemake has failed."""
        super().__init__()
        self._job_failed = job_failed
        self._tally = Tally()
        self._names: dict[str, str] = {}
        """Marker → path in Drive, of the images that this run has to move."""
        self._markers: dict[int, list[str]] = {}
        """Running job → the markers that it has to make."""
        self._before: dict[str, tuple[failure.Failure | None, marker.Marker | None]] = {}
        """Marker → the failure and the marker that were there before its job began."""
        self._began = self._last_progress = time.monotonic()
        self._now: Callable[[], Now] = lambda: Now({}, 0)
        self.listing_has_begun = False

    def begin(self) -> None:
        """Receive Snakemake's events from now on."""
        # On a full disk Snakemake cannot write its log; logging would print a traceback for each message.
        logging.raiseExceptions = False
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """As logging.Handler.emit: handle an event of Snakemake."""
        event, fields = getattr(record, "event", None), record.__dict__
        if event == LogEvent.JOB_INFO:
            self._job(fields["jobid"], fields["rule_name"], fields["output"])
        elif event == LogEvent.JOB_FINISHED:
            self._ended(fields["job_id"])
        elif event == LogEvent.JOB_ERROR:
            self._ended(fields["jobid"])
            self._job_failed()

    def watch(self, now: Callable[[], Now]) -> None:
        """From now on, show what the run is at. In: what returns that."""
        self._now = now
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """If there is no bar, print what slows the run down, and how many images a listing has found."""
        said_at: dict[str, float] = {}
        said: dict[str, str] = {}
        while True:
            time.sleep(1)
            now = self._now()
            if self._has_bar:
                continue
            for subject, line in now.notices.items():
                if time.monotonic() - said_at.get(subject, -_SAID_AGAIN_AFTER) >= _SAID_AGAIN_AFTER:
                    say(line, logging.WARNING)
                    said_at[subject], said[subject] = time.monotonic(), line
            for subject in said_at.keys() - now.notices.keys():
                say(f"no longer {said.pop(subject).partition(':')[0]}", logging.WARNING)
                del said_at[subject]
            if now.found and not self._tally.to_move and self._may_say_progress():
                say(f"listing: {how_many(now.found)} so far")

    def listed(self, results_folder: Path, to_move: Sequence[Image], left: int, total: int, skipped: int) -> None:
        """Record and print the counts of a new listing: those to move, those left by `limit`, all, those excluded."""
        for image in to_move:
            self._names[str(marker.path_of(results_folder, image.id, image.fingerprint))] = image.path
        found = Listed(total, len(to_move), sum(image.size or 0 for image in to_move), left, skipped)
        self._tally.listed(results_folder, found)
        self._last_progress = time.monotonic()
        say(str(found))

    def sum_up(self, outcome: Outcome) -> None:
        """Print the summary of a run: counts, bytes, time, the result files, and what to do."""
        counted, reports = outcome.summary.counts, outcome.reports
        if Console.the:
            Console.the.stop_bar()
        level = logging.INFO if outcome.is_good else logging.ERROR
        here = counted["uploaded"] + counted["existing"]
        wanted = here + counted["failed"] + counted["pending"]
        of_all = "" if here == wanted else f" of {wanted:,}"
        say(f"{here:,}{of_all} {agreeing(wanted, 'image', 'images')} in Cloudinary, {self._tally.headline}", HEADLINE)
        say(f"{how_many(counted.total())}: {in_words(counted)}", level)
        report = f"report: {reports[0]}" if len(reports) == 1 else f"a report.html in each of {len(reports)} folders"
        bad = [status for status in ("failed", "pending") if counted[status]]
        hint = f", see the rows with status {' or '.join(bad)}" if bad else ""
        say(f"mapping: {outcome.mapping}{hint}; {report}", level)
        for path, gone in outcome.gone.items():
            where = "its path" if gone.files == 1 else f"the path of {gone.replaced:,} of them"
            new = f"; a new file is at {where}" if gone.replaced else ""
            say(f"no longer in the Drive folder: {how_many(gone.files)}, still in Cloudinary{new}: see {path}")
        if undecided := outcome.summary.details["undecided"]:
            say(f"moderation: {how_many(undecided)} not decided when stored: see Cloudinary's Media Library")
        for line in _to_do(outcome):
            say(f"to do: {line}", level)
        if outcome.is_good and not list(_to_do(outcome)):
            say("to do: nothing, all images are where they should be")

    def _job(self, job: int, rule: str, outputs: Iterable[str]) -> None:
        wanted = [path for output in outputs for path in (output, *batches.markers(Path(output)))]
        if markers := [path for path in wanted if path in self._names]:
            self._markers[job] = markers
            self._before |= {path: (_failure_of(Path(path)), marker.read(Path(path))) for path in markers}
        elif rule == "list_images":
            self.listing_has_begun = True
            if Console.the:
                Console.the.begin_bar(self._tally, self._now)

    def _ended(self, job: int) -> None:
        self.ended(list(map(Path, self._markers.pop(job, []))))

    def ended(self, markers: Sequence[Path]) -> None:
        """Record images that are now in Cloudinary or have failed. In: the paths of their markers.

        An image that is not in a listing of this run gets a line: the user asked for its marker alone.
        """
        for path in markers:
            # A job that was cancelled with the run has at most the marker or the failure record of an earlier run.
            failed_before, stood_before = self._before.pop(str(path), (None, None))
            is_listed = str(path) in self._names
            proof = marker.read(path)
            if proof and proof != stood_before:
                size = proof.cloudinary["bytes"] if proof.status == "uploaded" else 0
                line = f"{proof.status}: {one_line(proof.drive['name'], 100)}: {proof.cloudinary['secure_url']}"
                if is_listed:
                    self._tally.add(path, proof.status, size or 0)
                    # Only --verbose shows it; images.log has it in any case.
                    logger.debug(line)
                else:
                    say(line)
                continue
            record = _failure_of(path)
            if record and record != failed_before:
                if is_listed:
                    self._tally.add(path, "failed")
                say(f"failed: {one_line(self._names.get(str(path), path.name), 100)}: {record.message}", logging.ERROR)
        if any(str(path) in self._names for path in markers):
            self._progress()

    @property
    def _has_bar(self) -> bool:
        return Console.the is not None and Console.the.has_bar

    def _progress(self) -> None:
        tally = self._tally
        if not self._has_bar and self._may_say_progress():
            say(", ".join(filter(None, (f"{tally.position}: {tally.statuses}", tally.amount, tally.rate, tally.left))))

    def _may_say_progress(self) -> bool:
        """Whether it is time for another line of progress: the longer the run, the less often."""
        now = time.monotonic()
        if now - self._last_progress <= min(60, max(5, (now - self._began) / 20)):
            return False
        self._last_progress = now
        return True


def say_folders(mappings: Iterable[Path]) -> None:
    """Print the counts of each subfolder of several mappings. Raises MigrationError."""
    for path in mappings:
        by_folder = ByFolder()
        folders = {image.id: image.folders for image in listing.read(layout.listing(path.parent)).images}
        for row in mapping.read(path):
            by_folder.add(row, folders[row.file_id])
        for folder, counts in by_folder.counts().items():
            say(f"{folder_in_words(folder)}: {in_words(counts.images)}, {decimal(counts.bytes)}")


def _to_do(outcome: Outcome) -> Iterator[str]:
    stopped_because = outcome.stopped_because
    yield from outcome.without_effect
    if outcome.unmerged:
        folders = counted(outcome.unmerged, "Drive folder has", "Drive folders have")
        yield f"{folders} no new mapping, for the reason above. Then run the same command again."
    for group in outcome.summary.failures:
        if group.cause is not Cause.NOT_REACHED or not stopped_because:
            yield f"{how_many(len(group.file_ids))}: {group.cause.title}. {group.cause.advice}"
    if stopped_because:
        pending = outcome.summary.counts["pending"] - outcome.summary.details["limit"]
        what = f"{how_many(pending)} pending, because the run was stopped" if pending else "the run was stopped"
        yield f"{what}: {stopped_because}"
    if rejected := outcome.summary.details["rejected"]:
        yield (
            f"{how_many(rejected)} rejected by moderation, so Cloudinary may not deliver "
            f"{'it' if rejected == 1 else 'them'}: the column error of the mapping says which. Replace the file in "
            "Drive, or exclude it; or approve the image in Cloudinary's Media Library, delete its marker in the folder "
            "markers, and run again."
        )
    if outcome.summary.details["limit"]:
        yield f"{how_many(outcome.summary.details['limit'])} left for later by the setting limit. Run again without it."


def _failure_of(path: Path) -> failure.Failure | None:
    """The failure record of a marker's image."""
    return failure.read(path.parents[1], marker.file_id_of(path))
