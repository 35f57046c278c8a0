"""The counts of each Drive subfolder."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from drive2cloudinary.paths import Folders
from drive2cloudinary.report.natural import natural_path
from drive2cloudinary.results.mapping import Row


@dataclass
class FolderCounts:
    """What lies in a folder and its subfolders: images by their status in the mapping, and their bytes in Drive."""

    images: Counter[str] = field(default_factory=Counter)
    bytes: int = 0


class ByFolder:
    """Counts the rows of a mapping by folder, one row after the other."""

    def __init__(self) -> None:
        self._own: dict[Folders, FolderCounts] = defaultdict(FolderCounts)

    def add(self, row: Row, folders: Folders) -> None:
        """Count a row. In: the names of the Drive folders that the image is in, which folder_path need not tell."""
        counts = self._own[folders]
        counts.images[row.status] += 1
        counts.bytes += row.bytes or 0

    def counts(self) -> dict[Folders, FolderCounts]:
        """Path → its counts, in natural order: each folder that has images in it or below it.

        The path () has only what lies in no subfolder, so that folders that are not nested add up to the whole.
        """
        found: dict[Folders, FolderCounts] = defaultdict(FolderCounts)
        for folders, own in self._own.items():
            for depth in range(1, len(folders) + 1) if folders else [0]:
                counts = found[folders[:depth]]
                counts.images.update(own.images)
                counts.bytes += own.bytes
        return {folders: found[folders] for folders in sorted(found, key=natural_path)}
