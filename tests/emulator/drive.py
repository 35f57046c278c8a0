"""The Drive v3 API: the routes that a reader of Drive uses, with Drive's own errors."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Callable
from itertools import takewhile
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from .drive_fields import ACCOUNT, FieldsError, cut, is_owned, mask_of, render
from .drive_query import Query, QueryError, parse
from .drive_tree import Node, Tree
from .oauth import OAuth
from .wire import Call, Reply, nonempty, span, split_target

Json = dict[str, Any]
Item = TypeVar("Item")
READ_SCOPES = {"https://www.googleapis.com/auth/drive.readonly", "https://www.googleapis.com/auth/drive"}
STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
USAGE_LIMITS = ("userRateLimitExceeded", "rateLimitExceeded", "dailyLimitExceeded", "downloadQuotaExceeded")
UNAUTHENTICATED = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
PAGE_WITH_PARENTS = 460
UNITS = {"drive.list": 100, "drive.drives": 100, "drive.media": 200}
OTHER_UNITS = 5
SEARCHES = 32
PROJECT = "100000000001"
QUOTAS = {
    "minute": ("Queries per minute per user", "defaultPerMinutePerUser", "1/min/{project}/{user}", "325000"),
    "day": ("Queries per day", "defaultPerDayPerProject", "1/d/{project}", "1000000000"),
}
"""What Drive calls its quotas: the limit in the message; and of the metadata, quota_limit, quota_unit and its value."""
FILE_PATH = re.compile(r"/drive/v3/files/([^/]+)$")
ROUTES = {
    "/drive/v3/files": "drive.list",
    "/drive/v3/about": "drive.about",
    "/drive/v3/drives": "drive.drives",
    "/drive/v3/changes/startPageToken": "drive.changes",
}


class DriveError(Exception):
    """An error that Drive answers with its JSON envelope."""

    def __init__(self, code: int, reason: str, message: str, where: str = "", kind: str = "parameter") -> None:
        super().__init__(message)
        self.code, self.reason, self.where, self.kind = code, reason, where, kind

    def reply(self) -> Reply:
        """The envelope, with `location` only where Drive names one."""
        domain = "usageLimits" if self.reason in USAGE_LIMITS else "global"
        detail = {"message": str(self), "domain": domain, "reason": self.reason}
        if self.where:
            detail |= {"location": self.where, "locationType": self.kind}
        error: Json = {"code": self.code, "message": str(self), "errors": [detail]}
        if self.code == 401:
            error |= {"message": UNAUTHENTICATED, "status": STATUSES[401]}
        if self.reason == "insufficientPermissions":
            error |= {"status": STATUSES[403], "details": [_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT")]}
            error["message"] = "Request had insufficient authentication scopes."
        if self.reason == "rateLimitExceeded" and self.code == 403:
            named = next((quota for quota in QUOTAS.values() if f"limit '{quota[0]}'" in str(self)), QUOTAS["minute"])
            metadata = dict(zip(("quota_limit", "quota_unit", "quota_limit_value"), named[1:], strict=True))
            metadata |= {"quota_metric": "drive.googleapis.com/default", "service": "drive.googleapis.com"}
            metadata |= {"consumer": f"projects/{PROJECT}"}
            error |= {"status": STATUSES[403], "details": [_info("RATE_LIMIT_EXCEEDED", metadata)]}
        reply = Reply.of_json({"error": error}, self.code)
        if self.code == 401:
            reply.headers["WWW-Authenticate"] = 'Bearer realm="https://accounts.google.com/", error="invalid_token"'
        return reply


def _info(reason: str, metadata: dict[str, str] | None = None) -> Json:
    """An ErrorInfo as Google's APIs put it beside the older `errors`."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    return {**info, "metadata": metadata} if metadata else info


def over_quota(of: str) -> DriveError:
    """The refusal of a call for which a quota has nothing left, as it was recorded in 2026: without Retry-After."""
    message = f"Quota exceeded for quota metric 'Queries' and limit '{QUOTAS[of][0]}' of service "
    message += f"'drive.googleapis.com' for consumer 'project_number:{PROJECT}'."
    return DriveError(403, "rateLimitExceeded", message)


def not_found(what: str) -> DriveError:
    """404 for a file; Drive also answers it for a file that the account may not see."""
    return DriveError(404, "notFound", f"File not found: {what}.", "fileId")


def invalid(where: str, message: str = "Invalid Value", reason: str = "invalid") -> DriveError:
    """400 for a parameter."""
    return DriveError(400, reason, message, where)


class Drive:
    """The service. `delay` is added to each call; more than `per_second` calls a second are refused.

    `units_per_minute`: the most units in any 60 seconds; further calls are refused. 0: no limit. `calls_a_day`: so many
    calls are accepted, and then none until it is set again; None: no limit.
    """

    def __init__(
        self, tree: Tree, oauth: OAuth, delay: float = 0.0, per_second: int = 0, units_per_minute: int = 0
    ) -> None:
        self.units_per_minute = units_per_minute
        self.calls_a_day: int | None = None
        self._accepted: deque[tuple[float, int]] = deque()
        self._units = 0
        self._tree = tree
        self._oauth = oauth
        self._delay = delay
        self._per_second = per_second
        self._searches: dict[tuple[int, str, bool], list[Node]] = {}
        self._services: dict[str, Callable[[Call], Reply]] = {
            "drive.list": self._list,
            "drive.get": self._get,
            "drive.media": self._media,
            "drive.about": self._about,
            "drive.drives": self._drives,
            "drive.changes": self._position,
        }

    async def open(self, request: web.BaseRequest) -> Call:
        """Names the call. A GET that the client sent as a POST, because its query is long, counts as a GET."""
        path, query = split_target(request)
        method = request.method
        if request.can_read_body:
            body = await request.content.read()
            if method == "POST" and request.headers.get("X-HTTP-Method-Override") == "GET":
                method = "GET"
                query |= dict(parse_qsl(body.decode(), keep_blank_values=True))
        op = ROUTES.get(path, "drive.other") if method == "GET" else "drive.other"
        keys = nonempty([query.get("q", ""), path])
        if method == "GET" and (found := FILE_PATH.match(path)):
            op = "drive.media" if query.get("alt") == "media" else "drive.get"
            file_id = self._tree.resolve(unquote(found.group(1)))
            node = self._tree.nodes.get(file_id)
            keys = nonempty([file_id, node.name, node.path] if node else [file_id])
        return Call(request, op, keys, query, delay=self._delay)

    def error(self, status: int, reason: str, message: str) -> Reply:
        """An injected error in Drive's envelope."""
        return DriveError(status, reason, message).reply()

    async def answer(self, call: Call) -> Reply:
        """The answer, which may be an error."""
        try:
            if call.op == "drive.other":
                return Reply.of_html(404, "Error 404 (Not Found)!!1")
            self._authorise(call)
            return self._services[call.op](call)
        except DriveError as error:
            return error.reply()
        except FieldsError as error:
            return invalid("fields", f"Invalid field selection {error}", "invalidParameter").reply()

    def _authorise(self, call: Call) -> None:
        kind, _, token = call.request.headers.get("Authorization", "").partition(" ")
        scopes = self._oauth.scopes_of(token) if kind.lower() == "bearer" else None
        if scopes is None:
            raise DriveError(401, "authError", "Invalid Credentials", "Authorization", "header")
        if not scopes & READ_SCOPES:
            raise DriveError(403, "insufficientPermissions", "Insufficient Permission")
        self._charge(UNITS.get(call.op, OTHER_UNITS), time.monotonic())

    def _charge(self, units: int, now: float) -> None:
        if self.calls_a_day == 0:
            raise over_quota("day")
        while self._accepted and self._accepted[0][0] <= now - 60:
            self._units -= self._accepted.popleft()[1]
        if self.units_per_minute and self._units + units > self.units_per_minute:
            raise over_quota("minute")
        if 0 < self._per_second <= sum(1 for _ in takewhile(lambda each: each[0] > now - 1, reversed(self._accepted))):
            raise over_quota("minute")
        if self.calls_a_day:
            self.calls_a_day -= 1
        self._accepted.append((now, units))
        self._units += units

    # files.list

    def _list(self, call: Call) -> Reply:
        query = call.query
        mask = mask_of(query.get("fields", ""), "list")
        try:
            wanted = parse(query.get("q", ""))
        except QueryError as error:
            raise invalid("q") from error
        size = _page_size(query.get("pageSize", "100"))
        if mask is None or "parents" in (mask.get("files") or {"parents": None}):
            # Observed in the real Drive, whatever pageSize says.
            size = min(size, PAGE_WITH_PARENTS)
        shared = _true(query, "supportsAllDrives") and _true(query, "includeItemsFromAllDrives")
        drive_id = self._corpus(query, shared)
        self._check_folders(call, wanted)
        stamp = _stamp(query)
        found = self._found(wanted, shared, drive_id, stamp)
        found = self._left_after(call, wanted, drive_id, found)
        # By a fault, a short or empty page that still has a next page.
        page, more = _page(found, query, int(call.fault.get("page", size)), stamp)
        answer: Json = {"kind": "drive#fileList", "incompleteSearch": False, **more}
        where = {"first": not query.get("pageToken"), "last": "nextPageToken" not in answer, True: True}
        if where.get(call.fault.get("incomplete")):
            # An incomplete search: hits are missing, and only this flag says so.
            answer["incompleteSearch"] = True
            page = page[: len(page) // 2]
        if call.fault.get("endless_pages"):
            page, answer["nextPageToken"] = [], _token(0, stamp)
        if mask is None or "files" in mask:
            below = None if mask is None else mask["files"]
            answer["files"] = [render(self._tree, node, below) for node in page]
        return Reply.of_json(answer if mask is None else {key: answer[key] for key in mask if key in answer})

    def _left_after(self, call: Call, wanted: Query, drive_id: str | None, found: list[Node]) -> list[Node]:
        """The hits that Drive really answers for a query that names several folders.

        The real Drive omits whole folders from some answers (rclone #9810); here those that `leave_out` names, or
        all (`empty_batches`). Without driveId, it omits files in shared drives of which the account is not a member.
        """
        if len(wanted.named) < 2 or call.fault.get("empty_batches"):
            return [] if call.fault.get("empty_batches") and len(wanted.named) > 1 else found
        left_out = set(call.fault.get("leave_out", ()))
        # A file that is also in another folder was found there.
        kept = wanted.named - left_out if call.fault.get("keep_shared") else frozenset()
        return [
            node
            for node in found
            if (left_out.isdisjoint(node.parents) or not kept.isdisjoint(node.parents))
            and (drive_id or node.drive_id is None or self._is_member(node.drive_id))
        ]

    def _is_member(self, drive_id: str) -> bool:
        drive = self._tree.nodes.get(drive_id)
        return drive is not None and drive.overrides.get("member") is not False

    def _found(self, wanted: Query, shared: bool, drive_id: str | None, stamp: str) -> list[Node]:
        """All hits of a search. The last searches are cached for their next pages, until the Drive changes."""
        key = (self._tree.changes, stamp, shared)
        if key in self._searches:
            return self._searches[key]
        parents = None if wanted.parents is None else sorted(self._tree.resolve(parent) for parent in wanted.parents)
        found = [
            node
            for node in self._tree.listed(parents)
            if node.parents
            and node.visible
            and not self._tree.is_shut(node)
            and (shared or node.drive_id is None)
            and (drive_id is None or node.drive_id == drive_id)
            and (parents is not None or self._is_in_corpus(node))
            and wanted.test(self._tree, node)
        ]
        if len(self._searches) == SEARCHES:
            del self._searches[next(iter(self._searches))]
        self._searches[key] = found
        return found

    def _is_in_corpus(self, node: Node) -> bool:
        """False for a file inside a folder shared with the account, unless the file itself was shared, too.

        The corpus of a user is what "the user created, opened, or was directly given"; that what others put into an own
        folder belongs to it is unverified.
        """
        if is_owned(node) is not False or "sharedWithMeTime" in node.overrides:
            return True
        return any(
            is_owned(up) is not False or ("sharedWithMeTime" not in up.overrides and self._is_in_corpus(up))
            for up in self._tree.above(node)
            if up.visible
        )

    def _corpus(self, query: dict[str, str], shared: bool) -> str | None:
        """The shared drive to which the search is limited, if any; checks `corpora`, `driveId` and `spaces`."""
        if "orderBy" in query:
            raise invalid("orderBy", "Sorting is not emulated.")
        corpora = query.get("corpora", "user")
        if corpora not in ("user", "drive", "allDrives", "domain"):
            raise invalid("corpora")
        if query.get("spaces", "drive") not in ("drive", "appDataFolder"):
            raise invalid("spaces")
        if (corpora == "drive") != bool(query.get("driveId")):
            raise invalid("driveId", "The driveId parameter must be specified if and only if corpora is set to drive.")
        if corpora in ("drive", "allDrives") and not shared:
            message = f"corpora={corpora} requires includeItemsFromAllDrives and supportsAllDrives to be true."
            raise invalid("includeItemsFromAllDrives", message)
        drive_id = query.get("driveId") or None
        drive = self._tree.nodes.get(drive_id or "")
        if drive_id and drive is not None and drive.overrides.get("member") is False and not drive.visible:
            message = "The user does not have sufficient permissions for this shared drive."
            raise DriveError(403, "teamDriveMembershipRequired", message)
        if drive_id and (drive is None or drive.drive_id != drive.id or not self._is_member(drive_id)):
            raise DriveError(404, "notFound", f"Shared drive not found: {drive_id}", "driveId")
        return drive_id

    def _check_folders(self, call: Call, wanted: Query) -> None:
        """Drive answers 404, with an empty name, if a folder in the query does not exist or may not be seen."""
        for folder in wanted.named:
            node = self._tree.nodes.get(self._tree.resolve(folder))
            if node is None or not self._may_see(call, node):
                raise not_found("")

    # files.get

    def _may_see(self, call: Call, node: Node) -> bool:
        """False for a file that is not shared with the account, or needs a resource key that the request lacks."""
        if not node.visible or (node.drive_id and not _true(call.query, "supportsAllDrives")):
            return False
        if node.drive_id and not self._is_member(node.drive_id) and not self._is_shared(node):
            return False
        if not node.resource_key_required:
            return True
        given = call.request.headers.get("X-Goog-Drive-Resource-Keys", "").split(",")
        return f"{node.id}/{node.resource_key}" in [pair.strip() for pair in given]

    def _is_shared(self, node: Node) -> bool:
        """True for a file that was shared with the account, directly or through a folder above it."""
        return "sharedWithMeTime" in node.overrides or any(map(self._is_shared, self._tree.above(node)))

    def _node(self, call: Call) -> Node:
        node = self._tree.nodes.get(call.keys[0])
        if node is None or not self._may_see(call, node):
            raise not_found(call.keys[0])
        return node

    def _get(self, call: Call) -> Reply:
        mask = mask_of(call.query.get("fields", ""), "file")
        return Reply.of_json(render(self._tree, self._node(call), mask))

    def _media(self, call: Call) -> Reply:
        node = self._node(call)
        if call.fault.get("stuck"):
            # An answer that never gets further.
            return Reply(206, headers={"Content-Type": node.mime, "Content-Range": "bytes 0-0/1"})
        if node.content is None:
            message = "Only files with binary content can be downloaded. Use Export with Docs Editors files."
            raise DriveError(403, "fileNotDownloadable", message, "alt")
        if node.capabilities.get("canDownload") is False:
            raise DriveError(403, "cannotDownloadFile", "This file cannot be downloaded by the user.")
        acknowledged = _true(call.query, "acknowledgeAbuse")
        if node.abusive and not acknowledged:
            message = "This file has been identified as malware or spam and cannot be downloaded."
            raise DriveError(403, "cannotDownloadAbusiveFile", message, "acknowledgeAbuse")
        if acknowledged and not node.abusive:
            message = "This file has not been flagged for abuse."
            raise DriveError(403, "invalidAbuseAcknowledgment", message, "acknowledgeAbuse")
        size = node.content.size()
        headers = {"Content-Type": node.mime, "Cache-Control": "private, max-age=0, must-revalidate"}
        part = span(call.request, size)
        if part is None:
            error = DriveError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable", "Range", "header")
            reply = error.reply()
            reply.headers["Content-Range"] = f"bytes */{size}"
            return reply
        start, length = part
        if is_part := bool(call.request.headers.get("Range")):
            headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
        return Reply(206 if is_part else 200, headers=headers, pieces=node.content.pieces(start, length), length=length)

    # about, drives, changes

    def _position(self, call: Call) -> Reply:
        return Reply.of_json({"kind": "drive#startPageToken", "startPageToken": str(self._tree.changes)})

    def _about(self, call: Call) -> Reply:
        fields = call.query.get("fields")
        if not fields:
            raise DriveError(400, "required", "The 'fields' parameter is required for this method.", "fields")
        address = self._oauth.user_of(call.request.headers["Authorization"].partition(" ")[2])
        user = {**ACCOUNT, "displayName": address, "emailAddress": address} if address else ACCOUNT
        return Reply.of_json(cut({"kind": "drive#about", "user": user}, mask_of(fields, "about")))

    def _drives(self, call: Call) -> Reply:
        size = _page_size(call.query.get("pageSize", "10"), 100)
        drives = [
            {"kind": "drive#drive", "id": node.id, "name": node.name}
            for node in self._tree.nodes.values()
            if node.drive_id == node.id and node.visible and self._is_member(node.id)
        ]
        page, more = _page(drives, call.query, size, "drives")
        answer = {"kind": "drive#driveList", "drives": page, **more}
        return Reply.of_json(cut(answer, mask_of(call.query.get("fields", ""), "drives")))


def _true(query: dict[str, str], name: str) -> bool:
    return query.get(name, "false").lower() == "true"


def _page_size(text: str, highest: int = 1000) -> int:
    if not text.isdigit() or not 1 <= int(text) <= highest:
        message = f"Invalid value '{text}'. Values must be within the range: [1, {highest}]"
        raise invalid("pageSize", message, "invalidParameter")
    return int(text)


def _stamp(query: dict[str, str]) -> str:
    """A hash of the query to which a page token belongs."""
    bound = [query.get(name, "") for name in ("q", "corpora", "driveId", "spaces")]
    return hashlib.sha256(json.dumps(bound).encode()).hexdigest()[:16]


def _page(items: list[Item], query: dict[str, str], size: int, stamp: str) -> tuple[list[Item], dict[str, str]]:
    """One page of `items`, and the token of the next one, if there is any. In: what the tokens belong to."""
    end = _offset(query.get("pageToken", ""), stamp) + size
    return items[end - size : end], {"nextPageToken": _token(end, stamp)} if end < len(items) else {}


def _token(offset: int, stamp: str) -> str:
    return "~!!~" + base64.urlsafe_b64encode(f"{offset}:{stamp}".encode()).decode()


def _offset(token: str, stamp: str) -> int:
    """The offset of a page; 400 for a token that is invalid or belongs to another query."""
    if not token:
        return 0
    try:
        offset, _, bound = base64.urlsafe_b64decode(token.removeprefix("~!!~")).decode().partition(":")
        if bound == stamp and token == _token(int(offset), stamp):
            return int(offset)
    except ValueError:
        pass
    raise invalid("pageToken")
