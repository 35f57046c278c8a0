"""The marker: the JSON proof that one image, with one content, is in Cloudinary."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from drive2cloudinary.checks import is_line, is_number, is_public_id, is_text, is_time, is_whole_number
from drive2cloudinary.files import read_json_object
from drive2cloudinary.results import layout
from drive2cloudinary.results.format import numbered, without_number
from drive2cloudinary.results.listing import Image, image_of, is_marker_name
from drive2cloudinary.urls import is_url

Status = Literal["uploaded", "existing"]


@dataclass(frozen=True)
class Marker:
    """The content of a marker.

    drive: the listing's entry of the image. cloudinary: public_id, asset_id, version, secure_url, format, bytes, etag,
    width and height from Cloudinary's answer; and, if there is any, moderation, kind → status when it was stored.
    status: uploaded, or existing if the same bytes had been there before. uploaded_at: ISO time in UTC. remark: what
    the user should know about the transfer, usually "". seconds: how long "download" and "upload" took, as measured by
    Transfer.run; {} for an asset that was taken over.
    """

    drive: dict[str, Any]
    cloudinary: dict[str, Any]
    jpg_url: str
    status: Status
    uploaded_at: str
    remark: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def rejected_by(self) -> list[str]:
        """The kinds of moderation that have rejected the asset."""
        return [kind for kind, status in self._moderation.items() if status == "rejected"]

    @property
    def undecided(self) -> list[str]:
        """The kinds of moderation that had not decided when the asset was stored."""
        return [kind for kind, status in self._moderation.items() if status not in ("approved", "rejected")]

    @property
    def _moderation(self) -> dict[str, str]:
        found: dict[str, str] = self.cloudinary.get("moderation", {})
        return found

    def to_json(self) -> str:
        """The marker as one line of ASCII, without empty optional fields."""
        shown = {name: value for name, value in self.__dict__.items() if value or name not in _OPTIONAL}
        return json.dumps(numbered(shown))


_KNOWN = frozenset(Marker.__dataclass_fields__)
_OPTIONAL = {"remark", "seconds"}
_REQUIRED = _KNOWN - _OPTIONAL
_NUMBERS = ("version", "bytes", "width", "height")
_TEXTS = ("asset_id", "format", "etag")


def name_of(file_id: str, fingerprint: str) -> str:
    """The file name of the marker of one image. In: Drive's file ID, and `Image.fingerprint`."""
    return f"{file_id}.{fingerprint}.json"


def file_id_of(path: Path) -> str:
    """Drive's file ID of the image whose marker has this path."""
    return path.name.partition(".")[0]


def path_of(results_folder: Path, file_id: str, fingerprint: str) -> Path:
    """The path of one image's marker in a results folder. In: as for `name_of`."""
    return named(results_folder, name_of(file_id, fingerprint))


def named(results_folder: Path, name: str) -> Path:
    """The path of the marker with this file name in a results folder."""
    return layout.markers(results_folder) / name


def read(path: Path) -> Marker | None:
    """The marker in a file; None if there is no file, or it is not a valid marker of the image in its name.

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
    is_valid = (
        is_url(marker.cloudinary["secure_url"])
        and is_url(marker.jpg_url)
        and marker.status in ("uploaded", "existing")
        and is_time(marker.uploaded_at)
        and is_text(marker.remark)
        and isinstance(marker.seconds, dict)
        and all(map(is_number, marker.seconds.values()))
    )
    return marker if is_valid else None


def _is_asset(value: Any) -> bool:
    """Whether this is a valid asset of Cloudinary. The numbers and some texts may be missing."""
    return (
        isinstance(value, dict)
        and {"public_id", "secure_url"} <= value.keys()
        and is_public_id(value["public_id"])
        and all(is_whole_number(value[name]) for name in _NUMBERS if value.get(name) is not None)
        and all(is_text(value[name]) for name in _TEXTS if value.get(name) is not None)
        and isinstance(moderation := value.get("moderation", {}), dict)
        and all(map(is_line, [*moderation, *moderation.values()]))
    )


def of_image(results_folder: Path, image: Image, invalid: Callable[[Path], None]) -> Marker | None:
    """The marker of an image's current content; None if there is none. Raises NewerFormat.

    In: called with a file in its place that is not a valid marker.
    """
    path = path_of(results_folder, image.id, image.fingerprint)
    marker = read(path)
    if marker is None and path.exists():
        invalid(path)
    return marker


def set_aside(path: Path) -> str:
    """Rename an invalid marker to `….corrupt`, so that the image is pending again. Returns a line for the user."""
    path.replace(path.with_suffix(".corrupt"))
    return f"{not_valid(path)}, and kept as {path.stem}.corrupt"


def not_valid(path: Path) -> str:
    """The line for the user about an invalid marker."""
    return f"{path} is not a valid marker: taken as missing"


def by_file(results_folder: Path) -> dict[str, list[str]]:
    """Drive file ID → the file names of its markers, one per content. Opens none of them."""
    found: dict[str, list[str]] = defaultdict(list)
    try:
        with os.scandir(layout.markers(results_folder)) as entries:
            for entry in entries:
                if is_marker_name(entry.name):
                    found[entry.name.partition(".")[0]].append(entry.name)
    except (FileNotFoundError, NotADirectoryError):
        pass
    return found


def has_any(results_folder: Path) -> bool:
    """Whether a results folder has any marker."""
    try:
        with os.scandir(layout.markers(results_folder)) as entries:
            return any(is_marker_name(entry.name) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
