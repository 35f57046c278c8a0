"""Answers of Google and Cloudinary in the formats in which they were recorded, and the errors that we make of them."""

from __future__ import annotations

import json
from typing import Any

from drive2cloudinary.cloudinary.cloudinary_answers import cloudinary_error
from drive2cloudinary.drive.drive_answers import drive_error
from drive2cloudinary.errors import MigrationError

Json = dict[str, Any]
HTML = {"Content-Type": "text/html; charset=UTF-8"}
JSON = {"Content-Type": "application/json; charset=UTF-8"}
SORRY = b"""<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">
<html><head><title>Sorry...</title><style>body { font-family: verdana, arial, sans-serif }</style></head>
<body><h1>We're sorry...</h1><p>... but your computer or network may be sending automated queries. To protect our users,
we can't process your request right now.</p></body></html>"""
NGINX = b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"


def envelope(status: int, reason: str, message: str, **more: object) -> Json:
    """An error of Drive v3."""
    detail = {"domain": "global", "reason": reason, "message": message}
    return {"error": {"code": status, "message": message, "errors": [detail], **more}}


def info(reason: str, **metadata: str) -> Json:
    """An ErrorInfo of Google's APIs."""
    named = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    return {**named, "metadata": metadata} if metadata else named


def newer(status: int, message: str, *details: Json, name: str = "PERMISSION_DENIED") -> Json:
    """An error of Google's newer APIs, which has no `errors`."""
    return {"error": {"code": status, "message": message, "status": name, "details": list(details)}}


def over_quota(limit: str, quota_limit: str, quota_unit: str, errors: bool = True) -> Json:
    """The refusal of a call over a quota, recorded in 2026."""
    message = f"Quota exceeded for quota metric 'Queries' and limit '{limit}' of service 'drive.googleapis.com' for "
    message += "consumer 'project_number:123456789012'."
    metadata = {"quota_limit": quota_limit, "quota_unit": quota_unit, "service": "drive.googleapis.com"}
    told = newer(403, message, info("RATE_LIMIT_EXCEEDED", **metadata))
    if errors:
        told["error"]["errors"] = [{"message": message, "domain": "usageLimits", "reason": "rateLimitExceeded"}]
    return told


def as_error(status: int, body: Json | bytes, **headers: str) -> MigrationError:
    """What an answer of Drive means. In: its JSON, or a page."""
    if isinstance(body, bytes):
        return drive_error(status, body, {**HTML, **headers})
    return drive_error(status, json.dumps(body).encode(), {**JSON, **headers})


def from_drive(status: int, reason: str, message: str, **headers: str) -> MigrationError:
    """What an answer of Drive v3 means; one without a reason is a page."""
    return as_error(status, envelope(status, reason, message) if reason else SORRY, **headers)


def from_cloudinary(status: int, message: str = "", waited: float = 0.0, page: bytes = NGINX) -> MigrationError:
    """What an answer of Cloudinary means; one without a message is a page."""
    body = json.dumps({"error": {"message": message}}).encode() if message else page
    return cloudinary_error(status, body, JSON if message else HTML, waited)
