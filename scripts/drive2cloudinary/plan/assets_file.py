"""The CSV file of the setting `assets`: values for single images."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drive2cloudinary.checks import is_id
from drive2cloudinary.cloudinary import names, texts
from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.files import read_table

COLUMNS = ("file_id", "path", "tags", "alt", "caption", "public_id")
NAMED = 3
"""How many lines a warning names."""


@dataclass(frozen=True)
class Line:
    """One line: its place for messages, the image (by Drive file ID or by path), and its values, empty if not given.

    path: below the migrated Drive folder. public_id: whole, with its folders.
    """

    where: str
    file_id: str
    path: str
    tags: tuple[str, ...]
    alt: str
    caption: str
    public_id: str


def read(name: str) -> list[Line]:
    """The lines of the file, checked; [] if no file is set. Raises MigrationError for the first wrong one."""
    if not name:
        return []
    table = read_table(Path(name))
    _, header = next(table, ("", []))
    if not set(header) <= set(COLUMNS) or not {"file_id", "path"} & set(header):
        needs = f"file_id or path, and any of {', '.join(COLUMNS[2:])}"
        raise MigrationError(f"{name}, line 1: the columns must be {needs}")
    found = [_line(where, header, cells) for where, cells in table]
    for key in ("file_id", "path", "public_id"):
        _check_unique(found, key)
    return found


def of_images(lines: Iterable[Line], images: Iterable[tuple[str, str]], warn: Callable[[str], None]) -> dict[str, Line]:
    """Drive file ID → the line about that image.

    In: (file ID, path) of all images; `warn`, called if lines fit no image. Raises MigrationError if two lines are
    about one image, or a path with a public_id fits several.
    """
    by_path: dict[str, list[str]] = {}
    file_ids = set()
    for file_id, path in images:
        file_ids.add(file_id)
        by_path.setdefault(_composed(path), []).append(file_id)
    given: dict[str, Line] = {}
    unused = []
    for line in lines:
        found: Collection[str] = _at(line.path, by_path) if line.path else file_ids & {line.file_id}
        if line.public_id and len(found) > 1:
            raise MigrationError(
                f"{line.where}: {one_line(line.path, 100)} fits {len(found)} images, which cannot have one public_id: "
                "give file_id instead"
            )
        for file_id in found:
            if file_id in given:
                raise MigrationError(f"{line.where}: the image is that of {given[file_id].where}, too")
            given[file_id] = line
        if not found:
            unused.append(line)
    if unused:
        examples = ", ".join(f"{each.where} ({one_line(each.path or each.file_id, 100)})" for each in unused[:NAMED])
        warn(f"no image of this Drive folder fits {examples}{', …' if len(unused) > NAMED else ''}")
    return given


def _line(where: str, header: Sequence[str], row: Sequence[str]) -> Line:
    if any(row[len(header) :]):
        raise MigrationError(f"{where}: more cells than columns")
    cells = dict.fromkeys(COLUMNS, "") | dict(zip(header, row, strict=False))
    file_id, path, public_id = cells["file_id"], _composed(cells["path"]), _composed(cells["public_id"])
    if bool(file_id) == bool(path):
        raise MigrationError(f"{where}: {'both file_id and path' if file_id else 'no file_id and no path'}")
    if file_id and not is_id(file_id):
        raise MigrationError(f"{where}: file_id {one_line(file_id, 60)!r} is not a Drive file's ID")
    if public_id and not names.is_valid(public_id):
        raise MigrationError(
            f"{where}: public_id {one_line(public_id, 60)!r} is not one that Cloudinary takes as it is: no ?&#\\%<>+, "
            "no space or / at an end, no folder like v1, at most 255 characters"
        )
    tags = tuple(filter(None, map(str.strip, re.split("[;|]", cells["tags"]))))
    for tag in tags:
        if tag != texts.tag(tag):
            raise MigrationError(
                f"{where}: tag {one_line(tag, 60)!r} is not one that Cloudinary takes: no comma, at most "
                f"{texts.LONGEST_TAG} characters; ; or | separates tags"
            )
    for name in ("alt", "caption"):
        if len(cells[name]) > texts.LONGEST_VALUE:
            raise MigrationError(f"{where}: {name} has more than {texts.LONGEST_VALUE} characters")
    return Line(where, file_id, path, tags, texts.value(cells["alt"]), texts.value(cells["caption"]), public_id)


def _check_unique(lines: Iterable[Line], key: str) -> None:
    seen: dict[str, str] = {}
    for line in lines:
        value: str = getattr(line, key)
        same = names.asset_key(value) if key == "public_id" else value.strip("/")
        if value and seen.setdefault(same, line.where) != line.where:
            raise MigrationError(f"{line.where}: {key} {one_line(value, 60)!r} is that of {seen[same]}, too")


def _at(path: str, by_path: dict[str, list[str]]) -> list[str]:
    """The images at a path. A slash at its ends may be typed for nothing, or belong to a folder's name in Drive."""
    return by_path.get(path) or by_path.get(path.strip("/"), [])


def _composed(text: str) -> str:
    """A text as it is compared: with composed characters, as most keyboards type them."""
    return unicodedata.normalize("NFC", text)
