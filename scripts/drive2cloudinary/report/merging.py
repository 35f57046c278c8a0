"""Merge the markers of a listing into a mapping, and many mappings into one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from drive2cloudinary.command import warn
from drive2cloudinary.report import mapping, orphans
from drive2cloudinary.results import listing


def merge_markers(listed: Path) -> int:
    """Write the mapping of a listing and the orphans beside it; returns the number of images not in Cloudinary.

    Raises MigrationError, OSError.
    """
    images, results_folder = listing.read(listed).images, listed.parent
    rows = mapping.rows(images, results_folder, warn)
    mapping.write([vars(row) for row in rows], results_folder, mapping.COLUMNS)
    orphans.write(images, results_folder)
    return sum(row.status in mapping.NOT_IN_CLOUDINARY for row in rows)


def merge_mappings(mappings: Iterable[Path], results_folder: Path) -> None:
    """Write the combined mapping of many Drive folders. In: mapping.json of each. Raises MigrationError, OSError."""
    mapping.write(mapping.combined(mappings), results_folder, (*mapping.COLUMNS, *mapping.OF_FOLDER))
