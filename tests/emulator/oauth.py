"""Google's consent page and token endpoint, and the valid access tokens."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import BasicAuth, web
from google.auth import jwt

from .consent import CONSENT_PATH, Consents
from .record import Record
from .wire import JSON_TYPE, Call, Reply, split_target

Json = dict[str, Any]
LIFETIME = 3599
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# google-auth writes this audience into a service account's assertion whatever the key's token_uri is.
GOOGLE = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/drive.readonly"
A_WEEK = 604_799
"""Seconds until a refresh token expires that an app in the state Testing gets: recorded."""
_REVOKED = "Token has been expired or revoked."
_POLICY = (
    "Access to your account data is restricted by policies within your organization. "
    "Please contact the administrator of your organization for more information."
)
_CLOCK = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
    "timeframe. Check your iat and exp values in the JWT claim."
)
_RAPT = {"error_uri": "https://support.google.com/a/answer/9368756", "error_subtype": "invalid_rapt"}
REFUSALS: dict[str, tuple[int, Json]] = {
    kind: (status, {"error": error, "error_description": description, **more})
    for kind, status, error, description, more in (
        ("invalid_rapt", 400, "invalid_grant", "reauth related error (invalid_rapt)", _RAPT),
        ("deleted_client", 401, "deleted_client", "The OAuth client was deleted.", {}),
        ("disabled_client", 401, "disabled_client", "The OAuth client was disabled.", {}),
        ("invalid_client", 401, "invalid_client", "The OAuth client was not found.", {}),
        ("admin_policy_enforced", 400, "admin_policy_enforced", _POLICY, {}),
        ("wrong_clock", 400, "invalid_grant", _CLOCK, {}),
        ("revoked", 400, "invalid_grant", _REVOKED, {}),
        ("rate_limit_exceeded", 403, "rate_limit_exceeded", "Rate limit exceeded.", {}),
        ("unknown", 400, "something_new", "Something new.", {}),
    )
}
"""What Google's token endpoint was seen to refuse, in its own words; `unknown` is made up."""


class OAuth:
    """The service. Access tokens are kept in memory only, so a restart loses them.

    In: the identities of `identity.load_or_make`. What can be changed at any time: `revoke`, whether the user has taken
    the consent back; `delegate`, the users as whom the service account may act; `refuse`, in which way of REFUSALS each
    call is refused; `testing`, whether the app is in that state; `also_grants`, further scopes of each consent.
    """

    def __init__(self, kept: dict[str, str], record: Record) -> None:
        self._kept = kept
        self._record = record
        self._consents = Consents(kept["client_id"])
        self.tokens: dict[str, tuple[float, frozenset[str], str]] = {}
        self.token_uri = ""
        self.revoke = False
        self.delegate: list[str] = []
        self.refuse = ""
        self.testing = False
        self.also_grants: list[str] = []

    def scopes_of(self, token: str) -> frozenset[str] | None:
        """The scopes of an access token; None if it is unknown or has expired."""
        expires, scopes, _ = self.tokens.get(token, (0.0, frozenset(), ""))
        return scopes if time.time() < expires else None

    def user_of(self, token: str) -> str:
        """The address of the account that an access token stands for; "" for the one that consented."""
        return self.tokens[token][2]

    async def open(self, request: web.BaseRequest) -> Call:
        """Reads the form."""
        path, query = split_target(request)
        op = {"/token": "oauth.token", CONSENT_PATH: "oauth.consent"}.get(path, "oauth.other")
        if op == "oauth.token" and request.method != "POST":
            op = "oauth.other"
        fields = parse_qsl((await request.content.read()).decode(), keep_blank_values=True)
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
        if self.refuse:
            status, told = REFUSALS[self.refuse]
            # Google's token endpoint indents its JSON.
            return Reply(status, json.dumps(told, indent=2).encode(), {"Content-Type": JSON_TYPE})
        form: dict[str, str] = call.payload
        grant = form.get("grant_type")
        if not grant:
            return self.error(400, "invalid_request", "Required parameter is missing: grant_type")
        grants = {
            "refresh_token": self._refresh,
            "authorization_code": self._first_tokens,
            JWT_GRANT: self._service_account,
        }
        if grant not in grants:
            return self.error(400, "unsupported_grant_type", f"Invalid grant_type: {grant}")
        return grants[grant](form)

    def _refresh(self, form: dict[str, str]) -> Reply:
        if refused := self._check_client(form):
            return refused
        if self.revoke or form.get("refresh_token") != self._kept["refresh_token"]:
            return self.error(400, "invalid_grant", _REVOKED)
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
        self.revoke = False
        granted = " ".join([*scope.split(), *self.also_grants])
        limited: Json = {"refresh_token_expires_in": A_WEEK} if self.testing else {}
        return self._grant(granted, "", refresh_token=self._kept["refresh_token"], **limited)

    def _check_client(self, form: dict[str, str]) -> Reply | None:
        if form.get("client_id") != self._kept["client_id"]:
            return self.error(401, "invalid_client", "The OAuth client was not found.")
        if form.get("client_secret") != self._kept["client_secret"]:
            return self.error(401, "invalid_client", "Unauthorized")
        return None

    def _service_account(self, form: dict[str, str]) -> Reply:
        try:
            claims: Json = jwt.decode(
                form.get("assertion", ""), certs=self._kept["public_key"], audience=[self.token_uri, GOOGLE]
            )
        except (ValueError, KeyError) as error:
            return self.error(400, "invalid_grant", f"Invalid JWT Signature: {error}")
        if claims.get("iss") != self._kept["service_email"]:
            return self.error(400, "invalid_grant", "Invalid grant: account not found")
        user = claims.get("sub")
        if user and not self.delegate:
            message = "Client is unauthorized to retrieve access tokens using this method, "
            message += "or client not authorized for any of the scopes requested."
            return Reply.of_json({"error": "unauthorized_client", "error_description": message}, 401)
        if user and user not in self.delegate:
            return self.error(400, "invalid_grant", "Invalid email or User ID")
        scope = str(claims.get("scope") or "")
        if not scope:
            return self.error(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return self._grant(scope, user or self._kept["service_email"])

    def _grant(self, scope: str, user: str = "", **more: object) -> Reply:
        token = "ya29." + secrets.token_urlsafe(48)
        self.tokens[token] = (time.time() + LIFETIME, frozenset(scope.split()), user)
        answer = {"access_token": token, "expires_in": LIFETIME, "scope": scope, "token_type": "Bearer", **more}
        return Reply.of_json(answer)
