"""The names that Cloudinary takes: public_id, folder and display name of an asset.

The rules are those of Cloudinary's "public_id" parameter: 1–255 characters, none of `? & # \\ % < > +`, no space or `/`
at either end, and no folder called `v` and digits (that is a version in a delivery URL). The service may replace other
special characters: see `asset_key`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST = 255
_UNDERSCORED = str.maketrans(dict.fromkeys("?&#\\%<>+", "_"))
_JOINERS = {"\u200c", "\u200d"}
"""Kept although they are format characters: emoji and several scripts need them."""


class _Plain(dict[int, int]):
    """For str.translate: all that the service may replace in a part of a path becomes `_`."""

    def __missing__(self, code: int) -> int:
        kept = chr(code) in "./-" or unicodedata.category(chr(code))[0] in "LN"
        return self.setdefault(code, code if kept else ord("_"))


_PLAIN = _Plain()


def stem(filename: str) -> str:
    """A Drive file's name without its extension: `a.b.jpg` → `a.b`; `.hidden` and `no extension` stay as they are."""
    name, dot, extension = filename.rpartition(".")
    return name if dot and name and re.fullmatch(r"\w{1,8}", extension) else filename


def public_id(folder_name: str, folder_path: str, filename: str) -> str:
    """The valid public_id that an image would have if it were the only one.

    In: the Cloudinary folder, the image's folder in Drive relative to the migrated one ("" for itself), and its file
    name there, all of them any text at all. Out: `folder_name/folder_path/stem`, each part made valid.
    """
    folder = asset_folder(folder_name, folder_path)
    name = _segment(stem(filename).replace("/", "_"))
    return _join(folder, name)


def unchanged(folder_name: str, folder_path: str, filename: str) -> str:
    """The public_id that people expect: their own words, which Cloudinary may not take. In: as for `public_id`."""
    expected = "/".join(part for part in (folder_name, folder_path, stem(filename)) if part)
    return unicodedata.normalize("NFC", expected)


@lru_cache(maxsize=256)
def asset_folder(folder_name: str, folder_path: str) -> str:
    """The Cloudinary folder of an image, valid and at most 200 characters long."""
    segments = [_segment(part) for part in [*folder_name.split("/"), *folder_path.split("/")] if part.strip()]
    folder = "/".join(_not_a_version(segment) for segment in segments) or "_"
    if len(folder) > 200:
        folder = "/".join(_not_a_version(_segment(part)) for part in folder[:200].split("/") if part.strip())
    return folder


def display_name(filename: str) -> str:
    """A file's name as Cloudinary's media library shows it: no slash or control character, at most 255 characters."""
    return _printable(filename.replace("/", "_"))[:LONGEST].strip() or "_"


def with_suffix(name: str, suffix: str) -> str:
    """`name` with `_suffix` at its end, shortened before it if the whole would be too long."""
    return f"{name[: LONGEST - len(suffix) - 1].rstrip(' /')}_{suffix}"


def asset_key(public_id: str) -> str:
    """The form in which two public_ids may be one asset to the service: equal for all that may be. Never sent.

    The service keeps letters and digits of any language, `.` and `-`. It replaces other special characters by `_` and
    cuts them off at the ends, but does not say which ones. So in each part of the path every other character counts as
    `_`, and `_` at its ends does not count. A part of nothing else stays as an empty one: `a/(/b` is not `a/b`.
    """
    return "/".join([part.strip("_") for part in public_id.translate(_PLAIN).split("/")])


def hidden(character: str) -> bool:
    """Whether a character shows nothing, or turns letters round: a control or format character, a lone surrogate.

    The latter can stand in JSON, but in no URL.
    """
    category = unicodedata.category(character)
    return category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and character not in _JOINERS)


def _segment(text: str) -> str:
    clean = _printable(text).translate(_UNDERSCORED).strip()
    return "_" * len(clean) if set(clean) <= {"."} and clean else clean or "_"


def _printable(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    # NFC, so that one name written in two ways is one name.
    return unicodedata.normalize("NFC", "".join("_" if hidden(character) else character for character in text))


def _not_a_version(segment: str) -> str:
    return f"_{segment}" if re.fullmatch(r"v\d+", segment) else segment


def _join(folder: str, name: str) -> str:
    room = LONGEST - len(folder) - 1
    return f"{folder}/{name[:room].rstrip() or '_'}"
