"""What came of a request to the pool."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from typing import Literal

from .pool import Crashed, Ended, Lost

Status = Literal["done", "failed", "stop", "lost", "dropped"]


def outcome(future: Future[str]) -> tuple[Status, str]:
    """The status of a request that is over, and the line that says why it is not `done`.

    A task answers `done`, or `failed` or `stop` and a line; `stop` says that no other request can succeed either.
    `lost`: the processes that had it died, or the task raised an exception. `dropped`: the pool was ended before, or
    while a process had it.
    """
    try:
        status, _, line = future.result().partition(" ")
    except (CancelledError, Ended):
        return "dropped", ""
    except (Lost, Crashed) as error:
        return "lost", str(error)
    known: tuple[Status, ...] = ("done", "failed", "stop")
    return next(each for each in known if each == status), line
