"""What each answer of Drive and Cloudinary means: tried again, the end of one image, or the end of the run."""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime, timedelta

import pytest

from drive2cloudinary.cloudinary.errors import cloudinary_error, delivery_error
from drive2cloudinary.drive.errors import drive_error
from drive2cloudinary.errors import ImageError, MigrationError, NoAnswer, RateLimited, StopRun, TransientError
from drive2cloudinary.retrying import patiently, retry_after


def kind_of(error: MigrationError) -> type[MigrationError]:
    """Which of the three ends an error leads to."""
    return next(kind for kind in (StopRun, TransientError, ImageError) if isinstance(error, kind))


@pytest.mark.parametrize(
    ("status", "reason", "meaning"),
    [
        (401, "authError", StopRun),
        (403, "userRateLimitExceeded", TransientError),
        (403, "rateLimitExceeded", TransientError),
        (403, "dailyLimitExceeded", StopRun),
        (403, "downloadQuotaExceeded", ImageError),
        (403, "cannotDownloadAbusiveFile", ImageError),
        (403, "insufficientFilePermissions", ImageError),
        (403, "appNotAuthorizedToFile", ImageError),
        (403, "domainPolicy", ImageError),
        (403, "cannotDownloadFile", ImageError),
        (403, "fileNotDownloadable", ImageError),
        (403, "somethingNew", ImageError),
        (404, "notFound", ImageError),
        (404, "", ImageError),
        (416, "requestedRangeNotSatisfiable", TransientError),
        (416, "", TransientError),
        (429, "rateLimitExceeded", TransientError),
        (429, "", TransientError),
        (500, "backendError", TransientError),
        (500, "", TransientError),
        (502, "", TransientError),
        (503, "backendError", TransientError),
        (504, "", TransientError),
        (400, "invalid", ImageError),
        (403, "accessNotConfigured", StopRun),
        (403, "insufficientPermissions", StopRun),
    ],
)
def test_drives_answers_mean(status: int, reason: str, meaning: type[MigrationError]) -> None:
    error = drive_error(status, reason, "because")
    assert kind_of(error) is meaning
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("status", "message", "meaning"),
    [
        (400, "File size too large. Got 11. Maximum is 10.", ImageError),
        (400, "Invalid image file", ImageError),
        (401, "Invalid Signature abc. String to sign - 'public_id=a'", StopRun),
        (401, "Invalid Signature abc. String to sign - 'context=caption=a\nb&public_id=a'", StopRun),
        (401, "Stale request - reported time is …", StopRun),
        (401, "unknown api_key", StopRun),
        (404, "Resource not found", ImageError),
        (409, "public_id exists", ImageError),
        (413, "not JSON", ImageError),
        (420, "Rate Limit Exceeded.", TransientError),
        (429, "Rate Limit Exceeded.", TransientError),
        (408, "Request Timeout", TransientError),
        (500, "Internal error", TransientError),
        (502, "not JSON", TransientError),
        (503, "not JSON", TransientError),
        (504, "not JSON", TransientError),
    ],
)
def test_cloudinarys_answers_mean(status: int, message: str, meaning: type[MigrationError]) -> None:
    error = cloudinary_error(status, message)
    assert kind_of(error) is meaning
    assert "String to sign" not in str(error) and "public_id=a" not in str(error), "signed parameters are a secret"


@pytest.mark.parametrize(
    ("status", "meaning"),
    [(400, ImageError), (401, ImageError), (404, ImageError), (408, TransientError), (420, TransientError)]
    + [(429, TransientError), (500, TransientError), (503, TransientError)],
)
def test_the_cdns_answers_mean(status: int, meaning: type[MigrationError]) -> None:
    assert kind_of(delivery_error(status, "Resource not found - a", {})) is meaning
    long = delivery_error(status, "", {"Retry-After": "7200"})
    assert kind_of(long) is (StopRun if status in (420, 429) else meaning)


def test_a_hostile_message_stays_one_short_line() -> None:
    message = "first\nsecond\x1b[2J\u202e " + "x" * 10_000
    for error in (
        drive_error(500, "", message),
        cloudinary_error(400, message),
        delivery_error(404, message, {}),
    ):
        assert len(str(error)) < 600 and str(error).isprintable()


@pytest.mark.parametrize("header", ["Retry-After", "retry-after"])
def test_retry_after_is_a_number_or_a_date(header: str) -> None:
    assert retry_after({header: "7"}) == 7
    date = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    wait = retry_after({header: date})
    assert wait is not None and 90 < wait <= 100
    assert retry_after({header: "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}, {"Retry-After": ""}, {"Retry-After": "-5"}])
def test_without_a_usable_retry_after_the_back_off_decides(headers: dict[str, str]) -> None:
    assert retry_after(headers) is None


def test_a_short_wait_that_drive_asks_for_is_waited_and_a_long_one_ends_the_run() -> None:
    short = drive_error(429, "", "slow down", {"Retry-After": "3"})
    assert isinstance(short, TransientError) and short.retry_after == 3
    long = drive_error(403, "userRateLimitExceeded", "slow down", {"retry-after": "7200"})
    assert isinstance(long, StopRun) and "run the same command again after" in str(long)


def test_try_again_on_is_waited_or_ends_the_run_with_the_time() -> None:
    def limit(seconds: float) -> MigrationError:
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        text = f"Rate Limit Exceeded. Limit of 500 api operations reached. Try again on {moment:%Y-%m-%d %H:%M:%S} UTC"
        return cloudinary_error(420, text)

    soon = limit(20)
    assert isinstance(soon, TransientError) and soon.retry_after is not None and 15 < soon.retry_after <= 20
    past = limit(-20)
    assert isinstance(past, TransientError) and past.retry_after == 0
    assert isinstance(limit(7200), StopRun)


def tries(error: MigrationError, retries: int) -> int:
    """How often a function that always fails with `error` is called."""
    count = 0

    def fail() -> None:
        nonlocal count
        count += 1
        raise error

    with pytest.raises(type(error)) as caught:
        patiently(retries)(fail)
    assert caught.value is error, "the error is not wrapped"
    return count


@pytest.mark.parametrize("error", [ImageError("no"), StopRun("no")])
def test_what_is_permanent_costs_one_try(error: MigrationError) -> None:
    assert tries(error, 5) == 1


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_what_passes_is_tried_again_as_often_as_asked(retries: int) -> None:
    assert tries(TransientError("wait", retry_after=0), retries) == retries + 1


def test_the_back_off_doubles_and_honours_what_was_asked_for() -> None:
    waits: list[float] = []
    calls = patiently(4).copy(sleep=waits.append)
    for error in (TransientError("no word of time"), TransientError("a moment", retry_after=42)):
        with pytest.raises(TransientError):
            calls(_raise, error)
    own, asked = waits[:4], waits[4:]
    assert all(2**number <= wait <= 2**number + 1 for number, wait in enumerate(own)), own
    assert len(set(own)) == 4 and all(wait % 1 for wait in own), "with jitter"
    assert all(42 <= wait < 44 for wait in asked), asked


def _raise(error: Exception) -> None:
    raise error


def test_tries_that_the_rate_limit_refused_do_not_count() -> None:
    refused = [RateLimited("wait")] * 8
    errors = iter([*refused, TransientError("out of order"), *refused])
    calls = patiently(1).copy(sleep=lambda seconds: None)
    with pytest.raises(TransientError, match="again"):
        calls(lambda: _raise(next(errors, TransientError("again"))))


def test_tries_that_nobody_answered_do_not_count_where_the_service_answers_nobody() -> None:
    silent = [NoAnswer("nothing came in time", counts=False)] * 8
    errors = iter([*silent, TransientError("out of order"), *silent])
    calls = patiently(1).copy(sleep=lambda seconds: None)
    with pytest.raises(TransientError, match="again"):
        calls(lambda: _raise(next(errors, TransientError("again"))))
