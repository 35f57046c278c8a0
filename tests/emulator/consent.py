"""The consent page, which the browser shows between an app's request and the authorization code."""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from .drive_fields import ACCOUNT
from .wire import Reply

CONSENT_PATH = "/o/oauth2/auth"
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in - emulated accounts</title></head>
<body><main>
<h1>An app wants access to your Google Account</h1>
<p id="account">{account}</p>
<form method="post" action="{action}">
<input type="hidden" name="request" value="{request}">
{scopes}
<button name="answer" value="deny">Cancel</button>
<button name="answer" value="allow">Allow</button>
</form>
</main></body></html>
"""
SCOPE = '<p><label><input type="checkbox" name="scope" value="{scope}" checked> {scope}</label></p>'


@dataclass(slots=True)
class _Request:
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    state: str


class Consents:
    """The requests whose page was shown, and the codes issued; each can be used once."""

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._asked: dict[str, _Request] = {}
        self._codes: dict[str, _Request] = {}

    def page(self, query: dict[str, str]) -> Reply:
        """The page with its two buttons, or Google's error page if the app asks for something impossible."""
        redirect = query.get("redirect_uri", "")
        where = urlsplit(redirect)
        if query.get("client_id") != self._client_id:
            return Reply.of_html(401, "Error 401: invalid_client")
        if where.scheme != "http" or where.hostname not in ("localhost", "127.0.0.1"):
            return Reply.of_html(400, "Error 400: redirect_uri_mismatch")
        if query.get("response_type") != "code" or not query.get("scope"):
            return Reply.of_html(400, "Error 400: invalid_request")
        request, scopes = secrets.token_urlsafe(16), tuple(query["scope"].split())
        self._asked[request] = _Request(redirect, scopes, query.get("code_challenge", ""), query.get("state", ""))
        page = PAGE.format(
            account=html.escape(f"{ACCOUNT['displayName']} <{ACCOUNT['emailAddress']}>"),
            action=CONSENT_PATH,
            request=request,
            scopes="\n".join(SCOPE.format(scope=html.escape(scope)) for scope in scopes),
        )
        return Reply(200, page.encode(), {"Content-Type": "text/html; charset=UTF-8"})

    def answer(self, form: list[tuple[str, str]]) -> Reply:
        """The redirect after a button: back to the app, with a code for the ticked scopes."""
        values = dict(form)
        asked = self._asked.pop(values.get("request", ""), None)
        if asked is None:
            return Reply.of_html(400, "Error 400: invalid_request")
        if values.get("answer") != "allow":
            told = {"error": "access_denied"}
        else:
            code = "4/0" + secrets.token_urlsafe(48)
            asked.scopes = tuple(scope for scope in asked.scopes if ("scope", scope) in form)
            self._codes[code] = asked
            told = {"code": code, "scope": " ".join(asked.scopes)}
        address = f"{asked.redirect_uri}?{urlencode({'state': asked.state, **told})}"
        return Reply(302, headers={"Location": address})

    def redeem(self, form: dict[str, str]) -> str | None:
        """The scopes of a code; None if it is unknown, used, another app's or without its verifier."""
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or form.get("redirect_uri") != code.redirect_uri:
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if code.challenge and base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.challenge:
            return None
        return " ".join(code.scopes)
