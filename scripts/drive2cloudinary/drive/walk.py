"""Find every image below a Drive folder, each once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from multiprocessing.pool import ThreadPool

from drive2cloudinary.drive.children import Children, cannot_list
from drive2cloudinary.drive.drive_api import AT_ONCE, Drive
from drive2cloudinary.drive.file import FOLDER, GENERIC, GENERIC_PREFIXES, SHORTCUT, DriveFile, known_by_extension
from drive2cloudinary.errors import ImageError, TransientError, one_line
from drive2cloudinary.paths import Folders, folder_path
from drive2cloudinary.settings import Settings

OF_GOOGLE = "application/vnd.google-apps."
"""The prefix of the MIME types of folders, shortcuts, Docs …, which have no content to download."""

ODD_NAMED = 3
"""The most files that a warning names."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image, and the names of the Drive folders below the root that it is in."""

    file: DriveFile
    folders: Folders

    @property
    def path(self) -> str:
        """Its own path below the root, for people."""
        return "/".join([*self.folders, self.file.name])

    @property
    def order(self) -> tuple[str, str, str]:
        """The key by which public_ids are given: that of `listing.Image.order`, so that people see them in order."""
        return folder_path(self.folders), self.file.name, self.file.id


@dataclass(frozen=True)
class Walked:
    """What is in a Drive folder: each image once.

    folders: the paths of all folders below it, if `recursive` is set. closed: those that the account may not open.
    """

    images: list[FoundImage]
    folders: list[Folders]
    closed: list[Folders]


@dataclass(frozen=True)
class _Place:
    """A folder, and the names on the way to it from below the root, its own among them."""

    folder: DriveFile
    folders: Folders


@dataclass(frozen=True)
class _Shortcut:
    """A shortcut, and the names of the folders it is in."""

    file: DriveFile
    folders: Folders

    @property
    def where(self) -> str:
        """Its own path, for people."""
        return "/".join([*self.folders, self.file.name])

    @property
    def target(self) -> tuple[str, str]:
        """The ID and the resource key of its target, "" if Drive does not say."""
        target_id, _, resource_key = self.file.target or ("", "", "")
        return target_id, resource_key


def images_below(
    drive: Drive,
    root: DriveFile,
    settings: Settings,
    type_of: Callable[[str], str],
    warn: Callable[[str], None],
    found: Callable[[int], None],
) -> Walked:
    """Every image in a Drive folder, and in its subfolders if `recursive` is set. Shortcuts are followed.

    In: `type_of`, from an extension to the MIME type of a picture (see `known_by_extension`): a file of a type that
    says nothing is known by it, unless `include` names the type that it has; `warn`, called for each broken shortcut,
    and for each folder that another migration of the run copies; `found`, called after each answer of Drive with new
    images, with their number so far (by any thread, but never by two at once). Out: each image, and each folder, is at
    its real path if that is below the root, else at the path of the first shortcut to it. A folder is entered only
    once, so a shortcut to an ancestor makes no loop. Raises MigrationError, which names the folder, if anything could
    not be read: a listing must be complete, but for the closed folders.
    """
    # A ThreadPool's threads are daemons: an error or Ctrl-C does not wait for them, even in a pause between two tries.
    with ThreadPool(AT_ONCE) as threads:
        return _Walk(drive, threads, settings, type_of, warn, found).from_root(root)


class _Walk:
    """One walk through a Drive folder, level by level: the queries of a level are under way at once."""

    def __init__(
        self,
        drive: Drive,
        threads: ThreadPool,
        settings: Settings,
        type_of: Callable[[str], str],
        warn: Callable[[str], None],
        found: Callable[[int], None],
    ) -> None:
        self._drive = drive
        self._threads = threads
        self._recursive, self._include = settings.recursive, settings.include
        self._type_of = type_of
        self._copied_alone = set(settings.copied_alone)
        self._root = ""
        self._warn = warn
        self._found = found
        self._fields = drive.fields
        self._children = Children(drive, threads, settings.folders_per_query, self._fields, self._count)
        self._counted: set[str] = set()
        self._images: dict[str, FoundImage] = {}
        self._entered: set[str] = set()
        self._folders: list[Folders] = []
        self._closed: list[Folders] = []
        self._odd: dict[str, set[str]] = defaultdict(set)

    def from_root(self, root: DriveFile) -> Walked:
        """As `images_below`."""
        self._root = one_line(root.name, 60)
        level, shortcuts = [_Place(root, ())], list[_Shortcut]()
        self._entered.add(root.id)
        while level or shortcuts:
            if level:
                level, more = self._enter(level)
                shortcuts += more
            else:
                level, shortcuts = self._follow(sorted(shortcuts, key=_by_path)), []
        for detail, odd in self._odd.items():
            named = ", ".join(one_line(path, 200) for path in sorted(odd)[:ODD_NAMED])
            others = f" and {len(odd) - ODD_NAMED} more" if len(odd) > ODD_NAMED else ""
            self._warn(f"Drive's {detail} is not what its API promises, and counts as missing: {named}{others}")
        return Walked(list(self._images.values()), self._folders, sorted(self._closed, key=folder_path))

    def _enter(self, places: list[_Place]) -> tuple[list[_Place], list[_Shortcut]]:
        """Add the images in these Drive folders. Returns the subfolders that are not entered yet, and the shortcuts."""
        known = {place.folder.id: place.folders for place in places}

        def name(folder: DriveFile) -> str:
            return folder_path(known[folder.id]) or folder.name

        below: list[_Place] = []
        shortcuts: list[_Shortcut] = []
        kinds = _kinds(self._include, self._recursive)
        for file in map(self._known, self._children.of((place.folder for place in places), kinds, name)):
            folders = min((known[parent] for parent in file.parents if parent in known), key=folder_path)
            self._note_odd(file, folders)
            if file.mime_type == SHORTCUT:
                shortcuts.append(_Shortcut(file, folders))
            elif self._is_image(file):
                self._images.setdefault(file.id, FoundImage(file, folders))
            elif self._wants(file.mime_type) and file.id not in self._entered:
                below += self._opened(file, (*folders, file.name))
        return below, shortcuts

    def _note_odd(self, file: DriveFile, folders: Folders) -> None:
        for detail in file.odd:
            self._odd[detail].add("/".join([*folders, file.name]))

    def _opened(self, folder: DriveFile, folders: Folders) -> list[_Place]:
        """The folder as a place to enter; [] if the account may not, or another migration of the run copies it."""
        self._entered.add(folder.id)
        self._folders.append(folders)
        if folder.id in self._copied_alone:
            path = one_line(folder_path(folders), 200)
            itself = f"a Drive folder of this run by itself ({folder.id})"
            self._warn(f"{path!r} in {self._root!r} is {itself}: its images are copied there alone")
            return []
        if folder.is_closed:
            self._closed.append(folders)
            return []
        return [_Place(folder, folders)]

    def _follow(self, shortcuts: list[_Shortcut]) -> list[_Place]:
        """Add the images that shortcuts point to. Returns the folders they point to that are not entered yet."""
        asked: dict[tuple[str, str], _Shortcut] = {}
        for shortcut in shortcuts:
            if shortcut.target[0] and self._leads_on(shortcut):
                asked.setdefault(shortcut.target, shortcut)
        targets = dict(zip(asked, self._threads.imap(self._target, asked.values()), strict=True))
        places: list[_Place] = []
        for shortcut in shortcuts:
            if not self._leads_on(shortcut):
                continue
            target = targets.get(shortcut.target, ImageError("Drive does not say where to"))
            if isinstance(target, ImageError):
                self._warn(f"the shortcut {one_line(shortcut.where, 200)!r} leads nowhere: {target}")
                continue
            self._note_odd(target, shortcut.folders)
            if self._is_image(target):
                self._images[target.id] = FoundImage(target, shortcut.folders)
            elif self._wants(target.mime_type):
                places += self._opened(target, (*shortcut.folders, shortcut.file.name))
        self._count([image.file for image in self._images.values()])
        return places

    def _leads_on(self, shortcut: _Shortcut) -> bool:
        """Whether a shortcut may lead to something wanted that is not found yet."""
        _, mime_type, _ = shortcut.file.target or ("", "", "")
        known = shortcut.target[0] in self._images or shortcut.target[0] in self._entered
        return not known and (not mime_type or mime_type in GENERIC or self._wants(mime_type))

    def _target(self, shortcut: _Shortcut) -> DriveFile | ImageError:
        """What a shortcut points to, or why it cannot be read. Raises MigrationError if that may pass."""
        try:
            return self._known(self._drive.file(*shortcut.target, self._fields))
        except TransientError as error:
            raise cannot_list(f"what the shortcut {shortcut.where} leads to", error) from error
        except ImageError as error:
            return error

    def _known(self, file: DriveFile) -> DriveFile:
        return file if self._wants(file.mime_type) else known_by_extension(file, self._type_of)

    def _is_image(self, file: DriveFile) -> bool:
        return file.mime_type != FOLDER and self._wants(file.mime_type)

    def _wants(self, mime_type: str) -> bool:
        """Asked again for the target of a shortcut, because the MIME type in a shortcut may be missing or outdated."""
        if mime_type.startswith(OF_GOOGLE):
            return mime_type == FOLDER and self._recursive
        return any(fnmatchcase(mime_type.lower(), pattern) for pattern in ["image/*", *self._include])

    def _count(self, files: Iterable[DriveFile]) -> None:
        before = len(self._counted)
        self._counted.update(file.id for file in map(self._known, files) if self._is_image(file))
        if len(self._counted) > before:
            self._found(len(self._counted))


def _kinds(include: Sequence[str], recursive: bool) -> str:
    """The condition on MIME types in Drive's query language, in which `contains` matches a prefix."""
    prefixes = dict.fromkeys(
        ["image/", *GENERIC_PREFIXES, *(re.split(r"[*?[]", pattern, maxsplit=1)[0] for pattern in include)]
    )
    quoted = [prefix.replace("\\", r"\\").replace("'", r"\'") for prefix in prefixes if prefix]
    if len(quoted) < len(prefixes):
        return f"mimeType != '{OF_GOOGLE}'"
    types = [f"mimeType contains '{prefix}'" for prefix in quoted] + [f"mimeType = '{SHORTCUT}'"]
    return " or ".join([*types, f"mimeType = '{FOLDER}'"] if recursive else types)


def _by_path(shortcut: _Shortcut) -> tuple[str, str, str]:
    return folder_path(shortcut.folders), shortcut.file.name, shortcut.file.id
