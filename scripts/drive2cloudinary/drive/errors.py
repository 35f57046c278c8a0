"""The errors that answers of Drive mean, by its documentation page "Resolve errors"."""

from __future__ import annotations

from collections.abc import Mapping

from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import (
    ImageError,
    MigrationError,
    NotAMember,
    StopRun,
    TransientError,
    one_line,
)
from drive2cloudinary.retrying import rate_limited_or_stop, retry_after

DRIVE_RATE = {"userRateLimitExceeded", "rateLimitExceeded"}
DRIVE_TRANSIENT = {"backendError", "internalError"}
DRIVE_STOP = {
    "dailyLimitExceeded": "Drive's daily limit is reached: run the same command again tomorrow",
    "accessNotConfigured": "the Drive API is off in the token's Google Cloud project: enable it, then run again",
    "insufficientPermissions": "the token has no right to read Drive: run python scripts/authenticate.py",
}
DRIVE_PERMANENT = {
    "cannotDownloadAbusiveFile": (
        "Drive takes this file for malware or spam and does not send it",
        Cause.ABUSIVE,
    ),
    "insufficientFilePermissions": ("this account may not read the file", Cause.NOT_ALLOWED),
    "appNotAuthorizedToFile": ("this app may not read the file", Cause.NOT_ALLOWED),
    "domainPolicy": ("the file's domain does not allow this app", Cause.NOT_ALLOWED),
    "cannotDownloadFile": ("its owner does not allow the file to be downloaded", Cause.NOT_ALLOWED),
    "fileNotDownloadable": ("Drive has no content to download for this kind of file", Cause.NO_CONTENT),
    "notFound": ("the file is gone, or not shared with this account", Cause.GONE),
}


def drive_error(status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> MigrationError:
    """The error to raise for an error answer of Drive.

    In: the HTTP status, the first `reason` of the error envelope ("" if there is none, as in HTML), its message and the
    answer's headers.
    """
    said = one_line(f"Drive answered {status}{f' {reason}' if reason else ''}: {message}", 300)
    if reason in DRIVE_STOP:
        return StopRun(DRIVE_STOP[reason])
    if reason == "downloadQuotaExceeded":
        said = "too many downloads of this file in the last day: Drive refuses it for about 24 hours"
        return ImageError(said, Cause.DOWNLOAD_QUOTA)
    if reason == "teamDriveMembershipRequired" or message.startswith("Shared drive not found"):
        return NotAMember(said, Cause.NOT_ALLOWED)
    if reason in DRIVE_PERMANENT:
        what, cause = DRIVE_PERMANENT[reason]
        return ImageError(f"{what} ({said})", cause)
    if reason in DRIVE_RATE or status == 429:
        return rate_limited_or_stop("Drive", said, retry_after(headers or {}))
    if reason in DRIVE_TRANSIENT or status >= 500:
        return TransientError(said, retry_after(headers or {}))
    if status == 416:
        return TransientError(f"the file ends before the part that was asked for ({said})", cause=Cause.CHANGED)
    if status == 401:
        return StopRun("Drive does not accept the token: run python scripts/authenticate.py")
    return ImageError(said)
