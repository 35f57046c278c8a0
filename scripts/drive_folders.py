"""Show the folders of your Drive as a tree, with the ID of each and the number of images in it.

The ID is what snakemake takes: snakemake --cores 8 --config folder_id=ID
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from migrate.drive_api import Drive
from migrate.drive_signin import token_warning
from migrate.errors import MigrationError, one_line
from migrate.folder_tree import Branch, own, shared_drives, shared_with_me
from migrate.options import add_settings, settings_of
from migrate.settings import Settings

NONE: dict[Callable[[Drive], list[Branch]], str] = {
    own: "There is no folder in this Drive.",
    shared_with_me: "No folder is shared with this account.",
    shared_drives: "This account is in no shared drive.",
}


def drive_folders(settings: Settings, which: Callable[[Drive], list[Branch]]) -> None:
    """Print the trees that `which` finds in the Drive of the settings' token. Raises MigrationError."""
    token = Path(settings.token)
    warning = token_warning(token)
    if warning:
        print(f"warning: {warning}", file=sys.stderr)
    drive = Drive.of(settings)
    with Console(stderr=True).status("Reading Drive …"):
        trees = which(drive)
    # Wider than any line: rich would cut an ID in two, where the terminal breaks the line and still copies it whole.
    terminal = Console(highlight=False, width=10_000)
    for tree in trees:
        terminal.print(drawn(tree), soft_wrap=True)
    if not trees:
        terminal.print(NONE[which])


def drawn(tree: Branch) -> Tree:
    """A tree for rich, whose names can neither be markup nor control the terminal."""
    top = Tree(_label(tree), guide_style="dim")
    below = [(top, branch) for branch in tree.below]
    for parent, branch in below:
        node = parent.add(_label(branch))
        below += [(node, each) for each in branch.below]
    return top


def _label(branch: Branch) -> Text:
    count = f"{branch.images:,} image{'' if branch.images == 1 else 's'}" if branch.images else "no images"
    if branch.images != branch.here:
        count += f", {branch.here:,} directly in it"
    return Text.assemble(
        (one_line(branch.folder.name, 1000) or "(no name)", "bold" if branch.images else ""),
        "  ",
        (branch.folder.id, "cyan"),
        (f"  {count}", "" if branch.images else "dim"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    group = parser.add_mutually_exclusive_group()
    for option, which, what in (
        ("--shared", shared_with_me, "the folders that others share with you, instead of your own"),
        ("--drives", shared_drives, "the shared drives that you are a member of"),
    ):
        group.add_argument(option, dest="which", action="store_const", const=which, default=own, help=what)
    add_settings(
        parser,
        {
            "token": "the token of scripts/authenticate.py",
            "impersonate": "the user whose Drive a service account reads",
            "drive_endpoint": "the root of the Drive API",
        },
    )
    options = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a name shows question marks for it.
        sys.stdout.reconfigure(errors="replace")
    try:
        drive_folders(settings_of(options), options.which)
    except MigrationError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("cancelled")


if __name__ == "__main__":
    main()
