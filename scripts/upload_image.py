"""Transfer one image in a process of its own: listing.json → its marker, or its failure.

Snakemake's local executor runs this script. With the profile's executor, the long-lived processes of the pool do the
same work instead.
"""

from __future__ import annotations

from pathlib import Path

from drive2cloudinary import command
from drive2cloudinary.errors import MigrationError
from drive2cloudinary.results.run import Run
from drive2cloudinary.settings import Settings
from drive2cloudinary.upload.task import Request, argument, prepare
from snakemake_executor_plugin_pool import Status


def main() -> None:
    parser = command.argument_parser(__doc__)
    parser.add_argument("--settings", required=True, type=Settings.from_json, help="Settings.to_json()")
    parser.add_argument("--run", required=True, type=Path, help="the run's (first) results folder")
    parser.add_argument("marker", type=Path, help="markers/FILE_ID.FINGERPRINT.json in a results folder")
    options = parser.parse_args()
    upload = prepare(argument(options.settings, Run(options.run)))()
    answer = upload(Request.of(options.marker))
    if answer.status is not Status.DONE:
        raise MigrationError(answer.line)


if __name__ == "__main__":
    command.run(main)
