"""The `fields` mask of the Drive API, and the resources it is applied to: files, lists of files, shared drives."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from .drive_tree import DOCUMENT, FOLDER, SHORTCUT, Node, Tree

Json = dict[str, Any]
Mask = dict[str, Any]  # name → Mask, or None for all that is below
Schema = dict[str, Any]
TOKEN = re.compile(r"\s*([A-Za-z0-9_.]+|[*,()/])\s*")
ACCOUNT: Json = {
    "kind": "drive#user",
    "displayName": "Emulated Owner",
    "me": True,
    "permissionId": "10000000000000000001",
    "emailAddress": "owner@example.com",
}
SOMEBODY_ELSE: Json = {
    **ACCOUNT,
    "displayName": "Somebody Else",
    "me": False,
    "permissionId": "10000000000000000002",
    "emailAddress": "else@example.com",
}
# Every field of the v3 File resource: one that the emulator never fills may still be asked for.
FILE_FIELDS = """
    appProperties contentHints contentRestrictions copyRequiresWriterPermission createdTime description driveId
    explicitlyTrashed exportLinks fileExtension folderColorRgb fullFileExtension hasAugmentedPermissions hasThumbnail
    headRevisionId iconLink id inheritedPermissionsDisabled isAppAuthorized kind labelInfo linkShareMetadata md5Checksum
    mimeType modifiedByMe modifiedByMeTime modifiedTime name originalFilename ownedByMe parents permissionIds
    permissions properties quotaBytesUsed resourceKey sha1Checksum sha256Checksum shared sharedWithMeTime size spaces
    starred teamDriveId thumbnailLink thumbnailVersion trashed trashedTime version videoMediaMetadata viewedByMe
    viewedByMeTime viewersCanCopyContent webContentLink webViewLink writersCanShare
"""
CAPABILITY_FIELDS = """
    canAddChildren canComment canCopy canDelete canDownload canEdit canListChildren canModifyContent canReadRevisions
    canRename canShare canTrash canUntrash
"""
IMAGE_FIELDS = "width height rotation time cameraMake cameraModel isoSpeed location"
EXTENSION = re.compile(r"\.(arw|avif|cr[23]|dat|dng|gz|hei[cf]|jxl|nef|psd|tga|webp)$", re.IGNORECASE)
CAPABILITIES = dict.fromkeys(CAPABILITY_FIELDS.split())
SHORTCUT_DETAILS = dict.fromkeys(["targetId", "targetMimeType", "targetResourceKey"])
USER = dict.fromkeys([*ACCOUNT, "photoLink"])
FILE: Schema = dict.fromkeys(FILE_FIELDS.split())
FILE |= {"capabilities": CAPABILITIES, "shortcutDetails": SHORTCUT_DETAILS}
FILE["imageMediaMetadata"] = dict.fromkeys(IMAGE_FIELDS.split())
FILE |= {"owners": USER, "lastModifyingUser": USER, "sharingUser": USER, "trashingUser": USER}
FILE_LIST: Schema = {"kind": None, "incompleteSearch": None, "nextPageToken": None, "files": FILE}
FILE_DEFAULT = "kind,id,name,mimeType"
FILE_LIST_DEFAULT = f"kind,incompleteSearch,nextPageToken,files({FILE_DEFAULT})"
DRIVE: Schema = {**dict.fromkeys(["kind", "id", "name", "createdTime", "hidden"]), "capabilities": CAPABILITIES}
DRIVE_LIST: Schema = {"kind": None, "nextPageToken": None, "drives": DRIVE}
STORAGE = dict.fromkeys(["limit", "usage", "usageInDrive", "usageInDriveTrash"])
ABOUT: Schema = {"kind": None, "user": USER, "storageQuota": STORAGE, "importFormats": None, "maxUploadSize": None}
ABOUT |= {"canCreateDrives": None, "exportFormats": None, "appInstalled": None}


class FieldsError(ValueError):
    """The mask is malformed or names an unknown field; the argument is the wrong part."""


def compile_mask(text: str, schema: Schema) -> Mask | None:
    """A mask as nested dicts, checked against the schema; None stands for everything."""
    tokens = _tokens(text)
    mask = _selection(tokens, schema, "")
    if tokens:
        raise FieldsError(text)
    return mask


@lru_cache(maxsize=64)
def list_mask(text: str) -> Mask | None:
    """The compiled mask of a files.list."""
    return compile_mask(text or FILE_LIST_DEFAULT, FILE_LIST)


@lru_cache(maxsize=64)
def file_mask(text: str) -> Mask | None:
    """The compiled mask of a files.get."""
    return compile_mask(text or FILE_DEFAULT, FILE)


def _tokens(text: str) -> list[str]:
    """The mask's tokens in reverse, so that they can be popped."""
    tokens, at = [], 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise FieldsError(text)
        tokens.append(found.group(1))
        at = found.end()
    return tokens[::-1]


def _selection(tokens: list[str], schema: Schema, above: str) -> Mask | None:
    """Reads `a,b/c,d(e,f)` up to its end or a closing parenthesis."""
    mask: Mask = {}
    everything = False
    while True:
        name = tokens.pop() if tokens else ""
        if name == "*":
            everything = True
        elif name not in schema:
            raise FieldsError(above + name)
        else:
            _add(mask, name, _below(tokens, schema[name], above + name + "/"))
        if not tokens or tokens[-1] != ",":
            return None if everything else mask
        tokens.pop()


def _below(tokens: list[str], schema: Schema | None, above: str) -> Mask | None:
    """What follows a field's name: `/one`, `(several)`, or nothing, which means all of it."""
    if tokens and tokens[-1] == "/":
        tokens.pop()
        name = tokens.pop() if tokens else ""
        if name == "*":
            return None
        if name not in (schema or {}):
            raise FieldsError(above + name)
        return {name: _below(tokens, (schema or {})[name], above + name + "/")}
    if tokens and tokens[-1] == "(":
        tokens.pop()
        mask = _selection(tokens, schema or {}, above)
        if not tokens or tokens.pop() != ")":
            raise FieldsError(above)
        return mask
    return None


def _add(mask: Mask, name: str, below: Mask | None) -> None:
    """Adds a field; if it is requested twice, both requests are merged."""
    if name in mask and mask[name] is not None and below is not None:
        for key, value in below.items():
            _add(mask[name], key, value)
    elif name not in mask or below is None:
        mask[name] = below


def cut(value: Any, mask: Mask | None) -> Any:
    """`value` with only the fields in the mask."""
    if mask is None:
        return value
    if isinstance(value, list):
        return [cut(item, mask) for item in value]
    return {key: cut(value[key], below) for key, below in mask.items() if key in value}


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def render(tree: Tree, node: Node, mask: Mask | None) -> Json:
    """The File resource of `node` with the fields in the mask; only these are computed."""
    resource: Json = {}
    for name in FILE if mask is None else mask:
        if name in node.overrides:
            value = node.overrides[name]
        else:
            getter = GETTERS.get(name)
            value = getter(tree, node) if getter else None
        if value is not None:
            below = None if mask is None else mask[name]
            resource[name] = cut(value, below) if below else value
    return resource


def is_owned(node: Node) -> bool | None:
    """Whether the account owns it; None in a shared drive, which owns its files itself."""
    return None if node.drive_id else node.overrides.get("ownedByMe") is not False


def _parents(tree: Tree, node: Node) -> list[str] | None:
    """Those that the account may see: of a file that was shared with it alone, there is none."""
    return [up for up in node.parents if up not in tree.nodes or tree.nodes[up].visible] or None


def _owners(tree: Tree, node: Node) -> list[Json] | None:
    return {None: None, True: [ACCOUNT], False: [SOMEBODY_ELSE]}[is_owned(node)]


def _shortcut_details(tree: Tree, node: Node) -> Json | None:
    if node.mime != SHORTCUT:
        return None
    target = tree.nodes.get(node.target or "")
    details = {"targetId": node.target, "targetMimeType": node.target_mime}
    if target and target.resource_key:
        details["targetResourceKey"] = target.resource_key
    return details


def _capabilities(tree: Tree, node: Node) -> Json:
    folder = node.mime == FOLDER
    usual = {"canDownload": not folder and node.mime != SHORTCUT, "canListChildren": folder, "canEdit": True}
    return {**dict.fromkeys(CAPABILITIES, True), **usual, "canAddChildren": folder, **node.capabilities}


def _size(tree: Tree, node: Node) -> str | None:
    if node.content:
        return str(node.content.size())
    # A Google document has a size, though it has no bytes to download.
    return "1024" if node.mime == DOCUMENT else None


def _picture(tree: Tree, node: Node) -> Json | None:
    pixels = node.content.pixels() if node.content and node.mime.startswith("image/") else None
    return dict(zip(("width", "height"), pixels, strict=True)) if pixels else None


def _digest(algorithm: str) -> Callable[[Tree, Node], str | None]:
    return lambda tree, node: node.content.digest(algorithm) if node.content else None


def _extension(tree: Tree, node: Node) -> str | None:
    """What the name ends with, if it is "a valid extension": which are, is unverified; `2024` and `Who` are none."""
    known = mimetypes.guess_type(node.name, strict=False)[0] or EXTENSION.search(node.name)
    return node.name.rpartition(".")[2] if node.content and known else None


GETTERS: dict[str, Callable[[Tree, Node], Any]] = {
    "kind": lambda tree, node: "drive#file",
    "id": lambda tree, node: node.id,
    "name": lambda tree, node: node.name,
    "mimeType": lambda tree, node: node.mime,
    "parents": _parents,
    "size": _size,
    "quotaBytesUsed": lambda tree, node: _size(tree, node) or "0",
    "md5Checksum": _digest("md5"),
    "sha1Checksum": _digest("sha1"),
    "sha256Checksum": _digest("sha256"),
    "modifiedTime": lambda tree, node: timestamp(node.modified),
    "createdTime": lambda tree, node: timestamp(node.created),
    "version": lambda tree, node: str(node.version),
    "headRevisionId": lambda tree, node: f"0B{node.id[1:20]}{node.revision:04}" if node.content else None,
    "originalFilename": lambda tree, node: node.name if node.content else None,
    "fileExtension": _extension,
    "fullFileExtension": _extension,
    "trashed": lambda tree, node: tree.is_trashed(node),
    "explicitlyTrashed": lambda tree, node: node.trashed,
    "resourceKey": lambda tree, node: node.resource_key if node.resource_key_told else None,
    "driveId": lambda tree, node: node.drive_id,
    "teamDriveId": lambda tree, node: node.drive_id,
    "shortcutDetails": _shortcut_details,
    "capabilities": _capabilities,
    "owners": _owners,
    "ownedByMe": lambda tree, node: is_owned(node),
    "lastModifyingUser": lambda tree, node: ACCOUNT,
    "shared": lambda tree, node: bool(node.drive_id),
    "imageMediaMetadata": _picture,
    "spaces": lambda tree, node: ["drive"],
    "starred": lambda tree, node: False,
    "viewedByMe": lambda tree, node: False,
    "webViewLink": lambda tree, node: f"https://drive.google.com/file/d/{node.id}/view?usp=drivesdk",
}
