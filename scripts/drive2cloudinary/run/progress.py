"""How far a run is, told to the user: a bar or a line now and then, a line for each failure, and the last lines."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import one_line
from drive2cloudinary.results import batches, failure, marker
from drive2cloudinary.run.console import Console, say
from drive2cloudinary.run.tally import Listed, Tally, how_many, in_words

if TYPE_CHECKING:
    from drive2cloudinary.results.failure import Group
    from drive2cloudinary.results.listing import Image

_SAID_AGAIN_AFTER = 60.0
"""Seconds from one line about a service that is waited for to the next."""


@dataclass(frozen=True)
class Outcome:
    """What a run ends with.

    counted: how many images have each status in the mapping. failures: those that are not in Cloudinary, by cause.
    gone: orphans.csv of each results folder → how many files it names, if any. unlisted: how many Drive folders have no
    listing of this run. stopped_because: the line that says why the run was stopped, "" if it was not.
    """

    counted: Counter[str]
    mapping: Path
    reports: Sequence[Path]
    failures: Sequence[Group]
    gone: Mapping[Path, int]
    unlisted: int
    stopped_because: str


class Progress(logging.Handler):
    """Counts what Snakemake's events, and the executor, tell of each image."""

    def __init__(self, job_failed: Callable[[], None]) -> None:
        """In: who is told when a job of Snakemake's has failed."""
        super().__init__()
        self._job_failed = job_failed
        self._tally = Tally()
        self._names: dict[str, str] = {}
        """Marker → path in Drive, of the images that this run is to move."""
        self._markers: dict[int, list[str]] = {}
        """Job → the markers that it is to make, while it runs."""
        self._before: dict[str, failure.Failure | None] = {}
        """Marker → the failure that was recorded before its job began."""
        self._last_progress = time.monotonic()
        self.listing_has_begun = False

    def begin(self) -> None:
        """Hear Snakemake's events from now on."""
        # A full disk fails Snakemake's log, too: no reason for tracebacks on the terminal.
        logging.raiseExceptions = False
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """What logging.Handler promises: take note of an event."""
        event, said = getattr(record, "event", None), record.__dict__
        if event == LogEvent.JOB_INFO:
            self._job(said["jobid"], said["rule_name"], said["output"])
        elif event == LogEvent.JOB_FINISHED:
            self._ended(said["job_id"])
        elif event == LogEvent.JOB_ERROR:
            self._ended(said["jobid"])
            self._job_failed()

    def watch(self, waits_for: Callable[[], dict[str, str]]) -> None:
        """From now on, say what the run waits for. In: what tells it, as service → line."""
        threading.Thread(target=self._watch, args=(waits_for,), daemon=True).start()

    def _watch(self, waits_for: Callable[[], dict[str, str]]) -> None:
        said_at: dict[str, float] = {}
        while True:
            time.sleep(1)
            lines, now = waits_for(), time.monotonic()
            for service, line in lines.items():
                if now - said_at.get(service, -_SAID_AGAIN_AFTER) >= _SAID_AGAIN_AFTER:
                    say(line, logging.WARNING)
                    said_at[service] = now
            for service in said_at.keys() - lines.keys():
                say(f"no more waiting for {service}", logging.WARNING)
                del said_at[service]

    def listed(self, results_folder: Path, to_move: Sequence[Image], total: int, skipped: int) -> None:
        """The listing of a results folder is there: so many images, of which some are to be moved and some left out."""
        for image in to_move:
            self._names[str(marker.path_of(results_folder, image.id, image.fingerprint))] = image.path
        found = Listed(total, len(to_move), skipped)
        self._tally.listed(results_folder, found)
        self._last_progress = time.monotonic()
        say(str(found))

    def sum_up(self, outcome: Outcome) -> None:
        """The last lines of a run: how many of what, how much, how long, where to look, and what to do."""
        counted, failures, reports = outcome.counted, outcome.failures, outcome.reports
        if Console.the:
            Console.the.stop_bar()
        level = logging.ERROR if failures else logging.INFO
        say(f"{how_many(counted.total())}: {in_words(counted)}", level)
        say(f"uploaded by this run: {how_many(self._tally.counts['uploaded'])}, {self._tally.amount}")
        say("time: " + ", ".join(filter(None, (str(self._tally.elapsed), self._tally.whole_rate))))
        report = f"report: {reports[0]}" if len(reports) == 1 else f"a report.html in each of {len(reports)} folders"
        bad = [status for status in ("failed", "pending") if counted[status]]
        hint = f", see the rows with status {' or '.join(bad)}" if bad else ""
        say(f"mapping: {outcome.mapping}{hint}; {report}", level)
        for path, gone in outcome.gone.items():
            say(f"gone from Drive: {how_many(gone)}, still in Cloudinary: see {path}")
        for line in _to_do(outcome):
            say(f"to do: {line}", level)
        if not (failures or outcome.unlisted or outcome.stopped_because):
            say("to do: nothing, all images are where they should be")

    def _job(self, job: int, rule: str, outputs: Iterable[str]) -> None:
        wanted = [path for output in outputs for path in (output, *batches.markers(Path(output)))]
        if markers := [path for path in wanted if path in self._names]:
            self._markers[job] = markers
            self._before |= {path: _failure_of(Path(path)) for path in markers}
        elif rule == "list_images":
            self.listing_has_begun = True
            if Console.the:
                Console.the.begin_bar(self._tally)

    def _ended(self, job: int) -> None:
        self.ended(list(map(Path, self._markers.pop(job, []))))

    def ended(self, markers: Sequence[Path]) -> None:
        """These images are in Cloudinary now, or have failed. In: the markers that they have, or would have.

        An image of no listing that this run has seen is all that was asked for, by its marker: it gets a line.
        """
        for path in markers:
            before = self._before.pop(str(path), None)
            is_listed = str(path) in self._names
            if made := marker.read(path):
                size = made.cloudinary["bytes"] if made.status == "uploaded" else 0
                if is_listed:
                    self._tally.add(path, made.status, size or 0)
                else:
                    say(f"{made.status}: {one_line(made.drive['name'], 100)}: {made.cloudinary['secure_url']}")
                continue
            record = _failure_of(path)
            # Of a job that was ended with the run, there is at most the record of an earlier one.
            if record and record != before:
                if is_listed:
                    self._tally.add(path, "failed")
                say(f"failed: {one_line(self._names.get(str(path), path.name), 100)}: {record.message}", logging.ERROR)
        if any(str(path) in self._names for path in markers):
            self._progress()

    def _progress(self) -> None:
        """A line of progress now and then where there is no bar; seldom in a long run."""
        tally, now = self._tally, time.monotonic()
        has_bar = Console.the and Console.the.has_bar
        if not has_bar and now - self._last_progress > min(60, max(5, tally.elapsed.total_seconds() / 20)):
            self._last_progress = now
            say(", ".join(filter(None, (f"{tally.position}: {tally.statuses}", tally.amount, tally.rate, tally.left))))


def _to_do(outcome: Outcome) -> Iterator[str]:
    stopped_because = outcome.stopped_because
    if outcome.unlisted:
        folders = "Drive folder was" if outcome.unlisted == 1 else "Drive folders were"
        yield f"{outcome.unlisted} {folders} not listed, for the reason above. Then run the same command again."
    for group in outcome.failures:
        if group.cause is not Cause.NOT_REACHED or not stopped_because:
            yield f"{how_many(len(group.file_ids))}: {group.cause.title}. {group.cause.advice}"
    if stopped_because:
        pending = outcome.counted["pending"]
        yield f"{how_many(pending)} pending, because the run was stopped: {stopped_because}"


def _failure_of(path: Path) -> failure.Failure | None:
    """The record of the failure of a marker's image."""
    return failure.read(path.parents[1], path.name.partition(".")[0])
