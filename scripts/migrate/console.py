"""What a run says on the terminal, instead of Snakemake's account of its own work (which is in .snakemake/log)."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from . import failure
from .errors import one_line
from .settings import FREE_PLAN

if TYPE_CHECKING:
    from collections import Counter

    from .pending import Pending
    from .settings import Settings

_NOISE = (
    "Exiting because a job execution failed",
    "WorkflowError:\nAt least one job did not complete",
    "RuleException:\nCalledProcessError",
    "Restored previous version of ",
    "Cannot restore ",
)
_PAUSE = 5.0
"""Seconds between two lines of progress."""


class Console(logging.Filter):
    """Lets through what the user wants to know: our own lines, failures as one line each, real errors of Snakemake."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._names: dict[str, str] = {}
        self._to_move = 0
        self._begun = 0
        self._last_progress = time.monotonic()

    def install(self) -> None:
        """Stand before Snakemake's own handler for the terminal; a logger plugin (--logger rich) is left alone."""
        # A full disk fails Snakemake's log, too: no reason for tracebacks on the terminal.
        logging.raiseExceptions = False
        for handler in logger.handlers:
            if handler.name == "DefaultStreamHandler":
                handler.filters.insert(0, self)

    def filter(self, record: logging.LogRecord) -> bool:
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_STARTED:
            self._progress(len(record.__dict__["jobs"]))
        if event == LogEvent.JOB_ERROR and record.__dict__.get("rule_name") == "upload_image":
            self._failed(record.__dict__["output"])
        if hasattr(record, "ours"):
            return True
        known = event == LogEvent.JOB_ERROR or str(record.msg).startswith(_NOISE)
        return record.levelno >= logging.WARNING and not known

    def listed(self, pending: Sequence[Pending], total: int) -> None:
        """The listing is there, with so many images of which these are pending."""
        self._names = {each.image.id: each.image.path for each in pending}
        self._to_move = len(pending)
        say(f"{total} images listed, {len(pending)} to move")

    def _progress(self, jobs: int) -> None:
        if not self._to_move:
            return
        self._begun = min(self._begun + jobs, self._to_move)
        if time.monotonic() - self._last_progress > _PAUSE:
            self._last_progress = time.monotonic()
            say(f"{self._begun} of {self._to_move} images begun")

    def _failed(self, outputs: Sequence[str]) -> None:
        file_id = Path(outputs[0]).name.partition(".")[0]
        record = failure.read(self._folder, file_id)
        if record:
            say(f"failed: {one_line(self._names.get(file_id, file_id), 100)}: {record.message}", logging.ERROR)


def say(line: str, level: int = logging.INFO) -> None:
    """One line on the terminal, and in Snakemake's log."""
    logger.log(level, line, extra={"ours": True})


def preview(pending: Sequence[Pending], total: int, age: str, names: bool, settings: Settings) -> None:
    """What a dry run prints: each pending image if `names`, and a summary of why they are and how much it is."""
    if names:
        for each in pending:
            print(f"{each.reason:<13} {one_line(each.image.path, 1000)}")
    why = [
        f"{sum(each.reason == reason for each in pending)} {reason}" for reason in ("new", "changed", "failed before")
    ]
    limit = settings.largest or FREE_PLAN
    if large := sum((each.image.size or 0) > limit for each in pending):
        fate = "will be re-encoded" if settings.fit else "will fail" if settings.max_bytes else "fail on the free plan"
        print(f"warning: {large} images are larger than {limit:,} bytes and {fate}")
    size = sum(each.image.size or 0 for each in pending)
    print(f"{len(pending)} of {total} images to move ({', '.join(why)}), {size:,} bytes; listed {age}")
    sys.stdout.flush()


def outcome(counted: Counter[str], mapping: Path) -> None:
    """The last line of a run: how many of what, and where to look."""
    parts = [f"{counted[status]} {status}" for status in ("uploaded", "existing", "failed", "skipped")]
    where = f"{mapping}: see the rows with status failed" if counted["failed"] else str(mapping)
    say(f"{counted.total()} images: {', '.join(parts)} → {where}", logging.ERROR if counted["failed"] else logging.INFO)
