"""Write the report of a run: listing.json, mapping.json, markers/, failures/ → report.html."""

from __future__ import annotations

from pathlib import Path

from drive2cloudinary import command
from drive2cloudinary.report.page import write_report


def main() -> None:
    parser = command.argument_parser(__doc__)
    parser.add_argument("listing", type=Path, help="listing.json in a results folder, with mapping.json beside it")
    options = parser.parse_args()
    write_report(options.listing)


if __name__ == "__main__":
    command.run(main)
