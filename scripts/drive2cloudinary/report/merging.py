"""Merge the markers of a listing into a mapping, and many mappings into one."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path

from drive2cloudinary.command import warn
from drive2cloudinary.report import mapping, orphans
from drive2cloudinary.results import listing


def merge_markers(listed: Path, limit: int | None = None, to_move: Container[str] = ()) -> int:
    """Write the mapping of a listing and the orphans beside it; returns how many images should be in Cloudinary by now.

    In: `limit` and `to_move` as for `mapping.rows`. Raises MigrationError, OSError.
    """
    images, results_folder = listing.read(listed).images, listed.parent
    rows = mapping.rows(images, results_folder, warn, limit, to_move)
    mapping.write([vars(row) for row in rows], results_folder, mapping.COLUMNS)
    orphans.write(images, results_folder)
    return sum(row.status in mapping.NOT_IN_CLOUDINARY and not row.is_left for row in rows)


def merge_mappings(mappings: Iterable[Path], results_folder: Path) -> None:
    """Write the combined mapping of many Drive folders. In: mapping.json of each. Raises MigrationError, OSError."""
    mapping.write(mapping.combined(mappings), results_folder, (*mapping.COLUMNS, *mapping.OF_FOLDER))
