"""Whether a service can be reached: known to all processes together, and told to the user while it cannot."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from .errors import StopRun
from .shared_memory import Shared

TELL_EVERY = 5.0
"""Seconds from one line about what is waited for to the next, of all processes together."""


class Contact:
    """What the calls of all processes have found out about one service; to be made before the processes are forked.

    A service that cannot be reached is waited for. One that has not answered yet, only for a tenth of that time: then
    something is set up wrongly. A tenth is also how long several processes have to call in vain until it is the service
    that is gone, and no call's own fault.
    """

    _ANSWERED, _FAILING_SINCE, _ONE, _ANOTHER, _TOLD, _COUNT = range(6)

    def __init__(self, service: str, patience: float, tell: Callable[[str], None]) -> None:
        """In: the service's name for messages; seconds to wait for it; who is told what is waited for ("": nothing)."""
        self.service = service
        self._patience = patience
        self._tell = tell
        self._shared = Shared(self._COUNT)

    def answered(self) -> None:
        """A call was answered, whatever the answer."""
        with self._shared.locked() as numbers:
            numbers[self._ANSWERED] = 1
            told = numbers[self._TOLD]
            numbers[self._FAILING_SINCE] = numbers[self._ONE] = numbers[self._ANOTHER] = numbers[self._TOLD] = 0
        if told:
            self._tell("")

    @property
    def has_answered(self) -> bool:
        """Whether any call was ever answered."""
        return bool(self._shared.numbers[self._ANSWERED])

    def unreachable(self, reason: str, pause: float) -> None:
        """Nothing could be sent: wait so many seconds for the next try. Raises StopRun if that goes on for too long."""
        silent, _ = self._failed()
        self._give_up_after(silent, reason)
        self._say(f"waiting for {self.service}: {reason}, next try in {pause:.0f} s")
        time.sleep(pause)

    def unanswered(self, reason: str) -> bool:
        """Something was sent, and no whole answer came; whether that may be the fault of this call alone.

        It is not where the calls of several processes were in vain for a while, and none was answered in between.
        Raises StopRun if that goes on for too long.
        """
        silent, of_several = self._failed()
        if silent < self._patience / 10 or not of_several:
            return True
        self._give_up_after(silent, reason)
        self._say(f"waiting for {self.service}: {reason}, and no other answer for {silent:.0f} s")
        return False

    def _failed(self) -> tuple[float, bool]:
        """Take note of a call in vain; returns for how many seconds none was answered, and if those of several."""
        now, pid = time.monotonic(), os.getpid()
        with self._shared.locked() as numbers:
            if not numbers[self._FAILING_SINCE]:
                numbers[self._FAILING_SINCE], numbers[self._ONE] = now, pid
            elif numbers[self._ONE] != pid:
                numbers[self._ANOTHER] = pid
            return now - numbers[self._FAILING_SINCE], bool(numbers[self._ANOTHER])

    def _give_up_after(self, silent: float, reason: str) -> None:
        if silent > (self._patience if self.has_answered else self._patience / 10):
            passed = f"{silent / 60:.0f} minutes" if silent > 90 else f"{silent:.0f} seconds"
            raise StopRun(f"no answer from {self.service} for {passed}: {reason}; run the same command again later")

    def _say(self, line: str) -> None:
        now = time.monotonic()
        with self._shared.locked() as numbers:
            if numbers[self._TOLD] and now - numbers[self._TOLD] < TELL_EVERY:
                return
            numbers[self._TOLD] = now
        self._tell(line)
