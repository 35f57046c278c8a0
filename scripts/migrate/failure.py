"""The failure: the record of an image that could not be moved."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from .causes import Cause
from .checks import is_line, is_time
from .errors import ImageError, one_line
from .files import read_json_object, write_json


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
        write_json(path_of(folder, file_id), asdict(self))


def path_of(folder: Path, file_id: str) -> Path:
    """Where the failure of one Drive file is recorded below a results folder."""
    return folder / "failures" / f"{file_id}.json"


def read(folder: Path, file_id: str) -> Failure | None:
    """The recorded failure of one Drive file, None if there is none, or what is there is no whole record."""
    value = read_json_object(path_of(folder, file_id))
    if value is None or not {"message", "time"} <= value.keys():
        return None
    # Earlier versions wrote more.
    record = Failure(**{name: value[name] for name in Failure.__dataclass_fields__ if name in value})
    return record if is_line(record.message) and is_line(record.cause) and is_time(record.time) else None


def forget(folder: Path, file_id: str) -> None:
    """The image succeeded."""
    path_of(folder, file_id).unlink(missing_ok=True)
