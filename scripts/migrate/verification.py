"""Verifying: for each URL in a mapping, whether the CDN delivers what the marker of its image promises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Literal

from . import marker
from .delivery import Answer, Delivery
from .errors import StopRun, TransientError, one_line
from .mapping import UPLOAD_FAILED, Row

Result = Literal["ok", "missing", "wrong size", "refused", "no answer"]
IN_VAIN = 20
"""So many URLs one after the other without any answer: then the connection is at fault, and no URL."""


@dataclass(frozen=True)
class Verified:
    """One URL that was asked for; the fields are the columns of verify.csv.

    status: the HTTP status, None if nothing came; expected_bytes: the stored bytes by the marker, None without one;
    bytes: those that the CDN delivers, None if it does not say; error: what it said, or what could not be compared.
    """

    file_id: str
    filename: str
    folder_path: str
    public_id: str
    url: str
    result: Result
    status: int | None
    expected_bytes: int | None
    bytes: int | None
    error: str


def rows_with_url(rows: Iterable[Row]) -> list[Row]:
    """The rows of the images that are in Cloudinary."""
    return [row for row in rows if row.cloudinary_url not in ("", UPLOAD_FAILED)]


def verify(rows: Iterable[Row], folder: Path, delivery: Delivery, at_once: int) -> Iterator[Verified]:
    """Ask the CDN for the URL of each row, so many at once; the results come in the order of the rows.

    In: the rows that have a URL, and their results folder with the markers. jpg_url is not asked for: that would have
    Cloudinary make each JPG, and count it. Raises StopRun if the CDN wants to be left alone, or does not answer at all.
    """
    markers = marker.by_file(folder)

    def check(row: Row) -> Verified:
        expected = _stored_bytes(row, folder, markers.get(row.file_id, []))
        return _verified(row, expected, delivery.ask(row.cloudinary_url, expected))

    in_vain = 0
    # Its threads end with the program, be they in the midst of a pause.
    with ThreadPool(at_once) as pool:
        for each in pool.imap(check, rows):
            yield each
            in_vain = in_vain + 1 if each.result == "no answer" else 0
            if in_vain == IN_VAIN:
                raise StopRun(
                    f"{IN_VAIN} URLs in a row got no answer: look at the connection, then run again ({each.error})"
                )


def _stored_bytes(row: Row, folder: Path, markers: Iterable[str]) -> int | None:
    """What Cloudinary said that it stored, which with `fit` is not what Drive has."""
    for name in markers:
        found = marker.read(marker.named(folder, name))
        if found and found.cloudinary["secure_url"] == row.cloudinary_url:
            stored = found.cloudinary.get("bytes")
            return stored if isinstance(stored, int) else None
    return None


def _verified(row: Row, expected: int | None, answer: Answer) -> Verified:
    result: Result = "ok"
    error = ""
    if answer.error:
        error = one_line(answer.error)
        result = "refused"
        if answer.status in (404, 410):
            result = "missing"
        elif isinstance(answer.error, TransientError):
            result = "no answer"
    elif expected is None:
        error = "the size was not compared: the image has no marker any more, or it does not say"
    elif answer.bytes is None:
        error = "the size was not compared: the CDN does not say it"
    elif answer.bytes != expected:
        result = "wrong size"
        error = f"the CDN delivers {answer.bytes} bytes, {expected} were stored"
    return Verified(
        file_id=row.file_id,
        filename=row.filename,
        folder_path=row.folder_path,
        public_id=row.public_id,
        url=row.cloudinary_url,
        result=result,
        status=answer.status,
        expected_bytes=expected,
        bytes=answer.bytes,
        error=error,
    )
