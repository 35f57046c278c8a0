"""Print the Drive folders that an account sees as trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from drive2cloudinary.command import warn
from drive2cloudinary.drive.api import Drive
from drive2cloudinary.drive.folder_tree import Branch, own, shared_drives, shared_with_me
from drive2cloudinary.drive.signin import token_warning
from drive2cloudinary.errors import one_line
from drive2cloudinary.settings import Settings

NONE: dict[Callable[[Drive], list[Branch]], str] = {
    own: "There is no folder in this Drive.",
    shared_with_me: "No folder is shared with this account.",
    shared_drives: "This account is in no shared drive.",
}


def print_trees(settings: Settings, which: Callable[[Drive], list[Branch]]) -> None:
    """Print the trees that `which` finds in the Drive of the token's account. Raises MigrationError."""
    token = Path(settings.token)
    warning = token_warning(token)
    if warning:
        warn(warning)
    drive = Drive.of(settings)
    with Console(stderr=True).status("Reading Drive …"):
        trees = which(drive)
    # Wider than any line, so that rich does not break an ID: if the terminal wraps it, it can still be copied whole.
    terminal = Console(highlight=False, width=10_000)
    for tree in trees:
        terminal.print(drawn(tree), soft_wrap=True)
    if not trees:
        terminal.print(NONE[which])


def drawn(tree: Branch) -> Tree:
    """A tree for rich. Names in it cannot act as markup or as control characters of the terminal."""
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
