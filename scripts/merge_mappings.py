"""Merge the mappings of many Drive folders: mapping.json of each → one mapping.csv and mapping.json."""

from __future__ import annotations

from pathlib import Path

from drive2cloudinary import command
from drive2cloudinary.report.merging import merge_mappings


def main() -> None:
    parser = command.argument_parser(__doc__)
    parser.add_argument("output", type=Path, help="the combined mapping.csv; mapping.json goes beside it")
    parser.add_argument("mappings", type=Path, nargs="+", help="mapping.json of each Drive folder")
    options = parser.parse_args()
    merge_mappings(options.mappings, options.output.parent)


if __name__ == "__main__":
    command.run(main)
