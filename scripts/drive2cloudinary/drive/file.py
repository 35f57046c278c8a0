"""The metadata of a file, folder or shortcut in Drive."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from drive2cloudinary.checks import LARGEST_NUMBER
from drive2cloudinary.errors import TransientError, one_line
from drive2cloudinary.settings import ID

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
GENERIC = ("application/octet-stream", "binary/octet-stream")
"""MIME types that say nothing of a file. Some programs give them to pictures, too."""
GENERIC_PREFIXES = ("application/octet", "binary/")
"""What finds them in a query, which is to be short (FOLDERS_PER_QUERY)."""
FILE_FIELDS = (
    "id,name,mimeType,fileExtension,size,md5Checksum,modifiedTime,parents,driveId,resourceKey,spaces,"
    "capabilities(canDownload,canListChildren),shortcutDetails,imageMediaMetadata(width,height)"
)
WITH_DESCRIPTION = f"{FILE_FIELDS},description"
"""FILE_FIELDS, and the description, which may be long."""
PLACE_FIELDS = (
    "id,name,mimeType,fileExtension,parents,driveId,resourceKey,ownedByMe,owners(displayName,emailAddress),"
    "capabilities/canListChildren"
)
"""The fields that tell in which folder a file is, and whose it is."""


@dataclass(frozen=True, slots=True)
class DriveFile:
    """The metadata of a file, folder or shortcut in Drive.

    extension: what Drive itself takes for the name's extension, "" if it takes nothing for one. size (in bytes) and md5
    are None if Drive has none; resource_key is "" if none is needed; drive_id is the ID of the shared drive or "".
    target: for a shortcut, the (id, MIME type, resource key) of its target, if Drive knows it. owned: the account owns
    the file; owner: the name and address of who does, "" in a shared drive (both only if the field was requested).
    can_download is False if the account may view the file but not download it. is_closed: this is a folder that the
    account sees but may not open ("limited access"); a query for its children finds nothing, without an error. photos:
    the file came from Google Photos. width, height: of an image in pixels, as stored; None if Drive does not know.
    description: any text that a user has written ("" unless the field was requested).
    """

    id: str
    name: str
    mime_type: str
    size: int | None
    md5: str | None
    modified_time: str
    parents: tuple[str, ...]
    drive_id: str
    resource_key: str
    target: tuple[str, str, str] | None
    trashed: bool = False
    owned: bool = False
    owner: str = ""
    can_download: bool = True
    is_closed: bool = False
    photos: bool = False
    width: int | None = None
    height: int | None = None
    description: str = ""
    extension: str = ""

    @classmethod
    def from_answer(cls, answer: Any) -> DriveFile:
        """Read and check Drive's JSON for a file. Raises TransientError if it is not what the API promises."""
        try:
            md5 = answer.get("md5Checksum")
            picture = answer.get("imageMediaMetadata", {})
            capabilities = answer.get("capabilities", {})
            details = answer.get("shortcutDetails") if answer["mimeType"] == SHORTCUT else None
            file = cls(
                id=answer["id"],
                name=answer["name"],
                # Texts that many files share are kept once: a listing holds 100,000 files.
                mime_type=sys.intern(answer["mimeType"]),
                size=_size(answer["size"]) if "size" in answer else None,
                md5=md5.lower() if md5 else None,
                modified_time=answer.get("modifiedTime", ""),
                parents=tuple(map(sys.intern, answer.get("parents", ()))),
                drive_id=sys.intern(answer.get("driveId", "")),
                resource_key=answer.get("resourceKey", ""),
                target=details
                and (details["targetId"], details.get("targetMimeType", ""), details.get("targetResourceKey", "")),
                trashed=answer.get("trashed") is True,
                owned=answer.get("ownedByMe") is True,
                owner=", ".join(map(_person, answer.get("owners", ()))),
                can_download=capabilities.get("canDownload") is not False,
                # It is false for everything that is no folder.
                is_closed=answer["mimeType"] == FOLDER and capabilities.get("canListChildren") is False,
                photos="photos" in answer.get("spaces", ()),
                width=_length(picture.get("width")),
                height=_length(picture.get("height")),
                description=answer.get("description", ""),
                extension=sys.intern(answer.get("fileExtension", "")),
            )
            ids = [file.id, *file.parents, *([file.target[0]] if file.target else [])]
            texts = [
                file.name,
                file.mime_type,
                file.modified_time,
                file.drive_id,
                file.resource_key,
                file.description,
                *(file.target or ()),
            ]
            if not all(isinstance(text, str) for text in texts) or not all(re.fullmatch(ID, i) for i in ids):
                raise ValueError("wrong types")
            if file.md5 and not re.fullmatch(r"[0-9a-f]{32}", file.md5):
                raise ValueError("md5Checksum is none")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TransientError(
                f"Drive's answer is not what its API promises: {one_line(repr(error), 100)}"
            ) from error
        return file


def _length(value: Any) -> int | None:
    """A number of pixels, at most 32 bits (discovery document: int32); None for none or 0. Raises ValueError."""
    if value is not None and (type(value) is not int or not 0 <= value < 1 << 31):
        raise ValueError("not a number of pixels")
    return value or None


def _person(user: Any) -> str:
    """A user's name and mail address, which the user may hide. Raises AttributeError, TypeError."""
    name, address = user.get("displayName", ""), user.get("emailAddress", "")
    return f"{name} <{address}>" if address else str(name)


def _size(text: Any) -> int:
    """The number of bytes, which Drive sends as decimal digits of a 64-bit number. Raises ValueError."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,19}", text):
        raise ValueError("size is no number")
    size = int(text)
    if size > LARGEST_NUMBER:
        raise ValueError("size is no 64-bit number")
    return size


def known_by_extension(file: DriveFile, type_of: Callable[[str], str]) -> DriveFile:
    """The file, of a type that says what it is: some programs write pictures as a type that says nothing.

    In: a function from an extension to the MIME type of a picture, "" if it is the extension of none.
    """
    kind = type_of(file.extension) if file.mime_type in GENERIC else ""
    return replace(file, mime_type=kind) if kind else file
