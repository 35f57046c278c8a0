"""The one place that decides which error of a service is retried, ends one image, or ends the run.

The tables are those of Drive's "Resolve errors" page and Cloudinary's Upload API reference. Both clients are told
never to retry by themselves (`num_retries=0`; cloudinary never does), so that a permanent error costs one try.
"""

from __future__ import annotations

import email.utils
import math
import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import tenacity

from .causes import Cause
from .errors import (
    ImageError,
    MigrationError,
    NoAnswer,
    NotAMember,
    QuotaError,
    RateLimited,
    StopRun,
    TransientError,
    one_line,
)

DRIVE_RATE = {"userRateLimitExceeded", "rateLimitExceeded"}
DRIVE_TRANSIENT = {"backendError", "internalError"}
DRIVE_STOP = {
    "dailyLimitExceeded": "Drive's daily limit is reached: run the same command again tomorrow",
    "accessNotConfigured": "the Drive API is off in the token's Google Cloud project: enable it, then run again",
    "insufficientPermissions": "the token has no right to read Drive: run python scripts/authenticate.py",
}
DRIVE_PERMANENT = {
    "cannotDownloadAbusiveFile": (
        "Drive holds this file to be malware or spam and does not hand it out",
        Cause.ABUSIVE,
    ),
    "insufficientFilePermissions": ("this account may not read the file", Cause.NOT_ALLOWED),
    "appNotAuthorizedToFile": ("this app may not read the file", Cause.NOT_ALLOWED),
    "domainPolicy": ("the file's domain does not allow this app", Cause.NOT_ALLOWED),
    "cannotDownloadFile": ("its owner does not allow the file to be downloaded", Cause.NOT_ALLOWED),
    "fileNotDownloadable": ("Drive cannot hand out this kind of file", Cause.NO_CONTENT),
    "notFound": ("the file is gone, or not shared with this account", Cause.GONE),
}
CLOUDINARY_PERMANENT = {
    "File size too large": Cause.TOO_LARGE,
    "Invalid image file": Cause.NOT_AN_IMAGE,
}
"""How the messages of its 400s begin; it gives no codes."""
LONGEST_WAIT = 300.0
"""Seconds: a service that asks for a longer pause ends the run; the same command goes on later."""
LONGEST_PAUSE = 366 * 86_400.0
"""Seconds: a service that asks for a pause of more than a year has said nothing."""


def drive_error(status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> MigrationError:
    """What an error answer of Drive means.

    In: the HTTP status, the first `reason` of the error envelope ("" if there is none, as in HTML), its message and the
    answer's headers. Out: the error to raise.
    """
    said = one_line(f"Drive answered {status}{f' {reason}' if reason else ''}: {message}", 300)
    if reason in DRIVE_STOP:
        return StopRun(DRIVE_STOP[reason])
    if reason == "downloadQuotaExceeded":
        return QuotaError("too many downloads of this file in the last day: Drive refuses it for about 24 hours")
    if reason == "teamDriveMembershipRequired" or message.startswith("Shared drive not found"):
        return NotAMember(said, Cause.NOT_ALLOWED)
    if reason in DRIVE_PERMANENT:
        what, cause = DRIVE_PERMANENT[reason]
        return ImageError(f"{what} ({said})", cause)
    if reason in DRIVE_RATE or status == 429:
        return _rate_limited_or_stop("Drive", said, retry_after(headers or {}))
    if reason in DRIVE_TRANSIENT or status >= 500:
        return TransientError(said, retry_after(headers or {}))
    if status == 401:
        return StopRun("Drive does not accept the token: run python scripts/authenticate.py")
    return ImageError(said)


def cloudinary_error(status: int, message: str) -> MigrationError:
    """What an error answer of Cloudinary means. In: the HTTP status and the error's message (HTML's first words)."""
    # "Invalid Signature … String to sign - '…'" repeats the signed parameters.
    shown = re.sub(r"(?i)(invalid signature).*", r"\1", message)
    said = one_line(f"Cloudinary answered {status}: {shown}", 300)
    if status == 401 and "stale request" in message.lower():
        return StopRun(f"Cloudinary refuses the time of this computer, set its clock ({said})")
    if status == 401:
        return StopRun(
            f"Cloudinary does not accept the credentials: correct CLOUDINARY_URL in the environment or in .env ({said})"
        )
    if status in (420, 429):
        return _rate_limited_or_stop("Cloudinary", said, try_again_on(message))
    if status == 408 or status >= 500:
        return TransientError(said)
    causes = (cause for beginning, cause in CLOUDINARY_PERMANENT.items() if message.startswith(beginning))
    return ImageError(said, Cause.TOO_LARGE if status == 413 else next(causes, Cause.REFUSED))


def delivery_error(status: int, cause: str, headers: Mapping[str, str]) -> MigrationError:
    """What an error answer of Cloudinary's CDN means. In: the HTTP status, its X-Cld-Error ("" without), its headers.

    A 404 is an answer: an asset can be delivered as soon as the answer to its upload is there.
    """
    said = one_line(f"the CDN answered {status}{f': {cause}' if cause else ''}", 300)
    if status in (420, 429):
        return _rate_limited_or_stop("Cloudinary's CDN", said, retry_after(headers))
    if status == 408 or status >= 500:
        return TransientError(said, retry_after(headers))
    return ImageError(said)


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
        return _usable(float(value[:20]))
    try:
        return _usable(email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def try_again_on(message: str) -> float | None:
    """Seconds until the time in Cloudinary's "Try again on 2026-10-04 14:00:00 UTC"; None without a usable one."""
    found = re.search(r"Try again on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", message, re.ASCII)
    try:
        until = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
    return _usable(until.timestamp() - time.time()) if until else None


def _usable(wait: float) -> float | None:
    """A pause in seconds, not below 0; None for one that nobody can mean."""
    return max(0.0, wait) if wait < LONGEST_PAUSE else None


def _rate_limited_or_stop(service: str, said: str, wait: float | None) -> MigrationError:
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
