"""Merge the markers: listing.json, markers/, failures/ → mapping.csv, mapping.json, orphans.csv, report.html."""

from __future__ import annotations

from pathlib import Path

from drive2cloudinary import command
from drive2cloudinary.errors import MigrationError
from drive2cloudinary.report.merging import merge_markers
from drive2cloudinary.wording import counted


def main() -> None:
    parser = command.argument_parser(__doc__)
    parser.add_argument("listing", type=Path, help="listing.json in a results folder")
    failed = merge_markers(parser.parse_args().listing.parent)
    if failed:
        # A marker may have been deleted after its job had ended.
        raise MigrationError(counted(failed, "image has no marker", "images have no marker"))


if __name__ == "__main__":
    command.run(main)
