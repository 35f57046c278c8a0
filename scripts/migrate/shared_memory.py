"""Numbers in memory that threads and forked processes share."""

from __future__ import annotations

import fcntl
import mmap
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Shared:
    """So many numbers, 0 at first, shared with all processes that are forked later; to be changed within `locked`.

    A lock of the kernel guards them, which a killed process cannot keep. It is one of processes, so another keeps the
    threads of each apart.
    """

    def __init__(self, count: int) -> None:
        self.numbers: memoryview[float] = memoryview(mmap.mmap(-1, 8 * count)).cast("d")
        self._lock = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the processes are)
        self._threads = threading.Lock()

    @contextmanager
    def locked(self) -> Iterator[memoryview[float]]:
        """The numbers, for this thread of this process alone."""
        with self._threads:
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
            try:
                yield self.numbers
            finally:
                fcntl.lockf(self._lock, fcntl.LOCK_UN)
