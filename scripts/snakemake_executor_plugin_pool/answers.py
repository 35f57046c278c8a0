"""The answer to a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What became of a request."""

    DONE = "done"
    FAILED = "failed"
    STOP = "stop"
    """The request failed, and no other request can succeed either."""
    DROPPED = "dropped"
    """The task or the pool dropped the request, or the pool ended before the request was answered."""
    LOST = "lost"
    """The processes that ran the request died or were killed, or the task raised an exception."""


@dataclass(frozen=True)
class Answer:
    """A status, and one line that explains any status but DONE."""

    status: Status
    line: str = ""
