"""Who calls: Basic with an API token (``{email}/token:{api_token}``), or an OAuth bearer.

Passwords are not accepted any more. A client-credentials token comes from ``POST /oauth/tokens``.
Sources: developer.zendesk.com, "Security and authentication", "OAuth tokens for grant types".
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller
from isthmus.connectors.support.zendesk.sandbox.answers import ok, refusal
from isthmus.connectors.support.zendesk.sandbox.tables import key_of
from isthmus.sandkit.routes import Answer, Refusal, Request
from isthmus.sandkit.world import Row

#: life of a client-credentials token in seconds: the usual one, and what ``expires_in`` may ask for
EXPIRES_S = 7200
EXPIRES_MIN_S, EXPIRES_MAX_S = 300, 172_800


class SignIn:
    """Knows callers by their Authorization header; what it has seen it remembers until ``forget``."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._seen: dict[str, tuple[Caller, float | None]] = {}
        account.sign_ins_changed = self.forget

    def caller(self, request: Request) -> Caller:
        """The caller of a request. Raises Refusal 401 for an unknown, expired or missing sign-in."""
        header = request.headers.get("authorization", "")
        known = self._seen.get(header)
        if known is None:
            known = self._seen[header] = self._look_up(header)
        caller, expires = known
        if expires is not None and expires <= self._account.clock.timestamp():
            raise _invalid_token()
        if "write" not in caller.scopes and request.method not in ("GET", "HEAD"):
            raise refusal(403, "Forbidden", "Missing the following required scopes: write")
        return caller

    def forget(self) -> None:
        """Look every caller up again: a token, a role or a user changed."""
        self._seen.clear()

    def token(self, request: Request) -> Answer:
        """``POST /oauth/tokens``: a token for a client's own credentials."""
        given = self._given(request)
        if given.get("grant_type") != "client_credentials":
            raise _oauth_error(400, "unsupported_grant_type", "The authorization grant type is not supported.")
        sql = "SELECT * FROM oauth_client WHERE identifier = ?"
        client = self._account.world.row(sql, (str(given.get("client_id")),))
        if client is None or not secrets.compare_digest(
            client["secret"].encode(), str(given.get("client_secret")).encode()
        ):
            raise _oauth_error(401, "invalid_client", "Client authentication failed.")
        asked = str(given.get("expires_in") or EXPIRES_S)
        lasts = int(asked) if asked.isdigit() else 0
        if not EXPIRES_MIN_S <= lasts <= EXPIRES_MAX_S:
            sentence = f"expires_in must be from {EXPIRES_MIN_S} to {EXPIRES_MAX_S}"
            raise _oauth_error(400, "invalid_request", sentence)
        scope = str(given.get("scope") or "read write")
        token = secrets.token_hex(32)
        self.add_token(token, client["user_id"], scope, self._account.clock.timestamp() + lasts)
        answer = {"access_token": token, "token_type": "bearer", "scope": scope, "expires_in": lasts}
        return ok(answer)

    def add_token(self, token: str, user_id: int, scope: str, expires: float | None) -> None:
        """Issue an access token."""
        self._account.world.insert(
            "oauth_token", {"token": token, "user_id": user_id, "scope": scope, "expires": expires}
        )

    def revoke(self, request: Request) -> Answer | None:
        """Make the caller's bearer token worthless; the answer that says so, None for an API token (none expires)."""
        header = request.headers.get("authorization", "")
        if not header.lower().startswith("bearer "):
            return None
        self._account.world.execute("DELETE FROM oauth_token WHERE token = ?", (header[7:].strip(),))
        self.forget()
        return _invalid_token().answer

    def _given(self, request: Request) -> Row:
        given: Any
        try:
            is_json = "json" in request.headers.get("content-type", "")
            given = json.loads(request.body) if is_json else dict(request.form())
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise _oauth_error(400, "invalid_request", "The request is not JSON and no form either.")
        return given

    def _look_up(self, header: str) -> tuple[Caller, float | None]:
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == "bearer":
            return self._bearer(rest.strip())
        if scheme.lower() == "basic":
            return self._basic(rest.strip()), None
        raise _unknown()

    def _bearer(self, token: str) -> tuple[Caller, float | None]:
        found = self._account.world.row("SELECT * FROM oauth_token WHERE token = ?", (token,))
        user = found and self._account.users.get(found["user_id"])
        if not found or not user:
            raise _invalid_token()
        return Caller(user["id"], user["role"], frozenset(found["scope"].split())), found["expires"]

    def _basic(self, text: str) -> Caller:
        try:
            name, _, token = base64.b64decode(text).decode().partition(":")
        except (ValueError, binascii.Error):
            raise _unknown() from None
        email, slash, kind = name.rpartition("/")
        if not slash or kind != "token":
            raise _unknown()
        world = self._account.world
        if world.row("SELECT 1 FROM api_token WHERE token = ? AND active = 1", (token,)) is None:
            raise _unknown()
        sql = "SELECT user_id FROM identity WHERE type = 'email' AND value_key = ?"
        user = self._account.users.get(world.value(sql, (key_of(email),)) or 0)
        if user is None:
            raise _unknown()
        return Caller(user["id"], user["role"])


def _unknown() -> Refusal:
    answer = ok({"error": "Couldn't authenticate you"}, 401)
    answer.headers["WWW-Authenticate"] = 'Basic realm="Web Password"'
    return Refusal(answer)


def _invalid_token() -> Refusal:
    sentence = "The access token provided is expired, revoked, malformed or invalid for other reasons."
    answer = ok({"error": "invalid_token", "error_description": sentence}, 401)
    answer.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return Refusal(answer)


def _oauth_error(status: int, error: str, sentence: str) -> Refusal:
    return Refusal(ok({"error": error, "error_description": sentence}, status))
