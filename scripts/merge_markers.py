"""Merge the markers of a listing's images: listing.json, markers/, failures/ → mapping.csv and .json, orphans.csv."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from migrate import listing, mapping, orphans
from migrate.errors import MigrationError


def merge_markers(listed: Path) -> int:
    """Write the mapping of a listing, and the orphans, beside it; returns how many images failed.

    Raises MigrationError, OSError.
    """
    images, folder = listing.read(listed).images, listed.parent
    rows = mapping.rows(images, folder, warn)
    mapping.write([vars(row) for row in rows], folder, mapping.COLUMNS)
    orphans.write(images, folder)
    return sum(row.status == "failed" for row in rows)


def warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("listing", type=Path, help="listing.json in a results folder")
    options = parser.parse_args()
    try:
        failed = merge_markers(options.listing)
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{options.listing.parent} cannot be written to: {error.strerror or error}")
    if failed:
        # A marker can have vanished since its job.
        sys.exit(f"{failed} images have no marker")


if __name__ == "__main__":
    main()
