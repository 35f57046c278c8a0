"""What the error answers of Cloudinary and its CDN mean, by the Upload API reference, and as recorded.

The Upload API has no codes for errors: besides the HTTP status, there is only a message in English.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from drive2cloudinary.answers import PASSING, ErrorAnswer, Row, json_of, meaning, of_no_api
from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import ImageError, MigrationError, RateLimited, StopRun, TransientError
from drive2cloudinary.retrying import retry_after, usable

SIGNED_FOR = 3600.0
"""Seconds for which the signature of a call is valid."""
REFUSALS = (400, 401, 402, 403, 404)
SWITCHED_OFF = Row(
    StopRun,
    "the Cloudinary account is switched off, as when its plan is used up or a payment is open: look at it in "
    "Cloudinary's console (nothing is wrong with the credentials)",
    status=REFUSALS,
    says=r"^disabled customer|\b(cloud_name|cloud|account|customer|product environment)\b.{0,80}"
    r"\b(is|was|has been) (disabled|suspended|blocked|deactivated)",
)
TOO_FAST = (
    Row(RateLimited, status=(420, 429)),
    Row(RateLimited, says=r"^rate limit exceeded"),
)
CLOUDINARY = (
    *TOO_FAST,
    # The bytes
    Row(ImageError, cause=Cause.TOO_LARGE, status=(413,)),
    Row(
        ImageError,
        cause=Cause.TOO_LARGE,
        status=(400,),
        says=r"^(image |video |raw )?file size (is )?too large|maximum file size|file (is )?too (large|big)",
    ),
    Row(
        ImageError,
        cause=Cause.TOO_MANY_PIXELS,
        status=(400,),
        says=r"maximum (image size|total number of pixels|number of pixels|image (width|height|dimensions))"
        r"|\bmega ?pixels?\b|\b(too many|max(imum)?) pixels\b",
    ),
    Row(ImageError, cause=Cause.EMPTY, status=(400,), says=r"^(the )?(uploaded )?(image )?file is empty|^empty file"),
    Row(
        ImageError,
        cause=Cause.NOT_AN_IMAGE,
        status=(400, 415, 422),
        says=r"^invalid ((image|video|raw|media) )?file\b|^invalid (image|video|media)\W*$"
        r"|^unsupported ((image|video|raw|file|media|zip|pdf)\b.*|.*\b(format|file|type|codec))$"
        r"|\bfile (format|type|extension)\b.*\bnot (allowed|supported)|\bformat \S+ (is )?not (allowed|supported)"
        r"|\b(corrupt|damaged|truncated|unreadable|malformed image)",
    ),
    # The account: the same for every image
    SWITCHED_OFF,
    Row(
        StopRun,
        "Cloudinary refuses the time of this computer, set its clock",
        status=REFUSALS,
        says=r"^stale request",
    ),
    Row(
        StopRun,
        "the Cloudinary account's plan is used up: take a larger one in its console, or make room there",
        status=(*REFUSALS, 409),
        # Not what may be about one image: three refusals of that kind in a row stop the run, too.
        says=r"^(?!.*\b(images?|files?|videos?|size|pixels?|megapixels?|dimensions?|resolution)\b).*("
        r"\b(storage|credits?|quota|bandwidth|plan|usage|subscription)\b.{0,80}"
        r"\b(used up|exceeded|exhausted|reached|expired)\b"
        r"|\b(exceeded|reached|exhausted|used up)\b.{0,80}\b(storage|credits?|quota|bandwidth|plan|subscription)\b"
        r"|\b(not enough|insufficient|no more|out of) (storage|credits?|quota)\b)",
    ),
    Row(
        StopRun,
        "Cloudinary does not accept the credentials: correct CLOUDINARY_URL in the environment or in .env",
        status=REFUSALS,
        says=r"^(invalid|unknown|wrong|no such|must supply|missing)\b[^'\"(]{0,25}"
        r"\b(cloud_?name|cloud|api[_ ]?key|api[_ ]?secret|signature|credentials|customer)\b"
        r"|\b(api[_ ]?key|api[_ ]?secret|cloud_?name)\b.{0,80}\b(mismatch|not found|unknown|inactive|disabled|deleted)",
    ),
    Row(
        StopRun,
        "Cloudinary does not let this account in: look at it in its console, and at CLOUDINARY_URL in the environment "
        "or in .env",
        status=(401,),
        is_own=True,
    ),
    Row(
        StopRun,
        "the account has no upload preset of the name in upload.upload_preset: correct the setting upload, or create "
        "it there",
        status=(400,),
        says=r"^upload preset not found",
    ),
    # pycloudinary, issue 358
    Row(
        StopRun,
        "the account has no structured metadata field of an external ID in upload.metadata: correct the setting "
        "upload, or create it there",
        status=(400,),
        says=r"^invalid value +for parameter kind",
    ),
    # What is asked for with each upload: it does not pass, and three in a row stop the run (upload/refusals.py).
    Row(
        ImageError,
        status=(400, 403),
        is_own=True,
        says=r"\bmoderation\b|\bmetadata\b|\badd-?on\b|\bsubscri|\bpreset\b|\bpermi(t|ssion)|\bnot allowed\b",
    ),
    Row(TransientError, cause=Cause.SERVICE, status=PASSING),
)
"""The table of the Upload API: the first row that fits an answer says what it means."""
AGED = (
    Row(
        TransientError,
        cause=Cause.SERVICE,
        status=REFUSALS,
        says=r"^stale request",
    ),
    *CLOUDINARY,
)
"""The table for a call that waited longer than its signature is valid: the next try is signed anew."""
CDN = (
    *TOO_FAST,
    SWITCHED_OFF,
    Row(TransientError, cause=Cause.SERVICE, status=PASSING),
    # An asset can be delivered as soon as its upload is answered, so a 404 is final, too.
    Row(ImageError),
)
"""The table of the CDN."""


def cloudinary_error(status: int, body: bytes, headers: Mapping[str, str], waited: float = 0.0) -> MigrationError:
    """The error that an error answer of Cloudinary means.

    In: its HTTP status, its body, its headers; the seconds between the signing of the call and its answer.
    """
    message = _message(body) or next((headers[name] for name in headers if name.lower() == "x-cld-error"), "")
    # "Invalid Signature … String to sign - '…'" repeats the signed parameters, which are secret. A caption
    # among them can have several lines.
    shown = re.sub(r"(?is)(invalid signature|string to sign).*", r"\1", message)
    content_type = next((headers[name] for name in headers if name.lower() == "content-type"), "")
    answer = ErrorAnswer(
        "Cloudinary",
        status,
        shown or of_no_api(body, content_type),
        is_own=bool(message),
        wait=retry_after(headers) if (until := try_again_on(message)) is None else until,
    )
    return meaning(AGED if waited > SIGNED_FOR else CLOUDINARY, answer)


def delivery_error(status: int, cause: str, headers: Mapping[str, str]) -> MigrationError:
    """The error that an answer of Cloudinary's CDN means.

    In: the HTTP status, the header X-Cld-Error ("" if there is none), all headers.
    """
    return meaning(CDN, ErrorAnswer("the CDN", status, cause, is_own=bool(cause), wait=retry_after(headers)))


def try_again_on(message: str) -> float | None:
    """Seconds until the time in "Try again on 2026-10-04 14:00:00 UTC"; None if the message has no usable time."""
    found = re.search(r"Try again on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", message, re.ASCII)
    try:
        until = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
    return usable(until.timestamp() - time.time()) if until else None


def _message(body: bytes) -> str:
    """The message of an error answer; "" if it is not in Cloudinary's format."""
    value = json_of(body)
    error = value.get("error") if isinstance(value, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""
