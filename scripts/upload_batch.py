"""Transfer the images of a batch, with a pool of its own: batch file → one marker or failure for each image."""

from __future__ import annotations

import sys
from pathlib import Path

from drive2cloudinary import command
from drive2cloudinary.errors import MigrationError
from drive2cloudinary.results import batches
from drive2cloudinary.settings import Settings
from drive2cloudinary.upload.batch import upload_batch
from drive2cloudinary.wording import counted


def main() -> None:
    parser = command.argument_parser(__doc__)
    parser.add_argument("--settings", required=True, type=Settings.from_json, help="Settings.to_json() of the run")
    parser.add_argument("--at-once", required=True, type=int, help="how many uploads at once")
    parser.add_argument("batch", type=Path, help="the file of a batch; deleting it stops the batch")
    options = parser.parse_args()
    failed = 0
    for line in upload_batch(options.batch, options.settings, options.at_once):
        print(line, file=sys.stderr, flush=True)
        failed += 1
    if failed:
        raise MigrationError(f"{failed} of {counted(len(batches.read(options.batch).markers), 'image')} failed")


if __name__ == "__main__":
    command.run(main)
