"""The terminal output of a run, instead of Snakemake's own messages (which are in .snakemake/log)."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TextIO

from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

if TYPE_CHECKING:
    from drive2cloudinary.terminal.bar import Bar
    from drive2cloudinary.terminal.tally import Now, Tally

_NOISE = (
    "Exiting because a job execution failed",
    "WorkflowError:\nAt least one job did not complete",
    "RuleException:\nCalledProcessError",
    "Restored previous version of ",
    "Cannot restore ",
)
"""The beginnings of Snakemake's messages that the summary makes superfluous."""
HEADLINE = logging.INFO + 1
"""The level of the first line of the summary."""
_STYLES = {HEADLINE: "bold", logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


class Console(LogHandlerBase):
    """Prints the workflow's own messages, and Snakemake's warnings and errors.

    With --quiet, prints errors only; with --quiet all, nothing. With --verbose, --printshellcmds, --debug-dag or
    --show-failed-logs, Snakemake's own handler prints everything instead.
    """

    the: ClassVar[Console | None] = None
    """The console of this process; None if the user chose another logger (--logger rich)."""

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
        in_full = settings.verbose or settings.printshellcmds or settings.debug_dag or settings.show_failed_logs
        self.writes_to_stream = not in_full
        is_mute = Quietness.ALL in quiet or not self.writes_to_stream
        self._stream: TextIO | None = None if is_mute else sys.stdout if settings.stdout else sys.stderr
        Console.the = self

    def emit(self, record: logging.LogRecord) -> None:
        """As logging.Handler.emit: print a message. Snakemake calls it in a thread of its own."""
        try:
            if self._stream and self._matters(record):
                line = record.getMessage() if hasattr(record, "ours") else self.format(record)
                if self._bar:
                    self._bar.say(line, _STYLES.get(record.levelno, ""))
                else:
                    print(line, file=self._stream, flush=True)
        except OSError:
            # The run goes on if the terminal was closed.
            self.handleError(record)

    @property
    def has_bar(self) -> bool:
        """Whether a bar shows the progress, so that no lines about it are needed."""
        return self._bar is not None

    def begin_bar(self, tally: Tally, now: Callable[[], Now]) -> None:
        """Show a bar from now on, if the terminal supports it. In: the tally, which is updated during the run; what
        the run is at.
        """
        if self._stream and self._stream.isatty() and not (self._quiet or self._dryrun or self._bar):
            # Imported here, because it takes long and is seldom needed.
            from drive2cloudinary.terminal.bar import bar

            self._bar = bar(self._stream, tally, now, self._no_color)
            if self._bar:
                self._bar.start()

    def stop_bar(self) -> None:
        """Remove the bar from the terminal."""
        if self._bar:
            self._bar.stop()

    def close(self) -> None:
        """Remove the bar from the terminal. Called by Snakemake, or when Python exits."""
        self.stop_bar()
        super().close()

    def _matters(self, record: logging.LogRecord) -> bool:
        if self._quiet and record.levelno < logging.ERROR:
            return False
        if hasattr(record, "ours"):
            return True
        # Progress already prints a line for each failed image.
        failed = getattr(record, "event", None) == LogEvent.JOB_ERROR
        return record.levelno >= logging.WARNING and not failed and not str(record.msg).startswith(_NOISE)


def say(line: str, level: int = logging.INFO) -> None:
    """Print a line on the terminal and write it to Snakemake's log."""
    logger.log(level, line, extra={"ours": True})
