"""The bytes of a Drive file: on disk, in memory, or generated on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .images import pixels
from .pictures import Noise

PIECE = 1 << 18


class Content:
    """A node's bytes. What is said of them here holds where they are in memory."""

    __slots__ = ()

    def size(self) -> int:
        """The number of bytes."""
        raise NotImplementedError

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        """The bytes from `start`, `length` of them, in pieces of no more than PIECE."""
        data = self.whole()
        for at in range(start, start + length, PIECE):
            yield data[at : min(at + PIECE, start + length)]

    def whole(self) -> bytes:
        """All bytes."""
        raise NotImplementedError

    def modified(self) -> float | None:
        """When the bytes last changed; None if unknown."""
        return None

    def md5(self) -> str:
        """The MD5 of the whole, in hex."""
        return hashlib.md5(self.whole()).hexdigest()

    def pixels(self) -> tuple[int, int] | None:
        """The width and height of the picture; None if it is none, or they are not known."""
        return pixels(self.whole())


class OnDisk(Content):
    """A local file, read each time; what is found out of it is kept until its mtime or size changes."""

    __slots__ = ("_known", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[tuple[object, ...], Any] = {}

    def size(self) -> int:
        return self._path.stat().st_size

    def whole(self) -> bytes:
        return self._path.read_bytes()

    def modified(self) -> float | None:
        return self._path.stat().st_mtime

    def md5(self) -> str:
        return str(self._once(super().md5))

    def pixels(self) -> tuple[int, int] | None:
        found: tuple[int, int] | None = self._once(super().pixels)
        return found

    def _once(self, find: Callable[[], object]) -> Any:
        stat = self._path.stat()
        key = (find.__name__, stat.st_mtime_ns, stat.st_size)
        if key not in self._known:
            self._known[key] = find()
        return self._known[key]


class InMemory(Content):
    """Bytes given through the control endpoint."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def size(self) -> int:
        return len(self._data)

    def whole(self) -> bytes:
        return self._data


class Generated(Content):
    """One of very many benchmark pictures; stores only its number."""

    __slots__ = ("_noise", "_seed")

    def __init__(self, noise: Noise, seed: int) -> None:
        self._noise = noise
        self._seed = seed

    def size(self) -> int:
        return self._noise.n_bytes

    def whole(self) -> bytes:
        return self._noise.picture(self._seed)

    def md5(self) -> str:
        return self._noise.md5(self._seed)

    def pixels(self) -> tuple[int, int] | None:
        return self._noise.pixels
