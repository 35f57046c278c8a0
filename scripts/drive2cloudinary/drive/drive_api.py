"""The Drive v3 API as this project uses it: get a file's metadata, search for files, download them.

Facts: https://developers.google.com/workspace/drive/api/reference/rest/v3/files and …/guides/handle-errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import google_auth_httplib2
import httplib2
import tenacity
from google.auth.exceptions import RefreshError
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest

from drive2cloudinary.answers import of_no_api
from drive2cloudinary.causes import Cause
from drive2cloudinary.content import PIECE, Content
from drive2cloudinary.drive.drive_answers import NotAccepted, drive_error
from drive2cloudinary.drive.drive_http import DriveHttp, SignInRefused
from drive2cloudinary.drive.file import FILE_FIELDS, FOLDER, PLACE_FIELDS, WITH_DESCRIPTION, DriveFile
from drive2cloudinary.drive.signin import read_credentials, sign_in_error
from drive2cloudinary.errors import ImageError, TooLarge, TransientError, one_line
from drive2cloudinary.network.notices import Tell
from drive2cloudinary.network.services import Services, tell_on_stderr
from drive2cloudinary.retrying import calling, patiently
from drive2cloudinary.settings import Settings
from drive2cloudinary.waiting import pause
from drive2cloudinary.wording import counted

LIST, GET, DOWNLOAD = 100, 5, 200
"""The cost of each kind of call in units of Drive's quota (2026). `alt=media` probably counts as a download."""
NOTHING_NEW = 100
"""A search fails after this many pages in a row without a new file: Drive may send empty pages, but not forever."""
AT_ONCE = 8
"""How many calls a listing makes at once. At 150 ms a search, 8 use up Drive's quota of 54 searches a second (LIST of
325,000 units a minute); with more, the rate limit would be the limit all the same. rclone's `--checkers` are 8, too."""
TOKENS = 5
"""The run stops after so many refusals of a call's token in a row, each but the first of a new one."""


class Incomplete(TransientError):
    """Drive did not search everywhere, or refused a page token, so the whole search has to be repeated."""


@dataclass(frozen=True)
class _Page:
    files: list[DriveFile]
    next: str
    is_complete: bool


class Drive:
    """Connections to Drive, signed in with the token file. For one process; any of its threads may call.

    The credentials and the client are shared. Each call has a connection to itself (DriveHttp), which is what the
    client's documentation asks for (googleapis/google-api-python-client, docs/thread_safety.md). If an access token
    expires, several threads may refresh it; each of the new ones is valid.
    """

    def __init__(self, settings: Settings, services: Services) -> None:
        """Sign in (the access token itself is fetched with the first call).

        In: the settings, and the limits and contacts that all processes share. Raises StopRun if there are no usable
        credentials.
        """
        self._http = DriveHttp(settings, services, AT_ONCE)
        self._token = Path(settings.token)
        self._impersonate = settings.impersonate
        self._credentials = read_credentials(self._token, self._impersonate)
        self._patiently = patiently(settings.retries, say_retry=services.retries.say_retry)
        self.fields = WITH_DESCRIPTION if settings.caption_from_description else FILE_FIELDS
        """The fields to request of each file of a listing."""
        self._units = services.units
        # The library would ask for a new token and try again, but at once: `_execute` does it with a pause.
        authorized = google_auth_httplib2.AuthorizedHttp(self._credentials, http=self._http, max_refresh_attempts=0)
        self._with_new_tokens = tenacity.Retrying(
            sleep=pause,
            retry=tenacity.retry_if_exception_type(NotAccepted),
            stop=tenacity.stop_after_attempt(TOKENS),
            wait=tenacity.wait_incrementing(start=0, increment=1),
            before_sleep=lambda state: self._sign_in_again(),
            reraise=True,
        )
        self._service = build(
            "drive",
            "v3",
            http=authorized,
            static_discovery=True,
            client_options={"api_endpoint": f"{settings.drive_endpoint.rstrip('/')}/drive/v3/"},
        )

    @classmethod
    def of(cls, settings: Settings, tell: Tell = tell_on_stderr) -> Drive:
        """A connection with limits of its own, for a single process. In: called with messages about waiting.

        Raises StopRun.
        """
        return cls(settings, Services.of(settings, tell))

    def file(self, file_id: str, resource_key: str = "", fields: str = FILE_FIELDS) -> DriveFile:
        """The metadata of one file or folder. In: its ID, its resource key ("" if none), the fields to request.

        Raises ImageError if it is deleted, in the bin or not shared with this account, StopRun or TransientError.
        """
        request = self._service.files().get(fileId=file_id, fields=f"{fields},trashed", supportsAllDrives=True)
        _with_keys(request, {file_id: resource_key})
        found = self._patiently(lambda: DriveFile.from_answer(self._json(request, GET)))
        if found.trashed:
            raise ImageError(f"{one_line(found.name, 60)!r} is in Drive's bin", Cause.GONE)
        return replace(found, resource_key=found.resource_key or resource_key)

    def account(self) -> str:
        """The signed-in account, as "Name <address>" in one line. Raises StopRun or TransientError."""
        request = self._service.about().get(fields="user(emailAddress,displayName)")
        user = self._patiently(self._json, request, GET).get("user")
        if not isinstance(user, dict):
            raise TransientError("Drive's answer does not say whose Drive it is")
        name, address = (one_line(user.get(key) or "", 100) for key in ("displayName", "emailAddress"))
        return f"{name} <{address}>" if name and address else name or address

    def shared_drives(self) -> list[DriveFile]:
        """The shared drives that the account is a member of, each as its top folder, which has the same ID.

        Raises ImageError, StopRun or TransientError. Facts: …/v3/drives/list (at most 100 on a page).
        """
        query = {"pageSize": 100, "fields": "nextPageToken,drives(id,name)"}
        return self._all_pages(
            lambda token: self._service.drives().list(pageToken=token, **query), _drives_page, lambda files: None
        )

    def search(self, condition: str, drive_id: str = "") -> list[DriveFile]:
        """All files outside the bin that match a condition in Drive's query language, with PLACE_FIELDS only.

        In: the shared drive to search, "" for what belongs to the account or is shared with it. Raises as `query`.
        """
        return self.query(f"trashed=false and ({condition})", PLACE_FIELDS, drive_id)

    def query(
        self,
        q: str,
        fields: str,
        drive_id: str,
        keys: Mapping[str, str] | None = None,
        each_page: Callable[[list[DriveFile]], None] = lambda files: None,
    ) -> list[DriveFile]:
        """All files that match a query in Drive's language, each once.

        In: the fields to request; the shared drive to search ("": all that the account sees); folder ID → resource key
        of the Drive folders in the query; a function that is called with the files of each page as it comes, and with
        some of them again if a search has to be repeated. Raises ImageError (NotAMember if the account is no member of
        the shared drive), StopRun or TransientError; Incomplete, a TransientError, if Drive says twice that it did not
        search everywhere.
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
            lambda token: _with_keys(self._service.files().list(pageToken=token, **query), keys or {}),
            _files_page,
            each_page,
        )

    def download(self, file_id: str, resource_key: str, size: int) -> bytes:
        """Download a file of at most `size` bytes in one call.

        Raises ImageError, StopRun or TransientError (not retried here).
        """
        try:
            return self._bytes(self._media(file_id, resource_key), size)[0]
        except TooLarge as error:
            raise TransientError(f"Drive sends more than {counted(size, 'byte')}", cause=Cause.CHANGED) from error

    def download_in_pieces(self, file_id: str, resource_key: str, size: int, into: Content) -> None:
        """Download a large file of `size` bytes in ranges. After a TransientError, only the failed range is retried.

        If the file has another size by now, the error's cause is CHANGED, and nothing is retried here: its pieces would
        be those of two versions. Raises as `download`.
        """
        again = self._patiently.copy(retry=tenacity.retry_if_exception(_may_pass))
        while into.size < size:
            into.write(again(self._piece, file_id, resource_key, into.size, size))

    def _piece(self, file_id: str, resource_key: str, start: int, size: int) -> bytes:
        """The next bytes of a file of `size` bytes. An answer with more is none to this question: it can be retried."""
        request = self._media(file_id, resource_key)
        wanted = min(PIECE, size - start)
        request.headers["Range"] = f"bytes={start}-{start + wanted - 1}"
        piece, answer = self._bytes(request, wanted)
        found = re.fullmatch(rf"bytes {start}-[0-9]+/([0-9]{{1,18}})", answer.get("content-range", ""))
        if not found:
            raise TransientError("Drive's answer is not the part of the file that was asked for")
        if not piece:
            raise TransientError(f"Drive ends after {counted(start, 'byte')} of {size:,}", cause=Cause.CHANGED)
        if int(found[1]) != size:
            raise TransientError(
                f"the file has {counted(int(found[1]), 'byte')} in Drive, not {size:,}", cause=Cause.CHANGED
            )
        return piece

    def _media(self, file_id: str, resource_key: str) -> HttpRequest:
        return _with_keys(
            self._service.files().get_media(fileId=file_id, supportsAllDrives=True), {file_id: resource_key}
        )

    def _bytes(self, request: HttpRequest, size: int) -> tuple[bytes, httplib2.Response]:
        """What a call downloads, of `size` bytes at most, and the head of the answer."""
        answers: list[httplib2.Response] = []
        request.add_response_callback(answers.append)
        with self._http.expecting(size):
            content = self._execute(request, DOWNLOAD)
        if not isinstance(content, bytes):
            raise TransientError("Drive's answer is not a file")
        kind = answers[-1].get("content-type", "")
        if len(content) != size and kind.startswith("text/html"):
            raise TransientError(f"Drive's answer is not the file: {of_no_api(content, kind)}")
        return content, answers[-1]

    def _all_pages(
        self,
        request: Callable[[str | None], HttpRequest],
        read: Callable[[Any], _Page],
        each_page: Callable[[list[DriveFile]], None],
    ) -> list[DriveFile]:
        """The files on all pages of a search.

        In: functions that make the request for a page token, read a page's answer, and are told each page's files.
        """
        again = self._patiently.copy(
            retry=tenacity.retry_if_exception_type(Incomplete), stop=tenacity.stop_after_attempt(2)
        )
        return again(self._once_all_pages, request, read, each_page)

    def _once_all_pages(
        self,
        request: Callable[[str | None], HttpRequest],
        read: Callable[[Any], _Page],
        each_page: Callable[[list[DriveFile]], None],
    ) -> list[DriveFile]:
        found: dict[str, DriveFile] = {}
        token, nothing_new = "", 0
        while True:
            try:
                page = self._patiently(self._page, request(token or None), read)
            except ImageError as error:
                passes = isinstance(error, TransientError) and error.cause is not Cause.REFUSED
                if not token or passes:
                    raise
                # If Drive refuses a page token, it advises to begin again with the first page.
                raise Incomplete(one_line(error)) from error
            if not page.is_complete:
                raise Incomplete("Drive could not search everywhere: try again in a minute")
            before = len(found)
            found |= {file.id: file for file in page.files}
            each_page(page.files)
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
        """One call, as soon as the rate limit allows it, with a new token if Drive does not accept the one at hand.

        Raises MigrationError. A token that has just been given is not always known everywhere in Drive.
        """
        return self._with_new_tokens(self._once, request, units)

    def _once(self, request: HttpRequest, units: int) -> Any:
        with self._units.spending(units), self._calling("Drive"):
            try:
                return request.execute()
            except HttpError as error:
                raise drive_error(int(error.resp.status), error.content or b"", dict(error.resp)) from error

    def _sign_in_again(self) -> None:
        with self._calling("Google's sign-in"):
            self._credentials.refresh(google_auth_httplib2.Request(self._http))

    @contextmanager
    def _calling(self, service: str) -> Iterator[None]:
        """Turn the exceptions of Google's clients, which may sign in before any call, into a MigrationError."""
        with calling(service):
            try:
                yield
            except SignInRefused as error:
                raise sign_in_error(error.answer, self._token, self._credentials, self._impersonate) from error
            except RefreshError as error:
                # Of what is no refusal and yet no token, such as a page of something in between, nothing is shown: it
                # may repeat the request, which has secrets.
                raise TransientError("Google's sign-in gives no token, and does not say why") from error


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, TransientError) and error.cause is not Cause.CHANGED


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
    """The request with the resource keys that link-shared files need. In: file ID → resource key, "" if none."""
    keys = ",".join(f"{file_id}/{key}" for file_id, key in resource_keys.items() if key)
    if keys:
        request.headers["X-Goog-Drive-Resource-Keys"] = keys
    return request
