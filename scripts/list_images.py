"""List all images of a Drive folder: Drive → listing.json."""

from __future__ import annotations

from pathlib import Path

from drive2cloudinary import command
from drive2cloudinary.plan.make_listing import list_images
from drive2cloudinary.results.run import Run
from drive2cloudinary.settings import Settings


def main() -> None:
    parser = command.argument_parser(__doc__)
    parser.add_argument("--settings", required=True, type=Settings.from_json, help="Settings.to_json()")
    parser.add_argument("output", type=Path, help="listing.json")
    options = parser.parse_args()
    run = Run(options.settings.results_folder)
    list_images(options.settings, options.output, run.id, run.notice, run.found)


if __name__ == "__main__":
    command.run(main)
