"""Cloudinary's credentials in the environment, or in the user's own .env file."""

from __future__ import annotations

import grp
import io
import os
import pwd
import re
import stat
from pathlib import Path

from dotenv import dotenv_values

from drive2cloudinary.errors import StopRun
from drive2cloudinary.files import NotAFile, open_file

SET_CREDENTIALS = "set CLOUDINARY_URL=cloudinary://KEY:SECRET@CLOUD in the environment or in .env"
DOTENV = Path(".env")
"""In the working directory alone: a parent folder may belong to anybody."""


def check_credentials() -> None:
    """Raise StopRun with the line that says what to do if the credentials are not complete.

    Where the environment has none, those of .env are put into it, so that Cloudinary's client finds them.
    """
    if not (os.environ.get("CLOUDINARY_URL") or os.environ.get("CLOUDINARY_CLOUD_NAME")):
        os.environ.update(_in_file(DOTENV))
    if os.environ.get("CLOUDINARY_CLOUD_NAME"):
        if not (os.environ.get("CLOUDINARY_API_KEY") and os.environ.get("CLOUDINARY_API_SECRET")):
            raise StopRun(f"CLOUDINARY_API_KEY or CLOUDINARY_API_SECRET is missing: {SET_CREDENTIALS}")
        return
    url = os.environ.get("CLOUDINARY_URL", "")
    if not url:
        raise StopRun(f"there are no Cloudinary credentials: {SET_CREDENTIALS}")
    if not re.fullmatch(r"cloudinary://[^:/@\s<>]+:[^:/@\s<>]+@[^/@\s<>?]+([/?]\S*)?", url):
        raise StopRun(f"CLOUDINARY_URL is not complete: {SET_CREDENTIALS}")


def _is_private(found: os.stat_result) -> bool:
    """Whether the group of a file is its owner's own, as many systems make one for each user."""
    try:
        group, owner = grp.getgrgid(found.st_gid), pwd.getpwuid(found.st_uid)
    except KeyError:
        return False
    return group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}


def _in_file(path: Path) -> dict[str, str]:
    """The variables for Cloudinary's client in a .env file; {} if there is no such file.

    Nothing else in it is used, and a `$` stands for itself: other variables could run code, or change where the
    pictures go. Raises StopRun if the file cannot be read, or if somebody else can have written it.
    """
    try:
        with open_file(path) as stream:
            found = os.fstat(stream.fileno())
            # In a container, root works in a folder of somebody's.
            trusted = {os.geteuid(), 0, *([Path.cwd().stat().st_uid] if os.geteuid() == 0 else [])}
            if found.st_uid not in trusted:
                raise StopRun(f"{path} belongs to another user: make it yours, or set CLOUDINARY_URL instead")
            if found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and not _is_private(found)):
                raise StopRun(
                    f"{path} can be changed by other users: run chmod go-w {path}, or set CLOUDINARY_URL instead"
                )
            text = stream.read().decode()
    except FileNotFoundError:
        return {}
    except NotAFile as error:
        raise StopRun(f"{path} is no file: remove it, or set CLOUDINARY_URL instead") from error
    except OSError as error:
        raise StopRun(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StopRun(f"{path} is not text: {SET_CREDENTIALS}") from error
    if "\0" in text:
        raise StopRun(f"{path} is not text: {SET_CREDENTIALS}")
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if name.startswith("CLOUDINARY_") and value}
