"""What lies directly in folders, also where Drive leaves folders out of an answer without a word.

One query may name many folders, which saves nearly all calls of a listing. But Drive has been seen to leave whole
folders out of such an answer, and to call it complete (rclone #3114, #4289, #9810). So only a hit in a folder proves
that Drive looked into it: each folder without one is asked for by itself before it counts as empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice

from drive2cloudinary.causes import Cause
from drive2cloudinary.drive.api import Drive, Incomplete
from drive2cloudinary.drive.file import FILE_FIELDS, DriveFile
from drive2cloudinary.errors import ImageError, MigrationError, NotAMember, TransientError, one_line


class Children:
    """Asks one Drive for the children of folders, and remembers where it cannot be asked for many folders at once."""

    def __init__(self, drive: Drive, folders_per_query: int) -> None:
        """In: how many folders one query may name; 1 asks for each folder by itself from the start."""
        self._drive = drive
        self._at_once = folders_per_query
        self._not_a_member: set[str] = set()

    def of(self, folders: Iterable[DriveFile], kinds: str, path: Callable[[DriveFile], str]) -> Iterator[DriveFile]:
        """All files directly in any of these folders; at least one of these is among each file's `parents`.

        In: as many folders as there may be; a condition on the MIME type in Drive's query language; what a folder is
        called in messages. Raises StopRun, or a MigrationError that names the folder, if anything could not be read:
        then nothing of what came is to be used.
        """
        for _, group in groupby(sorted(folders, key=_drive_id), key=_drive_id):
            while batch := list(islice(group, self._at_once)):
                yield from self._of_batch(batch, kinds, path)

    def _of_batch(
        self, folders: Sequence[DriveFile], kinds: str, path: Callable[[DriveFile], str]
    ) -> Iterator[DriveFile]:
        found = self._together(folders, kinds, path)
        yield from found or ()
        asked = {folder.id for folder in folders}
        # A file in two of them proves that Drive looked into one, and nobody knows which.
        parents = (asked.intersection(file.parents) for file in found or ())
        hit = {parent for of_file in parents if len(of_file) == 1 for parent in of_file}
        for folder in folders:
            if folder.id not in hit:
                alone = self._alone(folder, kinds, path)
                if alone and found is not None:
                    # It does leave folders out, so from now on a query of many would only be a query more.
                    self._at_once = 1
                yield from alone

    def _together(
        self, folders: Sequence[DriveFile], kinds: str, path: Callable[[DriveFile], str]
    ) -> list[DriveFile] | None:
        """What one query finds in many folders; None if they have to be asked for one by one."""
        if len(folders) == 1 or folders[0].drive_id in self._not_a_member:
            return None
        try:
            found = self._query(folders, kinds, folders[0].drive_id)
        except NotAMember:
            self._not_a_member.add(folders[0].drive_id)
            return None
        except Incomplete:
            return None
        except TransientError as error:
            raise cannot_list(f"{path(folders[0])} and {len(folders) - 1} more", error) from error
        except ImageError:
            # Too complex for Drive, or one of them is gone: asked for alone, each shows what it is.
            return None
        asked = {folder.id for folder in folders}
        # Of a file that does not say where it lies, nobody knows in which of them it was found.
        return found if all(asked.intersection(file.parents) for file in found) else None

    def _alone(self, folder: DriveFile, kinds: str, path: Callable[[DriveFile], str]) -> list[DriveFile]:
        try:
            if folder.drive_id not in self._not_a_member:
                try:
                    return self._in(folder, kinds, folder.drive_id)
                except NotAMember:
                    self._not_a_member.add(folder.drive_id)
            # What is shared with somebody who is no member of its shared drive is found only outside of that drive.
            return self._in(folder, kinds, "")
        except ImageError as error:
            raise cannot_list(path(folder), error) from error

    def _in(self, folder: DriveFile, kinds: str, drive_id: str) -> list[DriveFile]:
        return [replace(file, parents=(folder.id,)) for file in self._query([folder], kinds, drive_id)]

    def _query(self, folders: Sequence[DriveFile], kinds: str, drive_id: str) -> list[DriveFile]:
        parents = " or ".join(f"'{folder.id}' in parents" for folder in folders)
        keys = {folder.id: folder.resource_key for folder in folders}
        return self._drive.query(f"({parents}) and trashed=false and ({kinds})", FILE_FIELDS, drive_id, keys)


def cannot_list(what: str, error: ImageError) -> MigrationError:
    """The error that ends a listing. In: the folder's path, and what came of asking for it."""
    said = "it is gone, or not shared with this account" if error.cause is Cause.GONE else error
    return MigrationError(f"cannot list {one_line(what, 200)}: {said}")


def _drive_id(folder: DriveFile) -> str:
    return folder.drive_id
