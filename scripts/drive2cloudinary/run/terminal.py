"""The terminal, or whatever the output goes to: a run outlives it."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from typing import Any

from snakemake.logging import logger


class Unheeded:
    """A text stream that takes note of no error: what cannot be written, because nobody reads it any more, is lost."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def outlive_output() -> None:
    """Let no failing write to this program's output end it: images are moved whether anybody is told or not.

    To be called before Snakemake says its first line: with its reader gone, that would end the program.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a name shows question marks for it.
        sys.stdout.reconfigure(errors="replace")
    streams = {id(stream): Unheeded(stream) for stream in (sys.stdout, sys.stderr) if stream}
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and id(handler.stream) in streams:
            handler.stream = streams[id(handler.stream)]
    sys.stdout = streams.get(id(sys.stdout), sys.stdout)
    sys.stderr = streams.get(id(sys.stderr), sys.stderr)
