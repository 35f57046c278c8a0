"""Numbers in memory that threads and forked processes share."""

from __future__ import annotations

import fcntl
import mmap
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_threads = threading.Lock()
"""One for all: if one thread held a lock while another waited for a second one, the kernel, which knows processes only,
would see a deadlock where there is none."""


class Shared:
    """So many numbers, 0 at first, shared with all processes that are forked later; to be changed within `locked`.

    A lock of the kernel guards them, which a killed process cannot keep. It is one of processes, so `_threads` keeps
    the threads of each apart.
    """

    def __init__(self, count: int) -> None:
        self.numbers: memoryview[float] = memoryview(mmap.mmap(-1, 8 * count)).cast("d")
        self._lock = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the processes are)

    @contextmanager
    def locked(self) -> Iterator[memoryview[float]]:
        """The numbers, for this thread of this process alone."""
        with _threads:
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
            try:
                yield self.numbers
            finally:
                fcntl.lockf(self._lock, fcntl.LOCK_UN)
