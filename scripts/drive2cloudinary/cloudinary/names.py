"""Valid names for Cloudinary: public_id, folder and display name of an asset.

The rules of the parameter "public_id": 1–255 characters, none of `? & # \\ % < > +`, no space or `/` at either end, and
no folder named `v` and digits (that is a version in a delivery URL). The service may replace other special characters:
see `asset_key`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from drive2cloudinary.cloudinary import formats
from drive2cloudinary.paths import Folders

LONGEST = 255
_UNDERSCORED = str.maketrans(dict.fromkeys("?&#\\%<>+", "_"))
_JOINERS = {"\u200c", "\u200d"}
"""Kept although they are format characters: emoji and several scripts need them."""


class _Plain(dict[int, int]):
    """A table for str.translate that maps every character that the service may replace to `_`."""

    def __missing__(self, code: int) -> int:
        kept = chr(code) in "./-" or unicodedata.category(chr(code))[0] in "LN"
        return self.setdefault(code, code if kept else ord("_"))


_PLAIN = _Plain()


def stem(filename: str, extension: str = "") -> str:
    """A file name without its extension: `a.b.jpg` → `a.b`; `.hidden` and `Scan 05.01.2024` are unchanged.

    What stands behind the last dot is one if it is that of a picture's format, or if Drive takes it for one. In: what
    Drive takes for the extension, "" if unknown. Digits alone are never one.
    """
    name, _, last = filename.rpartition(".")
    is_drives = last.casefold() == extension.casefold() and not last.isdecimal()
    return name if name and last and (is_drives or formats.mime_type(last)) else filename


def public_id(folder_name: str, folders: Folders, filename: str, extension: str = "") -> str:
    """The valid public_id of an image, before collisions are resolved.

    In: the Cloudinary folder, in which `/` separates folders; the names of the Drive folders that the image is in; its
    file name, and its extension as for `stem`. All may be any text. Out: `folder_name/folders/stem`, each part made
    valid: a Drive folder is one part, whatever its name.
    """
    folder = asset_folder(folder_name, folders)
    name = _segment(stem(filename, extension).replace("/", "_"))
    return _join(folder, name)


def unchanged(folder_name: str, folders: Folders, filename: str, extension: str = "") -> str:
    """The public_id that users expect, from the names as they are. It may be invalid. In: as for `public_id`."""
    expected = "/".join([folder_name, *folders, stem(filename, extension)])
    return unicodedata.normalize("NFC", expected)


@lru_cache(maxsize=256)
def asset_folder(folder_name: str, folders: Folders) -> str:
    """The Cloudinary folder of an image, valid and at most 200 characters long. In: as for `public_id`."""
    parts = [part for part in folder_name.split("/") if part.strip()] + [name.replace("/", "_") for name in folders]
    segments = [_segment(part) for part in parts]
    folder = "/".join(_not_a_version(segment) for segment in segments) or "_"
    if len(folder) > 200:
        folder = "/".join(_not_a_version(_segment(part)) for part in folder[:200].split("/") if part.strip())
    return folder


def display_name(filename: str, extension: str = "") -> str:
    """The name for Cloudinary's media library, which adds the extension itself: at most 255 characters.

    In: as for `stem`.
    """
    return _printable(stem(filename, extension).replace("/", "_"))[:LONGEST].strip() or "_"


def sent_filename(filename: str) -> str:
    """The file name to send with the bytes: Cloudinary knows some formats, such as raw photos, by its extension only.

    Out: no slash or control character; at most 255 characters, the last ones, so that the extension stays.
    """
    return _printable(filename.replace("/", "_"))[-LONGEST:].strip() or "_"


def is_valid(public_id: str) -> bool:
    """Whether a public_id keeps all rules as it is. In: in Unicode's composed form (NFC)."""
    *folders, name = public_id.split("/")
    kept = all(_segment(part) == part for part in (*folders, name))
    return kept and len(public_id) <= LONGEST and all(_not_a_version(each) == each for each in folders)


def with_suffix(name: str, suffix: str) -> str:
    """`name_suffix`; `name` is shortened if the result would be too long."""
    return f"{name[: LONGEST - len(suffix) - 1].rstrip(' /')}_{suffix}"


def asset_key(public_id: str) -> str:
    """A key for comparison: public_ids that the service may take for the same asset have equal keys. Never sent.

    The service keeps letters and digits of any language, `.` and `-`. It replaces some other characters with `_` and
    strips them at the ends, but does not document which. So, in each part of the path, every other character becomes
    `_`, and `_` at the ends is removed. A part that has no other characters becomes empty: `a/(/b` is not `a/b`.
    """
    return "/".join([part.strip("_") for part in public_id.translate(_PLAIN).split("/")])


def looks_like_a_transformation(folder: str) -> bool:
    """Whether Cloudinary takes the first part of a path, as in `my_photos/x`, for a transformation in a URL.

    It does so only if the URL has no version.
    """
    return bool(re.match("[^/_]{1,3}_", folder))


def hidden(character: str) -> bool:
    """Whether a character is invisible or changes the text's direction: control and format characters, lone surrogates.

    A lone surrogate is valid in JSON, but not in a URL.
    """
    category = unicodedata.category(character)
    return category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and character not in _JOINERS)


def _segment(text: str) -> str:
    clean = _printable(text).translate(_UNDERSCORED).strip()
    return "_" * len(clean) if set(clean) <= {"."} and clean else clean or "_"


def _printable(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    # NFC, so that two encodings of one name are equal.
    return unicodedata.normalize("NFC", "".join("_" if hidden(character) else character for character in text))


def _not_a_version(segment: str) -> str:
    return f"_{segment}" if re.fullmatch(r"v\d+", segment) else segment


def _join(folder: str, name: str) -> str:
    room = LONGEST - len(folder) - 1
    return f"{folder}/{name[:room].rstrip() or '_'}"
