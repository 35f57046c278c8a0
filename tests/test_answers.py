"""What each answer of the services means: tried again, slowed down, the end of one image, or the end of the run."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import urllib3

from drive2cloudinary.causes import Cause
from drive2cloudinary.cloudinary.cloudinary_answers import cloudinary_error, delivery_error
from drive2cloudinary.drive.drive_answers import NotAccepted, drive_error
from drive2cloudinary.drive.signin import refused_consent, sign_in_error
from drive2cloudinary.errors import ImageError, MigrationError, NotAMember, RateLimited, StopRun, TransientError
from drive2cloudinary.network.http import Response
from tests.emulator.oauth import REFUSALS
from tests.recorded import (
    HTML,
    JSON,
    NGINX,
    SORRY,
    Json,
    as_error,
    envelope,
    from_cloudinary,
    from_drive,
    info,
    newer,
    over_quota,
)

STOP, FAIL, SLOW, AGAIN = StopRun, ImageError, RateLimited, TransientError


def kind_of(error: MigrationError) -> type[MigrationError]:
    """Which of the four ends an error leads to."""
    return next(kind for kind in (StopRun, RateLimited, TransientError, ImageError) if isinstance(error, kind))


def cause_of(error: MigrationError) -> Cause | None:
    return error.cause if isinstance(error, ImageError) else None


BY_REASON = [
    (401, "authError", STOP, None),
    (403, "userRateLimitExceeded", SLOW, Cause.TOO_FAST),
    (403, "rateLimitExceeded", SLOW, Cause.TOO_FAST),
    (403, "dailyLimitExceeded", STOP, None),
    (403, "downloadQuotaExceeded", FAIL, Cause.DOWNLOAD_QUOTA),
    (403, "cannotDownloadAbusiveFile", FAIL, Cause.ABUSIVE),
    (403, "insufficientFilePermissions", FAIL, Cause.NOT_ALLOWED),
    (403, "appNotAuthorizedToFile", FAIL, Cause.NOT_ALLOWED),
    (403, "domainPolicy", FAIL, Cause.NOT_ALLOWED),
    (403, "cannotDownloadFile", FAIL, Cause.NOT_ALLOWED),
    (403, "fileNotDownloadable", FAIL, Cause.NO_CONTENT),
    (403, "accessNotConfigured", STOP, None),
    (403, "insufficientPermissions", STOP, None),
    (404, "notFound", FAIL, Cause.GONE),
    (429, "rateLimitExceeded", SLOW, Cause.TOO_FAST),
    (500, "backendError", AGAIN, Cause.SERVICE),
    (503, "backendError", AGAIN, Cause.SERVICE),
]


@pytest.mark.parametrize(("status", "reason", "meaning", "cause"), BY_REASON)
def test_a_reason_means_the_same_wherever_it_stands(
    status: int, reason: str, meaning: type[MigrationError], cause: Cause | None
) -> None:
    shouted = "".join(f"_{letter}" if letter.isupper() else letter for letter in reason).upper()
    for body in (
        envelope(status, reason, "because"),
        newer(status, "because", info(reason)),
        newer(status, "because", info(shouted)),
        newer(status, "because", {"@type": "type.googleapis.com/google.rpc.Help"}, info(reason)),
        envelope(status, reason, "because", details=[info("SOMETHING_NEW")]),
    ):
        error = as_error(status, body)
        assert (kind_of(error), cause_of(error)) == (meaning, cause), body
        assert str(error).isprintable()


A_DAY = ("Queries per day", "defaultPerDayPerProject", "1/d/{project}")
A_MINUTE = ("Queries per minute per user", "defaultPerMinutePerUser", "1/min/{project}/{user}")
OLD = ("Previous quota: Requests per minute", "PreviousQuotaPerMinutePerProject", "1/min/{project}")
OF_DRIVE: list[tuple[str, int, Json | bytes, type[MigrationError], Cause | None]] = [
    ("a spent minute", 403, over_quota(*A_MINUTE), SLOW, Cause.TOO_FAST),
    ("a spent minute of an old project", 403, over_quota(*OLD, errors=False), SLOW, Cause.TOO_FAST),
    ("a page of Google", 403, SORRY, SLOW, Cause.TOO_FAST),
    ("a page of Google for an account", 429, SORRY, SLOW, Cause.TOO_FAST),
    ("JSON of no API", 403, {"blocked": True}, SLOW, Cause.TOO_FAST),
    ("JSON without a reason", 403, newer(403, "Forbidden"), SLOW, Cause.TOO_FAST),
    ("JSON without a reason", 429, {"error": {"code": 429, "message": "no"}}, SLOW, Cause.TOO_FAST),
    ("nothing", 403, b"", SLOW, Cause.TOO_FAST),
    ("no permission", 403, newer(403, "The caller does not have permission"), FAIL, Cause.NOT_ALLOWED),
    ("a reason that nobody knows", 403, envelope(403, "somethingNew", "no"), AGAIN, Cause.REFUSED),
    ("a reason that nobody knows", 400, envelope(400, "somethingNew", "no"), AGAIN, Cause.REFUSED),
    ("a reason that nobody knows", 404, newer(404, "no", info("SOMETHING_NEW")), AGAIN, Cause.REFUSED),
    ("a query that is wrong", 400, envelope(400, "invalid", "Invalid Value"), FAIL, Cause.REFUSED),
    ("a complex query", 400, envelope(400, "queryTooComplex", "The query is too complex."), FAIL, Cause.REFUSED),
    ("a switched-off API", 403, newer(403, "Drive API has not been used", info("SERVICE_DISABLED")), STOP, None),
    ("a switched-off API", 403, newer(403, "Access Not Configured. Drive API has not been used"), STOP, None),
    ("too few scopes", 403, newer(403, "Request had insufficient authentication scopes."), STOP, None),
    ("a suspended project", 403, newer(403, "no", info("CONSUMER_SUSPENDED")), STOP, None),
    ("too few scopes", 403, newer(403, "no", info("ACCESS_TOKEN_SCOPE_INSUFFICIENT")), STOP, None),
    ("a file", 404, newer(404, "File not found: 1.", name="NOT_FOUND"), FAIL, Cause.GONE),
    ("a page that is not there", 404, b"<title>Error 404 (Not Found)!!1</title>", AGAIN, Cause.REFUSED),
    ("a token", 401, newer(401, "no", info("ACCESS_TOKEN_EXPIRED"), name="UNAUTHENTICATED"), STOP, None),
    ("an end", 416, b"", AGAIN, Cause.CHANGED),
    ("an end", 416, envelope(416, "requestedRangeNotSatisfiable", "no"), AGAIN, Cause.CHANGED),
    ("a conflict", 409, envelope(409, "conflict", "no"), AGAIN, Cause.REFUSED),
    ("a lock", 423, envelope(423, "locked", "no"), AGAIN, Cause.SERVICE),
    ("a proxy's limit", 413, NGINX, AGAIN, Cause.REFUSED),
    *(
        ("a page", status, b"<h1>Error</h1>", AGAIN, Cause.SERVICE)
        for status in (408, 499, 500, 502, 503, 504, 520, 524)
    ),
]


@pytest.mark.parametrize(("what", "status", "body", "meaning", "cause"), OF_DRIVE)
def test_an_answer_of_drive_means(
    what: str, status: int, body: Json | bytes, meaning: type[MigrationError], cause: Cause | None
) -> None:
    error = as_error(status, body)
    assert (kind_of(error), cause_of(error)) == (meaning, cause)


def test_a_file_and_a_token_have_errors_of_their_own() -> None:
    assert isinstance(from_drive(403, "teamDriveMembershipRequired", "no"), NotAMember)
    assert isinstance(from_drive(404, "notFound", "Shared drive not found: 1"), NotAMember)
    assert isinstance(from_drive(401, "authError", "no"), NotAccepted)


@pytest.mark.parametrize(
    "body",
    [
        over_quota(*A_DAY),
        over_quota(*A_DAY, errors=False),
        over_quota("Queries", A_DAY[1], "1"),
        over_quota("Queries", "default", A_DAY[2]),
        envelope(
            403, "dailyLimitExceeded", "Daily Limit Exceeded. The quota will be reset at midnight Pacific Time (PT)."
        ),
    ],
)
@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-07-01 07:30", "2026-07-01 08:00"),
        ("2026-12-01 08:00", "2026-12-02 08:00"),
        ("2026-12-31 20:00", "2027-01-01 08:00"),
    ],
)
def test_a_quota_of_a_day_stops_the_run_until_midnight_in_california(
    monkeypatch: pytest.MonkeyPatch, body: Json, now: str, until: str
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    moment = time.mktime(time.strptime(now, "%Y-%m-%d %H:%M"))
    for module in ("drive.drive_answers", "retrying"):
        monkeypatch.setattr(f"drive2cloudinary.{module}.time", SimpleNamespace(time=lambda: moment))
    error = as_error(403, body)
    assert isinstance(error, StopRun)
    assert f"midnight Pacific time, is reached: run the same command again after {until} UTC" in str(error)


OF_CLOUDINARY: list[tuple[int, str, type[MigrationError], Cause | None]] = [
    # The bytes
    (
        400,
        "File size too large. Got 11. Maximum is 10. Upgrade your plan to enjoy higher limits",
        FAIL,
        Cause.TOO_LARGE,
    ),
    (400, "Video file size too large. Got 11. Maximum is 10", FAIL, Cause.TOO_LARGE),
    (413, "", FAIL, Cause.TOO_LARGE),
    (413, "Request Entity Too Large", FAIL, Cause.TOO_LARGE),
    (400, "Maximum image size is 25 Megapixels. Requested 33.6 Megapixels", FAIL, Cause.TOO_MANY_PIXELS),
    (400, "Maximum total number of pixels in all frames/pages is 50 Megapixels", FAIL, Cause.TOO_MANY_PIXELS),
    (400, "Image is too large: too many pixels", FAIL, Cause.TOO_MANY_PIXELS),
    (400, "Invalid image file", FAIL, Cause.NOT_AN_IMAGE),
    (400, "Invalid image", FAIL, Cause.NOT_AN_IMAGE),
    (400, "Unsupported ZIP file", FAIL, Cause.NOT_AN_IMAGE),
    (400, "Unsupported video format or file", FAIL, Cause.NOT_AN_IMAGE),
    (400, "Image file format cr2 not allowed", FAIL, Cause.NOT_AN_IMAGE),
    (400, "Raw file format txt not allowed", FAIL, Cause.NOT_AN_IMAGE),
    (400, "An unknown file format not allowed", FAIL, Cause.NOT_AN_IMAGE),
    (400, "Image is corrupt or truncated", FAIL, Cause.NOT_AN_IMAGE),
    (400, "Empty file", FAIL, Cause.EMPTY),
    # The account
    (401, "Invalid Signature abc. String to sign - 'public_id=a'", STOP, None),
    (401, "Invalid Signature abc. String to sign - 'context=caption=a\nb&public_id=a'", STOP, None),
    (401, "unknown api_key", STOP, None),
    (401, "Invalid cloud_name nowhere", STOP, None),
    (404, "Invalid cloud_name nowhere", STOP, None),
    (400, "Must supply api_key", STOP, None),
    (401, "api_secret mismatch", STOP, None),
    (401, "something new", STOP, None),
    (400, "Stale request - reported time is 2026-01-01 00:00:00 +0000 which is more than 1 hour ago", STOP, None),
    (401, "Stale request - reported time is 2026-01-01 00:00:00 +0000 which is more than 1 hour ago", STOP, None),
    (401, "disabled customer", STOP, None),
    (401, "cloud_name emulated is disabled", STOP, None),
    (403, "Your account has been suspended", STOP, None),
    (400, "You have exceeded your storage quota", STOP, None),
    (400, "Image is over the limit of your plan, quota reached", AGAIN, Cause.REFUSED),
    (403, "Monthly credits limit reached", STOP, None),
    (400, "Upload preset not found", STOP, None),
    (400, "Invalid value  for parameter kind", STOP, None),
    # Neither, or nobody knows
    (401, "", AGAIN, Cause.REFUSED),
    (403, "", AGAIN, Cause.REFUSED),
    (403, "User is not allowed to do this", FAIL, Cause.REFUSED),
    (400, "Moderation kind not supported", FAIL, Cause.REFUSED),
    (400, "Missing mandatory metadata field 'sku'", FAIL, Cause.REFUSED),
    (400, "You have not subscribed to this add-on", FAIL, Cause.REFUSED),
    (400, "Something new", AGAIN, Cause.REFUSED),
    (404, "Resource not found", AGAIN, Cause.REFUSED),
    (404, "", AGAIN, Cause.REFUSED),
    (409, "public_id exists", AGAIN, Cause.REFUSED),
    (420, "Rate Limit Exceeded.", SLOW, Cause.TOO_FAST),
    (429, "Rate Limit Exceeded.", SLOW, Cause.TOO_FAST),
    (429, "", SLOW, Cause.TOO_FAST),
    (403, "Rate Limit Exceeded. Limit of 9 api operations reached.", SLOW, Cause.TOO_FAST),
    (408, "Request Timeout", AGAIN, Cause.SERVICE),
    (423, "Resource is still being processed", AGAIN, Cause.SERVICE),
    *(
        (status, message, AGAIN, Cause.SERVICE)
        for status in (499, 500, 502, 503, 504, 520, 524)
        for message in ("", "no")
    ),
]


@pytest.mark.parametrize(("status", "message", "meaning", "cause"), OF_CLOUDINARY)
def test_an_answer_of_cloudinary_means(
    status: int, message: str, meaning: type[MigrationError], cause: Cause | None
) -> None:
    error = from_cloudinary(status, message)
    assert (kind_of(error), cause_of(error)) == (meaning, cause)
    assert str(error).isprintable()
    assert "String to sign" not in str(error) and "public_id=a" not in str(error), "signed parameters are a secret"


def test_cloudinary_says_that_an_account_is_switched_off_and_not_that_its_credentials_are_wrong() -> None:
    error = str(from_cloudinary(401, "disabled customer"))
    assert (
        "switched off" in error and "nothing is wrong with the credentials" in error and "CLOUDINARY_URL" not in error
    )
    assert isinstance(delivery_error(401, "cloud_name emulated is disabled", {}), StopRun)


@pytest.mark.parametrize("status", [400, 401])
def test_a_signature_that_was_too_old_when_it_was_sent_is_made_again(status: int) -> None:
    assert kind_of(from_cloudinary(status, "Stale request - long ago", waited=7200)) is AGAIN


def test_a_message_that_stands_in_a_header_alone_counts() -> None:
    error = cloudinary_error(401, b"", {"X-Cld-Error": "disabled customer"})
    assert "switched off" in str(error)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, FAIL),
        (401, FAIL),
        (404, FAIL),
        (408, AGAIN),
        (420, SLOW),
        (423, AGAIN),
        (429, SLOW),
        (500, AGAIN),
        (503, AGAIN),
    ],
)
def test_an_answer_of_the_cdn_means(status: int, meaning: type[MigrationError]) -> None:
    assert kind_of(delivery_error(status, "Resource not found - a", {})) is meaning
    long = delivery_error(status, "", {"Retry-After": "7200"})
    assert kind_of(long) is (STOP if meaning is SLOW else meaning)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"[1]",
        b"null",
        b"7",
        b'"no"',
        b"[" * 100_000,
        b'{"error": [1]}',
        b'{"error": {"errors": 7}}',
        b"\xff\xfe",
    ],
)
def test_a_body_that_no_api_promises_is_no_verdict(body: bytes) -> None:
    for status in (400, 403, 404, 500):
        assert isinstance(drive_error(status, body, JSON), TransientError)
        assert isinstance(cloudinary_error(status, body, JSON), TransientError)


def test_a_hostile_message_stays_one_short_line() -> None:
    message = "first\nsecond\x1b[2J\u202e " + "x" * 10_000
    page = f"<title>{message[:150]}</title>".encode()
    for error in (
        from_drive(500, "backendError", message),
        as_error(403, page),
        from_cloudinary(400, message),
        from_cloudinary(502, page=page),
        delivery_error(404, message, {}),
        refused_consent("odd", message),
    ):
        assert len(str(error)) < 600 and str(error).isprintable()


USER, KEY = object(), SimpleNamespace(service_account_email="a@b")
CLIENT = ("create a new one", "credentials.json", "authenticate.py")
OF_SIGN_IN: list[tuple[str, object, type[MigrationError], tuple[str, ...]]] = [
    ("invalid_rapt", USER, STOP, ("authenticate.py", "session length")),
    ("deleted_client", USER, STOP, CLIENT),
    ("disabled_client", USER, STOP, CLIENT),
    ("invalid_client", USER, STOP, CLIENT),
    ("admin_policy_enforced", USER, STOP, ("administrator",)),
    ("revoked", USER, STOP, ("expired or was revoked", "authenticate.py")),
    ("wrong_clock", KEY, STOP, ("clock",)),
    ("deleted_client", KEY, STOP, ("key", "make a new one")),
    ("revoked", KEY, STOP, ("key", "make a new one")),
    ("rate_limit_exceeded", USER, SLOW, ("rate_limit_exceeded",)),
    ("unknown", USER, AGAIN, ("Google's sign-in answered 400 something_new: Something new.",)),
]


@pytest.mark.parametrize(("kind", "credentials", "meaning", "said"), OF_SIGN_IN)
def test_a_refusal_of_the_token_endpoint_says_what_helps(
    tmp_path: Path, kind: str, credentials: object, meaning: type[MigrationError], said: tuple[str, ...]
) -> None:
    token = tmp_path / "token.json"
    token.touch()
    status, body = REFUSALS[kind]
    error = sign_in_error(_answer(status, json.dumps(body).encode()), token, credentials, "")
    assert kind_of(error) is meaning
    assert all(part in str(error) for part in said), error
    assert "gcloud" not in str(error)


def test_what_the_token_endpoint_refuses_to_gcloud_is_for_gcloud(tmp_path: Path) -> None:
    status, body = REFUSALS["invalid_rapt"]
    error = sign_in_error(_answer(status, json.dumps(body).encode()), tmp_path / "none.json", USER, "")
    assert isinstance(error, StopRun) and "gcloud auth application-default login" in str(error)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_page_of_the_token_endpoint_passes(tmp_path: Path, status: int) -> None:
    assert isinstance(sign_in_error(_answer(status, SORRY), tmp_path, USER, ""), TransientError)


def _answer(status: int, body: bytes) -> Response:
    return Response(status, urllib3.HTTPHeaderDict(HTML), body, "https://oauth2.googleapis.com/token")
