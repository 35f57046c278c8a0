"""The `fields` mask of the Drive API, and the resources it is applied to: files, lists of files, shared drives."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from googleapiclient import discovery_cache
from pyparsing import (
    DelimitedList,
    Forward,
    Group,
    Literal,
    Optional,
    ParseException,
    ParserElement,
    Suppress,
    Word,
    alphanums,
)

from .drive_tree import DOCUMENT, FOLDER, SHORTCUT, Node, Tree

Json = dict[str, Any]
Mask = dict[str, Any]  # name → Mask, or None for all that is below
Schema = dict[str, Any]
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
EXTENSION = re.compile(r"\.(arw|avif|cr[23]|dat|dng|gz|hei[cf]|jxl|nef|psd|tga|webp)$", re.IGNORECASE)
DISCOVERY: Json = json.loads((Path(discovery_cache.__file__).parent / "documents" / "drive.v3.json").read_text())


def _schema(of: Json) -> Schema | None:
    """All fields of a resource by Google's description of the API: one that is never filled may be asked for."""
    of = of.get("items", of)
    properties = (DISCOVERY["schemas"][of["$ref"]] if "$ref" in of else of).get("properties", {})
    return {name: _schema(below) for name, below in properties.items()} or None


NAMES = {"file": "File", "list": "FileList", "drives": "DriveList", "about": "About"}
SCHEMAS = {kind: _schema({"$ref": name}) or {} for kind, name in NAMES.items()}
DEFAULTS = {
    "file": "kind,id,name,mimeType",
    "list": "kind,incompleteSearch,nextPageToken,files(kind,id,name,mimeType)",
    "drives": "*",
}


class FieldsError(ValueError):
    """The mask is malformed or names an unknown field; the argument is the wrong part."""


def _grammar() -> ParserElement:
    """`a,b/c,d(e,f)`: each field is a list of its name and of the fields below it."""
    field = Forward()
    fields = DelimitedList(field)
    below = Suppress("/") + field | Suppress("(") + fields + Suppress(")")
    field <<= Group(Literal("*") | Word(alphanums) + Optional(below))
    return fields


GRAMMAR = _grammar()


@lru_cache(maxsize=64)
def mask_of(text: str, of: str) -> Mask | None:
    """A mask as nested dicts, checked against one of SCHEMAS; None stands for everything. Raises FieldsError."""
    try:
        return _checked(GRAMMAR.parse_string(text or DEFAULTS[of], parse_all=True), SCHEMAS[of], "")
    except ParseException as error:
        raise FieldsError(text) from error


def _checked(fields: Iterable[Any], schema: Schema, above: str) -> Mask | None:
    """The mask of some fields; where one is requested twice, both requests are merged."""
    wanted: dict[str, list[list[Any]]] = {}
    for name, *below in fields:
        wanted.setdefault(name, []).append(below)
    if unknown := wanted.keys() - schema.keys() - {"*"}:
        raise FieldsError(above + min(unknown))
    if "*" in wanted:
        return None
    return {
        name: _checked(chain(*parts), schema[name] or {}, f"{above}{name}/") if all(parts) else None
        for name, parts in wanted.items()
    }


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
    for name in SCHEMAS["file"] if mask is None else mask:
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
    return {
        **dict.fromkeys(SCHEMAS["file"]["capabilities"], True),
        **usual,
        "canAddChildren": folder,
        **node.capabilities,
    }


def _size(tree: Tree, node: Node) -> str | None:
    if node.content:
        return str(node.content.size())
    # A Google document has a size, though it has no bytes to download.
    return "1024" if node.mime == DOCUMENT else None


def _picture(tree: Tree, node: Node) -> Json | None:
    pixels = node.content.pixels() if node.content and node.mime.startswith("image/") else None
    return dict(zip(("width", "height"), pixels, strict=True)) if pixels else None


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
    "md5Checksum": lambda tree, node: node.content.md5() if node.content else None,
    "modifiedTime": lambda tree, node: timestamp(node.modified),
    "version": lambda tree, node: str(node.version),
    "fileExtension": _extension,
    "trashed": lambda tree, node: tree.is_trashed(node),
    "resourceKey": lambda tree, node: node.resource_key if node.resource_key_told else None,
    "driveId": lambda tree, node: node.drive_id,
    "shortcutDetails": _shortcut_details,
    "capabilities": _capabilities,
    "owners": _owners,
    "ownedByMe": lambda tree, node: is_owned(node),
    "imageMediaMetadata": _picture,
    "spaces": lambda tree, node: ["drive"],
}
