"""Let a run survive the loss of its terminal or output pipe."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from typing import Any

from snakemake.logging import logger


class LossyStream:
    """A text stream that ignores write errors: output that can no longer be written is dropped."""

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
    """Make the program go on if its output cannot be written, for example because the terminal was closed.

    Call it before Snakemake prints its first line.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Print question marks for characters that the terminal cannot show.
        sys.stdout.reconfigure(errors="replace")
    streams = {id(stream): LossyStream(stream) for stream in (sys.stdout, sys.stderr) if stream}
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and id(handler.stream) in streams:
            handler.stream = streams[id(handler.stream)]
    sys.stdout = streams.get(id(sys.stdout), sys.stdout)
    sys.stderr = streams.get(id(sys.stderr), sys.stderr)
