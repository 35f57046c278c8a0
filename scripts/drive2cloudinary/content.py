"""The bytes of one image during its transfer: in memory, or in a temporary file if the image is large."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator
from typing import IO

from drive2cloudinary.errors import StopRun

IN_MEMORY = 20_000_000
"""Bytes: a larger image is kept in a temporary file and transferred in pieces."""
PIECE = 8 * 1024 * 1024
"""Bytes of one piece; Cloudinary requires more than 5 MB for all but the last."""


class Content:
    """The downloaded bytes, with their number and their md5 (hexadecimal)."""

    def __init__(self, whole: bytes = b"") -> None:
        """Content in memory."""
        self.whole: bytes | None = whole
        self.size = len(whole)
        self._digest = hashlib.md5(whole, usedforsecurity=False)
        self._file: IO[bytes] | None = None

    @classmethod
    def in_file(cls) -> Content:
        """Empty content in a temporary file, to be written to; `whole` is None."""
        content = cls()
        content.whole, content._file = None, tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        return content

    @property
    def md5(self) -> str:
        return self._digest.hexdigest()

    def write(self, part: bytes) -> int:
        """Append bytes to the file. Raises StopRun (a full disk)."""
        assert self._file
        self._digest.update(part)
        self.size += len(part)
        try:
            return self._file.write(part)
        except OSError as error:
            raise StopRun(f"{tempfile.gettempdir()} cannot be written to: {error.strerror}") from error

    def stream(self) -> IO[bytes]:
        """The bytes as a stream, from the beginning."""
        if self._file is None:
            return io.BytesIO(self.whole or b"")
        self._file.seek(0)
        return self._file

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """The file in pieces, each with its offset."""
        stream, start = self.stream(), 0
        while piece := stream.read(PIECE):
            yield start, piece
            start += len(piece)

    def close(self) -> None:
        """Free the memory or the disk space."""
        self.whole = None
        if self._file:
            self._file.close()
