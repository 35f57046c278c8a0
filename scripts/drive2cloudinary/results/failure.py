"""The failure: the record of an image that could not be moved."""

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
    """What is known of the last try: message, time (ISO, UTC).

    cause is the `key` of a Cause, whatever version of this tool wrote the record.
    """

    message: str
    time: str
    cause: str = Cause.REFUSED.key

    @classmethod
    def of(cls, error: ImageError) -> Failure:
        """The failure of this moment. In: the error that ended the last try."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(one_line(error), now, error.cause.key)

    def write(self, folder: Path, file_id: str) -> None:
        """Record it below a results folder. Raises OSError."""
        write_json(path_of(folder, file_id), numbered(asdict(self)))


def path_of(folder: Path, file_id: str) -> Path:
    """Where the failure of one Drive file is recorded below a results folder."""
    return layout.failure(folder, file_id)


def read(folder: Path, file_id: str) -> Failure | None:
    """The recorded failure of one Drive file, None if there is none, or what is there is no whole record."""
    value = read_json_object(path_of(folder, file_id))
    if value is None or not {"message", "time"} <= value.keys():
        return None
    # Other versions write more. Whatever their format: no more than a message hangs on it.
    record = Failure(**{name: value[name] for name in Failure.__dataclass_fields__ if name in value})
    return record if is_line(record.message) and is_line(record.cause) and is_time(record.time) else None


def forget(folder: Path, file_id: str) -> None:
    """The image succeeded."""
    path_of(folder, file_id).unlink(missing_ok=True)


def cause_of(failure: Failure | None) -> Cause:
    """The cause of a recorded failure, or of an image that has none, because the run did not come to it."""
    if failure is None:
        return Cause.NOT_REACHED
    # An older version recorded no cause, a newer one may know others.
    return next((cause for cause in Cause if cause.key == failure.cause), Cause.REFUSED)


@dataclass(frozen=True)
class Group:
    """The images (Drive file IDs) that one cause kept from being moved."""

    cause: Cause
    file_ids: list[str]


def grouped(failures: Iterable[tuple[str, Failure | None]]) -> list[Group]:
    """Failures by cause, in the order of Cause.

    In: the file ID of each image that is not in Cloudinary, with the record of its failure if there is one.
    """
    found: dict[Cause, list[str]] = defaultdict(list)
    for file_id, failure in failures:
        found[cause_of(failure)].append(file_id)
    return [Group(cause, found[cause]) for cause in Cause if cause in found]
