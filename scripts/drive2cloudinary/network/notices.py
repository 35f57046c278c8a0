"""What slows a run down, told to the user: a service that does not answer, a limit, calls that are tried again."""

from __future__ import annotations

import time
from typing import Protocol

from drive2cloudinary.errors import NoAnswer, RateLimited, TransientError, one_line
from drive2cloudinary.network.shared_memory import Shared

TELL_EVERY = 5.0
"""Seconds between two messages about the same, of all processes together."""


class Tell(Protocol):
    """Called with the subject of a message, the message ("": it is over), and the seconds for which it holds."""

    def __call__(self, subject: str, line: str, seconds: float = 60.0, /) -> None: ...


class Notice:
    """The messages about one subject, from all processes. Create it before they are forked."""

    def __init__(self, subject: str, tell: Tell) -> None:
        self._subject, self._tell = subject, tell
        self._told = Shared(1)

    def say(self, line: str) -> None:
        """Tell the user, unless that was done a moment ago."""
        with self._told.locked() as numbers:
            now = time.monotonic()
            if now - numbers[0] < TELL_EVERY:
                return
            numbers[0] = now
        self._tell(self._subject, line, 3 * TELL_EVERY)

    def over(self) -> None:
        """Take the last message back, if it is older than TELL_EVERY. One that is not taken back expires by itself."""
        with self._told.locked() as numbers:
            if not numbers[0] or time.monotonic() - numbers[0] < TELL_EVERY:
                return
            numbers[0] = 0
        self._tell(self._subject, "")

    def say_retry(self, error: BaseException | None) -> None:
        """Tell the user that a call is tried again. The limits and the contacts tell their own kinds of errors."""
        is_told = isinstance(error, RateLimited) or (isinstance(error, NoAnswer) and not error.counts)
        if isinstance(error, TransientError) and not is_told:
            self.say(f"trying again: {one_line(error, 200)}")
