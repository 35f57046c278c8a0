"""The listing: all images found in the Drive folder at one moment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import MigrationError
from .files import read_json_object, replacing


@dataclass(frozen=True)
class Image:
    """One Drive file of the listing.

    folder_path is relative to the migrated folder, "" for itself; size in bytes and md5 are None where Drive has none;
    modified_time as Drive writes it (RFC 3339). replaces: of an image whose content has changed, what its old marker
    says of the asset (its version and etag if it is our own, and the marker's file name); skipped: the setting that
    leaves it out; resource_key: what a link-shared file asks for.
    """

    id: str
    name: str
    folder_path: str
    mime_type: str
    size: int | None
    md5: str | None
    modified_time: str
    public_id: str
    replaces: dict[str, Any] | None = None
    skipped: str = ""
    resource_key: str = ""

    @property
    def fingerprint(self) -> str:
        """The MD5 in the marker's name: of the content, or, where Drive knows none, of its size and modified time."""
        return self.md5 or hashlib.md5(f"{self.size} {self.modified_time}".encode(), usedforsecurity=False).hexdigest()

    @property
    def path(self) -> str:
        """The path in Drive below the migrated folder, for people."""
        return f"{self.folder_path}/{self.name}" if self.folder_path else self.name

    def to_dict(self) -> dict[str, Any]:
        """The listing's entry; optional fields only where they say something."""
        return {name: value for name, value in self.__dict__.items() if value or name not in _OPTIONAL}


_OPTIONAL = {"replaces", "skipped", "resource_key"}
_FIELDS = {each.name for each in fields(Image)}


@dataclass(frozen=True)
class Listing:
    """A whole listing: the Drive folder's ID and name, when it was listed (ISO, UTC), by which run, and its images.

    run is "" if it was made by a dry run.
    """

    folder_id: str
    folder: str
    listed_at: str
    run: str
    images: Sequence[Image] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Put the listing into a file, one line for each image, whole or not at all. Raises OSError."""
        head = json.dumps(
            {"folder_id": self.folder_id, "folder": self.folder, "listed_at": self.listed_at, "run": self.run},
            ensure_ascii=False,
        )
        with replacing(path) as stream:
            stream.write(head[:-1] + ', "images": [')
            for number, image in enumerate(self.images):
                stream.write(("," if number else "") + "\n" + json.dumps(image.to_dict(), ensure_ascii=False))
            stream.write("\n]}\n")


def read(path: Path) -> Listing:
    """The listing in a file. Raises MigrationError if there is none."""
    value = read_json_object(path)
    try:
        if value is None:
            raise TypeError("not a JSON object")
        images = [Image(**{name: entry[name] for name in entry if name in _FIELDS}) for entry in value["images"]]
        return Listing(value["folder_id"], value["folder"], value["listed_at"], value["run"], images)
    except (KeyError, TypeError) as error:
        raise MigrationError(f"{path} is not a listing: delete it, and the next run lists anew") from error


def made_by(path: Path) -> str:
    """The run that made the listing in a file; "" if there is none. Reads its first line only."""
    try:
        with path.open(encoding="utf-8") as stream:
            return str(json.loads(f"{stream.readline()}]}}")["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
