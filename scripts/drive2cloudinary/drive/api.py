"""Drive v3 as this project uses it: looking files up, searching for them, downloading them.

Facts: https://developers.google.com/workspace/drive/api/reference/rest/v3/files and …/guides/handle-errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import google_auth_httplib2
import tenacity
from google.auth.exceptions import RefreshError
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest

from drive2cloudinary.causes import Cause
from drive2cloudinary.content import PIECE, Content
from drive2cloudinary.drive.errors import drive_error
from drive2cloudinary.drive.file import FILE_FIELDS, FOLDER, PLACE_FIELDS, DriveFile
from drive2cloudinary.drive.http import DriveHttp
from drive2cloudinary.drive.signin import read_credentials, sign_in_error
from drive2cloudinary.errors import ImageError, TooLarge, TransientError, one_line
from drive2cloudinary.network.contact import Tell
from drive2cloudinary.network.services import Limits, tell_on_stderr
from drive2cloudinary.retrying import calling, patiently
from drive2cloudinary.settings import Settings

LIST, GET, DOWNLOAD = 100, 5, 200
"""Units of Drive's quota (2026) that each kind of call costs; that `alt=media` is a download to it is likely."""
NOTHING_NEW = 100
"""So many pages in a row without a new file end a search: Drive may send a short or an empty page, but not for ever."""


class Incomplete(TransientError):
    """Drive did not look everywhere, or lost its place among the pages: the whole search has to be asked for again."""


@dataclass(frozen=True)
class _Page:
    files: list[DriveFile]
    next: str
    is_complete: bool


class Drive:
    """One connection to Drive, signed in with the token file; for one process and one thread."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        """Sign in (the access token itself is fetched with the first call).

        In: the settings, and what all processes know together. Raises StopRun if there are no usable credentials.
        """
        self._http = DriveHttp(settings, limits)
        self._token = Path(settings.token)
        self._impersonate = settings.impersonate
        self._credentials = read_credentials(self._token, self._impersonate)
        self._patiently = patiently(settings.retries)
        self._units = limits.units
        authorized = google_auth_httplib2.AuthorizedHttp(self._credentials, http=self._http, max_refresh_attempts=1)
        self._service = build(
            "drive",
            "v3",
            http=authorized,
            static_discovery=True,
            client_options={"api_endpoint": f"{settings.drive_endpoint.rstrip('/')}/drive/v3/"},
        )

    @classmethod
    def of(cls, settings: Settings, tell: Tell = tell_on_stderr) -> Drive:
        """The connection of a process that is alone in asking. Raises StopRun. In: who is told what is waited for."""
        return cls(settings, Limits.of(settings, tell))

    def file(self, file_id: str, resource_key: str = "") -> DriveFile:
        """What Drive says of one file or folder.

        Raises ImageError if it is gone, in the bin or not shared with this account, StopRun or TransientError.
        """
        request = self._service.files().get(fileId=file_id, fields=FILE_FIELDS, supportsAllDrives=True)
        _with_keys(request, {file_id: resource_key})
        found = self._patiently(lambda: DriveFile.from_answer(self._json(request, GET)))
        if found.trashed:
            raise ImageError(f"{one_line(found.name, 60)!r} is in Drive's bin", Cause.GONE)
        return replace(found, resource_key=found.resource_key or resource_key)

    def account(self) -> str:
        """Who has signed in, as "Name <address>" in one line. Raises StopRun or TransientError."""
        request = self._service.about().get(fields="user(emailAddress,displayName)")
        user = self._patiently(self._json, request, GET).get("user")
        if not isinstance(user, dict):
            raise TransientError("Drive's answer does not say whose Drive it is")
        name, address = (one_line(user.get(key) or "", 100) for key in ("displayName", "emailAddress"))
        return f"{name} <{address}>" if name and address else name or address

    def shared_drives(self) -> list[DriveFile]:
        """The shared drives that the account is a member of, each as the folder at its top, which has the same ID.

        Raises ImageError, StopRun or TransientError. Facts: …/v3/drives/list (100 on a page at the most).
        """
        query = {"pageSize": 100, "fields": "nextPageToken,drives(id,name)"}
        return self._all_pages(lambda token: self._service.drives().list(pageToken=token, **query), _drives_page)

    def search(self, condition: str, drive_id: str = "") -> list[DriveFile]:
        """All files outside the bin for which a condition in Drive's query language holds; only PLACE_FIELDS of them.

        In: the shared drive to look in, "" for what belongs to the account or is shared with it. Raises as `query`.
        """
        return self.query(f"trashed=false and ({condition})", PLACE_FIELDS, drive_id)

    def query(self, q: str, fields: str, drive_id: str, keys: Mapping[str, str] | None = None) -> list[DriveFile]:
        """All files that a query in Drive's language finds, each once.

        In: the fields to be filled in; the shared drive to look in ("": not one alone); the resource keys of the
        folders that the query names, by their IDs. Raises ImageError (NotAMember if the shared drive is closed to the
        account), StopRun or TransientError, Incomplete among them if Drive says twice that it did not look everywhere:
        then nothing of what came is to be used.
        """
        query = dict(
            q=q,
            pageSize=1000,
            fields=f"nextPageToken,incompleteSearch,files({fields})",
            supportsAllDrives=True,
            includeItemsFromAllDrives=True,
            **({"corpora": "drive", "driveId": drive_id} if drive_id else {}),
        )
        return self._all_pages(
            lambda token: _with_keys(self._service.files().list(pageToken=token, **query), keys or {}), _files_page
        )

    def download(self, file_id: str, resource_key: str, size: int) -> bytes:
        """The bytes of one file of at most `size` bytes, in one call.

        Raises ImageError, StopRun or TransientError (not retried here).
        """
        return self._bytes(self._media(file_id, resource_key), size)

    def download_in_pieces(self, file_id: str, resource_key: str, size: int, into: Content) -> None:
        """The same for a large file of `size` bytes, in ranges; after a passing error it goes on with the one that was
        cut."""
        while into.size < size:
            request = self._media(file_id, resource_key)
            wanted = min(PIECE, size - into.size)
            request.headers["Range"] = f"bytes={into.size}-{into.size + wanted - 1}"
            piece = self._patiently(self._bytes, request, wanted)
            if not piece:
                raise TransientError(f"Drive ends after {into.size:,} bytes of {size:,}", cause=Cause.WRONG_BYTES)
            into.write(piece)

    def close(self) -> None:
        """Give up the connections, whatever state they are in."""
        self._http.close()

    def _media(self, file_id: str, resource_key: str) -> HttpRequest:
        return _with_keys(
            self._service.files().get_media(fileId=file_id, supportsAllDrives=True), {file_id: resource_key}
        )

    def _bytes(self, request: HttpRequest, size: int) -> bytes:
        try:
            with self._http.expecting(size):
                content = self._execute(request, DOWNLOAD)
        except TooLarge as error:
            raise TransientError(f"Drive sends more than {size:,} bytes", cause=Cause.WRONG_BYTES) from error
        if not isinstance(content, bytes):
            raise TransientError("Drive's answer is not a file")
        return content

    def _all_pages(self, request: Callable[[str | None], HttpRequest], read: Callable[[Any], _Page]) -> list[DriveFile]:
        """What is on all pages of one question. In: the request for a page by its token, and who reads its answer."""
        again = self._patiently.copy(
            retry=tenacity.retry_if_exception_type(Incomplete), stop=tenacity.stop_after_attempt(2)
        )
        return again(self._once_all_pages, request, read)

    def _once_all_pages(
        self, request: Callable[[str | None], HttpRequest], read: Callable[[Any], _Page]
    ) -> list[DriveFile]:
        found: dict[str, DriveFile] = {}
        token, nothing_new = "", 0
        while True:
            try:
                page = self._patiently(self._page, request(token or None), read)
            except TransientError:
                raise
            except ImageError as error:
                if not token:
                    raise
                # Drive's advice for a page token that it refuses: begin again at page one.
                raise Incomplete(one_line(error)) from error
            if not page.is_complete:
                raise Incomplete("Drive could not search everywhere: try again in a minute")
            before = len(found)
            found |= {file.id: file for file in page.files}
            token, nothing_new = page.next, 0 if len(found) > before else nothing_new + 1
            if not token:
                return list(found.values())
            if nothing_new == NOTHING_NEW:
                raise TransientError(f"Drive names page after page, and on {NOTHING_NEW} of them there is nothing new")

    def _page(self, request: HttpRequest, read: Callable[[Any], _Page]) -> _Page:
        return read(self._json(request, LIST))

    def _json(self, request: HttpRequest, units: int) -> dict[str, Any]:
        answer = self._execute(request, units)
        if not isinstance(answer, dict):
            raise TransientError("Drive's answer is not a JSON object")
        return answer

    def _execute(self, request: HttpRequest, units: int) -> Any:
        """One call, when there are units of Drive's quota for it. Raises MigrationError."""
        with self._units.turn(units), calling("Drive"):
            try:
                return request.execute()
            except HttpError as error:
                raise drive_error(*_said(error)) from error
            except RefreshError as error:
                raise sign_in_error(error, self._token, self._credentials, self._impersonate) from error


def _files_page(answer: dict[str, Any]) -> _Page:
    return _page_of(answer, answer.get("files"))


def _drives_page(answer: dict[str, Any]) -> _Page:
    drives = answer.get("drives")
    if isinstance(drives, list) and all(isinstance(each, dict) and "id" in each for each in drives):
        drives = [{"mimeType": FOLDER, "driveId": each["id"], **each} for each in drives]
    return _page_of(answer, drives)


def _page_of(answer: dict[str, Any], files: Any) -> _Page:
    token = answer.get("nextPageToken") or ""
    if not isinstance(files, list) or not isinstance(token, str):
        raise TransientError("Drive's answer to a query has no list of files")
    return _Page([*map(DriveFile.from_answer, files)], token, answer.get("incompleteSearch") is not True)


def _with_keys(request: HttpRequest, resource_keys: Mapping[str, str]) -> HttpRequest:
    """The request with what link-shared files ask for. In: file ID → resource key, "" for those that need none."""
    keys = ",".join(f"{file_id}/{key}" for file_id, key in resource_keys.items() if key)
    if keys:
        request.headers["X-Goog-Drive-Resource-Keys"] = keys
    return request


def _said(error: HttpError) -> tuple[int, str, str, dict[str, str]]:
    """Status, reason, message and headers of an error answer, which may be HTML."""
    reason, message = "", f"{error.resp.get('content-type', 'no type')} of {len(error.content or b'')} bytes"
    try:
        envelope = json.loads(error.content)["error"]
        message = str(envelope.get("message", ""))
        reason = str((envelope.get("errors") or [{}])[0].get("reason", ""))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        pass
    return int(error.resp.status), reason, message, dict(error.resp)
