"""Rate and concurrency limits shared by all processes, so that a refusal of one call slows all of them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drive2cloudinary.errors import ImageError, RateLimited, StopRun, TransientError
from drive2cloudinary.network.notices import Notice
from drive2cloudinary.network.shared_memory import Shared
from drive2cloudinary.waiting import pause
from drive2cloudinary.wording import counted


class RateLimit:
    """A rate limit in units per minute and per second, shared by all processes and threads.

    Assumptions about the service: each call costs units; the units per minute and per second are limited; a minute's
    units may be spent at once; a refused call costs nothing. The service's limits may be lower than the given ones, and
    only refusals show that.

    After a refusal, calls go out one at a time, as probes, while the others wait: after 0.1, 1, 10 and then every 60
    seconds, until one is accepted. Refusals of calls that were under way at the same time count as one. The first
    refusal is taken for the limit per second: the rate drops to nine tenths of the best second of the last minute, and
    then rises by a twentieth each second. If the probe after a second without an accepted call is refused, too, it was
    the limit per minute. Then the units accepted in the last minute become the new budget, but at least a tenth of the
    old one, because other programs may have used the rest. The budget rises again, slowly at first: it doubles in ten
    minutes. A budget that was learned in the first minute holds for a minute only, because what was spent before this
    limit existed is not known: the listing, in a process of its own, can leave next to nothing of a minute. A
    Retry-After stops all calls.

    If no call of any process is accepted for nine minutes, the run stops: its images would fail one by one.

    Units are counted in the second in which the call's answer came, because the time when the service counted them is
    unknown. They count for sixty seconds. The units of a call without an answer count from its start.
    """

    _BUDGET, _LEARNED, _RATE, _RATED, _NEXT, _HELD_UNTIL, _REFUSED, _IN_A_ROW, _SINCE, _SECOND, _UNITS = range(11)
    _SECONDS = 61
    """Sixty full seconds and the current one."""
    _POLL = 0.1
    _LONG = 1.0
    _STORM = 540.0
    """Less than the ten minutes after which retrying.py gives a call up."""
    """Seconds of waiting of which the user is told."""

    def __init__(
        self,
        *,
        per_minute: float = math.inf,
        per_second: float | Callable[[], float] = math.inf,
        minute: float = 60.0,
        slowed: Notice | None = None,
    ) -> None:
        """In: the limits, of which that per second may change; the length of a minute in seconds, shorter in tests (a
        second is a sixtieth of it); the messages to the user about waiting for the limit.
        """
        self._slowed = slowed
        self._per_minute = per_minute
        self._per_second = per_second if callable(per_second) else lambda: per_second
        self._second = minute / 60
        self._began = time.monotonic()
        self._shared = Shared(self._UNITS + self._SECONDS)
        self._shared.numbers[self._BUDGET] = per_minute
        self._shared.numbers[self._RATE] = math.inf

    @contextmanager
    def spending(self, units: float = 1.0) -> Iterator[None]:
        """Wait until a call that costs `units` is allowed. The call, in this context, raises RateLimited if refused."""
        asked = time.monotonic()
        began = self._begin(units)
        try:
            yield
        except RateLimited as error:
            refused_for = self._refused(units, began, error.retry_after or 0.0)
            if refused_for > self._STORM * self._second:
                passed = counted(round(refused_for / 60), "minute")
                raise StopRun(
                    f"every call was refused for {passed}: run the same command again in an hour ({error})"
                ) from error
            raise
        except TransientError:
            raise
        except ImageError:
            # Whoever answers about this file has let the call through.
            self._accepted(units, began)
            raise
        self._accepted(units, began)
        if self._slowed and began - asked < self._LONG:
            self._slowed.over()

    def _say_slowed(self, units: float) -> None:
        if self._slowed:
            with self._at_present() as (shared, now):
                this = int(now / self._second)
                last_ten = sum(shared[self._UNITS + each % self._SECONDS] for each in range(this - 10, this))
            rate = f"{last_ten / 10 / units:.1f} calls a second" if last_ten else "its limit is reached"
            self._slowed.say(f"slowed down by Drive: {rate}")

    def _begin(self, units: float) -> float:
        """Wait until the units are available, and take them; returns the time."""
        asked = time.monotonic()
        while True:
            with self._at_present() as (shared, now):
                wait = self._wait(shared, now, units)
                if wait <= 0:
                    self._count(shared, units, now)
                    rate = min(self._per_second(), shared[self._RATE])
                    shared[self._NEXT] = now + (self._pause(shared) or units / rate * self._second)
                    return now
            pause(min(wait, self._POLL))
            if now - asked > self._LONG:
                self._say_slowed(units)

    @contextmanager
    def _at_present(self) -> Iterator[tuple[memoryview[float], float]]:
        """Lock the shared numbers, clear the counts of seconds older than a minute; yields the numbers and the time."""
        with self._shared.locked() as shared:
            now = time.monotonic()
            second, last = int(now / self._second), int(shared[self._SECOND])
            for begun in range(max(last, second - self._SECONDS) + 1, second + 1):
                shared[self._UNITS + begun % self._SECONDS] = 0
            shared[self._SECOND] = second
            yield shared, now

    def _wait(self, shared: memoryview[float], now: float, units: float) -> float:
        """Seconds until it is worth checking again; 0 or less if a call of `units` may start now."""
        rate = shared[self._RATE] * (1 + 0.05 * (now - shared[self._RATED]) / self._second)
        shared[self._RATE], shared[self._RATED] = rate, now
        spent = sum(shared[self._UNITS :])
        if spent and spent + units > self._budget(shared, now):
            return self._second
        return max(shared[self._NEXT], shared[self._HELD_UNTIL]) - now

    def _budget(self, shared: memoryview[float], now: float) -> float:
        """The units that may be spent in a minute, by what was learned and how long ago that was."""
        learned, minute = shared[self._LEARNED], 60 * self._second
        if learned < self._began + minute and now > learned + minute:
            return self._per_minute
        risen = 1 + ((now - learned) / (10 * minute)) ** 4
        return min(self._per_minute, shared[self._BUDGET] * risen)

    def _pause(self, shared: memoryview[float]) -> float:
        """Seconds between two probes; 0 while calls are accepted."""
        in_a_row = shared[self._IN_A_ROW]
        return min(60.0, 10.0 ** (in_a_row - 2)) * self._second if in_a_row else 0.0

    def _count(self, shared: memoryview[float], units: float, at: float) -> None:
        second = int(at / self._second)
        if second > shared[self._SECOND] - self._SECONDS:
            shared[self._UNITS + second % self._SECONDS] += units

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
            shared[self._HELD_UNTIL] = max(shared[self._HELD_UNTIL], now + retry_after)
            if not shared[self._IN_A_ROW]:
                shared[self._SINCE] = now
            # After a long rest, two refusals far from each other prove nothing.
            refused_for = now - shared[self._SINCE] if shared[self._IN_A_ROW] > 2 else 0.0
            if began <= shared[self._REFUSED]:
                return refused_for
            shared[self._REFUSED] = now
            shared[self._IN_A_ROW] += 1
            accepted = shared[self._UNITS :]
            if shared[self._IN_A_ROW] == 1:
                shared[self._RATE] = 0.9 * min(shared[self._RATE], self._per_second(), max(accepted) or math.inf)
            elif shared[self._IN_A_ROW] == 3:
                shared[self._RATE] = math.inf
                shared[self._BUDGET] = max(sum(accepted), shared[self._BUDGET] / 10)
                shared[self._LEARNED] = now
            shared[self._NEXT] = now + self._pause(shared)
            return refused_for


class ConcurrencyLimit:
    """The most calls at once, shared by all processes and threads.

    A refusal lowers the limit to the number of other calls under way. Every ten seconds without a refusal raise it by
    one, up to the initial limit.
    """

    _LIMIT, _CHANGED, _PAUSED_UNTIL, _PIDS = range(4)
    _ANOTHER_AFTER = 10.0

    def __init__(self, at_once: int, slowed: Notice | None = None) -> None:
        """In: the limit; the messages to the user about a lower one."""
        self._highest = at_once
        self._slowed = slowed
        self._shared = Shared(self._PIDS + at_once)
        self._shared.numbers[self._LIMIT] = at_once

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a free slot. The call, in this context, raises RateLimited if the service refuses it."""
        while (mine := self._take()) is None:
            pause(0.01)
        try:
            yield
        except RateLimited as error:
            self._give_back(mine, refused=True, pause=error.retry_after or 0.0)
            raise
        except BaseException:
            self._give_back(mine)
            raise
        self._give_back(mine)

    def _say_slowed(self, limit: float) -> None:
        if self._slowed and limit < self._highest:
            self._slowed.say(f"slowed down by Cloudinary: {counted(round(limit), 'upload')} at once")

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
            limit = shared[self._LIMIT]
        self._say_slowed(limit)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        # All processes that share a limit belong to one user, so one of another user has only the same ID.
        return False
    return True
