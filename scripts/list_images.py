"""List every image of a Drive folder: Drive → listing.json."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from migrate.contact import Tell
from migrate.drive_api import Drive
from migrate.drive_children import cannot_list
from migrate.drive_file import FOLDER, SHORTCUT, DriveFile
from migrate.drive_signin import token_warning
from migrate.drive_walk import images_below
from migrate.errors import ImageError, MigrationError, StopRun, TransientError
from migrate.naming import alone, make_listing
from migrate.run import Run
from migrate.settings import Settings


def list_images(settings: Settings, output: Path, tell: Tell, run: str = "") -> None:
    """Write a run's listing of the settings' folder to `output`. Raises MigrationError; then that is as it was.

    In: who is told what is waited for; the run's ID, "" for a dry run.
    """
    warning = token_warning(Path(settings.token))
    if warning:
        warn(warning)
    drive = Drive.of(settings, tell)
    root = root_folder(drive, settings)
    found = images_below(drive, root, settings, warn)
    with alone(settings.folder.parent):
        make_listing(settings, root, found, run).write(output)


def root_folder(drive: Drive, settings: Settings) -> DriveFile:
    """The folder to migrate; a shortcut to a folder is followed. Raises StopRun if it is none, or not to be had."""
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
    return root


def warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=Settings.from_json, help="Settings.to_json()")
    parser.add_argument("output", type=Path, help="listing.json")
    options = parser.parse_args()
    run = Run(options.settings.folder)
    try:
        list_images(options.settings, options.output, run.wait_for, run.id)
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{options.output} cannot be written: {error.strerror or error}")


if __name__ == "__main__":
    main()
