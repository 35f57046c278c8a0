"""Google's consent page and token endpoint, and the valid access tokens."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import BasicAuth, web
from google.auth import jwt

from .consent import CONSENT_PATH, Consents
from .record import Record
from .wire import JSON_TYPE, Call, Reply, read_body, split_target

Json = dict[str, Any]
LIFETIME = 3599
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# google-auth writes this audience into a service account's assertion whatever the key's token_uri is.
GOOGLE = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/drive.readonly"
A_WEEK = 604_799
"""Seconds until a refresh token expires that an app in the state Testing gets: recorded."""
REFUSALS: dict[str, tuple[int, Json]] = {
    "invalid_rapt": (
        400,
        {
            "error": "invalid_grant",
            "error_description": "reauth related error (invalid_rapt)",
            "error_uri": "https://support.google.com/a/answer/9368756",
            "error_subtype": "invalid_rapt",
        },
    ),
    "deleted_client": (401, {"error": "deleted_client", "error_description": "The OAuth client was deleted."}),
    "disabled_client": (401, {"error": "disabled_client", "error_description": "The OAuth client was disabled."}),
    "invalid_client": (401, {"error": "invalid_client", "error_description": "The OAuth client was not found."}),
    "admin_policy_enforced": (
        400,
        {
            "error": "admin_policy_enforced",
            "error_description": "Access to your account data is restricted by policies within your organization. "
            "Please contact the administrator of your organization for more information.",
        },
    ),
    "wrong_clock": (
        400,
        {
            "error": "invalid_grant",
            "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
            "timeframe. Check your iat and exp values in the JWT claim.",
        },
    ),
    "revoked": (400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}),
    "rate_limit_exceeded": (403, {"error": "rate_limit_exceeded", "error_description": "Rate limit exceeded."}),
    "unknown": (400, {"error": "something_new", "error_description": "Something new."}),
}
"""What Google's token endpoint was seen to refuse, in its own words; `unknown` is made up."""


@dataclass(slots=True)
class Account:
    """The one account there is: the OAuth client with its refresh token, and a service account with its public key."""

    client_id: str
    client_secret: str
    refresh_token: str
    service_email: str
    service_certificate: str


class OAuth:
    """The service. Access tokens are kept in memory only, so a restart loses them."""

    def __init__(self, account: Account, record: Record) -> None:
        self._account = account
        self._record = record
        self._tokens: dict[str, tuple[float, frozenset[str], str]] = {}
        self._revoked = False
        self._refusal = ""
        self.testing = False
        self.also_grants: tuple[str, ...] = ()
        self._delegated: frozenset[str] = frozenset()
        self._consents = Consents(account.client_id)
        self.token_uri = ""

    def scopes_of(self, token: str) -> frozenset[str] | None:
        """The scopes of an access token; None if it is unknown or has expired."""
        expires, scopes, _ = self._tokens.get(token, (0.0, frozenset(), ""))
        return scopes if time.time() < expires else None

    def user_of(self, token: str) -> str:
        """The address of the account that an access token stands for; "" for the one that consented."""
        return self._tokens[token][2]

    def revoke(self) -> None:
        """The user revokes the consent: refreshing fails from now on, and so do the issued tokens."""
        self._revoked = True
        self._tokens.clear()

    def restore(self) -> None:
        """The refresh token is valid again."""
        self._revoked = False

    def refuse(self, kind: str) -> None:
        """Each call is refused in this way, one of REFUSALS, from now on; "": none any more."""
        if kind and kind not in REFUSALS:
            raise ValueError(f"no such refusal: {kind}")
        self._refusal = kind

    def delegate(self, users: Iterable[str]) -> None:
        """An administrator allows the service account's client ID to read the Drives of just these users."""
        self._delegated = frozenset(users)

    def expire(self) -> None:
        """All access tokens expire; the refresh token stays valid."""
        self._tokens.clear()

    async def open(self, request: web.BaseRequest) -> Call:
        """Reads the form."""
        path, query = split_target(request)
        op = {"/token": "oauth.token", CONSENT_PATH: "oauth.consent"}.get(path, "oauth.other")
        if op == "oauth.token" and request.method != "POST":
            op = "oauth.other"
        fields = parse_qsl((await read_body(request)).decode(), keep_blank_values=True)
        if op == "oauth.consent":
            return Call(request, op, (path,), query, payload=fields)
        form = dict(fields)
        with suppress(ValueError):
            # A client may name itself in the form or in the header.
            client = BasicAuth.decode(request.headers.get("Authorization", ""))
            form = {"client_id": client.login, "client_secret": client.password, **form}
        return Call(request, op, (form.get("grant_type", path),), query, payload=form)

    def error(self, status: int, reason: str, message: str) -> Reply:
        """An error in the endpoint's own format, which differs from the APIs'."""
        return Reply.of_json({"error": reason, "error_description": message}, status)

    async def answer(self, call: Call) -> Reply:
        """The consent page, an access token or an error."""
        if call.op == "oauth.consent":
            post = call.request.method == "POST"
            return self._consents.answer(call.payload) if post else self._consents.page(call.query)
        if call.op != "oauth.token":
            return Reply.of_html(404, "Error 404 (Not Found)!!1")
        self._record.refreshes += 1
        if self._refusal:
            status, told = REFUSALS[self._refusal]
            # Google's token endpoint indents its JSON.
            return Reply(status, json.dumps(told, indent=2).encode(), {"Content-Type": JSON_TYPE})
        form: dict[str, str] = call.payload
        grant = form.get("grant_type")
        if grant == "refresh_token":
            return self._refresh(form)
        if grant == "authorization_code":
            return self._first_tokens(form)
        if grant == JWT_GRANT:
            return self._service_account(form)
        if grant:
            return self.error(400, "unsupported_grant_type", f"Invalid grant_type: {grant}")
        return self.error(400, "invalid_request", "Required parameter is missing: grant_type")

    def _refresh(self, form: dict[str, str]) -> Reply:
        if refused := self._check_client(form):
            return refused
        if self._revoked or form.get("refresh_token") != self._account.refresh_token:
            return self.error(400, "invalid_grant", "Token has been expired or revoked.")
        # What was consented to is the read scope; a refresh can ask for less, never for more.
        scope = form.get("scope") or SCOPE
        if set(scope.split()) - {SCOPE}:
            return self.error(400, "invalid_scope", "Some requested scopes were invalid.")
        return self._grant(scope)

    def _first_tokens(self, form: dict[str, str]) -> Reply:
        if refused := self._check_client(form):
            return refused
        scope = self._consents.redeem(form)
        if scope is None:
            return self.error(400, "invalid_grant", "Bad Request")
        self._revoked = False
        granted = " ".join([*scope.split(), *self.also_grants])
        limited: Json = {"refresh_token_expires_in": A_WEEK} if self.testing else {}
        return self._grant(granted, "", refresh_token=self._account.refresh_token, **limited)

    def _check_client(self, form: dict[str, str]) -> Reply | None:
        if form.get("client_id") != self._account.client_id:
            return self.error(401, "invalid_client", "The OAuth client was not found.")
        if form.get("client_secret") != self._account.client_secret:
            return self.error(401, "invalid_client", "Unauthorized")
        return None

    def _service_account(self, form: dict[str, str]) -> Reply:
        try:
            claims: Json = jwt.decode(
                form.get("assertion", ""), certs=self._account.service_certificate, audience=[self.token_uri, GOOGLE]
            )
        except (ValueError, KeyError) as error:
            return self.error(400, "invalid_grant", f"Invalid JWT Signature: {error}")
        if claims.get("iss") != self._account.service_email:
            return self.error(400, "invalid_grant", "Invalid grant: account not found")
        user = claims.get("sub")
        if user and not self._delegated:
            message = "Client is unauthorized to retrieve access tokens using this method, "
            message += "or client not authorized for any of the scopes requested."
            return Reply.of_json({"error": "unauthorized_client", "error_description": message}, 401)
        if user and user not in self._delegated:
            return self.error(400, "invalid_grant", "Invalid email or User ID")
        scope = str(claims.get("scope") or "")
        if not scope:
            return self.error(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return self._grant(scope, user or self._account.service_email)

    def _grant(self, scope: str, user: str = "", **more: object) -> Reply:
        token = "ya29." + secrets.token_urlsafe(48)
        self._tokens[token] = (time.time() + LIFETIME, frozenset(scope.split()), user)
        answer = {"access_token": token, "expires_in": LIFETIME, "scope": scope, "token_type": "Bearer", **more}
        return Reply.of_json(answer)
