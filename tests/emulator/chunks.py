"""Uploads in chunks, put together under the client's X-Unique-Upload-Id."""

from __future__ import annotations

import re
from collections import defaultdict

LEAST = 5 * 1024 * 1024
RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|-1)")


class ChunkError(ValueError):
    """A chunk that does not follow the bytes received so far."""


class Chunks:
    """The unfinished uploads. They are kept in memory only, so a restart loses them."""

    def __init__(self) -> None:
        self._parts: defaultdict[str, bytearray] = defaultdict(bytearray)

    def add(self, upload_id: str, content_range: str, data: bytes) -> bytes | None:
        """Adds one chunk; returns the whole file after the last one, else None. Raises ChunkError."""
        found = RANGE.fullmatch(content_range)
        if not found:
            raise ChunkError(f"Invalid Content-Range header - {content_range}")
        first, last, total = (int(number) for number in found.groups())
        if last - first + 1 != len(data):
            raise ChunkError(f"Content-Range says {last - first + 1} bytes, but {len(data)} were sent")
        if last >= total >= 0:
            raise ChunkError(f"Content-Range ends at {last}, past the total of {total}")
        done, part = last + 1 == total, self._parts[upload_id]
        if not done and len(data) < LEAST:
            raise ChunkError("All parts except EOF-chunk must be larger than 5mb")
        if first != len(part):
            raise ChunkError(f"Chunk begins at {first}, but {len(part)} bytes are there")
        part += data
        return bytes(self._parts.pop(upload_id)) if done else None
