"""The real clients, pointed at an emulator: for tests of the emulator itself, and to look at what a migration left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from google.oauth2 import service_account
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build

from .client import Emulator
from .oauth import SCOPE


def user_credentials(token: str) -> Credentials:
    """From token.json. `Credentials.from_authorized_user_file` won't do: it puts Google's own token_uri in place."""
    info = json.loads(Path(token).read_text())
    names = ("refresh_token", "token_uri", "client_id", "client_secret", "scopes")
    return Credentials(None, **{name: info[name] for name in names})


def drive_client(emulator: Emulator, credentials: object = None) -> Any:
    """A googleapiclient of Drive v3; as the user if no other credentials are given."""
    return build(
        "drive",
        "v3",
        credentials=credentials or user_credentials(emulator.token),
        static_discovery=True,
        client_options={"api_endpoint": emulator.drive_endpoint + "/drive/v3/"},
    )


def service_credentials(path: str, scope: str = SCOPE) -> Any:
    """From a service account's key file."""
    return service_account.Credentials.from_service_account_file(path, scopes=[scope])


def cloudinary_options(url: str) -> dict[str, str]:
    """CLOUDINARY_URL as the keyword arguments that every call of the cloudinary package takes."""
    parts = urlsplit(url)
    return {
        "cloud_name": parts.hostname or "",
        "api_key": parts.username or "",
        "api_secret": parts.password or "",
        "upload_prefix": parse_qs(parts.query)["upload_prefix"][0],
    }
