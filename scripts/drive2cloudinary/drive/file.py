"""The metadata of a file, folder or shortcut in Drive."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

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
    description: any text that a user has written ("" unless the field was requested). odd: the details that Drive has
    sent, and not as its API promises; they count as missing.
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
    odd: tuple[str, ...] = ()

    @classmethod
    def from_answer(cls, answer: Any) -> DriveFile:
        """Read and check Drive's JSON for a file. Raises TransientError if it is not what the API promises.

        That is: if it does not say which file it is, where, or with which content. One of the other details that is
        not what the API promises is taken as missing, and named in `odd`.
        """
        odd: list[str] = []

        def detail(name: str, read: Callable[[Any], _Read], missing: _Read) -> _Read:
            if answer.get(name) is None:
                return missing
            try:
                return read(answer[name])
            except (KeyError, TypeError, ValueError, AttributeError):
                odd.append(name)
                return missing

        try:
            md5 = answer.get("md5Checksum")
            is_folder = answer["mimeType"] == FOLDER
            can_download, can_list = detail("capabilities", _capabilities, (True, True))
            width, height = detail("imageMediaMetadata", _picture, _picture({}))
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
                target=_target(answer.get("shortcutDetails")) if answer["mimeType"] == SHORTCUT else None,
                trashed=answer.get("trashed") is True,
                owned=answer.get("ownedByMe") is True,
                owner=detail("owners", lambda owners: ", ".join(map(_person, owners)), ""),
                can_download=can_download,
                # It is false for everything that is no folder.
                is_closed=is_folder and not can_list,
                photos=detail("spaces", lambda spaces: "photos" in spaces, False),
                width=width,
                height=height,
                description=detail("description", _text, ""),
                extension=sys.intern(detail("fileExtension", _text, "")),
                odd=tuple(odd),
            )
            texts = [file.name, file.mime_type, file.modified_time, file.drive_id, file.resource_key]
            if not all(isinstance(text, str) for text in texts) or not all(map(_is_id, (file.id, *file.parents))):
                raise ValueError("wrong types")
            if file.md5 and not re.fullmatch(r"[0-9a-f]{32}", file.md5):
                raise ValueError("md5Checksum is none")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TransientError(
                f"Drive's answer is not what its API promises: {one_line(repr(error), 100)}"
            ) from error
        return file


_Read = TypeVar("_Read")


def _is_id(value: Any) -> bool:
    return re.fullmatch(ID, value) is not None


def _text(value: Any) -> str:
    """Raises TypeError if the value is no text."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _target(details: Any) -> tuple[str, str, str] | None:
    """The ID, MIME type and resource key in the details of a shortcut; None if they do not say where it leads to."""
    if not isinstance(details, dict):
        return None
    names = ("targetId", "targetMimeType", "targetResourceKey")
    target_id, mime_type, key = (each if isinstance(each := details.get(name), str) else "" for name in names)
    return (target_id, mime_type, key) if _is_id(target_id) else None


def _capabilities(value: Any) -> tuple[bool, bool]:
    """Whether the account may download a file, and list the children of a folder. Raises AttributeError."""
    return value.get("canDownload") is not False, value.get("canListChildren") is not False


def _picture(value: Any) -> tuple[int | None, int | None]:
    """Width and height in pixels. Raises AttributeError, ValueError."""
    return _length(value.get("width")), _length(value.get("height"))


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
