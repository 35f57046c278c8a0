"""Uploads in chunks, assembled on disk under the client's X-Unique-Upload-Id."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

LEAST = 5 * 1024 * 1024
RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|-1)")


class ChunkError(ValueError):
    """A chunk that does not follow the bytes received so far."""


class Chunks:
    """The unfinished uploads. The file's size is the number of bytes received, so a restart loses nothing."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

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
        done = last + 1 == total
        if not done and len(data) < LEAST:
            raise ChunkError("All parts except EOF-chunk must be larger than 5mb")
        part = self._folder / (hashlib.sha256(upload_id.encode()).hexdigest()[:40] + ".part")
        have = part.stat().st_size if part.exists() else 0
        if first != have:
            raise ChunkError(f"Chunk begins at {first}, but {have} bytes are there")
        with part.open("ab") as file:
            file.write(data)
        if not done:
            return None
        whole = part.read_bytes()
        part.unlink()
        return whole
