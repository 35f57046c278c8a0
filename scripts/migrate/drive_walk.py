"""Finding every image below a Drive folder, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby, islice

from .drive_api import FOLDER, PARENTS_IN_ONE_QUERY, SHORTCUT, Drive, DriveFile
from .errors import ImageError, TransientError, one_line

OF_GOOGLE = "application/vnd.google-apps."
"""How the types of folders, shortcuts, Docs … begin: of none of them are there bytes to move."""


@dataclass(frozen=True)
class FoundImage:
    """An image and where it was found: its folder's path below the root, "" for the root itself."""

    file: DriveFile
    folder_path: str


@dataclass(frozen=True)
class _Place:
    folder: DriveFile
    path: str


def images_below(
    drive: Drive, root: DriveFile, recursive: bool, include: Sequence[str], warn: Callable[[str], None]
) -> list[FoundImage]:
    """Every image in a folder, and in its subfolders if `recursive`; shortcuts to either are followed.

    In: MIME patterns that are images besides `image/*`; `warn` is told of a shortcut that leads nowhere. Out: each
    image once, where it really lies if that is below the root, else where the first shortcut to it lies. A folder is
    entered once, so a shortcut to an ancestor is no loop. Raises StopRun, ImageError or TransientError when anything
    could not be read: half a listing is none.
    """

    def wanted(mime_type: str) -> bool:
        if mime_type.startswith(OF_GOOGLE):
            return mime_type == FOLDER and recursive
        return any(fnmatchcase(mime_type, pattern) for pattern in ["image/*", *include])

    images: dict[str, FoundImage] = {}
    entered = {root.id}
    level = [_Place(root, "")]
    shortcuts: list[tuple[DriveFile, str]] = []
    while level or shortcuts:
        if not level:
            level = _follow(drive, sorted(shortcuts, key=_by_path), images, entered, wanted, warn)
            shortcuts = []
            continue
        below: list[_Place] = []
        for file, path in _children(drive, level, _kinds(include, recursive)):
            if file.mime_type == SHORTCUT:
                shortcuts.append((file, path))
            elif not wanted(file.mime_type):
                continue
            elif file.mime_type != FOLDER:
                images.setdefault(file.id, FoundImage(file, path))
            elif file.id not in entered:
                entered.add(file.id)
                below.append(_Place(file, _inside(path, file.name)))
        level = below
    return list(images.values())


def children_of(drive: Drive, folders: Iterable[DriveFile], kinds: str) -> Iterator[DriveFile]:
    """The files in all these folders, asking for many folders of one shared drive at once.

    In: as many folders as there may be, and a condition on the MIME type. Out and raises: as Drive.children.
    """
    by_drive = sorted(folders, key=lambda folder: folder.drive_id)
    for _, group in groupby(by_drive, key=lambda folder: folder.drive_id):
        while batch := list(islice(group, PARENTS_IN_ONE_QUERY)):
            yield from drive.children(batch, kinds)


def _children(drive: Drive, places: list[_Place], kinds: str) -> Iterator[tuple[DriveFile, str]]:
    """The files in all these folders, each with its folder's path."""
    paths = {place.folder.id: place.path for place in places}
    for file in children_of(drive, (place.folder for place in places), kinds):
        yield file, min(paths[parent] for parent in file.parents if parent in paths)


def _follow(
    drive: Drive,
    shortcuts: list[tuple[DriveFile, str]],
    images: dict[str, FoundImage],
    entered: set[str],
    wanted: Callable[[str], bool],
    warn: Callable[[str], None],
) -> list[_Place]:
    """Add the images that shortcuts point to; returns the folders that they point to and nobody has entered yet.

    In: `wanted`, whether files of a MIME type are; the shortcut's own word for it may be missing or old.
    """
    folders: list[_Place] = []
    for shortcut, path in shortcuts:
        assert shortcut.target
        target_id, mime_type, resource_key = shortcut.target
        if target_id in images or target_id in entered or (mime_type and not wanted(mime_type)):
            continue
        try:
            target = drive.file(target_id, resource_key)
        except TransientError:
            raise
        except ImageError as error:
            warn(f"the shortcut {one_line(_inside(path, shortcut.name), 200)!r} leads nowhere: {error}")
            continue
        if target.mime_type == FOLDER:
            entered.add(target_id)
            folders.append(_Place(target, _inside(path, shortcut.name)))
        elif wanted(target.mime_type):
            images[target_id] = FoundImage(target, path)
    return folders


def _kinds(include: Sequence[str], recursive: bool) -> str:
    """The condition on MIME types in Drive's query language, where `contains` looks at the beginning."""
    prefixes = dict.fromkeys(["image/", *(pattern.partition("*")[0] for pattern in include)])
    quoted = [prefix.replace("\\", r"\\").replace("'", r"\'") for prefix in prefixes if prefix]
    if len(quoted) < len(prefixes):
        return f"mimeType != '{OF_GOOGLE}'"
    types = [f"mimeType contains '{prefix}'" for prefix in quoted] + [f"mimeType = '{SHORTCUT}'"]
    return " or ".join([*types, f"mimeType = '{FOLDER}'"] if recursive else types)


def _inside(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _by_path(item: tuple[DriveFile, str]) -> tuple[str, str, str]:
    return item[1], item[0].name, item[0].id
