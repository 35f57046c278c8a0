"""Whether a service can be reached: known to all processes together, and told to the user while it cannot."""

from __future__ import annotations

import time
from collections.abc import Callable

from drive2cloudinary.errors import StopRun
from drive2cloudinary.network.shared_memory import Shared

TELL_EVERY = 5.0
"""Seconds from one line about what is waited for to the next, of all processes together."""
_LONGEST_PAUSE = 120.0
"""Seconds: nobody who waits for a service leaves it alone for longer."""

Tell = Callable[[str, str], None]
"""Who is told of a service, by its name, what it is waited for; "" when it answers again."""


class Contact:
    """What the calls of all processes have found out about one service; to be made before the processes are forked.

    A service that cannot be reached is waited for. One that has not answered yet, only for a tenth of that time: then
    something is set up wrongly.
    """

    _ANSWERED, _FAILING_SINCE, _FAILED, _TOLD, _COUNT = range(5)

    def __init__(self, service: str, patience: float, tell: Tell) -> None:
        """In: the service's name for messages; seconds to wait for it; who is told what is waited for."""
        self.service = service
        self.patience = patience
        self._tell = tell
        self._shared = Shared(self._COUNT)

    def answered(self) -> None:
        """A call was answered, whatever the answer."""
        with self._shared.locked() as numbers:
            numbers[self._ANSWERED] = time.monotonic()
            told = numbers[self._TOLD]
            numbers[self._FAILING_SINCE] = numbers[self._TOLD] = 0
        if told:
            self._tell(self.service, "")

    @property
    def has_answered(self) -> bool:
        """Whether any call was ever answered."""
        return bool(self._shared.numbers[self._ANSWERED])

    def answered_since(self, moment: float) -> bool:
        """Whether a call of any process was answered after this monotonic time."""
        return bool(self._shared.numbers[self._ANSWERED] > moment)

    def failed(self, began: float) -> float:
        """A call that began at this monotonic time was in vain; returns for how many seconds none was answered."""
        now = time.monotonic()
        with self._shared.locked() as numbers:
            if not numbers[self._FAILING_SINCE] or began - numbers[self._FAILED] > _LONGEST_PAUSE:
                numbers[self._FAILING_SINCE] = max(began, numbers[self._ANSWERED])
            numbers[self._FAILED] = now
            return float(now - numbers[self._FAILING_SINCE])

    def wait_on(self, silent: float, reason: str, next_try: str) -> None:
        """Tell what is waited for. Raises StopRun if that has been in vain for too long."""
        if silent > (self.patience if self.has_answered else self.patience / 10):
            passed = f"{silent / 60:.0f} minutes" if silent > 90 else f"{silent:.0f} seconds"
            raise StopRun(f"no answer from {self.service} for {passed}: {reason}; run the same command again later")
        now = time.monotonic()
        with self._shared.locked() as numbers:
            if numbers[self._TOLD] and now - numbers[self._TOLD] < TELL_EVERY:
                return
            numbers[self._TOLD] = now
        self._tell(self.service, f"waiting for {self.service}: {reason}, {next_try}")
