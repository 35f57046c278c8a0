"""What a run says on the terminal, instead of Snakemake's account of its own work (which is in .snakemake/log)."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, ClassVar, TextIO

from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

if TYPE_CHECKING:
    from drive2cloudinary.run.bar import Bar
    from drive2cloudinary.run.tally import Tally

_NOISE = (
    "Exiting because a job execution failed",
    "WorkflowError:\nAt least one job did not complete",
    "RuleException:\nCalledProcessError",
    "Restored previous version of ",
    "Cannot restore ",
)
"""Snakemake's words for what the summary says better."""
_STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


class Console(LogHandlerBase):
    """The terminal: what the workflow itself says, and Snakemake's warnings and errors.

    Errors alone with --quiet, and nothing with --quiet all. With --verbose or --printshellcmds the user wants
    Snakemake's own words: its own handler says all.
    """

    the: ClassVar[Console | None] = None
    """That of this process; None where the user chose another logger (--logger rich)."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        settings = self.common_settings
        quiet = settings.quiet or ()
        self._quiet = Quietness.PROGRESS in quiet
        self._dryrun: bool = settings.dryrun
        self._no_color: bool = settings.nocolor
        self._bar: Bar | None = None
        self.writes_to_stream = not (settings.verbose or settings.printshellcmds)
        is_mute = Quietness.ALL in quiet or not self.writes_to_stream
        self._stream: TextIO | None = None if is_mute else sys.stdout if settings.stdout else sys.stderr
        Console.the = self

    def emit(self, record: logging.LogRecord) -> None:
        """What LogHandlerBase promises: say a line. Snakemake calls it in a thread of its own."""
        try:
            if self._stream and self._matters(record):
                line = record.getMessage() if hasattr(record, "ours") else self.format(record)
                if self._bar:
                    self._bar.say(line, _STYLES.get(record.levelno, ""))
                else:
                    print(line, file=self._stream, flush=True)
        except OSError:
            # A terminal that is gone is no reason to stop.
            self.handleError(record)

    @property
    def has_bar(self) -> bool:
        """Whether there is a bar, so that no lines need to say how far the run is."""
        return self._bar is not None

    def begin_bar(self, tally: Tally) -> None:
        """Show a bar from now on, if this is a terminal that can. In: the counts, which go on changing."""
        if self._stream and self._stream.isatty() and not (self._quiet or self._dryrun or self._bar):
            # Only here, because it takes long to import.
            from drive2cloudinary.run.bar import bar

            self._bar = bar(self._stream, tally, self._no_color)
            if self._bar:
                self._bar.start()

    def stop_bar(self) -> None:
        """Leave the terminal as it was."""
        if self._bar:
            self._bar.stop()

    def close(self) -> None:
        """Leave the terminal as it was; called by Snakemake, or as Python ends."""
        self.stop_bar()
        super().close()

    def _matters(self, record: logging.LogRecord) -> bool:
        if self._quiet and record.levelno < logging.ERROR:
            return False
        if hasattr(record, "ours"):
            return True
        # Each image that failed is a line already.
        failed = getattr(record, "event", None) == LogEvent.JOB_ERROR
        return record.levelno >= logging.WARNING and not failed and not str(record.msg).startswith(_NOISE)


def say(line: str, level: int = logging.INFO) -> None:
    """One line on the terminal, and in Snakemake's log."""
    logger.log(level, line, extra={"ours": True})
