"""The result of a request to the pool."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from typing import Literal

from .pool import Crashed, Ended, Lost

Status = Literal["done", "failed", "stop", "lost", "dropped"]


def outcome(future: Future[str]) -> tuple[Status, str]:
    """The status of a completed request, and a line that explains any status but `done`.

    A task answers `done`, `dropped`, or `failed` or `stop` followed by a line. `stop` means that no other request can
    succeed either. `lost`: the processes that ran the request died, or the task raised an exception. `dropped`: the
    pool dropped the request, or ended before it was answered.
    """
    try:
        status, _, line = future.result().partition(" ")
    except (CancelledError, Ended):
        return "dropped", ""
    except (Lost, Crashed) as error:
        return "lost", str(error)
    known: tuple[Status, ...] = ("done", "failed", "stop", "dropped")
    return next(each for each in known if each == status), line
