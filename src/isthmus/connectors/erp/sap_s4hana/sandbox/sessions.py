"""Who calls: basic authentication, OAuth 2.0 client credentials, and the session with its CSRF token.

A modifying request needs the token **and** both cookies that came with it (SAP help: CSRF protection in SAP
Gateway); without them it is refused with 403 and the header ``x-csrf-token: Required``. That holds for bearer
tokens too. Sessions and bearer tokens end by the system's clock.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from isthmus.sandkit.clock import Clock
from isthmus.sandkit.routes import Answer, Refusal, Request

CLIENT_ID = "T_ISTHMUS_S4"
CLIENT_SECRET = "s4-client-secret-of-the-sandbox"
PASSWORD = "Welcome-to-Sonnwerk-1"
USERNAME = "ISTHMUS_COMM"
SYSTEM_ID, SAP_CLIENT = "S4H", "100"
SESSION_COOKIE = f"SAP_SESSIONID_{SYSTEM_ID}_{SAP_CLIENT}"
XSRF_COOKIE = f"sap-XSRF_{SYSTEM_ID}_{SAP_CLIENT}"
SESSION_S = 1800
TOKEN_S = 3600
_LOGON_PAGE = (
    "<html><head><title>Logon Error Message</title></head><body><h1>Anmeldung fehlgeschlagen</h1>"
    "<p>Logon failed: you do not have valid logon data for this system</p></body></html>"
)


@dataclass(slots=True)
class Session:
    """A logon session: its CSRF token, its second cookie's value, and when it was last used."""

    user: str
    token: str
    xsrf: str
    used_at: float


class Sessions:
    """The sessions and bearer tokens that live now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._bearers: dict[str, float] = {}
        self._basics: dict[str, bool] = {}

    # Logon ----------------------------------------------------------------------------------------

    def issue(self, request: Request) -> Answer:
        """The token endpoint: client credentials in the body or as basic authentication."""
        form = dict(request.form())
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            client, secret = _decoded(text)
        if form.get("grant_type") != "client_credentials":
            return Answer(400, {"error": "unsupported_grant_type", "error_description": "Grant type is not supported"})
        if (client, secret) != (CLIENT_ID, CLIENT_SECRET):
            about = {"error": "invalid_client", "error_description": "Client authentication failed"}
            return Answer(401, about, {"WWW-Authenticate": 'Basic realm="SAP OAuth"'})
        token = secrets.token_urlsafe(32)
        self._bearers[token] = self._clock.timestamp() + TOKEN_S
        about = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": str(TOKEN_S),
            "scope": form.get("scope", ""),
        }
        return Answer(200, about, {"Cache-Control": "no-store"})

    def user(self, request: Request) -> str:
        """Who calls; raises Refusal (401) for nobody we know."""
        header = request.headers.get("authorization", "")
        scheme, _, text = header.partition(" ")
        if scheme.lower() == "bearer":
            if self._bearers.get(text, 0.0) > self._clock.timestamp():
                return CLIENT_ID
            raise Refusal(_unauthorized('Bearer realm="SAP", error="invalid_token"'))
        if scheme.lower() == "basic":
            if header not in self._basics:
                self._basics[header] = _decoded(text) == (USERNAME, PASSWORD)
            if self._basics[header]:
                return USERNAME
        raise Refusal(_unauthorized(f'Basic realm="SAP NetWeaver Application Server [{SYSTEM_ID}/{SAP_CLIENT}]"'))

    # Session and CSRF token -------------------------------------------------------------------------

    def fetched(self, request: Request, user: str) -> dict[str, str]:
        """Headers that answer ``x-csrf-token: Fetch``: the token, and cookies where the session is new."""
        if request.headers.get("x-csrf-token", "").lower() != "fetch":
            return {}
        now = self._clock.timestamp()
        known = self._session(request)
        if known is not None and known.user == user:
            known.used_at = now
            return {"x-csrf-token": known.token}
        name, made = secrets.token_urlsafe(24), Session(user, secrets.token_urlsafe(18), secrets.token_urlsafe(18), now)
        self._sessions[name] = made
        secure = "; secure" if request.root.startswith("https") else ""
        cookies = (
            f"sap-usercontext=sap-client={SAP_CLIENT}; path=/",
            f"{SESSION_COOKIE}={name}; path=/{secure}; HttpOnly",
            f"{XSRF_COOKIE}={made.xsrf}; path=/{secure}; HttpOnly",
        )
        return {"x-csrf-token": made.token, "Set-Cookie": "\n".join(cookies)}

    def check(self, request: Request, user: str) -> None:
        """Let a modifying request pass, or raise Refusal (403, ``x-csrf-token: Required``)."""
        session = self._session(request)
        if session is None or session.user != user or session.token != request.headers.get("x-csrf-token"):
            headers = {"x-csrf-token": "Required"}
            raise Refusal(Answer(403, "CSRF token validation failed", headers, "text/plain;charset=utf-8"))
        session.used_at = self._clock.timestamp()

    def _session(self, request: Request) -> Session | None:
        cookies = _cookies(request.headers)
        found = self._sessions.get(cookies.get(SESSION_COOKIE, ""))
        if found is None or found.xsrf != cookies.get(XSRF_COOKIE):
            return None
        return found if found.used_at + SESSION_S > self._clock.timestamp() else None

    def expire(self, request: Request) -> None:
        """End the caller's bearer token and session."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            self._bearers.pop(text, None)
        self._sessions.pop(_cookies(request.headers).get(SESSION_COOKIE, ""), None)

    def expire_all(self) -> int:
        """End every bearer token and session; how many there were."""
        ended = len(self._bearers) + len(self._sessions)
        self._bearers.clear()
        self._sessions.clear()
        return ended


def _unauthorized(challenge: str) -> Answer:
    return Answer(401, _LOGON_PAGE, {"WWW-Authenticate": challenge}, "text/html;charset=utf-8")


def _decoded(text: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _cookies(headers: Mapping[str, str]) -> dict[str, str]:
    text = headers.get("cookie")
    if not text:
        return {}
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(text).items()}
    except CookieError:
        return {}
