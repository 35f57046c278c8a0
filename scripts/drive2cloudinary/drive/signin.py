"""Sign-in to Google: read the credentials of the token file, and explain why Google refuses them."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import google.auth
from google.auth.exceptions import GoogleAuthError
from google.oauth2.credentials import Credentials
from google.oauth2.service_account import Credentials as ServiceAccountCredentials

from drive2cloudinary.answers import PASSING, ErrorAnswer, Row, json_of, meaning, of_no_api
from drive2cloudinary.causes import Cause
from drive2cloudinary.drive.token_file import Kind, kind_of
from drive2cloudinary.errors import MigrationError, RateLimited, StopRun, TransientError, one_line
from drive2cloudinary.network import http
from drive2cloudinary.retrying import retry_after

SCOPE = "https://www.googleapis.com/auth/drive.readonly"
VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, GoogleAuthError)
"""What Google's reader raises for a file with credentials that is missing, or holds anything else."""
SIGN_IN = "Google's sign-in"
CLIENT = "deleted_client invalid_client disabled_client"
GRANT = "invalid_grant invalid_request invalid_scope unauthorized_client unsupported_grant_type access_denied"
OF_ANYBODY = (
    Row(RateLimited, "the limit of Google's sign-in", reason="rate_limit_exceeded slow_down quota_exceeded"),
    Row(RateLimited, "the limit of Google's sign-in", status=(429,)),
    Row(
        TransientError,
        cause=Cause.SERVICE,
        reason="temporarily_unavailable server_error internal_failure backend_error",
    ),
    Row(TransientError, cause=Cause.SERVICE, status=PASSING),
    Row(
        StopRun,
        "Google's sign-in refuses the time of this computer: set its clock, then run again",
        reason="invalid_grant",
        says=r"reasonable timeframe|\biat\b.*\bexp\b",
    ),
    Row(
        StopRun,
        "the administrator of the Google Workspace does not allow this app to read Drive: ask for it to be allowed "
        "(Admin console, Security, API controls), then run again",
        reason="admin_policy_enforced",
    ),
)
OF_A_CLIENT = (
    Row(
        StopRun,
        "the OAuth client of {token} is deleted, switched off or not the right one: create a new one of the type "
        "'Desktop app' at https://console.cloud.google.com/apis/credentials, save its JSON as credentials.json, then "
        "run python scripts/authenticate.py",
        reason=CLIENT,
    ),
)
OF_A_USER = (
    *OF_A_CLIENT,
    Row(
        StopRun,
        "{token} has expired, because the Google Workspace of this account limits how long a sign-in lasts (its "
        "session length): run python scripts/authenticate.py, and again each time; an administrator can exempt the app",
        reason="invalid_grant",
        says=r"invalid_rapt|rapt_required|reauth related error",
    ),
    Row(StopRun, "{token} has expired or was revoked: run python scripts/authenticate.py", reason=GRANT),
)
OF_GCLOUD = (
    Row(
        StopRun,
        "the Application Default Credentials have expired or were revoked: run gcloud auth application-default login "
        "--scopes=https://www.googleapis.com/auth/cloud-platform,{scope}, or make a token with python "
        "scripts/authenticate.py and an OAuth client",
        reason=f"{CLIENT} {GRANT}",
    ),
)
OF_A_KEY = (
    Row(
        StopRun,
        "the service account's key in {file} is not accepted: make a new one",
        reason=f"{CLIENT} {GRANT}",
    ),
)
OF_A_DELEGATION = (
    Row(
        StopRun,
        "the service account may not read the Drive of {user}: check the setting impersonate, and that an "
        "administrator has allowed its client ID the scope {scope}",
        reason=f"{CLIENT} {GRANT}",
    ),
)
"""The table of the token endpoint, in parts: what it answers to anybody, and to whose credentials. What no row is about
is tried again, and then said as it is. Facts: developers.google.com/identity/protocols/oauth2/web-server#errors, and
recorded answers."""


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
        if kind_of(value) is Kind.SERVICE_ACCOUNT:
            credentials = ServiceAccountCredentials.from_service_account_info(value, scopes=[SCOPE])
        else:
            credentials = _authorized_user(value)
    except _UNREADABLE as error:
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
    except _UNREADABLE as error:
        if (named := os.environ.get(VARIABLE)) is not None:
            raise StopRun(
                f"{VARIABLE} names {one_line(named, 200) or 'nothing'}, which {_what_it_is(Path(named))}: correct the "
                f"variable, or unset it; with neither it nor {token}, run python scripts/authenticate.py"
            ) from error
        raise StopRun(
            f"there is no {token}, and no Application Default Credentials: run python scripts/authenticate.py"
        ) from error
    return credentials


def _what_it_is(path: Path) -> str:
    if not path.is_file():
        return "is not a file"
    return "holds no credentials of Google" if os.access(path, os.R_OK) else "may not be read"


def sign_in_error(answer: http.Response, token: Path, credentials: Any, impersonate: str) -> MigrationError:
    """The error to raise when Google's token endpoint refuses an access token.

    In: its answer; the token file, the credentials that were read, and the user as whom a service account reads.
    """
    own: tuple[Row, ...]
    if impersonate:
        own = OF_A_DELEGATION
    elif hasattr(credentials, "service_account_email"):
        own = OF_A_KEY
    else:
        own = OF_A_USER if token.exists() else OF_GCLOUD
    value = json_of(answer.body)
    told = value if isinstance(value, dict) and isinstance(value.get("error"), str) else None
    content_type = answer.headers.get("Content-Type", "")
    asked = ErrorAnswer(
        SIGN_IN,
        answer.status,
        str(told.get("error_description", "")) if told else of_no_api(answer.body, content_type),
        is_own=bool(told),
        reasons=(told["error"],) if told else (),
        more=str(told.get("error_subtype", "")) if told else "",
        wait=retry_after(answer.headers),
    )
    file = token if token.exists() else os.environ.get(VARIABLE, "the Application Default Credentials")
    return meaning([*OF_ANYBODY, *own], asked, token=token, file=file, user=impersonate, scope=SCOPE)


def refused_consent(code: str, description: str) -> MigrationError:
    """The error to raise when Google does not grant a consent. In: the error's code and description (RFC 6749, 5.2)."""
    said = ErrorAnswer(SIGN_IN, 400, description, reasons=(code,))
    row = next((row for row in (*OF_ANYBODY, *OF_A_CLIENT) if row.fits(said)), None)
    if row is None:
        return MigrationError(f"Google did not grant access: {one_line(f'{code} {description}', 200)}")
    return row.meaning(said, {"token": "this consent"})


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
        refresh_token=_text_in(value, "refresh_token"),
        token_uri=value.get("token_uri") or "https://oauth2.googleapis.com/token",
        client_id=_text_in(value, "client_id"),
        client_secret=_text_in(value, "client_secret"),
        scopes=value.get("scopes"),
        # google-auth expects a UTC time without a time zone.
        expiry=datetime.fromisoformat(expiry).replace(tzinfo=None) if expiry else None,
    )


def _text_in(value: dict[str, Any], name: str) -> str:
    if not isinstance(text := value[name], str) or not text:
        raise ValueError(f"no {name}")
    return text


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
