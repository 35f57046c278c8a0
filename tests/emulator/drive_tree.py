"""The Drive in memory: its nodes, loading them from a local folder, and the operations that change them."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .content import Content, Generated, InMemory, OnDisk
from .pictures import Noise, picture

Json = dict[str, Any]
FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
DOCUMENT = "application/vnd.google-apps.document"
MANIFEST = ".drive.json"
ALBUMS_PER_YEAR = 20
# Names of the wire (and of the brief) that are attributes here; any other key of `set` is shown to clients as it is.
ATTRIBUTES = {"mimeType": "mime", "driveId": "drive_id", "resourceKey": "resource_key", "shared": "visible"}
PLAIN_ATTRIBUTES = frozenset(["name", "parents", "trashed", "abusive", "resource_key_required", "resource_key_told"])
MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"BM", "image/bmp"),
)


def drive_id_of(seed: str) -> str:
    """An ID in Drive's format (33 characters, beginning with 1), always the same for the same seed."""
    return "1" + base64.urlsafe_b64encode(hashlib.sha256(seed.encode()).digest()[:24]).decode()


@dataclass(slots=True)
class Node:
    """A file, folder, shortcut or document. `path` is its origin, for messages and for matching faults."""

    id: str
    name: str
    mime: str
    parents: list[str]
    path: str
    created: float
    modified_at: float | None = None
    content: Content | None = None
    version: int = 1
    trashed: bool = False
    visible: bool = True
    abusive: bool = False
    drive_id: str | None = None
    target: str | None = None
    target_mime: str = "application/octet-stream"
    resource_key: str | None = None
    resource_key_required: bool = False
    resource_key_told: bool = True
    capabilities: Json = field(default_factory=dict)
    overrides: Json = field(default_factory=dict)

    @property
    def modified(self) -> float:
        """Seconds since the epoch: the value set, else the mtime of the file on disk, else the node's creation."""
        if self.modified_at is not None:
            return self.modified_at
        return (self.content.modified() if self.content else None) or self.created


class Tree:
    """All nodes by ID, and the children of each folder."""

    def __init__(self, folder_name: str, seed: str) -> None:
        self.nodes: dict[str, Node] = {}
        self.children: dict[str, dict[str, None]] = {}
        self.changes = 1
        self.my_drive = "0A" + drive_id_of(seed + "/my drive")[1:15] + "PVA"
        self._put(Node(self.my_drive, "My Drive", FOLDER, [], "My Drive", 1_500_000_000.0))
        self.folder_id = drive_id_of(seed)
        self._put(Node(self.folder_id, folder_name, FOLDER, [self.my_drive], "", 1_600_000_000.0))

    def _put(self, node: Node) -> Node:
        self.nodes[node.id] = node
        for parent in node.parents:
            self.children.setdefault(parent, {})[node.id] = None
        return node

    def resolve(self, node_id: str) -> str:
        """`node_id`, with the alias `root` resolved."""
        return self.my_drive if node_id == "root" else node_id

    def listed(self, parents: Iterable[str] | None) -> Iterator[Node]:
        """The nodes in any of these folders, each once; all nodes for None."""
        if parents is None:
            yield from self.nodes.values()
            return
        seen: set[str] = set()
        for parent in parents:
            for child in self.children.get(parent, ()):
                if child not in seen:
                    seen.add(child)
                    yield self.nodes[child]

    def above(self, node: Node) -> list[Node]:
        """The folders that a node is in, those that there are."""
        return [self.nodes[up] for up in node.parents if up in self.nodes]

    def is_trashed(self, node: Node) -> bool:
        """True if the node or a folder above it is in the trash."""
        return node.trashed or any(map(self.is_trashed, self.above(node)))

    def is_shut(self, node: Node) -> bool:
        """True if the account may open none of the folders that a node is in: no search finds it then."""
        above = self.above(node)
        return bool(above) and all(up.capabilities.get("canListChildren") is False or self.is_shut(up) for up in above)

    # Loading

    def load(self, photos: Path) -> None:
        """Loads a local folder with all its subfolders, and its manifest if it has one."""
        manifest = json.loads((photos / MANIFEST).read_text()) if (photos / MANIFEST).exists() else {}
        entries: Json = manifest.get("entries", {})
        ids = {"": self.folder_id}
        for path in sorted(photos.rglob("*")):
            relative = path.relative_to(photos).as_posix()
            if path.name == MANIFEST:
                continue
            stat = path.stat()
            ids[relative] = drive_id_of(self.folder_id + "/" + relative)
            parent = ids[relative.rpartition("/")[0]]
            node = Node(ids[relative], path.name, FOLDER, [parent], relative, stat.st_mtime)
            if not path.is_dir():
                node.content, node.mime = OnDisk(path), mime_of(path)
            self._put(node)
            self._override(node, entries.get(relative, {}))
        for extra in manifest.get("extra", []):
            parent = ids[extra.get("parent", "")]
            seed = f"{self.folder_id}/{extra['type']}/{extra.get('parent', '')}/{extra['name']}"
            mime = SHORTCUT if extra["type"] == "shortcut" else DOCUMENT
            node = Node(drive_id_of(seed), extra["name"], mime, [parent], extra["name"], 1_650_000_000.0)
            if "target" in extra:
                node.target = ids[extra["target"]]
                node.target_mime = self.nodes[node.target].mime
            self._put(node)

    def generate(self, count: int, noise: Noise, per_album: int) -> None:
        """Adds `count` generated pictures in albums, 20 albums to a year."""
        for number in range(count):
            index = number // per_album
            year, album = f"year {index // ALBUMS_PER_YEAR:03}", f"album {index:05}"
            in_year, in_album = (drive_id_of(self.folder_id + name) for name in (year, album))
            if number % (per_album * ALBUMS_PER_YEAR) == 0:
                self._put(Node(in_year, year, FOLDER, [self.folder_id], year, 1_600_000_000.0))
            if number % per_album == 0:
                self._put(Node(in_album, album, FOLDER, [in_year], f"{year}/{album}", 1_600_000_000.0))
            name = f"picture {number:06}.jpg"
            node_id = drive_id_of(f"{self.folder_id}/generated/{number}")
            content, made = Generated(noise, number), 1_600_000_000.0 + number
            self._put(Node(node_id, name, "image/jpeg", [in_album], name, made, content=content))

    # Operations

    def apply(self, change: Json) -> str:
        """Runs one operation of the control endpoint; returns the ID of the node. Raises KeyError or ValueError.

        Making: {"op": "add", "name", "content_base64" or "picture": {"format", "width", "height", "seed"}}, and "mime";
        "folder"; "document"; "shortcut" with "target"; each with "parent" (the folder that is migrated if left out),
        and with any other field that `set` takes. "shared_drive" is itself the parent of what is in it.
        Changing, by "id": "replace" with new content, "rename" with "name", "move" with "parent", "trash" (undone by
        "trashed": false), "delete" for good, "set" with abusive, shared, resourceKey, resource_key_required,
        resource_key_told (false: no answer repeats it), parents, capabilities, modifiedTime, or any field of the API:
        it is then shown as it is set, and left out for null. "close" makes a folder one of limited access, which the
        account sees but may not open (undone by "closed": false).
        """
        change = dict(change)
        kind = change.pop("op")
        now = float(change.pop("time", 0) or time.time())
        self.changes += 1
        if kind in ("add", "folder", "shortcut", "document", "shared_drive"):
            return self._add(kind, change, now).id
        node = self.nodes[self.resolve(change.pop("id"))]
        node.version += 1
        if kind == "delete":
            self._delete(node)
            return node.id
        if kind == "replace":
            node.content, node.modified_at = _content_of(change), now
        elif kind == "move":
            change["parents"] = [change.pop("parent")]
        elif kind == "trash":
            change.setdefault("trashed", True)
        elif kind == "close":
            closed = bool(change.pop("closed", True))
            change |= {"capabilities": {"canListChildren": not closed}, "inheritedPermissionsDisabled": closed}
        elif kind not in ("rename", "set"):
            raise ValueError(f"unknown operation {kind!r}")
        self._override(node, change)
        return node.id

    def _add(self, kind: str, change: Json, now: float) -> Node:
        name = change.pop("name")
        seed = f"{self.folder_id}/added/{self.changes}/{name}"
        if kind == "shared_drive":
            node_id = change.pop("id", "") or "0A" + drive_id_of(seed)[1:15] + "PVA"
            return self._put(Node(node_id, name, FOLDER, [], name, now, drive_id=node_id))
        parent = self.nodes[self.resolve(change.pop("parent", "") or change.pop("driveId", "") or self.folder_id)]
        node_id = change.pop("id", "") or drive_id_of(seed)
        mime = {"folder": FOLDER, "shortcut": SHORTCUT, "document": DOCUMENT}.get(kind, "")
        node = Node(node_id, name, mime, [parent.id], f"{parent.path}/{name}".strip("/"), now, drive_id=parent.drive_id)
        if kind == "add":
            node.content = _content_of(change)
            node.mime = change.pop("mime", "") or sniff(node.content.whole()[:32], name)
        if kind == "shortcut":
            node.target = change.pop("target")
            # A snapshot, as in the real Drive: it remains when the target is gone.
            node.target_mime = self.nodes[node.target].mime if node.target in self.nodes else node.target_mime
        self._put(node)
        self._override(node, change)
        return node

    def _override(self, node: Node, values: Json) -> None:
        for key, value in values.items():
            if key == "parents":
                self._reparent(node, [self.resolve(parent) for parent in value])
            elif key == "capabilities":
                node.capabilities.update(value)
            elif key == "modifiedTime" and isinstance(value, (int, float)):
                node.modified_at = float(value)
            elif key in ATTRIBUTES or key in PLAIN_ATTRIBUTES:
                setattr(node, ATTRIBUTES.get(key, key), value)
            else:
                node.overrides[key] = value

    def _reparent(self, node: Node, parents: list[str]) -> None:
        for parent in node.parents:
            self.children.get(parent, {}).pop(node.id, None)
        node.parents = parents
        self._put(node)

    def _delete(self, node: Node) -> None:
        for child in list(self.children.get(node.id, ())):
            if child in self.nodes:
                self._delete(self.nodes[child])
        self._reparent(node, [])
        del self.nodes[node.id]
        self.children.pop(node.id, None)


def _content_of(change: Json) -> Content:
    """Takes the bytes out of an operation: `content_base64`, or a `picture` to be painted."""
    if "picture" in change:
        wanted = change.pop("picture")
        size = (int(wanted.get("width", 64)), int(wanted.get("height", 48)))
        return InMemory(picture(str(wanted.get("format", "jpg")), size, int(wanted.get("seed", 0))))
    return InMemory(base64.b64decode(change.pop("content_base64", "")))


def mime_of(path: Path) -> str:
    """The MIME type of a local file, by its first bytes or else its name, as Drive would detect it."""
    with path.open("rb") as file:
        return sniff(file.read(32), path.name)


def sniff(head: bytes, name: str) -> str:
    """The MIME type for a file of these first bytes and this name."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
        return "image/avif" if head[8:12] == b"avif" else "image/heif"
    for magic, mime in MAGIC:
        if head.startswith(magic):
            return mime
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
