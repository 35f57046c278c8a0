"""The store of Cloudinary assets on disk: one file with all bytes, and a journal that maps assets to them.

Both are append-only, and the bytes are written before their journal line, so a kill at any moment loses nothing
that was answered. (A file for each asset would be simpler, but creating it takes longer than the rest of an upload.)
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Key = tuple[str, str, str]


@dataclass(slots=True)
class Asset:
    """One asset. `stores` counts how often bytes were stored for it; `offset` is their position in the file."""

    public_id: str
    resource_type: str
    type: str
    asset_id: str
    version: int
    created_at: float
    format: str
    width: int
    height: int
    bytes: int
    etag: str
    original_filename: str
    sent_filename: str
    display_name: str
    asset_folder: str
    context: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    moderation: str = ""
    stores: int = 1
    offset: int = 0

    @property
    def key(self) -> Key:
        """The identity of an asset: the same public_id may be an image and a raw file."""
        return self.resource_type, self.type, self.public_id

    def as_json(self) -> Json:
        """All fields, by name."""
        return {name: getattr(self, name) for name in NAMES}


NAMES = tuple(each.name for each in fields(Asset))


class Assets:
    """All assets by key, and the two files that store them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._all: dict[Key, Asset] = {}
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._bytes = os.open(folder / "assets.bytes", flags, 0o600)
        self._journal = os.open(folder / "assets.jsonl", flags, 0o600)
        self._end = os.lseek(self._bytes, 0, os.SEEK_END)
        self._load(folder / "assets.jsonl")

    def _load(self, journal: Path) -> None:
        good = 0
        with journal.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                good += len(line)
                asset = Asset(**json.loads(line))
                self._all[asset.key] = asset
                if asset.offset < 0:
                    del self._all[asset.key]
        # An incomplete last line is from a killed process, and its upload was never answered.
        os.ftruncate(self._journal, good)

    def __iter__(self) -> Iterator[Asset]:
        return iter(list(self._all.values()))

    def get(self, key: Key) -> Asset | None:
        """The asset of this key, if there is one."""
        return self._all.get(key)

    def put(self, asset: Asset, data: bytes) -> None:
        """Stores an asset; replaces one with the same key."""
        _write(self._bytes, data)
        asset.offset = self._end
        self._end += len(data)
        self._note(asset)
        self._all[asset.key] = asset

    def delete(self, key: Key) -> bool:
        """Removes an asset; False if there was none."""
        asset = self._all.pop(key, None)
        if asset is None:
            return False
        asset.offset = -1
        self._note(asset)
        return True

    def read(self, asset: Asset) -> bytes:
        """The stored bytes."""
        return os.pread(self._bytes, asset.bytes, asset.offset)

    def next_version(self, key: Key, now: float) -> int:
        """The Unix time in seconds by the service's clock, but always more than the current version."""
        old = self._all.get(key)
        return max(int(now), old.version + 1 if old else 0)

    def _note(self, asset: Asset) -> None:
        _write(self._journal, json.dumps(asset.as_json(), ensure_ascii=False).encode() + b"\n")


def _write(descriptor: int, data: bytes) -> None:
    """All of `data`: os.write may stop early."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
