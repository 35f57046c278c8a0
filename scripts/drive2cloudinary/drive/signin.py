"""Sign-in to Google: read the credentials of the token file, and explain why Google refuses them."""

from __future__ import annotations

import json
import os
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import google.auth
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from google.oauth2.credentials import Credentials
from google.oauth2.service_account import Credentials as ServiceAccountCredentials

from drive2cloudinary.errors import MigrationError, StopRun, TransientError, one_line
from drive2cloudinary.mounts import without_modes

SCOPE = "https://www.googleapis.com/auth/drive.readonly"


def read_credentials(token: Path, impersonate: str) -> Any:
    """Google credentials from the token file, or Application Default Credentials if there is no such file.

    In: `impersonate`, the user as whom a service account reads ("": as itself). Facts:
    https://developers.google.com/identity/protocols/oauth2/service-account#delegatingauthority. Raises StopRun, which
    says what to do and never shows the file's content.
    """
    try:
        text = token.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _in_the_name_of(impersonate, default_credentials(token), "the Application Default Credentials")
    except (OSError, UnicodeDecodeError) as error:
        raise StopRun(f"{token} cannot be read: {one_line(error)}") from error
    try:
        value = json.loads(text)
        if value.get("type") == "service_account":
            credentials = ServiceAccountCredentials.from_service_account_info(value, scopes=[SCOPE])
        else:
            credentials = _authorized_user(value)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, GoogleAuthError) as error:
        raise StopRun(
            f"{token} holds neither an authorized user nor a service account's key: run python scripts/authenticate.py"
        ) from error
    return _in_the_name_of(impersonate, credentials, token)


def default_credentials(token: Path) -> Any:
    """Application Default Credentials. In: the token file that does not exist. Raises StopRun."""
    # Looking for a metadata server takes seconds. Only Google's machines have one, and their product name says Google.
    if "google" not in _text_of(Path("/sys/class/dmi/id/product_name")).lower():
        os.environ.setdefault("NO_GCE_CHECK", "true")
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except (DefaultCredentialsError, OSError) as error:
        raise StopRun(
            f"there is no {token}, and no Application Default Credentials: run python scripts/authenticate.py"
        ) from error
    return credentials


def sign_in_error(error: RefreshError, token: Path, credentials: Any, impersonate: str) -> MigrationError:
    """The error to raise when Google's sign-in gives no access token for the credentials of this token file."""
    answer = error.args[1] if len(error.args) > 1 else None
    if "gcloud auth" in str(error):
        # For a user's Application Default Credentials, the message itself says what to do.
        return StopRun(one_line(error, 300))
    if error.retryable or not (isinstance(answer, dict) and isinstance(answer.get("error"), str)):
        # The library raises the same error for an HTML 502.
        return TransientError("Google's sign-in is out of order")
    said = one_line(error.args[0], 150)
    if impersonate:
        return StopRun(
            f"the service account may not read the Drive of {impersonate}: check the setting impersonate, and that "
            f"an administrator has allowed its client ID the scope {SCOPE} ({said})"
        )
    if hasattr(credentials, "service_account_email"):
        return StopRun(f"the service account's key in {token} is not accepted: make a new one ({said})")
    return StopRun(f"{token} has expired or was revoked: run python scripts/authenticate.py ({said})")


def token_warning(token: Path) -> str | None:
    """A warning if other users can read the token file, else None."""
    try:
        mode = token.stat().st_mode
    except OSError:
        return None
    if not mode & (stat.S_IRGRP | stat.S_IROTH):
        return None
    where = without_modes(token)
    mend = f"chmod has no effect on {where}, so keep it in your Linux home: token=~/token.json" if where else ""
    return f"{token} can be read by other users: {mend or f'chmod 600 {token}'}"


def _in_the_name_of(user: str, credentials: Any, where: Path | str) -> Any:
    if not user:
        return credentials
    if not hasattr(credentials, "with_subject"):
        raise StopRun(f"impersonate needs a service account's key, which {where} is not: set token to the key's file")
    return credentials.with_subject(user)


def _authorized_user(value: dict[str, Any]) -> Credentials:
    """The credentials that google-auth's `to_json` wrote. Its own reader would ignore the token_uri."""
    expiry = value.get("expiry")
    return Credentials(
        token=value.get("token"),
        refresh_token=value["refresh_token"],
        token_uri=value.get("token_uri") or "https://oauth2.googleapis.com/token",
        client_id=value["client_id"],
        client_secret=value["client_secret"],
        scopes=value.get("scopes"),
        # google-auth expects a UTC time without a time zone.
        expiry=datetime.fromisoformat(expiry).replace(tzinfo=None) if expiry else None,
    )


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
