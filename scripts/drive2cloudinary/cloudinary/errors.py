"""What error answers of Cloudinary and of its CDN mean, as its Upload API reference says."""

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
"""How the messages of its 400s begin; it gives no codes."""


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
        return rate_limited_or_stop("Cloudinary", said, try_again_on(message))
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
        return rate_limited_or_stop("Cloudinary's CDN", said, retry_after(headers))
    if status == 408 or status >= 500:
        return TransientError(said, retry_after(headers))
    return ImageError(said)


def try_again_on(message: str) -> float | None:
    """Seconds until the time in Cloudinary's "Try again on 2026-10-04 14:00:00 UTC"; None without a usable one."""
    found = re.search(r"Try again on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", message, re.ASCII)
    try:
        until = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
    return usable(until.timestamp() - time.time()) if until else None
