"""Print the Drive folders that an account sees as trees, and the images that are shared with it by themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from drive2cloudinary.cloudinary import formats
from drive2cloudinary.command import warn
from drive2cloudinary.drive.drive_api import Drive
from drive2cloudinary.drive.file import DriveFile
from drive2cloudinary.drive.folder_tree import Branch, Seen, TypeOf, own, shared_drives, shared_with_me
from drive2cloudinary.drive.token_file import token_warnings
from drive2cloudinary.errors import one_line
from drive2cloudinary.settings import Settings
from drive2cloudinary.wording import counted

Which = Callable[[Drive, TypeOf], Seen]
NONE: dict[Which, str] = {
    own: "There is no folder in this Drive.",
    shared_with_me: "No folder and no image is shared with this account.",
    shared_drives: "This account is in no shared drive.",
}


BY_THEMSELVES = "Images shared by themselves (to move them, add a shortcut to each to a folder of yours):"


def print_trees(settings: Settings, which: Which) -> None:
    """Print the trees and images that `which` finds in the Drive of the token's account. Raises MigrationError."""
    token = Path(settings.token)
    for warning in token_warnings(token):
        warn(warning)
    drive = Drive.of(settings)
    with Console(stderr=True).status("Reading Drive …"):
        seen = which(drive, formats.mime_type)
    # Wider than any line, so that rich does not break an ID: if the terminal wraps it, it can still be copied whole.
    terminal = Console(highlight=False, width=10_000)
    for tree in seen.trees:
        terminal.print(drawn(tree), soft_wrap=True)
    if seen.images:
        terminal.print(BY_THEMSELVES)
    for image in seen.images:
        terminal.print(Text.assemble(_name(image), "  ", (image.id, "cyan"), (_owner(image), "dim")), soft_wrap=True)
    if not seen.trees and not seen.images:
        terminal.print(NONE[which])


def drawn(tree: Branch) -> Tree:
    """A tree for rich. Names in it cannot act as markup or as control characters of the terminal."""
    top = Tree(Text.assemble(_label(tree), (_owner(tree.folder), "dim")), guide_style="dim")
    below = [(top, branch) for branch in tree.below]
    for parent, branch in below:
        node = parent.add(_label(branch))
        below += [(node, each) for each in branch.below]
    return top


def _label(branch: Branch) -> Text:
    count = counted(branch.images, "image") if branch.images else "no images"
    if branch.folder.is_closed:
        count = "closed: this account may not open it"
    if branch.images != branch.here:
        count += f", {branch.here:,} directly in it"
    return Text.assemble(
        (_name(branch.folder), "bold" if branch.images else ""),
        "  ",
        (branch.folder.id, "cyan"),
        (f"  {count}", "" if branch.images else "dim"),
    )


def _name(file: DriveFile) -> str:
    return one_line(file.name, 1000) or "(no name)"


def _owner(file: DriveFile) -> str:
    """Whose file it is, if it is another user's."""
    return f"  of {one_line(file.owner, 200)}" if file.owner and not file.owned else ""
