"""Which of some Drive folders lie inside another one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool

from drive2cloudinary.drive.drive_api import AT_ONCE, Drive
from drive2cloudinary.drive.file import FOLDER, DriveFile
from drive2cloudinary.errors import ImageError, TransientError


@dataclass(frozen=True)
class Located:
    """A Drive folder, of which a shortcut may have been named, and the IDs of all folders that it lies in."""

    folder: DriveFile
    above: frozenset[str]


def located(drive: Drive, named: Sequence[tuple[str, str]]) -> list[Located | None]:
    """Where each of these Drive folders lies, by its parents; None if it cannot be read, which its listing will say.

    In: the ID and the resource key of a folder, or of a shortcut to one. A folder is only known to lie in folders that
    the account sees. Raises StopRun.
    """

    def readable(read: Callable[[], DriveFile]) -> DriveFile | None:
        try:
            return read()
        except (ImageError, TransientError):
            return None

    def root(name: tuple[str, str]) -> DriveFile | None:
        found = readable(lambda: drive.file(*name))
        if found and found.target and found.target[1] == FOLDER:
            target_id, _, key = found.target
            return readable(lambda: drive.file(target_id, key))
        return found

    with ThreadPool(AT_ONCE) as threads:
        roots = list(threads.imap(root, named))
        parents = {each.id: each.parents for each in roots if each}
        while unknown := sorted({above for each in parents.values() for above in each} - parents.keys()):
            found = threads.imap(lambda folder_id: readable(lambda: drive.file(folder_id)), unknown)
            parents |= {folder_id: each.parents if each else () for folder_id, each in zip(unknown, found, strict=True)}
    return [Located(each, frozenset(_above(each.parents, parents))) if each else None for each in roots]


def _above(folder_ids: Iterable[str], parents: dict[str, tuple[str, ...]]) -> set[str]:
    found: set[str] = set()
    left = list(folder_ids)
    while left:
        folder_id = left.pop()
        if folder_id not in found:
            found.add(folder_id)
            left += parents[folder_id]
    return found
