"""Numbers in memory that threads and forked processes share."""

from __future__ import annotations

import fcntl
import mmap
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_threads = threading.Lock()
"""One lock for all `Shared`: the kernel's locks belong to processes. With two of them, held and awaited by two threads
of one process, the kernel could report a deadlock where there is none."""


class Shared:
    """`count` numbers, initially 0, shared with all processes forked later. Change them only within `locked`.

    They are guarded by a kernel lock, which is released when its process dies. Such a lock excludes other processes
    only, so `_threads` excludes the other threads of this process.
    """

    def __init__(self, count: int) -> None:
        self.numbers: memoryview[float] = memoryview(mmap.mmap(-1, 8 * count)).cast("d")
        self._lock = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the processes are)

    @contextmanager
    def locked(self) -> Iterator[memoryview[float]]:
        """The numbers, with exclusive access."""
        with _threads:
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
            try:
                yield self.numbers
            finally:
                fcntl.lockf(self._lock, fcntl.LOCK_UN)
