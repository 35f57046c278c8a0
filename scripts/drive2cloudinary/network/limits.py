"""Rate and concurrency limits shared by all processes, so that a refusal of one call slows all of them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from drive2cloudinary.errors import ImageError, RateLimited, StopRun, TransientError
from drive2cloudinary.network.notices import Notice
from drive2cloudinary.network.shared_memory import Shared
from drive2cloudinary.waiting import pause
from drive2cloudinary.wording import counted


class RateLimit:
    """A rate limit in units, shared by all processes and threads.

    The units of a minute may be spent at once. They count for sixty seconds from the call's answer, because the time
    when the service counted them is unknown; those of a call without an answer count from its start. A refused call
    costs nothing. The units of a second are spread evenly.

    After a refusal, all calls wait, and one at a time goes out as a probe: after 1, 2, 4, 8, 16, 16 … seconds, or after
    the Retry-After of the refusal. When a probe is accepted, all go on. Refusals of calls that were under way at the
    same time count as one. No probe waits for the answer to the one before, so a process that died holds up nobody.

    If no call of any process is accepted for nine minutes, the run stops: otherwise its images would fail one by one.
    """

    _NEXT, _REFUSED, _IN_A_ROW, _SINCE, _SECOND, _UNITS = range(6)
    _SECONDS = 61
    """Sixty full seconds and the current one."""
    _POLL = 0.1
    _LONGEST_PAUSE = 16.0
    """Seconds between two probes, unless the service asks for more."""
    _STORM = 540.0
    """Seconds, less than the ten minutes after which retrying.py gives up a call."""
    _LONG = 1.0
    """Seconds of waiting of which the user is told."""

    def __init__(
        self, *, per_minute: float = math.inf, per_second: float = math.inf, slowed: Notice | None = None
    ) -> None:
        """In: the limits; the messages to the user about waiting for them."""
        self._per_minute, self._per_second, self._slowed = per_minute, per_second, slowed
        self._shared = Shared(self._UNITS + self._SECONDS)

    @contextmanager
    def spending(self, units: float = 1.0) -> Iterator[None]:
        """Wait until a call that costs `units` is allowed. The call, in this context, raises RateLimited if refused.

        Raises StopRun if all calls have been refused for nine minutes.
        """
        asked = time.monotonic()
        began = self._begin(units)
        try:
            yield
        except RateLimited as error:
            refused_for = self._refused(units, began, error.retry_after or 0.0)
            if refused_for > self._STORM:
                passed = counted(round(refused_for / 60), "minute")
                raise StopRun(
                    f"every call was refused for {passed}: run the same command again in an hour ({error})"
                ) from error
            raise
        except TransientError:
            raise
        except ImageError:
            # A service that answers about this file has let the call through.
            self._accepted(units, began)
            raise
        self._accepted(units, began)
        if self._slowed and began - asked < self._LONG:
            self._slowed.over()

    def _begin(self, units: float) -> float:
        """Wait until the units are available, and take them; returns the time."""
        asked = time.monotonic()
        while True:
            with self._at_present() as (shared, now):
                spent = sum(shared[self._UNITS :])
                is_spent = spent and spent + units > self._per_minute
                wait = self._POLL if is_spent else shared[self._NEXT] - now
                if wait <= 0:
                    self._count(shared, units, now)
                    shared[self._NEXT] = now + (self._pause(shared) or units / self._per_second)
                    return now
                last_ten = sum(shared[self._UNITS + (int(now) - each) % self._SECONDS] for each in range(1, 11))
            pause(min(wait, self._POLL))
            if self._slowed and now - asked > self._LONG:
                rate = f"{last_ten / 10 / units:.1f} calls a second" if last_ten else "its limit is reached"
                self._slowed.say(f"slowed down by Drive: {rate}")

    @contextmanager
    def _at_present(self) -> Iterator[tuple[memoryview[float], float]]:
        """Lock the shared numbers, clear the counts of seconds older than a minute; yields the numbers and the time."""
        with self._shared.locked() as shared:
            now = time.monotonic()
            second, last = int(now), int(shared[self._SECOND])
            for begun in range(max(last, second - self._SECONDS) + 1, second + 1):
                shared[self._UNITS + begun % self._SECONDS] = 0
            shared[self._SECOND] = second
            yield shared, now

    def _count(self, shared: memoryview[float], units: float, at: float) -> None:
        if int(at) > shared[self._SECOND] - self._SECONDS:
            shared[self._UNITS + int(at) % self._SECONDS] += units

    def _pause(self, shared: memoryview[float]) -> float:
        """Seconds until the next probe; 0 while calls are accepted."""
        in_a_row = shared[self._IN_A_ROW]
        return min(2 ** (in_a_row - 1), self._LONGEST_PAUSE) if in_a_row else 0.0

    def _accepted(self, units: float, began: float) -> None:
        with self._at_present() as (shared, now):
            self._count(shared, -units, began)
            self._count(shared, units, now)
            if shared[self._IN_A_ROW] and began > shared[self._REFUSED]:
                shared[self._IN_A_ROW], shared[self._NEXT] = 0, now

    def _refused(self, units: float, began: float, retry_after: float) -> float:
        """Note a refusal; returns for how many seconds all calls have been refused, 0 while they are few."""
        with self._at_present() as (shared, now):
            self._count(shared, -units, began)
            if began > shared[self._REFUSED]:
                if not shared[self._IN_A_ROW]:
                    shared[self._SINCE] = now
                shared[self._REFUSED] = now
                shared[self._IN_A_ROW] += 1
            shared[self._NEXT] = max(shared[self._NEXT], now + (retry_after or self._pause(shared)))
            # After a long rest, two refusals far from each other prove nothing.
            return now - shared[self._SINCE] if shared[self._IN_A_ROW] > 2 else 0.0


class ConcurrencyLimit:
    """The most calls at once, shared by all processes and threads.

    A refusal lowers the limit to the number of other calls under way. Every ten seconds without a refusal raise it by
    one, up to the initial limit. A process that died frees its slots.
    """

    _LIMIT, _CHANGED, _PAUSED_UNTIL, _PIDS = range(4)
    _ANOTHER_AFTER = 10.0
    """Seconds."""

    def __init__(self, at_once: int, slowed: Notice | None = None) -> None:
        """In: the limit; the messages to the user about a lower one."""
        self._highest, self._slowed = at_once, slowed
        self._shared = Shared(self._PIDS + at_once)
        self._shared.numbers[self._LIMIT] = at_once

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a free slot. The call, in this context, raises RateLimited if the service refuses it."""
        while (mine := self._take()) is None:
            pause(0.01)
        refusal: RateLimited | None = None
        try:
            yield
        except RateLimited as error:
            refusal = error
            raise
        finally:
            self._give_back(mine, refusal)

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

    def _give_back(self, place: int, refusal: RateLimited | None) -> None:
        now = time.monotonic()
        with self._shared.locked() as shared:
            shared[self._PIDS + place] = 0
            if refusal:
                others = sum(1 for pid in shared[self._PIDS :] if pid)
                shared[self._LIMIT] = max(1, min(shared[self._LIMIT], others))
                shared[self._CHANGED] = now
                shared[self._PAUSED_UNTIL] = max(shared[self._PAUSED_UNTIL], now + (refusal.retry_after or 0.0))
            limit = shared[self._LIMIT]
        if self._slowed and limit < self._highest:
            self._slowed.say(f"slowed down by Cloudinary: {counted(round(limit), 'upload')} at once")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        # All processes that share a limit belong to one user, so one of another user has only the same ID.
        return False
    return True
