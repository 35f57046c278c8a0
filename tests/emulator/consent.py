"""The consent page: what the browser shows between an app's request and the code it gets for it."""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from .wire import Reply

CONSENT_PATH = "/o/oauth2/auth"


@dataclass(slots=True)
class _Code:
    redirect_uri: str
    scope: str
    challenge: str


class Consents:
    """The codes that were given out; each can be redeemed once."""

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._codes: dict[str, _Code] = {}

    def page(self, query: dict[str, str]) -> Reply:
        """The page with its two links, or Google's error page if the app asks for something impossible."""
        redirect = query.get("redirect_uri", "")
        where = urlsplit(redirect)
        if query.get("client_id") != self._client_id:
            return Reply.of_html(401, "Error 401: invalid_client")
        if where.scheme != "http" or where.hostname not in ("localhost", "127.0.0.1"):
            return Reply.of_html(400, "Error 400: redirect_uri_mismatch")
        if query.get("response_type") != "code" or not query.get("scope"):
            return Reply.of_html(400, "Error 400: invalid_request")
        code = "4/0" + secrets.token_urlsafe(48)
        self._codes[code] = _Code(redirect, query["scope"], query.get("code_challenge", ""))
        state = query.get("state", "")
        allow = urlencode({"state": state, "code": code, "scope": query["scope"]})
        deny = urlencode({"state": state, "error": "access_denied"})
        links = [
            f'<a id="{name}" href="{html.escape(f"{redirect}?{answer}")}">{name.title()}</a>'
            for name, answer in (("allow", allow), ("deny", deny))
        ]
        wants = html.escape(query["scope"])
        return Reply.of_html(200, f"An app wants access to your Google Account: {wants}", " ".join(links))

    def redeem(self, form: dict[str, str]) -> str | None:
        """The scope that a code stands for; None if it is unknown, used, another app's or without its verifier."""
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or form.get("redirect_uri") != code.redirect_uri:
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if code.challenge and base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.challenge:
            return None
        return code.scope
