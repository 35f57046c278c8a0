"""Show the folders of your Drive as a tree, with the ID and the number of images of each.

Pass an ID to snakemake: snakemake --cores 8 --config folder_id=ID
"""

from __future__ import annotations

import io
import sys

from drive2cloudinary import command
from drive2cloudinary.drive.folder_tree import own, shared_drives, shared_with_me
from drive2cloudinary.programs.folder_trees import print_trees
from drive2cloudinary.programs.options import add_settings, settings_of


def main() -> None:
    parser = command.argument_parser(__doc__)
    group = parser.add_mutually_exclusive_group()
    for option, which, what in (
        ("--shared", shared_with_me, "the folders and images that others share with you, instead of your own"),
        ("--drives", shared_drives, "the shared drives that you are a member of"),
    ):
        group.add_argument(option, dest="which", action="store_const", const=which, default=own, help=what)
    add_settings(
        parser,
        {
            "token": "the token of scripts/authenticate.py, or a service account's key",
            "impersonate": "the user whose Drive a service account reads",
            "drive_endpoint": "the root of the Drive API",
        },
    )
    options = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Print question marks for characters that the terminal cannot show.
        sys.stdout.reconfigure(errors="replace")
    print_trees(settings_of(options), options.which)


if __name__ == "__main__":
    command.run(main)
