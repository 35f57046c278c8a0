"""List the direct children of Drive folders, and cope with incomplete answers.

One query may name many Drive folders, which saves nearly all calls of a listing. But Drive sometimes omits whole
folders from such an answer, although it calls the answer complete (rclone #3114, #4289, #9810). Only a hit in a folder
proves that Drive searched it. So each folder without a hit is queried alone before it counts as empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice

from drive2cloudinary.causes import Cause
from drive2cloudinary.drive.api import Drive, Incomplete
from drive2cloudinary.drive.file import DriveFile
from drive2cloudinary.errors import ImageError, MigrationError, NotAMember, TransientError, one_line


class Children:
    """Queries Drive for the children of folders, and remembers where a query must not name many folders."""

    def __init__(self, drive: Drive, folders_per_query: int) -> None:
        """In: how many Drive folders one query may name; with 1, each is queried alone from the start."""
        self._drive = drive
        self._at_once = folders_per_query
        self._not_a_member: set[str] = set()

    def of(self, folders: Iterable[DriveFile], kinds: str, path: Callable[[DriveFile], str]) -> Iterator[DriveFile]:
        """All files directly in any of these Drive folders. Each file's `parents` has at least one of them.

        In: any number of Drive folders; a condition on the MIME type in Drive's query language; a function that returns
        a folder's name for messages. Raises StopRun, or a MigrationError that names the folder, if anything could not
        be read. The files yielded before are then incomplete and must not be used.
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
        # A file with two of them as parents proves only that Drive searched one of the two.
        parents = (asked.intersection(file.parents) for file in found or ())
        hit = {parent for of_file in parents if len(of_file) == 1 for parent in of_file}
        for folder in folders:
            if folder.id not in hit:
                alone = self._alone(folder, kinds, path)
                if alone and found is not None:
                    # Drive does omit folders here, so a query for many would only cost one more call from now on.
                    self._at_once = 1
                yield from alone

    def _together(
        self, folders: Sequence[DriveFile], kinds: str, path: Callable[[DriveFile], str]
    ) -> list[DriveFile] | None:
        """The files that one query finds in many folders; None if each folder has to be queried alone."""
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
            # The query is too complex, or one folder is gone. Querying each alone shows which.
            return None
        asked = {folder.id for folder in folders}
        # Without `parents`, a file cannot be assigned to one of the folders.
        return found if all(asked.intersection(file.parents) for file in found) else None

    def _alone(self, folder: DriveFile, kinds: str, path: Callable[[DriveFile], str]) -> list[DriveFile]:
        try:
            if folder.drive_id not in self._not_a_member:
                try:
                    return self._in(folder, kinds, folder.drive_id)
                except NotAMember:
                    self._not_a_member.add(folder.drive_id)
            # For an account that is no member of the shared drive, Drive finds its files only without driveId.
            return self._in(folder, kinds, "")
        except ImageError as error:
            raise cannot_list(path(folder), error) from error

    def _in(self, folder: DriveFile, kinds: str, drive_id: str) -> list[DriveFile]:
        return [replace(file, parents=(folder.id,)) for file in self._query([folder], kinds, drive_id)]

    def _query(self, folders: Sequence[DriveFile], kinds: str, drive_id: str) -> list[DriveFile]:
        parents = " or ".join(f"'{folder.id}' in parents" for folder in folders)
        keys = {folder.id: folder.resource_key for folder in folders}
        return self._drive.query(f"({parents}) and trashed=false and ({kinds})", self._drive.fields, drive_id, keys)


def cannot_list(what: str, error: ImageError) -> MigrationError:
    """The error that ends a listing. In: the folder's path, and the error of its query."""
    said = "it is gone, or not shared with this account" if error.cause is Cause.GONE else error
    return MigrationError(f"cannot list {one_line(what, 200)}: {said}")


def _drive_id(folder: DriveFile) -> str:
    return folder.drive_id
