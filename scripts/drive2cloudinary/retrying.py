"""Retry and back-off of failed calls.

The tables of drive/drive_answers.py and cloudinary/cloudinary_answers.py decide what an answer means. A
TransientError is retried; any other error ends the image or the run. The clients do not retry by themselves
(`num_retries=0`; Cloudinary's never does), so a permanent error costs one try.
"""

from __future__ import annotations

import email.utils
import math
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
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
from drive2cloudinary.waiting import pause

LONGEST_WAIT = 300.0
"""Seconds: if a service asks for a longer pause, the run ends; the same command continues later."""
LONGEST_PAUSE = 366 * 86_400.0
"""Seconds: a requested pause of more than a year is ignored as a mistake."""


@contextmanager
def calling(service: str) -> Iterator[None]:
    """Turn any exception of a client library in this context into a TransientError. Raises MigrationError.

    The libraries do not catch what their parsers raise for a malformed answer: RecursionError for JSON that is nested
    too deep, OverflowError for a token that expires in ten million years, KeyError, AttributeError. Put only the
    client's call inside: a bug in our own code would be hidden.
    """
    try:
        yield
    except (MigrationError, MemoryError):
        raise
    except Exception as error:
        raise TransientError(f"{service}'s answer is not what its API promises") from error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a valid Retry-After header, a number or an HTTP date (RFC 9110, 10.2.3); else None."""
    value = next((headers[name] for name in headers if name.lower() == "retry-after"), "")
    if re.fullmatch(r"[0-9]+", value):
        return usable(float(value[:20]))
    try:
        return usable(email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def usable(wait: float) -> float | None:
    """A requested pause in seconds, at least 0; None if it is absurdly long."""
    return max(0.0, wait) if wait < LONGEST_PAUSE else None


def rate_limited_or_stop(limit: str, said: str, wait: float | None) -> MigrationError:
    """The error of a call that a limit refused: RateLimited, or StopRun if the pause is longer than LONGEST_WAIT.

    In: the name of the limit, what the service said, and for how many seconds to wait; None if it does not say.
    """
    if wait is not None and wait > LONGEST_WAIT:
        until = datetime.fromtimestamp(time.time() + wait).astimezone().strftime("%Y-%m-%d %H:%M %Z")
        return StopRun(f"{limit} is reached: run the same command again after {until} ({said})")
    return RateLimited(said, wait)


class _Wait(tenacity.wait.wait_base):
    """The pause before the next try: what the service asked for, or else 1, 2, 4 … s plus up to 1 s of jitter."""

    _backoff = tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, TransientError) else None
        if asked is not None:
            return min(asked, LONGEST_WAIT) + random.random()  # noqa: S311 (jitter, no secret)
        return self._backoff(retry_state)


class _Stop(tenacity.stop.stop_base):
    """Decide when to give up: after `retries` retries.

    Tries that the rate limit refused do not count for ten minutes. Tries without an answer do not count while the
    service answers no call at all, because contact.py decides when to give up such a service.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        is_refused = isinstance(error, RateLimited)
        # tenacity keeps one retry_state for all tries of a call.
        counted: int = getattr(retry_state, "counted", 0)
        if not is_refused and not (isinstance(error, NoAnswer) and not error.counts):
            counted += 1
        retry_state.counted = counted  # type: ignore[attr-defined]
        if is_refused:
            return (retry_state.seconds_since_start or 0.0) > 2 * LONGEST_WAIT
        return counted > self._retries


def patiently(
    retries: int, longest: float = math.inf, say_retry: Callable[[BaseException | None], None] | None = None
) -> tenacity.Retrying:
    """A caller that retries a function after a TransientError: `patiently(5)(function, argument)`.

    In: the number of retries after the first try; the seconds after which it gives up; called with the error before
    each retry. Other exceptions, and the last TransientError, are raised unchanged. Raises Interrupted if the run is
    told to stop during a pause.
    """

    def before_sleep(state: tenacity.RetryCallState) -> None:
        if say_retry and state.outcome:
            say_retry(state.outcome.exception())

    return tenacity.Retrying(
        sleep=pause,
        before_sleep=before_sleep,
        retry=tenacity.retry_if_exception_type(TransientError),
        stop=tenacity.stop_any(_Stop(retries), tenacity.stop_after_delay(longest)),
        wait=_Wait(),
        reraise=True,
    )
