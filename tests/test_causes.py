"""Failures by cause: in an order to act upon, whoever recorded them."""

from __future__ import annotations

import json
from pathlib import Path

from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import ImageError, NoAnswer, RateLimited, TransientError
from drive2cloudinary.results import failure
from drive2cloudinary.results.failure import Failure, grouped
from tests.recorded import from_cloudinary, from_drive


def test_failures_are_grouped_with_what_needs_a_hand_first(tmp_path: Path) -> None:
    errors = {
        "cut": NoAnswer("no answer from Drive"),
        "large": from_cloudinary(400, "File size too large. Got 11. Maximum is 10."),
        "huge": from_cloudinary(413),
        "popular": from_drive(403, "downloadQuotaExceeded", ""),
        "hasty": RateLimited("slower"),
        "gone": from_drive(404, "notFound", "File not found"),
        "odd": from_cloudinary(404, "something new"),
        "down": TransientError("502"),
    }
    for file_id, error in errors.items():
        assert isinstance(error, ImageError)
        Failure.of(error).write(tmp_path, file_id)
    found = grouped((file_id, failure.read(tmp_path, file_id)) for file_id in [*errors, "never begun"])
    assert [(group.cause, group.file_ids) for group in found] == [
        (Cause.TOO_LARGE, ["large", "huge"]),
        (Cause.GONE, ["gone"]),
        (Cause.REFUSED, ["odd"]),
        (Cause.DOWNLOAD_QUOTA, ["popular"]),
        (Cause.TOO_FAST, ["hasty"]),
        (Cause.NO_ANSWER, ["cut"]),
        (Cause.SERVICE, ["down"]),
        (Cause.NOT_REACHED, ["never begun"]),
    ]


def test_a_record_of_another_version_is_still_read(tmp_path: Path) -> None:
    path = failure.path_of(tmp_path, "old")
    path.parent.mkdir()
    record = {"kind": "permanent", "message": "because", "attempts": 1, "time": "2026-01-02T03:04:05+00:00"}
    for more in ({}, {"cause": "known_only_later"}):
        path.write_text(json.dumps({**record, **more}))
        assert grouped([("old", failure.read(tmp_path, "old"))])[0].cause is Cause.REFUSED
