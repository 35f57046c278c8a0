"""The OAuth consent to read a user's Drive: OAuth client → token file."""

from __future__ import annotations

import json
import os
import webbrowser
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.auth.exceptions import GoogleAuthError
from google_auth_oauthlib.flow import InstalledAppFlow
from oauthlib.oauth2 import OAuth2Error

from drive2cloudinary.answers import json_of
from drive2cloudinary.drive.drive_api import Drive
from drive2cloudinary.drive.drive_http import ConsentHttp
from drive2cloudinary.drive.pasting import ADDRESS_BAR, free_port, new_state, pass_on_pasted
from drive2cloudinary.drive.signin import SCOPE, default_credentials, refused_consent
from drive2cloudinary.drive.token_file import EXPIRES, Kind, in_words, kind_of
from drive2cloudinary.errors import MigrationError, StopRun, one_line
from drive2cloudinary.retrying import LONGEST_PAUSE, calling
from drive2cloudinary.settings import Settings

WHERE = (
    "create an OAuth client of the type 'Desktop app' at https://console.cloud.google.com/apis/credentials "
    "and save its JSON there"
)
AUDIENCE = "https://console.cloud.google.com/auth/audience"
IN_THE_BROWSER = "Consent in the browser that opens now. If none does, open this address:\n\n{url}\n"


def authenticate(settings: Settings, browser: bool, port: int) -> str:
    """Get the user's consent, unless none is needed, and write the token file. Returns the text to print.

    In: whether to open a browser, and the local port for Google's redirect (0: any). Raises MigrationError.
    """
    token, credentials = Path(settings.token), Path(settings.credentials)
    kind = _kind_in(token)
    if kind is Kind.SERVICE_ACCOUNT:
        return f"{token} is a service account's key: it needs no consent. Share the Drive folder with its client_email."
    if kind is Kind.CLIENT:
        raise MigrationError(f"{token} is an OAuth client, which the token would overwrite: name another --token")
    if not token.exists() and not credentials.exists() and _has_default_credentials(token):
        return f"There is no {token}: Google's Application Default Credentials are used, which need no consent."
    if not os.access(token.parent, os.W_OK):
        raise MigrationError(f"{token} cannot be written: there is no folder {token.parent} that you may write to")
    value = consent(credentials, browser, port, ConsentHttp(settings))
    write_token(token, value)
    drive = Drive.of(settings)
    try:
        account = drive.account()
    except MigrationError as error:
        raise MigrationError(f"{token} is written, but Drive cannot be read with it yet: {error}") from error
    expires = ""
    if isinstance(until := value.get(EXPIRES), str):
        expires = (
            f"It expires on {in_words(datetime.fromisoformat(until))}, because the app is in the state Testing: run "
            f"this again then, or click Publish app at {AUDIENCE} and run this again.\n"
        )
    return (
        f"{token} is written: it reads the Drive of {account}, and can do nothing else.\n{expires}"
        "Now: python scripts/drive_folders.py, to find the folder's ID"
    )


def consent(credentials: Path, browser: bool, port: int, connection: ConsentHttp) -> dict[str, object]:
    """Get the consent in a browser, here or on another computer. Returns the content of the token file.

    In: the OAuth client's JSON; the connection to the token endpoint; the rest as for `authenticate`. Raises
    MigrationError.
    """
    flow = _flow(credentials)
    flow.oauth2session.mount("https://", connection)
    flow.oauth2session.mount("http://", connection)
    port = free_port(port)
    state = new_state()
    prompt = IN_THE_BROWSER
    if not browser:
        prompt = ADDRESS_BAR.format(port=port, url="{url}")
        pass_on_pasted(port, state)
    with calling("Google's sign-in"):
        granted = _granted(flow, port=port, state=state, open_browser=browser, authorization_prompt_message=prompt)
        value: dict[str, object] = json.loads(granted.to_json())
    # Without a scope in the answer, what was asked for is granted (RFC 6749, 5.1).
    if granted.granted_scopes is not None and SCOPE not in granted.granted_scopes:
        raise MigrationError("the consent leaves out reading Drive: run this again, and leave its box ticked")
    # Google says it for apps in the state Testing only, whose tokens expire after seven days.
    seconds = flow.oauth2session.token.get("refresh_token_expires_in")
    if isinstance(seconds, int) and 0 < seconds < LONGEST_PAUSE:
        value[EXPIRES] = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")
    return value


def _granted(flow: InstalledAppFlow, **options: object) -> Any:
    """The credentials that the user granted. Raises MigrationError."""
    # Without this, oauthlib raises a Warning if other scopes are granted than were asked for, such as more of them.
    os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"
    try:
        return flow.run_local_server(
            host="127.0.0.1",
            prompt="consent",
            success_message="You can close this window: the terminal says how it went.",
            **options,
        )
    except OAuth2Error as error:
        raise refused_consent(str(error.error), str(error.description or "")) from error
    except (GoogleAuthError, OSError) as error:
        raise MigrationError(f"Google did not grant access: {one_line(error, 200)}") from error


def write_token(path: Path, value: dict[str, object]) -> None:
    """Write the token file atomically, readable by its owner only. Raises MigrationError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            json.dump(value, stream)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise MigrationError(f"{path} cannot be written: {error.strerror}") from error


def _flow(credentials: Path) -> InstalledAppFlow:
    """The OAuth flow for a client. Raises MigrationError, which says what the file is instead."""
    try:
        value = json.loads(credentials.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MigrationError(f"there is no {credentials}: {WHERE}") from error
    except OSError as error:
        raise MigrationError(f"{credentials} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise MigrationError(f"{credentials} is not JSON, so it is not an OAuth client: {WHERE}") from error
    kind = kind_of(value)
    if kind is Kind.SERVICE_ACCOUNT:
        raise MigrationError(
            f"{credentials} is a service account's key: it needs no consent, use it as the token "
            f"(--config token={credentials}); or, to sign in as yourself, {WHERE}"
        )
    if kind is Kind.TOKEN:
        raise MigrationError(f"{credentials} is a token, not the OAuth client that one comes from: {WHERE}")
    if kind is Kind.CLIENT and "web" in value:
        raise MigrationError(f"{credentials} is an OAuth client of the type 'Web application': {WHERE}")
    try:
        if not value["installed"]["client_secret"]:
            raise ValueError("no secret")
        return InstalledAppFlow.from_client_config(value, scopes=[SCOPE])
    except (ValueError, KeyError, TypeError) as error:
        raise MigrationError(f"{credentials} is not an OAuth client's JSON: {WHERE}") from error


def _kind_in(path: Path) -> Kind | None:
    """The kind of Google's JSON in a file; None for anything else, or if it cannot be read."""
    try:
        return kind_of(json_of(path.read_bytes()))
    except OSError:
        return None


def _has_default_credentials(token: Path) -> bool:
    try:
        default_credentials(token)
    except StopRun:
        return False
    return True


def has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
