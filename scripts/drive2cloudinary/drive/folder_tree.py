"""The Drive folders that an account sees, as trees with the number of images in each, and what is shared singly.

Own folders and shared drives take few queries, however many folders there are: all folders and all images are read, a
thousand per page, and the trees are built from `parents`. Folders shared with the account are walked level by level
instead, because a query for everything need not find what is below them (`corpora=user` covers what the account
created, opened, or was given directly).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.pool import ThreadPool

from drive2cloudinary.drive.children import Children
from drive2cloudinary.drive.drive_api import AT_ONCE, Drive
from drive2cloudinary.drive.file import FILE_FIELDS, FOLDER, GENERIC_PREFIXES, DriveFile, known_by_extension
from drive2cloudinary.settings import FOLDERS_PER_QUERY

FOLDERS = f"mimeType = '{FOLDER}'"
IMAGES = " or ".join(f"mimeType contains '{prefix}'" for prefix in ("image/", *GENERIC_PREFIXES))


@dataclass
class Branch:
    """A Drive folder with its number of images: `here`, directly in it; `images`, including all folders below it.

    below: its subfolders, sorted by name.
    """

    folder: DriveFile
    here: int
    images: int
    below: list[Branch] = field(default_factory=list)


@dataclass
class Seen:
    """What an account sees: trees of folders, and images that are shared with it by themselves, sorted by name."""

    trees: list[Branch]
    images: list[DriveFile] = field(default_factory=list)


TypeOf = Callable[[str], str]
"""From an extension to the MIME type of a picture, as for `known_by_extension`."""


def own(drive: Drive, type_of: TypeOf) -> Seen:
    """My Drive, and each own folder outside of it: in another user's folder, or without a parent.

    The trees include what others have put there. Raises ImageError, StopRun or TransientError, as do all functions
    here.
    """
    found = _by_id([drive.file("root"), *drive.search(FOLDERS)])
    top = next(iter(found.values()))
    parents = {folder.id: _known_parent(folder, found) for folder in found.values()}
    roots = [top]
    for folder in found.values():
        if folder.owned and folder.id != top.id and not _is_below_own(folder.id, parents, found, top.id):
            roots.append(folder)
    return Seen(_grow(roots, found.values(), _images(drive.search(IMAGES), type_of)))


def shared_with_me(drive: Drive, type_of: TypeOf) -> Seen:
    """Each folder and each image shared with the account, unless it is inside another of these folders."""
    shared = _by_id(drive.search(f"sharedWithMe and ({FOLDERS} or {IMAGES})"))
    given = {file.id: file for file in shared.values() if file.mime_type == FOLDER}
    by_themselves = _images((file for file in shared.values() if file.id not in given), type_of)
    found, level = dict(given), list(given.values())
    inside: set[str] = set()
    images: list[DriveFile] = []
    with ThreadPool(AT_ONCE) as threads:
        level = [folder for folder in level if not folder.is_closed]
        children = Children(drive, threads, FOLDERS_PER_QUERY, FILE_FIELDS, lambda files: None)
        while level:
            below = []
            for file in children.of(level, f"{FOLDERS} or {IMAGES}", lambda folder: folder.name):
                if file.mime_type != FOLDER:
                    images.append(file)
                    continue
                inside.add(file.id)
                if file.id not in found and not file.is_closed:
                    below.append(file)
                # The walk knows the parents; the metadata of a shared folder may omit them.
                found[file.id] = file
            level = below
    roots = [folder for folder in given.values() if folder.id not in inside]
    images = _images(images, type_of)
    below_folders = {image.id for image in images}
    single = [file for file in by_themselves if file.id not in below_folders]
    return Seen(
        sorted(_grow(roots, found.values(), images), key=_by_name),
        sorted(single, key=lambda file: (file.name.casefold(), file.id)),
    )


def shared_drives(drive: Drive, type_of: TypeOf) -> Seen:
    """Each shared drive of the account."""
    trees = []
    for top in drive.shared_drives():
        trees += _grow([top], [top, *drive.search(FOLDERS, top.id)], _images(drive.search(IMAGES, top.id), type_of))
    return Seen(sorted(trees, key=_by_name))


def _images(files: Iterable[DriveFile], type_of: TypeOf) -> list[DriveFile]:
    return [file for file in files if known_by_extension(file, type_of).mime_type.startswith("image/")]


def _grow(roots: Iterable[DriveFile], folders: Iterable[DriveFile], images: Iterable[DriveFile]) -> list[Branch]:
    """Build the trees below these roots. A file with several parents counts for the first one that is known."""
    found = _by_id(folders)
    inside: dict[str, list[DriveFile]] = defaultdict(list)
    tops = _by_id(roots)
    for folder in found.values():
        if folder.id not in tops:
            inside[_known_parent(folder, found)].append(folder)
    here = Counter(_known_parent(image, found) for image in _by_id(images).values())
    trees = [Branch(folder, here[folder.id], 0) for folder in tops.values()]
    every = list(trees)
    for branch in every:
        branch.below = sorted((Branch(each, here[each.id], 0) for each in inside[branch.folder.id]), key=_by_name)
        every += branch.below
    # A folder comes before its subfolders in the list, so in reverse their sums are ready.
    for branch in reversed(every):
        branch.images = branch.here + sum(each.images for each in branch.below)
    return trees


def _is_below_own(folder_id: str, parents: dict[str, str], found: dict[str, DriveFile], top: str) -> bool:
    """Whether a folder is inside an own folder, or inside My Drive itself."""
    passed = {folder_id}
    while (folder_id := parents[folder_id]) and folder_id not in passed:
        if folder_id == top or found[folder_id].owned:
            return True
        passed.add(folder_id)
    return False


def _known_parent(file: DriveFile, found: dict[str, DriveFile]) -> str:
    return next((parent for parent in file.parents if parent in found), "")


def _by_id(files: Iterable[DriveFile]) -> dict[str, DriveFile]:
    """Files by ID. This removes duplicates: a change during the search can put one file on two pages."""
    return {file.id: file for file in files}


def _by_name(branch: Branch) -> tuple[str, str]:
    return branch.folder.name.casefold(), branch.folder.id
