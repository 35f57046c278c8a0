"""Identities: keys, secrets and tokens, made once for a store, and the files in which clients find them."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .oauth import SCOPE

Json = dict[str, Any]
PROJECT = "emulated-project"


def write_private(path: Path, value: object) -> None:
    """Writes JSON atomically, readable by its owner only."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(value, file, indent=1)
    temporary.replace(path)


def load_or_make(store: Path) -> dict[str, str]:
    """The secrets of this store."""
    path = store / "secrets.json"
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text())
        return kept
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    made = {
        "cloud": "emulated",
        "api_key": str(secrets.randbelow(9 * 10**14) + 10**14),
        "api_secret": secrets.token_urlsafe(20),
        "client_id": f"{secrets.randbelow(9 * 10**11) + 10**11}-{secrets.token_hex(16)}.apps.googleusercontent.com",
        "client_secret": "GOCSPX-" + secrets.token_urlsafe(21),
        "refresh_token": "1//0" + secrets.token_urlsafe(64),
        "private_key": private.decode(),
        "public_key": public.decode(),
        "private_key_id": secrets.token_hex(20),
        "service_email": f"emulated@{PROJECT}.iam.gserviceaccount.com",
    }
    write_private(path, made)
    return made


def write_client_files(store: Path, kept: dict[str, str], token_uri: str, auth_uri: str) -> dict[str, str]:
    """Writes the files that a user gets from Google, for these two addresses; returns the paths by kind.

    The token has no access token in it, so that a client has to refresh before its first call.
    """
    client = {"client_id": kept["client_id"], "client_secret": kept["client_secret"]}
    files: dict[str, Json] = {
        "token": {
            **client,
            "refresh_token": kept["refresh_token"],
            "token_uri": token_uri,
            "scopes": [SCOPE],
            "universe_domain": "googleapis.com",
        },
        "service_account": {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": kept["private_key_id"],
            "private_key": kept["private_key"],
            "client_email": kept["service_email"],
            "client_id": "100000000000000000001",
            "auth_uri": auth_uri,
            "token_uri": token_uri,
            "universe_domain": "googleapis.com",
        },
        "credentials": {
            "installed": {
                **client,
                "project_id": PROJECT,
                "auth_uri": auth_uri,
                "token_uri": token_uri,
                "redirect_uris": ["http://localhost"],
            }
        },
    }
    paths = {}
    for kind, value in files.items():
        path = store / f"{kind}.json"
        write_private(path, value)
        paths[kind] = str(path)
    return paths
