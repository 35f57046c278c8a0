"""List the direct children of Drive folders, and cope with incomplete answers.

One query may name many Drive folders, which saves nearly all calls of a listing. But Drive sometimes omits whole
folders from such an answer, although it calls the answer complete (rclone #3114, #4289, #9810). Only a hit in a folder
proves that Drive searched it. So each folder without a hit is queried alone before it counts as empty.

No cheaper proof is known. To query those without a hit together again, in whatever company, proves nothing (rclone
#9811). A query for everything that the account sees also finds no folders that were shared with it, takes a page for
each 460 files of a Drive that may be far larger than this folder, and does not say either what it omits. files.get
does not tell whether a folder is empty. So the number of calls stays (one for each 22 folders, and one for each folder
without a hit); the time does not, because several queries (drive/drive_api.py, AT_ONCE) are under way at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from multiprocessing.pool import ThreadPool

from drive2cloudinary.causes import Cause
from drive2cloudinary.drive.drive_api import Drive, Incomplete
from drive2cloudinary.drive.file import DriveFile
from drive2cloudinary.errors import ImageError, MigrationError, NotAMember, TransientError, one_line


class Children:
    """Queries Drive for the children of folders, and remembers where a query must not name many folders."""

    def __init__(
        self,
        drive: Drive,
        threads: ThreadPool,
        folders_per_query: int,
        fields: str,
        each_page: Callable[[list[DriveFile]], None],
    ) -> None:
        """In: the threads that query; how many Drive folders one query may name; the fields to request.

        With 1 folder per query, each is queried alone from the start. `each_page` is called with the files of each page
        as it comes, and with some of them again if a query is repeated: by any thread, but never by two at once.
        """
        self._drive = drive
        self._threads = threads
        self._at_once = folders_per_query
        self._fields = fields
        self._each_page = each_page
        self._telling = threading.Lock()
        self._not_a_member: set[str] = set()

    def of(self, folders: Iterable[DriveFile], kinds: str, path: Callable[[DriveFile], str]) -> Iterator[DriveFile]:
        """All files directly in any of these Drive folders. Their order does not depend on which answer comes first.

        Each file's `parents` has at least one of the folders; a file in several of them may come several times. In: any
        number of Drive folders; a condition on the MIME type in Drive's query language; a function that returns a
        folder's name for messages. Raises StopRun, or a MigrationError that names the folder, if anything could not be
        read. The files yielded before are then incomplete and must not be used.
        """
        groups: list[list[DriveFile]] = []
        for _, of_drive in groupby(sorted(folders, key=_drive_id), key=_drive_id):
            while group := list(islice(of_drive, self._at_once)):
                groups.append(group)
        unproven: list[DriveFile] = []
        omitted: set[str] = set()
        for group, found in self._threads.imap(lambda group: self._together(group, kinds, path), groups):
            yield from found or ()
            without_hit = _without_hit(group, found or ())
            unproven += without_hit
            if found is not None:
                omitted |= {folder.id for folder in without_hit}
        for folder, found in self._threads.imap(lambda folder: self._alone(folder, kinds, path), unproven):
            if found and folder.id in omitted:
                # Drive does omit folders here, so on the next levels a query for many would only cost one more call.
                self._at_once = 1
            yield from found

    def _together(
        self, folders: list[DriveFile], kinds: str, path: Callable[[DriveFile], str]
    ) -> tuple[list[DriveFile], list[DriveFile] | None]:
        """The folders, and the files that one query finds in them; None if each folder has to be queried alone."""
        if len(folders) == 1 or folders[0].drive_id in self._not_a_member:
            return folders, None
        try:
            found = self._query(folders, kinds, folders[0].drive_id)
        except NotAMember:
            self._not_a_member.add(folders[0].drive_id)
            return folders, None
        except Incomplete:
            return folders, None
        except ImageError as error:
            if isinstance(error, TransientError) and error.cause is not Cause.REFUSED:
                raise cannot_list(f"{path(folders[0])} and {len(folders) - 1} more", error) from error
            # The query is too complex, or one folder is gone. Querying each alone shows which.
            return folders, None
        asked = {folder.id for folder in folders}
        # Without `parents`, a file cannot be assigned to one of the folders.
        return folders, found if all(asked.intersection(file.parents) for file in found) else None

    def _alone(
        self, folder: DriveFile, kinds: str, path: Callable[[DriveFile], str]
    ) -> tuple[DriveFile, list[DriveFile]]:
        """A folder, and the files in it."""
        try:
            if folder.drive_id not in self._not_a_member:
                try:
                    return folder, self._in(folder, kinds, folder.drive_id)
                except NotAMember:
                    self._not_a_member.add(folder.drive_id)
            # For an account that is no member of the shared drive, Drive finds its files only without driveId.
            return folder, self._in(folder, kinds, "")
        except ImageError as error:
            raise cannot_list(path(folder), error) from error

    def _in(self, folder: DriveFile, kinds: str, drive_id: str) -> list[DriveFile]:
        parents = (folder.id,)
        found = self._query([folder], kinds, drive_id)
        return [file if file.parents == parents else replace(file, parents=parents) for file in found]

    def _query(self, folders: Sequence[DriveFile], kinds: str, drive_id: str) -> list[DriveFile]:
        parents = " or ".join(f"'{folder.id}' in parents" for folder in folders)
        keys = {folder.id: folder.resource_key for folder in folders}
        q = f"({parents}) and trashed=false and ({kinds})"
        return self._drive.query(q, self._fields, drive_id, keys, self._tell)

    def _tell(self, files: list[DriveFile]) -> None:
        with self._telling:
            self._each_page(files)


def cannot_list(what: str, error: ImageError) -> MigrationError:
    """The error that ends a listing. In: the folder's path, and the error of its query."""
    said = "it is gone, or not shared with this account" if error.cause is Cause.GONE else error
    return MigrationError(f"cannot list {one_line(what, 200)}: {said}")


def _without_hit(folders: Sequence[DriveFile], found: Iterable[DriveFile]) -> list[DriveFile]:
    """The folders for which none of the files found is a proof that Drive searched them."""
    asked = {folder.id for folder in folders}
    # A file with two of them as parents proves only that Drive searched one of the two.
    parents = (asked.intersection(file.parents) for file in found)
    hit = {parent for of_file in parents if len(of_file) == 1 for parent in of_file}
    return [folder for folder in folders if folder.id not in hit]


def _drive_id(folder: DriveFile) -> str:
    return folder.drive_id
