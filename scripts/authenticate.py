"""Ask for your consent to read your Drive, once, and keep it as token.json.

Needs the OAuth client of a Google Cloud project, as credentials.json. Opens a browser; the token can only read.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import yaml
from google.auth.exceptions import GoogleAuthError
from google_auth_oauthlib.flow import InstalledAppFlow
from oauthlib.oauth2 import OAuth2Error

from migrate.drive_api import SCOPE
from migrate.errors import MigrationError, one_line

CONFIG = Path(__file__).parents[1] / "config.yaml"
WHERE = (
    "create an OAuth client of the type 'Desktop app' at https://console.cloud.google.com/apis/credentials "
    "and save its JSON there"
)


def consent(credentials: Path, token: Path) -> None:
    """Go through Google's consent in the browser and write the token file, for its owner's eyes only.

    In: the OAuth client's JSON, where the token goes. Raises MigrationError.
    """
    try:
        flow = InstalledAppFlow.from_client_secrets_file(str(credentials), scopes=[SCOPE])
    except FileNotFoundError as error:
        raise MigrationError(f"there is no {credentials}: {WHERE}") from error
    except ValueError as error:
        raise MigrationError(f"{credentials} is not an OAuth client's JSON: {WHERE}") from error
    try:
        granted = flow.run_local_server(
            bind_addr="127.0.0.1", port=0, prompt="consent", success_message="Done. You can close this window."
        )
    except (OAuth2Error, GoogleAuthError, OSError) as error:
        raise MigrationError(f"Google did not grant access: {one_line(error, 200)}") from error
    write_token(token, json.loads(granted.to_json()))


def write_token(path: Path, value: dict[str, object]) -> None:
    """Put the token into its file, which nobody else can read at any moment. Raises MigrationError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            json.dump(value, stream)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise MigrationError(f"{path} cannot be written: {error.strerror}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8")) or {}
    for name, what in (("credentials", "the OAuth client's JSON"), ("token", "where the token goes")):
        default = Path(config.get(name) or f"{name}.json")
        parser.add_argument(f"--{name}", type=Path, default=default, help=f"{what} (config.yaml: {default})")
    options = parser.parse_args()
    try:
        consent(options.credentials, options.token)
    except MigrationError as error:
        sys.exit(str(error))
    print(f"{options.token} is written. Now: snakemake --cores 8 --config folder_id=ID")


if __name__ == "__main__":
    main()
