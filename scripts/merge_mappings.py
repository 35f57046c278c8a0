"""Merge the mappings of many folders: mapping.json of each → one mapping.csv and .json."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from migrate import mapping
from migrate.errors import MigrationError


def merge_mappings(mappings: Iterable[Path], folder: Path) -> None:
    """Write the combined mapping into a folder. Raises MigrationError, OSError."""
    mapping.write(mapping.combined(mappings), folder, (*mapping.COLUMNS, *mapping.OF_FOLDER))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="the combined mapping.csv; mapping.json goes beside it")
    parser.add_argument("mappings", type=Path, nargs="+", help="mapping.json of each folder")
    options = parser.parse_args()
    try:
        merge_mappings(options.mappings, options.output.parent)
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{options.output.parent} cannot be written to: {error.strerror or error}")


if __name__ == "__main__":
    main()
