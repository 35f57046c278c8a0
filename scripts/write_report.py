"""Write the report of a listing: listing.json, mapping.json, markers/, failures/ → report.html."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from migrate import listing, mapping, report
from migrate.errors import MigrationError
from migrate.files import replacing


def write_report(listed: Path) -> None:
    """Write the report of a listing and its mapping beside them. Raises MigrationError, OSError."""
    folder = listed.parent
    page = report.page(listing.read(listed), mapping.read(folder / "mapping.json"), folder)
    with replacing(folder / "report.html") as stream:
        stream.write(page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("listing", type=Path, help="listing.json in a results folder, with mapping.json beside it")
    options = parser.parse_args()
    try:
        write_report(options.listing)
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{options.listing.parent}: {error.filename or 'report.html'}: {error.strerror or error}")


if __name__ == "__main__":
    main()
