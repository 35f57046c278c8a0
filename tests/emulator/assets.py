"""The store of Cloudinary assets on disk, which a kill at any moment leaves whole."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Key = tuple[str, str, str]


@dataclass
class Asset:
    """One asset. `stores` counts how often bytes were stored for it."""

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

    @property
    def key(self) -> Key:
        """The identity of an asset: the same public_id may be an image and a raw file."""
        return self.resource_type, self.type, self.public_id


class Assets:
    """All assets by key. What they are is kept in memory, too; their bytes are in the database alone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Each statement is a transaction, and what was written outlives a kill of the process: nothing worse happens.
        self._database = sqlite3.connect(folder / "assets.sqlite", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE IF NOT EXISTS assets (key TEXT PRIMARY KEY, asset TEXT, bytes BLOB)")
        rows = self._database.execute("SELECT asset FROM assets ORDER BY rowid")
        self._all = {asset.key: asset for asset in (Asset(**json.loads(row)) for (row,) in rows)}

    def __iter__(self) -> Iterator[Asset]:
        return iter(list(self._all.values()))

    def get(self, key: Key) -> Asset | None:
        """The asset of this key, if there is one."""
        return self._all.get(key)

    def put(self, asset: Asset, data: bytes) -> None:
        """Stores an asset; replaces one with the same key."""
        row = (repr(asset.key), json.dumps(vars(asset)), data)
        self._database.execute("INSERT OR REPLACE INTO assets VALUES (?, ?, ?)", row)
        self._all[asset.key] = asset

    def delete(self, key: Key) -> bool:
        """Removes an asset; False if there was none."""
        self._database.execute("DELETE FROM assets WHERE key = ?", [repr(key)])
        return self._all.pop(key, None) is not None

    def read(self, key: Key) -> bytes:
        """The stored bytes."""
        (found,) = self._database.execute("SELECT bytes FROM assets WHERE key = ?", [repr(key)]).fetchone()
        return bytes(found)

    def next_version(self, key: Key, now: float) -> int:
        """The Unix time in seconds by the service's clock, but always more than the current version."""
        old = self._all.get(key)
        return max(int(now), old.version + 1 if old else 0)
