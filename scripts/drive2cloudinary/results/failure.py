"""The failure: the record of an image whose transfer failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from drive2cloudinary.causes import Cause
from drive2cloudinary.checks import is_line, is_time
from drive2cloudinary.errors import ImageError, one_line
from drive2cloudinary.files import read_json_object, write_json
from drive2cloudinary.results import layout
from drive2cloudinary.results.format import numbered


@dataclass(frozen=True)
class Failure:
    """The failure of the last try: message, time (ISO, UTC), and the `key` of its Cause.

    Another version of this tool may have written the record, so the key may be unknown.
    """

    message: str
    time: str
    cause: str = Cause.REFUSED.key

    @classmethod
    def of(cls, error: ImageError) -> Failure:
        """A failure with the current time. In: the error that ended the last try."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(one_line(error), now, error.cause.key)

    def write(self, results_folder: Path, file_id: str) -> None:
        """Write the record into a results folder. Raises OSError."""
        write_json(path_of(results_folder, file_id), numbered(asdict(self)))


def path_of(results_folder: Path, file_id: str) -> Path:
    """The file that records the failure of one Drive file."""
    return layout.failure(results_folder, file_id)


def read(results_folder: Path, file_id: str) -> Failure | None:
    """The recorded failure of one Drive file; None if there is none, or the record is invalid."""
    value = read_json_object(path_of(results_folder, file_id))
    if value is None or not {"message", "time"} <= value.keys():
        return None
    # Other versions write more fields. The format number does not matter: only the message depends on it.
    record = Failure(**{name: value[name] for name in Failure.__dataclass_fields__ if name in value})
    return record if is_line(record.message) and is_line(record.cause) and is_time(record.time) else None


def file_ids(results_folder: Path) -> set[str]:
    """The Drive files with a record, valid or not. Opens none of them."""
    try:
        return {path.stem for path in layout.failures(results_folder).iterdir()}
    except FileNotFoundError:
        return set()


def may_be_stored(results_folder: Path, file_id: str) -> bool:
    """Whether an image that failed may be in Cloudinary under its public_id: an answer can get lost."""
    record = read(results_folder, file_id)
    return record is not None and cause_of(record) not in (Cause.NAME_TAKEN, Cause.SHARED)


def forget(results_folder: Path, file_id: str) -> None:
    """Remove the record, because the image succeeded."""
    path_of(results_folder, file_id).unlink(missing_ok=True)


def cause_of(failure: Failure | None) -> Cause:
    """The cause of a failure; NOT_REACHED for an image without a record, because the run ended before its turn."""
    if failure is None:
        return Cause.NOT_REACHED
    # A newer version may know others.
    return next((cause for cause in Cause if cause.key == failure.cause), Cause.REFUSED)


@dataclass(frozen=True)
class Group:
    """The images (Drive file IDs) that failed for one cause."""

    cause: Cause
    file_ids: list[str]


def grouped(failures: Iterable[tuple[str, Failure | None]]) -> list[Group]:
    """The failures grouped by cause, in the order of Cause.

    In: (file ID, failure record or None) of each image that is not in Cloudinary.
    """
    found: dict[Cause, list[str]] = defaultdict(list)
    for file_id, failure in failures:
        found[cause_of(failure)].append(file_id)
    return [Group(cause, found[cause]) for cause in Cause if cause in found]
