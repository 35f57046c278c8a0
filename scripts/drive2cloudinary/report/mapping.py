"""The mapping: one row for each listed image, with its URL in Cloudinary or the reason why it has none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drive2cloudinary.checks import is_id, is_md5, is_text, is_whole_number
from drive2cloudinary.cloudinary import names
from drive2cloudinary.errors import MigrationError
from drive2cloudinary.files import NotAFile, read_json, replacing, replacing_table
from drive2cloudinary.paths import Folders
from drive2cloudinary.results import failure, layout, listing, marker
from drive2cloudinary.results.failure import Failure
from drive2cloudinary.results.listing import Image
from drive2cloudinary.results.marker import Marker
from drive2cloudinary.results.marker_index import MarkerIndex

UPLOAD_FAILED = "UPLOAD_FAILED"
STATUSES = ("uploaded", "existing", "failed", "pending", "skipped")
IN_CLOUDINARY = ("uploaded", "existing")
NOT_IN_CLOUDINARY = ("failed", "pending")
"""The statuses of images that were to be moved and have no URL. Pending: not tried, because the run ended before, or
because the setting `limit` leaves them for another run."""
_LEFT = "not tried: limit="
_NOT_REACHED = "not tried: the run ended before"
_CLOSED = "its folder in Drive can no longer be opened by this account"
_REJECTED = "rejected by moderation"
_UNDECIDED = "moderation had not decided"
_KEPT = "excluded, and changed in Drive since: Cloudinary has its older content"


@dataclass(frozen=True)
class Row:
    """One image. The fields are the columns of mapping.csv; status is one of STATUSES.

    error: why the image failed, is pending or was excluded; for an image in Cloudinary, what moderation made of it, and
    a remark about its transfer, usually "".
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

    @property
    def is_left(self) -> bool:
        """Whether the setting `limit` leaves the image for another run."""
        return self.status == "pending" and self.error.startswith(_LEFT)

    @property
    def is_rejected(self) -> bool:
        """Whether Cloudinary's moderation has rejected the image, so that it may not be delivered."""
        return self.status in IN_CLOUDINARY and self.error.startswith(_REJECTED)

    @property
    def is_undecided(self) -> bool:
        """Whether Cloudinary's moderation had not decided when the image was stored."""
        return self.status in IN_CLOUDINARY and self.error.startswith(_UNDECIDED)


COLUMNS = tuple(Row.__dataclass_fields__)
OF_FOLDER = ("folder_id", "folder")
"""The additional columns of the combined mapping of many Drive folders."""


@dataclass(frozen=True)
class Merged:
    """One image of a listing: its row, and what the row was made from.

    folders: as in the listing. proof: its marker, if it is in Cloudinary. failed: the record of its failure; a pending
    image has neither.
    """

    row: Row
    folders: Folders
    proof: Marker | None
    failed: Failure | None


def merged(
    images: Iterable[Image],
    results_folder: Path,
    markers: MarkerIndex,
    warn: Callable[[str], None],
    limit: int | None = None,
    to_move: Container[str] = (),
) -> Iterator[Merged]:
    """The images of a listing with their markers and failures in the results folder, in the mapping's order.

    One at a time, because the markers of 100,000 images would take 300 MB. In: the index of the markers, which learns
    which are valid; `warn`, called with a line about each invalid marker, which is renamed; the setting `limit`, and
    the images (Drive file IDs) that the run had to move and that may have no marker yet. Raises NewerFormat, OSError.
    """

    def invalid(path: Path) -> None:
        warn(marker.set_aside(path))

    for image in sorted(images, key=lambda each: each.order):
        left = limit is not None and image.id not in to_move
        each = _merged(image, results_folder, invalid, f"{_LEFT}{limit}" if left else "")
        if each.proof:
            markers.has_read(marker.name_of(image.id, image.fingerprint))
        yield each


def combined(mappings: Iterable[Path]) -> list[dict[str, Any]]:
    """The rows of several mapping.json, each with the ID and name of its Drive folder added.

    Raises MigrationError if one has no listing beside it, or is not a mapping.
    """
    found = []
    for path in mappings:
        drive = listing.head(layout.listing(path.parent))
        more = dict(zip(OF_FOLDER, (drive.folder_id, drive.folder), strict=True))
        found += [{**vars(row), **more} for row in read(path)]
    return found


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


@dataclass(frozen=True)
class Summary:
    """What several mappings say: the number of rows by status; how many images the setting `limit` leaves for another
    run; how many moderation has rejected, and of how many it had not decided; the images that should be in Cloudinary
    and are not, grouped by their failures' causes.
    """

    counts: Counter[str]
    left: int
    rejected: int
    undecided: int
    failures: list[failure.Group]


def summary(json_paths: Iterable[Path]) -> Summary:
    """Sum up several mapping.json. Raises as `read`."""
    counts: Counter[str] = Counter()
    left = rejected = undecided = 0
    failed = []
    for path in json_paths:
        for row in read(path):
            counts[row.status] += 1
            left += row.is_left
            rejected += row.is_rejected
            undecided += row.is_undecided
            if row.status in NOT_IN_CLOUDINARY and not row.is_left:
                failed.append((row.file_id, failure.read(path.parent, row.file_id)))
    return Summary(counts, left, rejected, undecided, failure.grouped(failed))


def _is_row(row: Row) -> bool:
    texts = (getattr(row, name) for name in COLUMNS if name not in ("bytes", "md5"))
    return (
        all(map(is_text, texts))
        and is_id(row.file_id)
        and row.status in STATUSES
        and (row.bytes is None or is_whole_number(row.bytes))
        and (row.md5 is None or is_md5(row.md5))
    )


def _merged(image: Image, results_folder: Path, invalid: Callable[[Path], None], left: str) -> Merged:
    """In: the error of an image that this run leaves for another one, "" if it does not."""
    proof, remark = marker.of_image(results_folder, image, invalid), ""
    if not proof and image.skipped and image.replaces:
        proof, remark = marker.read(marker.named(results_folder, image.replaces["marker"])), _KEPT
    failed = None
    public_id, error = image.public_id, ""
    if proof:
        url, jpg_url, status = proof.cloudinary["secure_url"], proof.jpg_url, str(proof.status)
        public_id = proof.cloudinary["public_id"]
        remarks = _moderated(proof, bool(image.skipped)), remark, _CLOSED if image.closed else "", proof.remark
        error = "; ".join(filter(None, remarks))
    elif image.skipped:
        url, jpg_url, status, error = "", "", "skipped", image.skipped
    else:
        failed = None if left else failure.read(results_folder, image.id)
        url, jpg_url, status = UPLOAD_FAILED, UPLOAD_FAILED, "failed" if failed else "pending"
        error = failed.message if failed else left or _NOT_REACHED
    row = Row(
        local_filename=names.stem(image.name, image.extension),
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
    return Merged(row, image.folders, proof, failed)


def _moderated(proof: Marker, is_excluded: bool) -> str:
    """The remark about an image that moderation has not approved, "" for others.

    Of an excluded image it begins with another word, so that it does not count: the user has decided about it.
    """
    words = ""
    if proof.rejected_by:
        words = f"{_REJECTED} ({', '.join(proof.rejected_by)}): Cloudinary may not deliver it"
    elif proof.undecided:
        words = f"{_UNDECIDED} ({', '.join(proof.undecided)}) when it was stored"
    return f"excluded; {words}" if words and is_excluded else words
