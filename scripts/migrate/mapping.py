"""The mapping: a row for each listed image, with where it is in Cloudinary or why it is not."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from . import failure, marker, names
from .files import replacing, write_json
from .listing import Image

UPLOAD_FAILED = "UPLOAD_FAILED"


@dataclass(frozen=True)
class Row:
    """One image; the fields are the columns of mapping.csv, status is uploaded, existing, failed or skipped.

    error is why it failed or was skipped; of an image that is in Cloudinary, what was special about it, mostly "".
    """

    local_filename: str
    cloudinary_url: str
    jpg_url: str
    status: str
    error: str
    folder_path: str
    filename: str
    file_id: str
    public_id: str
    bytes: int | None
    md5: str | None


def rows(images: Iterable[Image], folder: Path, warn: Callable[[str], None]) -> list[Row]:
    """The mapping of a listing's images, by what lies in their results folder, in the mapping's order."""
    found = [_row(image, folder, warn) for image in images]
    return sorted(found, key=lambda row: (row.folder_path, row.filename, row.file_id))


def write(mapping: list[Row], csv_path: Path, json_path: Path) -> None:
    """Write both forms, each whole or not at all: CSV by RFC 4180, safe to open in a spreadsheet; JSON verbatim."""
    with replacing(csv_path, newline="") as stream:
        table = csv.writer(stream)
        table.writerow(Row.__dataclass_fields__)
        for row in mapping:
            table.writerow([cell(value) for value in asdict(row).values()])
    write_json(json_path, [asdict(row) for row in mapping])


def counts(json_path: Path) -> Counter[str]:
    """How many rows of a mapping.json have each status."""
    return Counter(row["status"] for row in json.loads(json_path.read_bytes()))


def _row(image: Image, folder: Path, warn: Callable[[str], None]) -> Row:
    found = marker.fitting(folder, image, warn)
    public_id, error = image.public_id, ""
    if found:
        url, jpg_url, status = found.cloudinary["secure_url"], found.jpg_url, str(found.status)
        public_id, error = found.cloudinary["public_id"], found.remark
    elif image.skipped:
        url, jpg_url, status, error = "", "", "skipped", image.skipped
    else:
        record = failure.read(folder, image.id)
        url, jpg_url, status = UPLOAD_FAILED, UPLOAD_FAILED, "failed"
        error = record.message if record else "not moved: the run ended before"
    return Row(
        local_filename=names.stem(image.name),
        cloudinary_url=url,
        jpg_url=jpg_url,
        status=status,
        error=error,
        folder_path=image.folder_path,
        filename=image.name,
        file_id=image.id,
        public_id=public_id,
        bytes=image.size,
        md5=image.md5,
    )


def cell(value: object) -> str:
    """A value as a spreadsheet may have it: never the beginning of a formula, which an apostrophe turns to text."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
