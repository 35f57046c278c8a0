"""The errors that answers of Cloudinary and its CDN mean, by the Upload API reference."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import ImageError, MigrationError, StopRun, TransientError, one_line
from drive2cloudinary.retrying import rate_limited_or_stop, retry_after, usable

CLOUDINARY_PERMANENT = {
    "File size too large": Cause.TOO_LARGE,
    "Invalid image file": Cause.NOT_AN_IMAGE,
}
"""The beginnings of the messages of status 400, which has no error codes."""
OF_SETTINGS = {
    "Upload preset not found": "the account has no upload preset of the name in upload.upload_preset",
    "Invalid value  for parameter kind": "the account has no structured metadata field of an external ID in "
    "upload.metadata",
}
"""The beginnings of messages of status 400 that no image can escape → what is wrong. The second: pycloudinary #358."""
_SIGNED_FOR = 3600.0
"""Seconds for which the signature of a call is valid."""


def cloudinary_error(status: int, message: str, waited: float = 0.0) -> MigrationError:
    """The error that an answer of Cloudinary means.

    In: the HTTP status; the error's message; the seconds between the signing of the call and its answer.
    """
    # "Invalid Signature … String to sign - '…'" repeats the signed parameters, which are secret. A caption
    # among them can have several lines.
    shown = re.sub(r"(?is)(invalid signature).*", r"\1", message)
    said = one_line(f"Cloudinary answered {status}: {shown}", 300)
    if status == 401 and "stale request" in message.lower():
        if waited > _SIGNED_FOR:
            return TransientError(said)
        return StopRun(f"Cloudinary refuses the time of this computer, set its clock ({said})")
    if status == 401:
        return StopRun(
            f"Cloudinary does not accept the credentials: correct CLOUDINARY_URL in the environment or in .env ({said})"
        )
    for beginning, what in OF_SETTINGS.items():
        if status == 400 and message.startswith(beginning):
            return StopRun(f"{what}: correct the setting upload, or create it there ({said})")
    if status in (420, 429):
        return rate_limited_or_stop("Cloudinary", said, try_again_on(message))
    if status == 408 or status >= 500:
        return TransientError(said)
    causes = (cause for beginning, cause in CLOUDINARY_PERMANENT.items() if message.startswith(beginning))
    return ImageError(said, Cause.TOO_LARGE if status == 413 else next(causes, Cause.REFUSED))


def delivery_error(status: int, cause: str, headers: Mapping[str, str]) -> MigrationError:
    """The error that an answer of Cloudinary's CDN means. In: the HTTP status, X-Cld-Error ("" if none), the headers.

    A 404 is final: an asset can be delivered as soon as its upload is answered.
    """
    said = one_line(f"the CDN answered {status}{f': {cause}' if cause else ''}", 300)
    if status in (420, 429):
        return rate_limited_or_stop("Cloudinary's CDN", said, retry_after(headers))
    if status == 408 or status >= 500:
        return TransientError(said, retry_after(headers))
    return ImageError(said)


def try_again_on(message: str) -> float | None:
    """Seconds until the time in "Try again on 2026-10-04 14:00:00 UTC"; None if the message has no usable time."""
    found = re.search(r"Try again on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", message, re.ASCII)
    try:
        until = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
    return usable(until.timestamp() - time.time()) if until else None
