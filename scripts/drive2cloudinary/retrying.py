"""How a call that failed is tried again: how often, and after which pause.

What an answer means is decided by drive/errors.py and cloudinary/errors.py: a TransientError is tried again, any other
ends the image or the run. Both clients are told never to retry by themselves (`num_retries=0`; cloudinary never does),
so that a permanent error costs one try.
"""

from __future__ import annotations

import email.utils
import math
import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import tenacity

from drive2cloudinary.errors import (
    MigrationError,
    NoAnswer,
    RateLimited,
    StopRun,
    TransientError,
)

LONGEST_WAIT = 300.0
"""Seconds: a service that asks for a longer pause ends the run; the same command goes on later."""
LONGEST_PAUSE = 366 * 86_400.0
"""Seconds: a service that asks for a pause of more than a year has said nothing."""


@contextmanager
def calling(service: str) -> Iterator[None]:
    """Turn what a client library raises during a call into a passing error of that call. Raises MigrationError.

    The libraries let through whatever their parsers raise over an answer: RecursionError for JSON that is nested too
    deep, OverflowError for a token that expires in ten million years, KeyError, AttributeError. So only a call of a
    client belongs inside, and no code of ours that could hide a mistake here.
    """
    try:
        yield
    except (MigrationError, MemoryError):
        raise
    except Exception as error:
        raise TransientError(f"{service}'s answer is not what its API promises") from error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a usable Retry-After header, a number or an HTTP date (RFC 9110, 10.2.3); else None."""
    value = next((headers[name] for name in headers if name.lower() == "retry-after"), "")
    if re.fullmatch(r"[0-9]+", value):
        return usable(float(value[:20]))
    try:
        return usable(email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def usable(wait: float) -> float | None:
    """A pause in seconds, not below 0; None for one that nobody can mean."""
    return max(0.0, wait) if wait < LONGEST_PAUSE else None


def rate_limited_or_stop(service: str, said: str, wait: float | None) -> MigrationError:
    if wait is not None and wait > LONGEST_WAIT:
        until = datetime.fromtimestamp(time.time() + wait).astimezone().strftime("%Y-%m-%d %H:%M %Z")
        return StopRun(f"{service}'s limit is reached: run the same command again after {until} ({said})")
    return RateLimited(said, wait)


class _Wait(tenacity.wait.wait_base):
    """The pause before the next try: 1, 2, 4 … s and up to as much again, or what the service asked for."""

    _backoff = tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, TransientError) else None
        if asked is not None:
            return min(asked, LONGEST_WAIT) + random.random()  # noqa: S311 (jitter, no secret)
        return self._backoff(retry_state)


class _Stop(tenacity.stop.stop_base):
    """The end of trying: after so many tries.

    Those that were only too fast don't count for ten minutes; those that nobody answered while the service answered
    nobody don't count at all, because contact.py knows when to give the service up.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, RateLimited):
            return (retry_state.seconds_since_start or 0.0) > 2 * LONGEST_WAIT
        # A retry_state is that of one call, from its first try to its last.
        uncounted: int = getattr(retry_state, "uncounted", 0) + (isinstance(error, NoAnswer) and not error.counts)
        retry_state.uncounted = uncounted  # type: ignore[attr-defined]
        return retry_state.attempt_number - uncounted > self._retries


def patiently(retries: int, longest: float = math.inf) -> tenacity.Retrying:
    """A caller that tries again, after a pause, what ended in a TransientError: `patiently(5)(function, argument)`.

    In: how often to try again after the first time, and the seconds after which that is enough. Whatever else the
    function raises, and its last TransientError, is raised unchanged.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TransientError),
        stop=tenacity.stop_any(_Stop(retries), tenacity.stop_after_delay(longest)),
        wait=_Wait(),
        reraise=True,
    )
