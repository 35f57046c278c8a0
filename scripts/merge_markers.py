"""Merge the markers of a listing's images: listing.json, markers/, failures/ → mapping.csv, mapping.json."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from migrate import listing, mapping
from migrate.errors import MigrationError


def merge_markers(listed: Path, csv: Path, json: Path) -> list[mapping.Row]:
    """Write the mapping of the listing beside its markers; returns its rows. Raises MigrationError, OSError."""
    rows = mapping.rows(listing.read(listed).images, listed.parent, warn)
    mapping.write(rows, csv, json)
    return rows


def warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("listing", type=Path)
    parser.add_argument("csv", type=Path)
    parser.add_argument("json", type=Path)
    options = parser.parse_args()
    try:
        merge_markers(options.listing, options.csv, options.json)
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{options.csv} cannot be written: {error.strerror or error}")


if __name__ == "__main__":
    main()
