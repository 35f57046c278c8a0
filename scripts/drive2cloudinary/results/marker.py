"""The marker: the JSON proof that one image, with one content, is in Cloudinary."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from drive2cloudinary.checks import is_number, is_public_id, is_text, is_time, is_whole_number
from drive2cloudinary.files import read_json_object
from drive2cloudinary.results import layout
from drive2cloudinary.results.format import numbered, without_number
from drive2cloudinary.results.listing import Image, image_of, is_marker_name
from drive2cloudinary.urls import is_url

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
        told = {name: value for name, value in self.__dict__.items() if value or name not in _OPTIONAL}
        return json.dumps(numbered(told))


_KNOWN = frozenset(Marker.__dataclass_fields__)
_OPTIONAL = {"remark", "seconds"}
_REQUIRED = _KNOWN - _OPTIONAL
_NUMBERS = ("version", "bytes", "width", "height")
_TEXTS = ("asset_id", "format", "etag")


def name_of(file_id: str, fingerprint: str) -> str:
    """The file name of the marker of one image. In: Drive's file ID, and `Image.fingerprint`."""
    return f"{file_id}.{fingerprint}.json"


def path_of(folder: Path, file_id: str, fingerprint: str) -> Path:
    """Where the marker of one image lies below a results folder; the rest as for `name_of`."""
    return named(folder, name_of(file_id, fingerprint))


def named(folder: Path, name: str) -> Path:
    """Where the marker of this file name lies below a results folder."""
    return layout.markers(folder) / name


def read(path: Path) -> Marker | None:
    """The marker in a file; None if there is none, or what is there is no whole marker of the image in its name.

    Raises NewerFormat.
    """
    value = read_json_object(path)
    if value is None:
        return None
    try:
        value = without_number(value, path)
        if not _REQUIRED <= value.keys() <= _KNOWN:
            return None
        marker = Marker(**value)
        image = image_of(marker.drive)
    except (TypeError, ValueError):
        return None
    if path.name != name_of(image.id, image.fingerprint) or not _is_asset(marker.cloudinary):
        return None
    whole = (
        is_url(marker.cloudinary["secure_url"])
        and is_url(marker.jpg_url)
        and marker.status in ("uploaded", "existing")
        and is_time(marker.uploaded_at)
        and is_text(marker.remark)
        and isinstance(marker.seconds, dict)
        and all(map(is_number, marker.seconds.values()))
    )
    return marker if whole else None


def _is_asset(value: Any) -> bool:
    """Whether this can be what Cloudinary answered; of its numbers and of some texts it may have said nothing."""
    return (
        isinstance(value, dict)
        and {"public_id", "secure_url"} <= value.keys()
        and is_public_id(value["public_id"])
        and all(is_whole_number(value[name]) for name in _NUMBERS if value.get(name) is not None)
        and all(is_text(value[name]) for name in _TEXTS if value.get(name) is not None)
    )


def fitting(folder: Path, image: Image, warn: Callable[[str], None]) -> Marker | None:
    """The marker of an image's present content, None if there is none.

    A file that should be it and is no marker is put aside as `….corrupt` and said, so that the image is pending.
    Raises NewerFormat.
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
        with os.scandir(layout.markers(folder)) as entries:
            for entry in entries:
                if is_marker_name(entry.name):
                    found[entry.name.partition(".")[0]].append(entry.name)
    except FileNotFoundError:
        pass
    return found


def remove_unfinished(folder: Path) -> None:
    """Remove what jobs that were killed while they put their marker in place have left."""
    for path in layout.markers(folder).glob("*.json.*"):
        path.unlink(missing_ok=True)
