"""How fast the services let us be: known to all workers together, so that one refusal slows them all.

The state is memory that the workers share because it was there before they were forked; a lock of the kernel guards it,
which a killed worker cannot keep. That lock is one of processes, so another keeps the threads of each apart.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import RateLimited


class _Shared:
    """So many numbers, 0 at first, in memory that threads and forked processes share; to be used within `locked`."""

    def __init__(self, count: int) -> None:
        self.numbers: memoryview[float] = memoryview(mmap.mmap(-1, 8 * count)).cast("d")
        self._lock = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the workers are)
        self._threads = threading.Lock()

    @contextmanager
    def locked(self) -> Iterator[memoryview[float]]:
        with self._threads:
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
            try:
                yield self.numbers
            finally:
                fcntl.lockf(self._lock, fcntl.LOCK_UN)


class Turns:
    """So many calls a second, of all workers together, be they processes or threads.

    A refusal sets the rate to nine tenths of what was accepted in the last second, and those that come with it say
    nothing new; from then on it rises by a twentieth each second, up to where it began.
    """

    _RATE, _NEXT, _CHANGED, _LOWERED, _COUNT, _TIMES = range(6)
    _REMEMBERED = 512

    def __init__(self, per_second: float) -> None:
        self._highest = per_second
        self._shared = _Shared(self._TIMES + self._REMEMBERED)
        self._shared.numbers[self._RATE] = per_second

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn; the call within raises RateLimited if the service refuses it."""
        time.sleep(self._wait())
        try:
            yield
        except RateLimited as error:
            self._refused(error.retry_after or 0.0)
            raise
        self._accepted()

    def _wait(self) -> float:
        now = time.monotonic()
        with self._shared.locked() as shared:
            risen = shared[self._RATE] * (1 + 0.05 * (now - shared[self._CHANGED]))
            shared[self._RATE], shared[self._CHANGED] = min(self._highest, risen), now
            start = max(now, shared[self._NEXT])
            shared[self._NEXT] = start + 1 / shared[self._RATE]
            return float(start - now)

    def _accepted(self) -> None:
        with self._shared.locked() as shared:
            shared[self._TIMES + int(shared[self._COUNT]) % self._REMEMBERED] = time.monotonic()
            shared[self._COUNT] += 1

    def _refused(self, pause: float) -> None:
        now = time.monotonic()
        with self._shared.locked() as shared:
            if now - shared[self._LOWERED] > 1:
                accepted = sum(at > now - 1 for at in shared[self._TIMES :])
                shared[self._RATE] = max(1.0, 0.9 * min(shared[self._RATE], accepted))
                shared[self._LOWERED] = now
            shared[self._NEXT] = max(shared[self._NEXT], now + pause)


class Places:
    """So many calls at once, of all workers together.

    A refusal sets the number to that of the other calls under way; each ten seconds without one add a place, up to
    where it began.
    """

    _LIMIT, _CHANGED, _PAUSED_UNTIL, _PIDS = range(4)
    _ANOTHER_AFTER = 10.0

    def __init__(self, at_once: int) -> None:
        self._highest = at_once
        self._shared = _Shared(self._PIDS + at_once)
        self._shared.numbers[self._LIMIT] = at_once

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait for a place; the call within raises RateLimited if the service refuses it."""
        while (mine := self._take()) is None:
            time.sleep(0.01)
        try:
            yield
        except RateLimited as error:
            self._give_back(mine, refused=True, pause=error.retry_after or 0.0)
            raise
        except BaseException:
            self._give_back(mine)
            raise
        self._give_back(mine)

    def _take(self) -> int | None:
        now = time.monotonic()
        with self._shared.locked() as shared:
            if shared[self._LIMIT] < self._highest and now - shared[self._CHANGED] > self._ANOTHER_AFTER:
                shared[self._LIMIT], shared[self._CHANGED] = shared[self._LIMIT] + 1, now
            pids = shared[self._PIDS :]
            taken = [place for place, pid in enumerate(pids) if pid]
            if len(taken) >= shared[self._LIMIT]:
                for place in taken:
                    if not _alive(int(pids[place])):
                        pids[place] = 0
                return None
            if now < shared[self._PAUSED_UNTIL]:
                return None
            free = next(place for place, pid in enumerate(pids) if not pid)
            pids[free] = os.getpid()
            return free

    def _give_back(self, place: int, refused: bool = False, pause: float = 0.0) -> None:
        now = time.monotonic()
        with self._shared.locked() as shared:
            shared[self._PIDS + place] = 0
            if refused:
                others = sum(1 for pid in shared[self._PIDS :] if pid)
                shared[self._LIMIT] = max(1, min(shared[self._LIMIT], others))
                shared[self._CHANGED] = now
                shared[self._PAUSED_UNTIL] = max(shared[self._PAUSED_UNTIL], now + pause)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
