"""The marker: the JSON proof that one image, with one content, is in Cloudinary."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .files import read_json_object
from .listing import Image
from .urls import is_url

Status = Literal["uploaded", "existing"]


@dataclass(frozen=True)
class Marker:
    """What a marker holds.

    drive: the listing's entry that was uploaded; cloudinary: public_id, asset_id, version, secure_url, format, bytes,
    etag, width, height, as Cloudinary answered; jpg_url; status: uploaded, or existing if the same bytes were there
    already; uploaded_at: ISO time in UTC; remark: what the user should know of how it came there, mostly ""; seconds:
    how long "download" and "upload" took, as Transfer.move measures them, {} in a marker from before it did.
    """

    drive: dict[str, Any]
    cloudinary: dict[str, Any]
    jpg_url: str
    status: Status
    uploaded_at: str
    remark: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """The marker as one line of ASCII, optional fields only where they say something."""
        return json.dumps({name: value for name, value in self.__dict__.items() if value or name not in _OPTIONAL})


_KNOWN = frozenset(Marker.__dataclass_fields__)
_OPTIONAL = {"remark", "seconds"}
_REQUIRED = _KNOWN - _OPTIONAL


def name_of(file_id: str, fingerprint: str) -> str:
    """The file name of the marker of one image. In: Drive's file ID, and `Image.fingerprint`."""
    return f"{file_id}.{fingerprint}.json"


def path_of(folder: Path, file_id: str, fingerprint: str) -> Path:
    """Where the marker of one image lies below a results folder; the rest as for `name_of`."""
    return named(folder, name_of(file_id, fingerprint))


def named(folder: Path, name: str) -> Path:
    """Where the marker of this file name lies below a results folder."""
    return Path(folder, "markers", name)


def read(path: Path) -> Marker | None:
    """The marker in a file; None if there is none, or what is there is no whole marker of the image in its name."""
    value = read_json_object(path)
    if value is None or not _REQUIRED <= value.keys() <= _KNOWN:
        return None
    marker = Marker(**value)
    drive, cloudinary = marker.drive, marker.cloudinary
    if not isinstance(drive, dict) or not isinstance(cloudinary, dict):
        return None
    if not isinstance(marker.remark, str) or not isinstance(marker.seconds, dict):
        return None
    if not is_url(cloudinary.get("secure_url")) or not is_url(marker.jpg_url):
        return None
    texts = (cloudinary.get("public_id"), marker.status)
    named = path.name.startswith(f"{drive.get('id')}.")
    return marker if named and all(isinstance(text, str) and text for text in texts) else None


def fitting(folder: Path, image: Image, warn: Callable[[str], None]) -> Marker | None:
    """The marker of an image's present content, None if there is none.

    A file that should be it and is no marker is put aside as `….corrupt` and said, so that the image is pending.
    """
    path = path_of(folder, image.id, image.fingerprint)
    marker = read(path)
    if marker is None and path.exists():
        path.replace(path.with_suffix(".corrupt"))
        warn(f"{path} is no whole marker: taken as missing, and kept as {path.stem}.corrupt")
    return marker


def by_file(folder: Path) -> dict[str, list[str]]:
    """All markers of a results folder: Drive file ID → the file names of its contents' markers. Opens none of them."""
    found: dict[str, list[str]] = defaultdict(list)
    try:
        with os.scandir(folder / "markers") as entries:
            for entry in entries:
                file_id, _, rest = entry.name.partition(".")
                if file_id and rest.endswith(".json"):
                    found[file_id].append(entry.name)
    except FileNotFoundError:
        pass
    return found


def remove_unfinished(folder: Path) -> None:
    """Remove what jobs that were killed while they put their marker in place have left."""
    for path in (folder / "markers").glob("*.json.*"):
        path.unlink(missing_ok=True)
