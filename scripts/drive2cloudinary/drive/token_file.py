"""The token file: what it is, who may read it, and when its token expires.

Nothing here needs Google's client, which takes long to import.
"""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

from drive2cloudinary.answers import json_of
from drive2cloudinary.checks import in_utc, is_time
from drive2cloudinary.mounts import without_modes

EXPIRES = "refresh_token_expires"
"""The field of the token file with the time when the refresh token expires (ISO, UTC). Google's clients ignore it."""
WARNED_BEFORE = timedelta(days=2)


class Kind(Enum):
    """The kinds of Google's JSON files."""

    SERVICE_ACCOUNT = "a service account's key"
    TOKEN = "an authorized user's token"
    CLIENT = "an OAuth client"


def kind_of(value: object) -> Kind | None:
    """The kind of a JSON value of Google's; None for anything else."""
    if not isinstance(value, dict):
        return None
    if value.get("type") == "service_account":
        return Kind.SERVICE_ACCOUNT
    if "refresh_token" in value:
        return Kind.TOKEN
    return Kind.CLIENT if "installed" in value or "web" in value else None


def token_warnings(token: Path) -> list[str]:
    """What to warn of: other users can read the token file; the token expires soon, or has expired."""
    try:
        mode = token.stat().st_mode
        value = json_of(token.read_bytes())
    except OSError:
        return []
    warnings = []
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        where = without_modes(token)
        mend = f"chmod has no effect on {where}, so keep it in your Linux home: token=~/token.json" if where else ""
        warnings.append(f"{token} can be read by other users: {mend or f'chmod 600 {token}'}")
    expires = value.get(EXPIRES) if isinstance(value, dict) else None
    if is_time(expires) and (at := in_utc(str(expires))) < datetime.now(UTC) + WARNED_BEFORE:
        ends = "expires" if at > datetime.now(UTC) else "has expired"
        warnings.append(
            f"{token} {ends} on {in_words(at)}, because its app is in the state Testing: run python "
            "scripts/authenticate.py; of an app that is published, tokens do not expire after seven days"
        )
    return warnings


def in_words(moment: datetime) -> str:
    """A time as people of this computer's time zone write it."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")
