"""The bytes of a Drive file: on disk, in memory, or generated on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from .images import pixels
from .pictures import Noise

PIECE = 1 << 18


class Content(Protocol):
    """The interface of a node's bytes."""

    def size(self) -> int:
        """The number of bytes."""

    def digest(self, algorithm: str) -> str:
        """Hex digest of the whole, by hashlib's name of the algorithm."""

    def pixels(self) -> tuple[int, int] | None:
        """The width and height of the picture; None if it is none, or they are not known."""

    def modified(self) -> float | None:
        """When the bytes last changed; None if unknown."""

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        """The bytes from `start`, `length` of them, in pieces of no more than PIECE."""


class OnDisk:
    """A local file, read each time; digests are cached until its mtime or size changes."""

    __slots__ = ("_digests", "_path", "_pixels")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pixels: dict[tuple[int, int], tuple[int, int] | None] = {}
        self._digests: dict[tuple[str, int, int], str] = {}

    def size(self) -> int:
        return self._path.stat().st_size

    def modified(self) -> float | None:
        return self._path.stat().st_mtime

    def digest(self, algorithm: str) -> str:
        stat = self._path.stat()
        key = (algorithm, stat.st_mtime_ns, stat.st_size)
        if key not in self._digests:
            with self._path.open("rb") as file:
                self._digests[key] = hashlib.file_digest(file, algorithm).hexdigest()
        return self._digests[key]

    def pixels(self) -> tuple[int, int] | None:
        stat = self._path.stat()
        key = (stat.st_mtime_ns, stat.st_size)
        if key not in self._pixels:
            self._pixels[key] = pixels(self._path.read_bytes())
        return self._pixels[key]

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(start)
            while length > 0 and (piece := file.read(min(PIECE, length))):
                yield piece
                length -= len(piece)


class InMemory:
    """Bytes given through the control endpoint."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def size(self) -> int:
        return len(self._data)

    def modified(self) -> float | None:
        return None

    def digest(self, algorithm: str) -> str:
        return hashlib.new(algorithm, self._data).hexdigest()

    def pixels(self) -> tuple[int, int] | None:
        return pixels(self._data)

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        for at in range(start, start + length, PIECE):
            yield self._data[at : min(at + PIECE, start + length)]


class Generated:
    """One of very many benchmark pictures; stores only its number."""

    __slots__ = ("_noise", "_seed")

    def __init__(self, noise: Noise, seed: int) -> None:
        self._noise = noise
        self._seed = seed

    def size(self) -> int:
        return self._noise.n_bytes

    def modified(self) -> float | None:
        return None

    def digest(self, algorithm: str) -> str:
        return self._noise.digest(self._seed, algorithm)

    def pixels(self) -> tuple[int, int] | None:
        return self._noise.pixels

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        return InMemory(self._noise.picture(self._seed)).pieces(start, length)
