"""Cloudinary's credentials, from the environment or from the user's own .env file."""

from __future__ import annotations

import grp
import io
import os
import pwd
import re
import stat
from pathlib import Path
from urllib.parse import parse_qs

from dotenv import dotenv_values

from drive2cloudinary.errors import StopRun
from drive2cloudinary.files import NotAFile, open_file

SET_CREDENTIALS = "set CLOUDINARY_URL=cloudinary://KEY:SECRET@CLOUD in the environment or in .env"
DOTENV = Path(".env")
"""Only in the working directory: a parent folder may belong to another user."""


def check_credentials() -> str:
    """The name of the cloud of the credentials. Raises StopRun, which says what to do, if they are incomplete.

    If the environment has none, those of .env are added to it, where Cloudinary's client finds them.
    """
    _add_those_of_dotenv()
    if os.environ.get("CLOUDINARY_CLOUD_NAME"):
        if not (os.environ.get("CLOUDINARY_API_KEY") and os.environ.get("CLOUDINARY_API_SECRET")):
            raise StopRun(f"CLOUDINARY_API_KEY or CLOUDINARY_API_SECRET is missing: {SET_CREDENTIALS}")
        return os.environ["CLOUDINARY_CLOUD_NAME"]
    url = os.environ.get("CLOUDINARY_URL", "")
    if not url:
        raise StopRun(f"there are no Cloudinary credentials: {SET_CREDENTIALS}")
    complete = re.fullmatch(r"cloudinary://[^:/@\s<>]+:[^:/@\s<>]+@([^/@\s<>?]+)([/?]\S*)?", url)
    if not complete:
        raise StopRun(f"CLOUDINARY_URL is not complete: {SET_CREDENTIALS}")
    return complete[1]


def api_proxy() -> str:
    """The URL of the proxy in Cloudinary's credentials, "" if none. Raises StopRun if .env is wrong.

    The credentials need not be complete, or there at all: to ask the CDN, none are needed. The client has the same
    option (cloudinary.Config._load_config_from_env), but importing it takes long.
    """
    _add_those_of_dotenv()
    if os.environ.get("CLOUDINARY_CLOUD_NAME"):
        return os.environ.get("CLOUDINARY_API_PROXY", "")
    _, _, query = os.environ.get("CLOUDINARY_URL", "").partition("?")
    return parse_qs(query).get("api_proxy", [""])[0]


def _add_those_of_dotenv() -> None:
    if not (os.environ.get("CLOUDINARY_URL") or os.environ.get("CLOUDINARY_CLOUD_NAME")):
        os.environ.update(_in_file(DOTENV))


def _is_private(found: os.stat_result) -> bool:
    """Whether a file's group has only its owner as a member: many systems create such a group for each user."""
    try:
        group, owner = grp.getgrgid(found.st_gid), pwd.getpwuid(found.st_uid)
    except KeyError:
        return False
    return group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}


def _in_file(path: Path) -> dict[str, str]:
    """The variables for Cloudinary's client in a .env file; {} if there is no such file.

    All other variables are ignored, and `$` is not expanded: they could run code or redirect the uploads. Raises
    StopRun if the file cannot be read, or if another user could have written it.
    """
    try:
        with open_file(path) as stream:
            found = os.fstat(stream.fileno())
            # In a container, root often works in a user's folder.
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
        raise StopRun(f"{path} is not a file: remove it, or set CLOUDINARY_URL instead") from error
    except OSError as error:
        raise StopRun(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StopRun(f"{path} is not text: {SET_CREDENTIALS}") from error
    if "\0" in text:
        raise StopRun(f"{path} is not text: {SET_CREDENTIALS}")
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if name.startswith("CLOUDINARY_") and value}
