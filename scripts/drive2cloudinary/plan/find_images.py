"""Find the images of a Drive folder, or say why it cannot be listed."""

from __future__ import annotations

import glob
import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from drive2cloudinary.cloudinary import formats
from drive2cloudinary.command import warn
from drive2cloudinary.drive.children import cannot_list
from drive2cloudinary.drive.drive_api import Drive
from drive2cloudinary.drive.file import FOLDER, SHORTCUT, DriveFile
from drive2cloudinary.drive.token_file import token_warnings
from drive2cloudinary.drive.walk import Walked, images_below
from drive2cloudinary.errors import ImageError, MigrationError, StopRun, TransientError, one_line
from drive2cloudinary.network.notices import Tell
from drive2cloudinary.paths import Folders, folder_path
from drive2cloudinary.plan.filters import excludes_folder, name_of_root
from drive2cloudinary.settings import Settings

CLOSED_NAMED = 5
"""The most closed folders that a line names."""


def find_images(
    settings: Settings, tell: Tell, found: Callable[[int], None] = lambda images: None
) -> tuple[DriveFile, Walked]:
    """The Drive folder of the settings, and what is in it. In: as for `list_images`.

    Raises MigrationError, also if the account may not open a folder in it that `exclude` does not leave out.
    """
    for warning in token_warnings(Path(settings.token)):
        warn(warning)
    drive = Drive.of(settings, tell)
    root = root_folder(drive, settings)
    walked = images_below(drive, root, settings, formats.mime_type, warn, found)
    top = {each.file.name for each in walked.images if not each.folders} | {folders[0] for folders in walked.folders}
    name = name_of_root(root.name, top)
    if closed := [each for each in walked.closed if not excludes_folder(settings, each, name)]:
        raise _cannot_open(drive, settings, closed)
    return root, walked


def _cannot_open(drive: Drive, settings: Settings, closed: Sequence[Folders]) -> MigrationError:
    """The error that ends the listing of a Drive folder in which the account may not open some folders."""
    named = closed[:CLOSED_NAMED]
    paths = ", ".join(one_line(folder_path(each), 200) for each in named)
    patterns = [*settings.exclude, *(f"{glob.escape(folder_path(each))}/*" for each in named)]
    # A comma separates patterns, unless they are a list.
    typed = json.dumps(patterns, ensure_ascii=False) if "," in "".join(patterns) else ",".join(patterns)
    exclude = f"exclude={shlex.quote(one_line(typed, 1000))}"
    if len(closed) == 1:
        what = f"{paths}: {_account(drive)} may not open this folder: share it with this account, or leave it out by"
    else:
        more = f" and {len(closed) - len(named)} more" if len(closed) > len(named) else ""
        what = f"{paths}{more}: {_account(drive)} may not open these folders: share them with this account, or leave"
        what += f" them out{', each like this:' if more else ' by'}"
    return MigrationError(f"cannot list {what} {exclude}")


def _account(drive: Drive) -> str:
    """The signed-in account for a message: its name is no reason for another error."""
    try:
        return drive.account() or "this account"
    except MigrationError:
        return "this account"


def root_folder(drive: Drive, settings: Settings) -> DriveFile:
    """The Drive folder to migrate; a shortcut is followed.

    Raises StopRun if it is not a folder, or cannot be read or opened.
    """
    try:
        root = drive.file(settings.folder_id, settings.resource_key)
        if root.target and root.target[1] == FOLDER:
            root = drive.file(root.target[0], root.target[2])
    except TransientError as error:
        raise cannot_list(f"the folder {settings.folder_id}", error) from error
    except ImageError as error:
        raise StopRun(
            f"the Drive folder {settings.folder_id} does not exist, or is not shared with the account of "
            f"{settings.token}: check folder_id, or share the folder ({error})"
        ) from error
    if root.mime_type != FOLDER:
        kind = "a shortcut" if root.mime_type == SHORTCUT else f"a file ({root.mime_type})"
        raise StopRun(f"folder_id {settings.folder_id} is {kind}, not a folder")
    if root.is_closed:
        raise StopRun(
            f"{_account(drive)} may not open the Drive folder {one_line(root.name, 200)} ({settings.folder_id}): share "
            "it with this account, or check folder_id"
        )
    return root
