"""Merge the markers of a listing's images: listing.json, markers/, failures/ → mapping.csv and .json, orphans.csv."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from migrate import listing, mapping, orphans
from migrate.errors import MigrationError


def merge_markers(listed: Path) -> None:
    """Write the mapping of a listing, and the orphans, beside it. Raises MigrationError, OSError."""
    images, folder = listing.read(listed).images, listed.parent
    mapping.write(mapping.rows(images, folder, warn), folder / "mapping.csv", folder / "mapping.json")
    orphans.write(images, folder)


def warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("listing", type=Path, help="listing.json in a results folder")
    options = parser.parse_args()
    try:
        merge_markers(options.listing)
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{options.listing.parent} cannot be written to: {error.strerror or error}")


if __name__ == "__main__":
    main()
