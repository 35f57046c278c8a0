"""The listing: all images found in the Drive folder at one moment."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .causes import Cause
from .errors import ImageError, MigrationError
from .files import read_json_object, replacing


@dataclass(frozen=True)
class Image:
    """One Drive file of the listing.

    folder_path is relative to the migrated folder, "" for itself; size in bytes and md5 are None where Drive has none;
    modified_time as Drive writes it (RFC 3339). replaces: of an image whose content has changed, what its old marker
    says of the asset (its version and etag if it is our own, and the marker's file name); skipped: the setting that
    leaves it out; resource_key: what a link-shared file asks for; no_download: Drive shows it to this account, and does
    not let it be downloaded; photos: it came from Google Photos, where Drive's md5 may be wrong.
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
    no_download: bool = False
    photos: bool = False

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


_OPTIONAL = {"replaces", "skipped", "resource_key", "no_download", "photos"}
_FIELDS = {each.name for each in fields(Image)}


@dataclass(frozen=True)
class Listing:
    """A whole listing: of which Drive folder (ID and name), for which Cloudinary folder, when (ISO, UTC), by which run.

    run is "" if it was made by a dry run. Its images are in the order of their IDs, so that one is found in the file
    without reading all.
    """

    folder_id: str
    folder: str
    cloudinary_folder: str
    listed_at: str
    run: str
    images: Sequence[Image] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Put the listing into a file, one line for each image, whole or not at all. Raises OSError."""
        head = {name: getattr(self, name) for name in _HEAD}
        with replacing(path) as stream:
            stream.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "images": [')
            for number, image in enumerate(sorted(self.images, key=lambda each: each.id)):
                stream.write(("," if number else "") + "\n" + json.dumps(image.to_dict(), ensure_ascii=False))
            stream.write("\n]}\n")


_HEAD = ("folder_id", "folder", "cloudinary_folder", "listed_at", "run")


def read(path: Path) -> Listing:
    """The listing in a file. Raises MigrationError if there is none."""
    value = read_json_object(path)
    try:
        if value is None:
            raise TypeError("not a JSON object")
        return _listing(value, [_image(entry) for entry in value["images"]])
    except (KeyError, TypeError) as error:
        raise _no_listing(path) from error


def head(path: Path) -> Listing:
    """The listing in a file without its images, of which nothing is read. Raises MigrationError if there is none."""
    try:
        with path.open(encoding="utf-8") as stream:
            return _listing(json.loads(f"{stream.readline()}]}}"), [])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_listing(path) from error


class Entries:
    """The images of a listing by their IDs, each read from the file when it is asked for: 100,000 take no memory."""

    def __init__(self, path: Path) -> None:
        """Raises MigrationError if there is no listing at `path`."""
        self.head = head(path)
        with path.open("rb") as stream:
            self._text = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)

    def image(self, file_id: str) -> Image:
        """The image of this ID. Raises ImageError if it is not listed."""
        # Between the head, and the line that closes the list.
        low, high = self._text.find(b"\n") + 1, self._text.rfind(b"\n", 0, -1) + 1
        while low < high:
            start = self._text.rfind(b"\n", 0, (low + high) // 2) + 1
            end = self._text.find(b"\n", start) + 1
            image = _image(json.loads(self._text[start:end].rstrip(b",\n")))
            if image.id == file_id:
                return image
            low, high = (end, high) if image.id < file_id else (low, start)
        raise ImageError("this file is not in the listing: run snakemake again", Cause.CHANGED)


def made_by(path: Path) -> str:
    """The run that made the listing in a file; "" if there is none."""
    try:
        return head(path).run
    except MigrationError:
        return ""


def _listing(value: dict[str, Any], images: list[Image]) -> Listing:
    # Before there were many folders in a run, no listing named its Cloudinary folder.
    head = {"cloudinary_folder": "", **{name: value[name] for name in _HEAD if name in value}}
    return Listing(**head, images=images)


def _image(entry: dict[str, Any]) -> Image:
    return Image(**{name: entry[name] for name in entry if name in _FIELDS})


def _no_listing(path: Path) -> MigrationError:
    return MigrationError(f"{path} is not a listing: delete it, and the next run lists anew")
