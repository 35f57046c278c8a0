"""Whether a service can be reached: shared by all processes, and reported to the user during an outage."""

from __future__ import annotations

import time

from drive2cloudinary.errors import StopRun
from drive2cloudinary.network.notices import TELL_EVERY, Tell
from drive2cloudinary.network.shared_memory import Shared
from drive2cloudinary.wording import counted

_LONGEST_PAUSE = 120.0
"""Seconds: longer than any pause between two tries of a call. After a longer gap, a failure starts a new outage."""


class Contact:
    """The reachability of one service, shared by all processes. Create it before the processes are forked.

    Calls wait while the service cannot be reached. If it has never answered, they wait only a tenth of that time,
    because then the configuration is probably wrong.
    """

    _ANSWERED, _FAILING_SINCE, _FAILED, _TOLD, _COUNT = range(5)

    def __init__(self, service: str, patience: float, tell: Tell) -> None:
        """In: the service's name for messages; seconds to wait for it; called with messages about waiting."""
        self.service = service
        self.patience = patience
        self._tell = tell
        self._shared = Shared(self._COUNT)

    def answered(self) -> None:
        """Record that a call was answered, whatever the answer."""
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
        """Record that a call got no answer; returns for how many seconds none has. In: its start (monotonic time)."""
        now = time.monotonic()
        with self._shared.locked() as numbers:
            if not numbers[self._FAILING_SINCE] or began - numbers[self._FAILED] > _LONGEST_PAUSE:
                numbers[self._FAILING_SINCE] = max(began, numbers[self._ANSWERED])
            numbers[self._FAILED] = now
            return float(now - numbers[self._FAILING_SINCE])

    def wait_on(self, silent: float, reason: str, next_try: str) -> None:
        """Tell the user about the wait. Raises StopRun if the service has not answered for too long."""
        if silent > (self.patience if self.has_answered else self.patience / 10):
            passed = counted(round(silent / 60), "minute") if silent > 90 else counted(round(silent), "second")
            raise StopRun(f"no answer from {self.service} for {passed}: {reason}; run the same command again later")
        now = time.monotonic()
        with self._shared.locked() as numbers:
            if numbers[self._TOLD] and now - numbers[self._TOLD] < TELL_EVERY:
                return
            numbers[self._TOLD] = now
        self._tell(self.service, f"waiting for {self.service}: {reason}, {next_try}")
