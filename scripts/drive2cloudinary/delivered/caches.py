"""Read the caches of the replaced script, data/cache/gdrive_upload_cache_NAME_FOLDERID.json.

Each is {"folder_path", "last_run", "successful_uploads": {FILE_ID: {"timestamp", "cloudinary_url", "public_id",
"filename"}}, "failed_uploads": {FILE_ID: {"timestamp", "error"}}}. Many processes wrote into one file, so it can be
cut, and entries and fields can be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drive2cloudinary.checks import is_id, is_text
from drive2cloudinary.errors import one_line
from drive2cloudinary.files import read_json
from drive2cloudinary.settings import path_of
from drive2cloudinary.urls import encoded


@dataclass(frozen=True)
class Entry:
    """What a cache says of an image that was moved. Only the types are checked: see cloudinary/original_url.py.

    url: percent-encoded. public_id: "" if the cache has none. uploaded_at: in UTC; None if the cache does not say it.
    """

    url: str
    public_id: str
    uploaded_at: datetime | None


@dataclass
class Caches:
    """What some caches say: file ID → the newest entry of each image, and the IDs that never got further than failing.

    read: how many caches could be read; unusable: the entries without a file ID or a URL.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    read: int = 0
    unusable: int = 0

    def add(self, value: dict[str, Any]) -> None:
        """Add the content of one cache."""
        self.read += 1
        moved = value.get("successful_uploads")
        for file_id, about in moved.items() if isinstance(moved, dict) else ():
            entry = _entry(about)
            if not is_id(file_id) or entry is None:
                self.unusable += 1
            elif file_id not in self.entries or _age(entry) <= _age(self.entries[file_id]):
                self.entries[file_id] = entry
        failed = value.get("failed_uploads")
        self.failed |= set(filter(is_id, failed)) if isinstance(failed, dict) else set()
        self.failed -= self.entries.keys()


def read(paths: Iterable[Path], warn: Callable[[str], None]) -> Caches:
    """The caches in these files. In: `warn`, called for each file that is none; the others count all the same."""
    caches = Caches()
    for given in paths:
        path = Path(path_of("CACHE.json", str(given)))
        try:
            value = read_json(path)
        except ValueError:
            warn(f"{one_line(path, 200)} is left out: it is cut, or not JSON")
        except OSError as error:
            warn(f"{one_line(path, 200)} is left out: {error.strerror or error}")
        else:
            if isinstance(value, dict) and value.keys() & {"successful_uploads", "failed_uploads"}:
                caches.add(value)
            else:
                warn(f"{one_line(path, 200)} is left out: it is no cache of uploads")
    return caches


def _entry(about: Any) -> Entry | None:
    if not isinstance(about, dict) or not is_text(about.get("cloudinary_url")):
        return None
    public_id = about.get("public_id") or ""
    return Entry(encoded(about["cloudinary_url"]), str(public_id), _moment(about.get("timestamp")))


def _moment(text: Any) -> datetime | None:
    """The moment of a timestamp. Without a time zone, as datetime.now() gives it, it is this computer's time."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _age(entry: Entry) -> float:
    """A number that is smaller for a newer entry."""
    return -entry.uploaded_at.timestamp() if entry.uploaded_at else float("inf")
