"""How calls are tried again: how often, and after which pause."""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime, timedelta

import pytest

from drive2cloudinary.errors import ImageError, MigrationError, NoAnswer, RateLimited, StopRun, TransientError
from drive2cloudinary.retrying import patiently, retry_after
from tests.recorded import from_cloudinary, from_drive


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
    short = from_drive(429, "", "slow down", **{"Retry-After": "3"})
    assert isinstance(short, TransientError) and short.retry_after == 3
    long = from_drive(403, "userRateLimitExceeded", "slow down", **{"retry-after": "7200"})
    assert isinstance(long, StopRun) and "run the same command again after" in str(long)


def test_try_again_on_is_waited_or_ends_the_run_with_the_time() -> None:
    def limit(seconds: float) -> MigrationError:
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        text = f"Rate Limit Exceeded. Limit of 500 api operations reached. Try again on {moment:%Y-%m-%d %H:%M:%S} UTC"
        return from_cloudinary(420, text)

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
