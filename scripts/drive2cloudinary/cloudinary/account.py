"""Cloudinary's credentials, from the environment or from the user's own .env file."""

from __future__ import annotations

import grp
import io
import os
import pwd
import re
import stat
from pathlib import Path
from urllib.parse import parse_qs, unquote

from dotenv import dotenv_values

from drive2cloudinary.errors import StopRun
from drive2cloudinary.files import NotAFile, decoded, open_file
from drive2cloudinary.mounts import without_modes

SET_CREDENTIALS = "set CLOUDINARY_URL=cloudinary://KEY:SECRET@CLOUD in the environment or in .env"
NAMES = ("CLOUDINARY_URL", "CLOUDINARY_CLOUD_NAME", "CLOUDINARY_API_KEY", "CLOUDINARY_API_SECRET")
DOTENV = Path(".env")
"""Only in the working directory: a parent folder may belong to another user."""
_AROUND = " \t\r\n\u00a0\u200b\ufeff\"'`“”„‘’;"
"""What gets copied along with a value: white space, a byte order mark, quotes. No credentials have them at an end."""


def check_credentials() -> str:
    """The name of the cloud of the credentials. Raises StopRun, which says what to do, if they are incomplete.

    If the environment has none, those of .env are added to it, where Cloudinary's client finds them.
    """
    _take_credentials()
    for name in NAMES:
        if re.search("[<>]", os.environ.get(name, "")):
            raise StopRun(f"{name} has angle brackets: put your account's values in the place of <…>, without < and >")
    if os.environ.get("CLOUDINARY_CLOUD_NAME"):
        if not (os.environ.get("CLOUDINARY_API_KEY") and os.environ.get("CLOUDINARY_API_SECRET")):
            raise StopRun(f"CLOUDINARY_API_KEY or CLOUDINARY_API_SECRET is missing: {SET_CREDENTIALS}")
        return os.environ["CLOUDINARY_CLOUD_NAME"]
    url = os.environ.get("CLOUDINARY_URL", "")
    if not url:
        raise StopRun(f"there are no Cloudinary credentials: {SET_CREDENTIALS}")
    complete = re.fullmatch(r"(?i:cloudinary)://[^:/@\s<>]+:[^:/@\s<>]+@([^/@\s<>?]+)([/?]\S*)?", url)
    if not complete:
        raise StopRun(f"CLOUDINARY_URL is not complete: {SET_CREDENTIALS}")
    return complete[1]


def api_proxy() -> str:
    """The URL of the proxy in Cloudinary's credentials, "" if none. Raises StopRun if .env is wrong.

    The credentials need not be complete, or there at all: to ask the CDN, none are needed. The client has the same
    option (cloudinary.Config._load_config_from_env), but importing it takes long.
    """
    _take_credentials()
    if os.environ.get("CLOUDINARY_CLOUD_NAME"):
        return os.environ.get("CLOUDINARY_API_PROXY", "")
    _, _, query = os.environ.get("CLOUDINARY_URL", "").partition("?")
    return parse_qs(query).get("api_proxy", [""])[0]


def _take_credentials() -> None:
    """Put the credentials, from the environment or from .env, into the environment as the client reads them."""
    mine = {name: plain(name, value) for name, value in os.environ.items() if name.startswith("CLOUDINARY_")}
    if not (mine.get("CLOUDINARY_URL") or mine.get("CLOUDINARY_CLOUD_NAME")):
        mine |= {name: plain(name, value) for name, value in _in_file(DOTENV).items()}
    os.environ.update(mine)


def plain(name: str, value: str) -> str:
    """The value of a variable, without what was copied along with it: spaces, quotes, `export`, the variable's name.

    What is percent-encoded in an address before the @ is decoded, because the client does not do it.
    """
    value = value.strip(_AROUND)
    while found := re.match(rf"(?:export\s+)?{re.escape(name)}\s*=", value):
        value = value[found.end() :].strip(_AROUND)
    user, at, rest = value.partition("@")
    return f"{unquote(user)}{at}{rest}" if name == "CLOUDINARY_URL" else value


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
                where = without_modes(path)
                mend = f"run chmod go-w {path}, or set CLOUDINARY_URL instead"
                if where:
                    mend = (
                        f"chmod has no effect on {where}, so set CLOUDINARY_URL instead, or work in a folder of your "
                        "Linux home (in WSL, the mount option metadata helps, too)"
                    )
                raise StopRun(f"{path} can be changed by other users: {mend}")
            text = decoded(stream.read())
    except FileNotFoundError:
        return {}
    except NotAFile as error:
        raise StopRun(f"{path} is not a file: remove it, or set CLOUDINARY_URL instead") from error
    except OSError as error:
        raise StopRun(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StopRun(f"{path} is not text: {SET_CREDENTIALS}") from error
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if name.startswith("CLOUDINARY_") and value}
