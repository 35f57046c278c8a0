"""Drive v3 as this project uses it: signing in, looking files up, listing folders, downloading.

Facts: https://developers.google.com/workspace/drive/api/reference/rest/v3/files and …/guides/handle-errors.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import google.auth
import google_auth_httplib2
import httplib2
import tenacity
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from google.oauth2.credentials import Credentials
from google.oauth2.service_account import Credentials as ServiceAccountCredentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest, MediaIoBaseDownload

from .content import PIECE, Content
from .errors import ImageError, MigrationError, StopRun, TransientError, one_line
from .pacing import Turns
from .retrying import deadline, drive_error, network_error, patiently
from .settings import ID, Settings

SCOPE = "https://www.googleapis.com/auth/drive.readonly"
FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
FILE_FIELDS = (
    "id,name,mimeType,size,md5Checksum,modifiedTime,parents,driveId,resourceKey,trashed,spaces,"
    "capabilities/canDownload,shortcutDetails(targetId,targetMimeType,targetResourceKey)"
)
PLACE_FIELDS = "id,name,mimeType,parents,driveId,resourceKey,ownedByMe"
"""What is enough to know where a file lies."""
LIST, GET, DOWNLOAD = 100, 5, 200
"""Units of Drive's quota (2026) that each kind of call costs; that `alt=media` is a download to it is likely."""
PARENTS_IN_ONE_QUERY = 24
"""So that the URL, with IDs of 33 characters, a shared drive's and 150 of a page token, stays below 2,048 characters,
from where on the client would send it as a POST."""


@dataclass(frozen=True)
class DriveFile:
    """A file, folder or shortcut as Drive describes it.

    size in bytes, and md5, are None where Drive has none; resource_key is "" where none is needed; drive_id is the
    shared drive's or "". For a shortcut, target is the (id, MIME type, resource key) it points to. owned: by the
    account that asks, if it was asked for. can_download is False where this account may look at the file in Drive and
    not have its bytes. photos: it came from Google Photos.
    """

    id: str
    name: str
    mime_type: str
    size: int | None
    md5: str | None
    modified_time: str
    parents: tuple[str, ...]
    drive_id: str
    resource_key: str
    target: tuple[str, str, str] | None
    trashed: bool = False
    owned: bool = False
    can_download: bool = True
    photos: bool = False

    @classmethod
    def from_answer(cls, answer: Any) -> DriveFile:
        """Check what Drive says of a file. Raises TransientError if it is not what the API promises."""
        try:
            md5 = answer.get("md5Checksum")
            details = answer.get("shortcutDetails") if answer["mimeType"] == SHORTCUT else None
            file = cls(
                id=answer["id"],
                name=answer["name"],
                mime_type=answer["mimeType"],
                size=int(answer["size"]) if "size" in answer else None,
                md5=md5.lower() if md5 else None,
                modified_time=answer.get("modifiedTime", ""),
                parents=tuple(answer.get("parents", ())),
                drive_id=answer.get("driveId", ""),
                resource_key=answer.get("resourceKey", ""),
                target=details
                and (details["targetId"], details.get("targetMimeType", ""), details.get("targetResourceKey", "")),
                trashed=answer.get("trashed") is True,
                owned=answer.get("ownedByMe") is True,
                can_download=answer.get("capabilities", {}).get("canDownload") is not False,
                photos="photos" in answer.get("spaces", ()),
            )
            ids = [file.id, *file.parents, *([file.target[0]] if file.target else [])]
            texts = [file.name, file.mime_type, file.modified_time, file.drive_id, file.resource_key]
            if not all(isinstance(text, str) for text in texts) or not all(re.fullmatch(ID, i) for i in ids):
                raise ValueError("wrong types")
            if file.md5 and not re.fullmatch(r"[0-9a-f]{32}", file.md5):
                raise ValueError("md5Checksum is none")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TransientError(
                f"Drive's answer is not what its API promises: {one_line(repr(error), 100)}"
            ) from error
        return file


class Drive:
    """One connection to Drive, signed in with the token file; for one process and one thread (httplib2's limit)."""

    def __init__(self, token: Path, endpoint: str, timeout: float, retrying: tenacity.Retrying, turns: Turns) -> None:
        """Sign in (the access token itself is fetched with the first call).

        In: the token file, the root of the API, the seconds of silence after which a call is given up, who tries again
        after a passing error, and whose turn it is to call. Raises StopRun if there are no usable credentials.
        """
        self._http = httplib2.Http(timeout=timeout)
        self._token = token
        self._timeout = timeout
        self._patiently = retrying
        self._turns = turns
        authorized = google_auth_httplib2.AuthorizedHttp(
            read_credentials(token), http=self._http, max_refresh_attempts=1
        )
        self._service = build(
            "drive",
            "v3",
            http=authorized,
            static_discovery=True,
            client_options={"api_endpoint": f"{endpoint.rstrip('/')}/drive/v3/"},
        )

    @classmethod
    def of(cls, settings: Settings) -> Drive:
        """The connection of a process that is alone in asking. Raises StopRun."""
        turns = Turns(per_minute=settings.drive_units_per_minute)
        return cls(Path(settings.token), settings.drive_endpoint, settings.timeout, patiently(settings.retries), turns)

    def file(self, file_id: str, resource_key: str = "") -> DriveFile:
        """What Drive says of one file or folder.

        Raises ImageError if it is gone, in the bin or not shared with this account, StopRun or TransientError.
        """
        request = self._service.files().get(fileId=file_id, fields=FILE_FIELDS, supportsAllDrives=True)
        _with_keys(request, {file_id: resource_key})
        found = self._patiently(lambda: DriveFile.from_answer(self._json(request, GET)))
        if found.trashed:
            raise ImageError(f"{one_line(found.name, 60)!r} is in Drive's bin")
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
        drives: list[DriveFile] = []
        request = self._service.drives().list(pageSize=100, fields="nextPageToken,drives(id,name)")
        while request is not None:
            answer = self._patiently(self._json, request, LIST)
            try:
                described = [{"mimeType": FOLDER, "driveId": each["id"], **each} for each in answer["drives"]]
            except (KeyError, TypeError) as error:
                raise TransientError("Drive's answer has no list of shared drives") from error
            drives.extend(map(DriveFile.from_answer, described))
            request = self._service.drives().list_next(request, answer)
        return drives

    def search(self, condition: str, drive_id: str = "") -> list[DriveFile]:
        """All files outside the bin for which a condition in Drive's query language holds; only PLACE_FIELDS of them.

        In: the shared drive to look in, "" for what belongs to the account or is shared with it. Raises ImageError,
        StopRun or TransientError, the last also if Drive says that it did not look everywhere.
        """
        found: list[DriveFile] = []
        if not self._pages(f"trashed=false and ({condition})", PLACE_FIELDS, drive_id, {}, found):
            raise TransientError("Drive could not search everywhere: try again in a minute")
        return found

    def children(self, folders: Sequence[DriveFile], kinds: str) -> Iterator[DriveFile]:
        """All files directly in any of these folders; at least one of these is among each file's `parents`.

        In: up to PARENTS_IN_ONE_QUERY folders of one shared drive or of none; `kinds`, a condition on the MIME type in
        Drive's query language. A folder whose answer is incomplete, or several ones without any answer (Drive has been
        seen to do that: rclone #3114, #4289), are asked again singly. Raises StopRun or TransientError if a page
        cannot be had: then nothing of what came is to be used.
        """
        found: list[DriveFile] = []
        complete = self._collect(folders, kinds, found)
        if len(folders) == 1:
            if not complete:
                raise TransientError(f"Drive could not search the folder {one_line(folders[0].name, 60)!r} completely")
            yield from (replace(file, parents=(folders[0].id,)) for file in found)
            return
        asked = {folder.id for folder in folders}
        if found and complete and all(asked.intersection(file.parents) for file in found):
            yield from found
        else:
            for folder in folders:
                yield from self.children([folder], kinds)

    def download(self, file_id: str, resource_key: str, size: int) -> bytes:
        """The bytes of one file of about `size` bytes, in one call.

        Raises ImageError, StopRun or TransientError (not retried here).
        """
        content = self._execute(self._media(file_id, resource_key), DOWNLOAD, size)
        if not isinstance(content, bytes):
            raise TransientError("Drive's answer is not a file")
        return content

    def download_in_pieces(self, file_id: str, resource_key: str, into: Content) -> None:
        """The same for a large file, in ranges; after a passing error it goes on with the range that was cut."""
        media = MediaIoBaseDownload(into, self._media(file_id, resource_key), chunksize=PIECE)
        done = False
        while not done:
            _, done = self._patiently(self._guarded, media.next_chunk, DOWNLOAD, PIECE)

    def _media(self, file_id: str, resource_key: str) -> HttpRequest:
        return _with_keys(
            self._service.files().get_media(fileId=file_id, supportsAllDrives=True), {file_id: resource_key}
        )

    def close(self) -> None:
        """Give up the connections, whatever state they are in."""
        self._http.close()

    def _collect(self, folders: Sequence[DriveFile], kinds: str, found: list[DriveFile]) -> bool:
        """Put all children of these folders into `found`; whether Drive says that they are everything."""
        parents = " or ".join(f"'{folder.id}' in parents" for folder in folders)
        keys = {folder.id: folder.resource_key for folder in folders}
        query = f"({parents}) and trashed=false and ({kinds})"
        return self._pages(query, FILE_FIELDS, folders[0].drive_id, keys, found)

    def _pages(self, q: str, fields: str, drive_id: str, keys: dict[str, str], found: list[DriveFile]) -> bool:
        """Put all pages of one query into `found`; whether Drive says that they are everything."""
        query = dict(
            q=q,
            pageSize=1000,
            fields=f"nextPageToken,incompleteSearch,files({fields})",
            supportsAllDrives=True,
            includeItemsFromAllDrives=True,
            **({"corpora": "drive", "driveId": drive_id} if drive_id else {}),
        )
        page_token, complete, restarts = None, True, 0
        seen: set[str] = set()
        while True:
            request = _with_keys(self._service.files().list(pageToken=page_token, **query), keys)
            try:
                answer = self._patiently(self._json, request, LIST)
            except ImageError as error:
                # Drive's advice for a page token that it refuses: begin again at page one.
                if isinstance(error, TransientError) or not page_token or restarts:
                    raise
                page_token, complete, restarts = None, True, restarts + 1
                found.clear()
                seen.clear()
                continue
            files = answer.get("files")
            if not isinstance(files, list):
                raise TransientError("Drive's answer to a query has no list of files")
            found.extend(map(DriveFile.from_answer, files))
            complete = complete and not answer.get("incompleteSearch", False)
            page_token = answer.get("nextPageToken")
            if not page_token:
                return complete
            if not isinstance(page_token, str) or page_token in seen:
                raise TransientError("Drive's answer names no next page, or one that it named before")
            seen.add(page_token)

    def _json(self, request: HttpRequest, units: int) -> dict[str, Any]:
        answer = self._execute(request, units)
        if not isinstance(answer, dict):
            raise TransientError("Drive's answer is not a JSON object")
        return answer

    def _execute(self, request: HttpRequest, units: int, size: int = 0) -> Any:
        """One call. In: a request of the client, what it costs, and the bytes expected."""
        return self._guarded(request.execute, units, size)

    def _guarded(self, call: Callable[[], Any], units: int, size: int) -> Any:
        """The result of one call of the client, when it is its turn; raises what retrying.py makes of an error."""
        with self._turns.turn(units):
            try:
                with deadline(self._timeout, size):
                    return call()
            except HttpError as error:
                raise drive_error(*_said(error)) from error
            except RefreshError as error:
                raise self._sign_in_error(error) from error
            except (GoogleAuthError, httplib2.HttpLib2Error, http.client.HTTPException, OSError) as error:
                self.close()
                raise network_error("Drive", error) from error
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                # Also what the libraries stumble over: a sign-in that is answered with 200 and no JSON object.
                self.close()
                raise TransientError("Drive's or the sign-in's answer is not what its API promises") from error

    def _sign_in_error(self, error: RefreshError) -> MigrationError:
        answer = error.args[1] if len(error.args) > 1 else None
        if error.retryable or not (isinstance(answer, dict) and isinstance(answer.get("error"), str)):
            # The library takes an HTML 502 for a refusal, too.
            return network_error("Google's sign-in", error)
        said = one_line(error.args[0], 150)
        return StopRun(f"{self._token} has expired or was revoked: run python scripts/authenticate.py ({said})")


def read_credentials(token: Path) -> Any:
    """Google credentials from the token file, or Application Default Credentials if there is no such file.

    Raises StopRun with the line that says what to do; never shows what is in the file.
    """
    try:
        text = token.read_text(encoding="utf-8")
    except FileNotFoundError:
        return default_credentials(token)
    except (OSError, UnicodeDecodeError) as error:
        raise StopRun(f"{token} cannot be read: {one_line(error)}") from error
    try:
        value = json.loads(text)
        if value.get("type") == "service_account":
            return ServiceAccountCredentials.from_service_account_info(value, scopes=[SCOPE])
        return _authorized_user(value)
    except (ValueError, KeyError, TypeError, AttributeError, GoogleAuthError) as error:
        raise StopRun(
            f"{token} holds neither an authorized user nor a service account's key: run python scripts/authenticate.py"
        ) from error


def token_warning(token: Path) -> str | None:
    """A line to say if others can read the token file; None if not (or if there is none)."""
    try:
        mode = token.stat().st_mode
    except OSError:
        return None
    return f"{token} can be read by other users: chmod 600 {token}" if mode & (stat.S_IRGRP | stat.S_IROTH) else None


def _authorized_user(value: dict[str, Any]) -> Credentials:
    """The credentials that google-auth's `to_json` wrote; its own reader would ignore the token_uri."""
    expiry = value.get("expiry")
    return Credentials(
        token=value.get("token"),
        refresh_token=value["refresh_token"],
        token_uri=value.get("token_uri") or "https://oauth2.googleapis.com/token",
        client_id=value["client_id"],
        client_secret=value["client_secret"],
        scopes=value.get("scopes"),
        # google-auth counts in UTC without saying so.
        expiry=datetime.fromisoformat(expiry).replace(tzinfo=None) if expiry else None,
    )


def default_credentials(token: Path) -> Any:
    # Asking for a metadata server that is not there takes seconds; where there is one, the machine says Google.
    if "google" not in _text_of(Path("/sys/class/dmi/id/product_name")).lower():
        os.environ.setdefault("NO_GCE_CHECK", "true")
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except (DefaultCredentialsError, OSError) as error:
        raise StopRun(
            f"there is no {token}, and no Application Default Credentials: run python scripts/authenticate.py"
        ) from error
    return credentials


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _with_keys(request: HttpRequest, resource_keys: dict[str, str]) -> HttpRequest:
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
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        pass
    return int(error.resp.status), reason, message, dict(error.resp)
