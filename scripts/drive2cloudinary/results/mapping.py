"""The mapping: one row for each listed image, with its URL in Cloudinary or the reason why it has none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from drive2cloudinary.checks import is_id, is_md5, is_text, is_whole_number
from drive2cloudinary.errors import MigrationError
from drive2cloudinary.files import NotAFile, read_json, replacing, replacing_table
from drive2cloudinary.results import layout

UPLOAD_FAILED = "UPLOAD_FAILED"
STATUSES = ("uploaded", "existing", "failed", "pending", "skipped")
IN_CLOUDINARY = ("uploaded", "existing")
NOT_IN_CLOUDINARY = ("failed", "pending")
"""The statuses of images that were to be moved and have no URL. Pending: not tried, because the run ended before, or
because the setting `limit` leaves them for another run."""
Detail = Literal["", "limit", "rejected", "undecided"]
"""What a program may need to know of a row beside its status: `limit` leaves a pending image for another run;
Cloudinary's moderation has rejected the image, so that it may not be delivered; or it had not decided when the image
was stored."""


@dataclass(frozen=True)
class Row:
    """One image. The fields but `detail` are the columns of mapping.csv; status is one of STATUSES.

    error: why the image failed, is pending or was excluded; for an image in Cloudinary, what moderation made of it, and
    a remark about its upload, usually "".
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
    detail: Detail = ""

    def to_dict(self) -> dict[str, Any]:
        """The row as mapping.json has it."""
        return {name: value for name, value in vars(self).items() if value or name != "detail"}


COLUMNS = tuple(Row.__dataclass_fields__)[:-1]
OF_FOLDER = ("folder_id", "folder")
"""The additional columns of the combined mapping of many Drive folders."""


@contextmanager
def writing(results_folder: Path, columns: Sequence[str], bom: bool) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Write both files atomically: CSV, which is safe to open in a spreadsheet, and JSON with unchanged values.

    Yields a function that adds a row. In: whether the CSV file begins with a byte order mark.
    """
    with (
        replacing_table(layout.mapping_csv(results_folder), columns, bom) as add_to_table,
        replacing(layout.mapping_json(results_folder)) as json_file,
    ):
        separator = "["

        def add(row: Mapping[str, Any]) -> None:
            nonlocal separator
            add_to_table(row[name] for name in columns)
            json_file.write(f"{separator}\n{json.dumps(row, ensure_ascii=False)}")
            separator = ","

        yield add
        json_file.write("[\n]\n" if separator == "[" else "\n]\n")


def read(json_path: Path) -> list[Row]:
    """The rows of a mapping.json. Raises MigrationError if it is not a mapping of this version, OSError."""
    try:
        found = [Row(**row) for row in read_json(json_path)]
        if not all(map(_is_row, found)):
            raise ValueError("wrong fields")
        return found
    except (TypeError, ValueError, NotAFile) as error:
        raise MigrationError(f"{json_path} is not a mapping: run the migration again, which writes it anew") from error


def counts(json_path: Path) -> Counter[str]:
    """How many rows of a mapping.json have each status. Raises as `read`."""
    return Counter(row.status for row in read(json_path))


def _is_row(row: Row) -> bool:
    texts = (getattr(row, name) for name in COLUMNS if name not in ("bytes", "md5"))
    return (
        all(map(is_text, texts))
        and is_id(row.file_id)
        and row.status in STATUSES
        and row.detail in get_args(Detail)
        and (row.bytes is None or is_whole_number(row.bytes))
        and (row.md5 is None or is_md5(row.md5))
    )
