"""Request each URL of a mapping from the CDN: mapping.json, markers/ → verify.csv, one results folder at a time."""

from __future__ import annotations

import sys
from pathlib import Path

from drive2cloudinary import command
from drive2cloudinary.delivered.verification import verify_urls
from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.settings import Settings


def tell(line: str) -> None:
    print(line, flush=True)


def say_nothing(line: str) -> None:
    pass


def main() -> None:
    parser = command.argument_parser(__doc__)
    parser.add_argument("--settings", required=True, type=Settings.from_json, help="Settings.to_json()")
    parser.add_argument("--at-once", required=True, type=int, help="how many URLs to request at once")
    parser.add_argument("--quiet", action="store_true", help="print only the result")
    parser.add_argument("output", type=Path, nargs="+", help="verify.csv in each results folder")
    options = parser.parse_args()
    all_well = True
    for output in options.output:
        try:
            line, well = verify_urls(options.settings, output, options.at_once, say_nothing if options.quiet else tell)
        except MigrationError as error:
            line, well = one_line(error), False
        except KeyboardInterrupt:
            sys.exit(f"cancelled: {output} is unchanged")
        print(line, file=sys.stderr)
        all_well = all_well and well
    sys.exit(not all_well)


if __name__ == "__main__":
    command.run(main)
