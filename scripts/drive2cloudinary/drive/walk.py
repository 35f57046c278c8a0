"""Find every image below a Drive folder, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from drive2cloudinary.drive.api import Drive
from drive2cloudinary.drive.children import Children, cannot_list
from drive2cloudinary.drive.file import FOLDER, SHORTCUT, DriveFile
from drive2cloudinary.errors import ImageError, TransientError, one_line
from drive2cloudinary.settings import Settings

OF_GOOGLE = "application/vnd.google-apps."
"""The prefix of the MIME types of folders, shortcuts, Docs …, which have no content to download."""


@dataclass(frozen=True)
class FoundImage:
    """An image, and the path of its Drive folder below the root ("" for the root itself)."""

    file: DriveFile
    folder_path: str


@dataclass(frozen=True)
class _Place:
    folder: DriveFile
    path: str


def images_below(drive: Drive, root: DriveFile, settings: Settings, warn: Callable[[str], None]) -> list[FoundImage]:
    """Every image in a Drive folder, and in its subfolders if `recursive` is set. Shortcuts are followed.

    In: `warn`, called for each broken shortcut. Out: each image once, at its real path if that is below the root, else
    at the path of the first shortcut to it. A folder is entered only once, so a shortcut to an ancestor makes no loop.
    Raises MigrationError, which names the folder, if anything could not be read: a listing must be complete.
    """
    recursive, include = settings.recursive, settings.include
    children = Children(drive, settings.folders_per_query)

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
        for file, path in _children(children, level, _kinds(include, recursive)):
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


def _children(children: Children, places: list[_Place], kinds: str) -> Iterator[tuple[DriveFile, str]]:
    """The files in all these Drive folders, each with its folder's path."""
    paths = {place.folder.id: place.path for place in places}

    def path(folder: DriveFile) -> str:
        return paths[folder.id] or folder.name

    for file in children.of((place.folder for place in places), kinds, path):
        yield file, min(paths[parent] for parent in file.parents if parent in paths)


def _follow(
    drive: Drive,
    shortcuts: list[tuple[DriveFile, str]],
    images: dict[str, FoundImage],
    entered: set[str],
    wanted: Callable[[str], bool],
    warn: Callable[[str], None],
) -> list[_Place]:
    """Add the images that shortcuts point to. Returns the folders they point to that are not entered yet.

    In: `wanted`, whether a MIME type is wanted. It is asked again for the target, because the MIME type in a shortcut
    may be missing or outdated.
    """
    folders: list[_Place] = []
    for shortcut, path in shortcuts:
        target_id, mime_type, resource_key = shortcut.target or ("", "", "")
        if target_id in images or target_id in entered or (mime_type and not wanted(mime_type)):
            continue
        where = _inside(path, shortcut.name)
        try:
            if not target_id:
                raise ImageError("Drive does not say where to")
            target = drive.file(target_id, resource_key)
        except TransientError as error:
            raise cannot_list(f"what the shortcut {where} leads to", error) from error
        except ImageError as error:
            warn(f"the shortcut {one_line(where, 200)!r} leads nowhere: {error}")
            continue
        if target.mime_type == FOLDER:
            entered.add(target_id)
            folders.append(_Place(target, where))
        elif wanted(target.mime_type):
            images[target_id] = FoundImage(target, path)
    return folders


def _kinds(include: Sequence[str], recursive: bool) -> str:
    """The condition on MIME types in Drive's query language, in which `contains` matches a prefix."""
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
