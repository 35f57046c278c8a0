"""The command line of the script that this project replaces. It only calls snakemake.

  upload FOLDER [FOLDER_NAME] [N]   move the images of a Drive folder to Cloudinary, N at once
  batch-upload FILE.csv             move the images of all Drive folders in a CSV file
  list, shared, drives              show the folders of your Drive, what is shared with you, the shared drives

Options that `upload --help` and `batch-upload --help` do not name go to snakemake, with what follows them: -n,
--config token=FILE. All options of list, shared and drives go to drive_folders.py. The exit code and the results are
snakemake's. results/, token.json and .env are looked up in the working directory. scripts/take_over.py takes over what
the replaced script has moved.
"""

from __future__ import annotations

import argparse
import os
import sys

from drive2cloudinary import __version__
from drive2cloudinary.programs.replaced_script import PARSERS, ROOT, python, snakemake_arguments

FOLDER_LISTS: dict[str, list[str]] = {"list": [], "shared": ["--shared"], "drives": ["--drives"]}


def main() -> None:
    parser = argparse.ArgumentParser(
        usage="%(prog)s [-h] COMMAND …", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"drive2cloudinary {__version__}")
    commands = [*PARSERS, *FOLDER_LISTS]
    parser.add_argument(
        "command",
        metavar="COMMAND",
        type=str.lower,
        choices=commands,
        help=f"{', '.join(commands)}; --help after it",
    )
    command = parser.parse_args(sys.argv[1:2]).command
    if command in PARSERS:
        # -P: do not import modules from the working directory.
        call = ["-P", "-m", "snakemake", *snakemake_arguments(command, sys.argv[2:])]
    else:
        call = [str(ROOT / "scripts" / "drive_folders.py"), *FOLDER_LISTS[command], *sys.argv[2:]]
    os.execv(python(), [python(), *call])  # noqa: S606 (a list, no shell)


if __name__ == "__main__":
    main()
