"""What the error answers of Drive mean, by its documentation page "Resolve errors", by google.api.ErrorReason, and as
recorded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from drive2cloudinary.answers import PASSING, ErrorAnswer, Row, json_of, meaning, of_no_api
from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import ImageError, MigrationError, NotAMember, RateLimited, StopRun, TransientError
from drive2cloudinary.retrying import retry_after


class NotAccepted(StopRun):
    """Drive does not accept the access token. The first ones of a call are reason enough for a new one only."""


def until_midnight() -> float:
    """The seconds until Google renews the quotas of a day.

    Google's own message: "The quota will be reset at midnight Pacific Time (PT)". That is 08:00 UTC, and 07:00 in
    summer, when 08:00 is late enough, too: so no table of time zones is needed, which small systems lack.
    """
    now = datetime.fromtimestamp(time.time(), UTC)
    renewed = now.replace(hour=8, minute=0, second=0, microsecond=0)
    return ((renewed if now < renewed else renewed + timedelta(days=1)) - now).total_seconds()


QUOTA = (
    "rateLimitExceeded userRateLimitExceeded quotaExceeded concurrentLimitExceeded servingLimitExceeded "
    "resourceExhausted resourceQuotaExceeded"
)
A_DAY = "Drive's daily limit, which Google renews at midnight Pacific time,"
API_OFF = "the Drive API is off in the token's Google Cloud project: enable it, then run again"
NO_RIGHT = "the token has no right to read Drive: run python scripts/authenticate.py"
GONE = "the file is gone, or not shared with this account"
UNREADABLE = "this account may not read the file"
DRIVE = (
    # Limits
    Row(
        ImageError,
        "too many downloads of this file in the last day: Drive refuses it for about 24 hours",
        Cause.DOWNLOAD_QUOTA,
        reason="downloadQuotaExceeded",
    ),
    Row(RateLimited, A_DAY, reason="dailyLimitExceeded dailyLimitExceededUnreg", wait=until_midnight),
    # Of a minute's quota, only the message and the metadata differ.
    Row(RateLimited, A_DAY, reason=QUOTA, says=r"\bper day\b|\bdaily\b|PerDay|quota_unit=1/d\b", wait=until_midnight),
    Row(RateLimited, reason=QUOTA),
    Row(RateLimited, status=(429,)),
    # The project, the token, and who may use them
    Row(
        StopRun,
        API_OFF,
        reason="accessNotConfigured SERVICE_DISABLED",
    ),
    Row(StopRun, API_OFF, status=(403,), says=r"access not configured|API has not been used in project"),
    Row(
        StopRun,
        NO_RIGHT,
        reason="insufficientPermissions insufficientScopes ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    ),
    Row(StopRun, NO_RIGHT, status=(403,), says=r"insufficient authentication scopes"),
    Row(
        StopRun,
        "the token's Google Cloud project may not be used: look at its state and its billing in Google's console",
        reason="CONSUMER_SUSPENDED CONSUMER_INVALID BILLING_DISABLED USER_PROJECT_DENIED RESOURCE_PROJECT_INVALID",
    ),
    Row(
        StopRun,
        "the administrator of the Google Workspace does not allow this app or this network: ask for it to be allowed",
        reason="USER_BLOCKED_BY_ADMIN ORG_RESTRICTION_VIOLATION SECURITY_POLICY_VIOLATED ACCESS_POLICY_VIOLATED",
    ),
    Row(
        NotAccepted,
        "Drive accepts no token, not even one that Google's sign-in has just given: run the same command again later; "
        "if that does not help, run python scripts/authenticate.py",
        status=(401,),
    ),
    # The file
    Row(
        ImageError,
        "Drive takes this file for malware or spam and does not send it",
        Cause.ABUSIVE,
        reason="cannotDownloadAbusiveFile",
    ),
    Row(NotAMember, cause=Cause.NOT_ALLOWED, reason="teamDriveMembershipRequired"),
    Row(NotAMember, cause=Cause.NOT_ALLOWED, says=r"^Shared drive not found"),
    Row(ImageError, UNREADABLE, Cause.NOT_ALLOWED, reason="insufficientFilePermissions"),
    Row(ImageError, "this app may not read the file", Cause.NOT_ALLOWED, reason="appNotAuthorizedToFile"),
    Row(ImageError, "the file's domain does not allow this app", Cause.NOT_ALLOWED, reason="domainPolicy"),
    Row(
        ImageError, "its owner does not allow the file to be downloaded", Cause.NOT_ALLOWED, reason="cannotDownloadFile"
    ),
    Row(
        ImageError,
        "Drive has no content to download for this kind of file",
        Cause.NO_CONTENT,
        reason="fileNotDownloadable",
    ),
    Row(ImageError, GONE, Cause.GONE, reason="notFound"),
    Row(
        ImageError,
        GONE,
        Cause.GONE,
        status=(404,),
        says=r"^File not found|status=NOT_FOUND",
    ),
    Row(
        ImageError,
        UNREADABLE,
        Cause.NOT_ALLOWED,
        status=(403,),
        says=r"not have (sufficient |enough |the required )?permission",
    ),
    Row(
        TransientError,
        "the file ends before the part that was asked for",
        Cause.CHANGED,
        status=(416,),
    ),
    # The call
    Row(
        ImageError,
        status=(400,),
        reason="invalid invalidParameter invalidArgument invalidQuery badRequest parseError required",
    ),
    Row(ImageError, status=(400,), says=r"query is too complex"),
    Row(TransientError, cause=Cause.SERVICE, reason="backendError internalError transientError"),
    Row(TransientError, cause=Cause.SERVICE, status=PASSING),
    # "We're sorry … automated queries": Google slows the network address down, for minutes or hours.
    Row(RateLimited, "what Google allows this network address", status=(403,), reason="-"),
)
"""The table of Drive: the first row that fits an answer says what it means."""


def drive_error(status: int, body: bytes, headers: Mapping[str, str]) -> MigrationError:
    """The error to raise for an error answer of Drive. In: its HTTP status, its body, its headers."""
    return meaning(DRIVE, answer_of(status, body, headers))


def answer_of(status: int, body: bytes, headers: Mapping[str, str]) -> ErrorAnswer:
    """An error answer of Drive, as the table reads it: in the format of Drive v3, of newer Google APIs, or in none."""
    value = json_of(body)
    if isinstance(value, list) and len(value) == 1:
        # Google's APIs wrap the errors of some calls so.
        value = value[0]
    error = value.get("error") if isinstance(value, dict) else None
    wait = retry_after(headers)
    if not isinstance(error, dict):
        content_type = next((headers[name] for name in headers if name.lower() == "content-type"), "")
        return ErrorAnswer("Drive", status, of_no_api(body, content_type), is_own=False, wait=wait)
    details = _objects(error.get("details"))
    reasons = [*_objects(error.get("errors")), *details]
    metadata = [f"{name}={value}" for each in details for name, value in _pairs(each.get("metadata"))]
    return ErrorAnswer(
        "Drive",
        status,
        str(error.get("message", "")),
        reasons=tuple(reason for each in reasons if isinstance(reason := each.get("reason"), str) and reason),
        more=" ".join([f"status={error.get('status', '')}", *metadata]),
        wait=wait,
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _pairs(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []
