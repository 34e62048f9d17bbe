"""Signing in at the company's own provider, by OpenID Connect: authorization code with PKCE, state and nonce.

Who somebody is, an ID token says that the provider signed for us (OpenID Connect Core 1.0, 3.1.3.7); what they may do,
the landscape says for the values of one of its claims. What one attempt must remember rides in a cookie of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from isthmus.connectivity.transport.answer import NoAnswer, NotSent
from isthmus.connectivity.transport.wire import Wire
from isthmus.governance.people import SignInRefused
from isthmus.landscape.release import Oidc
from isthmus.landscape.secrets import SecretMissing
from isthmus.store.actors import checked

log = logging.getLogger("isthmus.console")
#: only by keys that the provider alone holds: never "none", never a secret that is shared
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_KEPT, _TIMEOUT_S, _LEEWAY_S = timedelta(hours=1), 10.0, 60
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_UNREACHABLE = "The sign-in provider cannot be reached, or does not answer as it should"
_REFUSED = "The sign-in provider's answer is not valid; begin again"


class Provider:
    """One provider, as the landscape names it."""

    def __init__(self, oidc: Oidc, secret: Callable[[], str | None], clock: Callable[[], datetime]) -> None:
        self._oidc, self._secret, self._clock = oidc, secret, clock
        self._wire = Wire("sign-in provider", limit=4, cookies=False)
        self._told: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._asked_at: datetime | None = None

    async def begin(self, back: str) -> tuple[str, str]:
        """Where to send the browser, and what its cookie is to remember. Raises SignInRefused."""
        told = await self._discovered()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code", "client_id": self._oidc.client_id, "redirect_uri": back,
            "scope": " ".join(self._oidc.scopes), "state": state, "nonce": nonce, "code_challenge": challenge,
            "code_challenge_method": "S256",
        }  # fmt: skip
        address = told["authorization_endpoint"]
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}", f"{state}.{nonce}.{verifier}"

    async def finish(self, query: dict[str, str], remembered: str, back: str) -> tuple[str, tuple[str, ...]]:
        """Who came back, and with which access roles. Raises SignInRefused in words that tell nothing to guess by."""
        state, nonce, verifier = remembered.split(".") if remembered.count(".") == 2 else ("", "", "")
        if not state or not hmac.compare_digest(query.get("state", "").encode(), state.encode()):
            raise SignInRefused("This sign-in was not begun here, or too long ago; begin again")
        if "code" not in query:
            log.warning("the sign-in provider refuses: %.200r", query.get("error", "no code"))
            raise SignInRefused("The sign-in provider did not let you in")
        claims = await self._claims(await self._token(query["code"], verifier, back), nonce)
        return self._name(claims), self._roles(claims)

    # What the provider says -----------------------------------------------------------------------

    async def _token(self, code: str, verifier: str, back: str) -> str:
        told = await self._discovered()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            secret = self._secret()
        except SecretMissing as error:
            log.warning("%s", error)
            raise SignInRefused(_UNREACHABLE) from None
        if secret is None:
            form["client_id"] = self._oidc.client_id
        else:  # RFC 6749, 2.3.1: both are form-encoded first
            pair = f"{quote(self._oidc.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        answer = await self._asked("POST", told["token_endpoint"], headers, urlencode(form).encode())
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise SignInRefused(_REFUSED)
        return token

    async def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        """What a token says that is proved to be for us, now, and for this attempt."""
        exact = {"iss": self._oidc.issuer, "aud": self._oidc.client_id, "nonce": nonce}
        rules: dict[str, Any] = {name: {"essential": True, "value": value} for name, value in exact.items()}
        rules |= {name: {"essential": True} for name in ("exp", "iat", "sub")}
        try:
            claims = (await self._decoded(token)).claims
            now = int(self._clock().timestamp())
            jwt.JWTClaimsRegistry(now=now, leeway=_LEEWAY_S, **rules).validate(claims)
        except (JoseError, ValueError) as error:
            log.warning("an ID token of the sign-in provider is refused: %s", error)
            raise SignInRefused(_REFUSED) from None
        # a token for several must name us as the one it was made for
        parties = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims.get("azp", self._oidc.client_id if len(parties) == 1 else None) != self._oidc.client_id:
            raise SignInRefused(_REFUSED)
        return dict(claims)

    async def _decoded(self, token: str) -> jwt.Token:
        """With the keys at hand, or else with the keys of now: providers change them."""
        if self._keys is not None:
            try:
                return jwt.decode(token, self._keys, algorithms=_ALGORITHMS)
            except (JoseError, ValueError):
                pass
        told = await self._discovered()
        self._keys = KeySet.import_key_set(await self._asked("GET", told["jwks_uri"]))  # type: ignore[arg-type]
        return jwt.decode(token, self._keys, algorithms=_ALGORITHMS)

    def _name(self, claims: dict[str, Any]) -> str:
        name = claims.get(self._oidc.name_claim)
        if not isinstance(name, str) or (self._oidc.name_claim == "email" and claims.get("email_verified") is False):
            raise SignInRefused(f"The sign-in provider does not say a proved {self._oidc.name_claim} of you")
        try:
            return checked(name)
        except ValueError:
            raise SignInRefused("Nobody may act here under your name") from None

    def _roles(self, claims: dict[str, Any]) -> tuple[str, ...]:
        found = claims.get(self._oidc.roles_claim)
        held = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
        roles = tuple(dict.fromkeys(role for value, role in self._oidc.roles.items() if value in held))
        if not roles:
            raise SignInRefused("You are known, but no access role is given to you here")
        return roles

    # Asking it ------------------------------------------------------------------------------------

    async def _discovered(self) -> dict[str, Any]:
        """What the provider says of itself; asked again every hour."""
        now = self._clock()
        if self._asked_at is None or now - self._asked_at > _KEPT:
            told = await self._asked("GET", self._oidc.issuer.rstrip("/") + "/.well-known/openid-configuration")
            places = [told.get(f"{name}") for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
            if told.get("issuer") != self._oidc.issuer or not all(_is_safe(place) for place in places):
                log.warning("%s describes another issuer, or places that are not safe", self._oidc.issuer)
                raise SignInRefused(_UNREACHABLE)
            self._told, self._asked_at = told, now
        return self._told

    async def _asked(
        self, method: str, url: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> dict[str, Any]:
        try:
            answer = await self._wire.exchange(method, url, headers or {}, body, timeout_s=_TIMEOUT_S)
            found = json.loads(answer.raw) if answer.status == 200 else None
        except (NotSent, NoAnswer, ValueError) as error:
            log.warning("the sign-in provider: %s", error)
            raise SignInRefused(_UNREACHABLE) from None
        if not isinstance(found, dict):
            log.warning("the sign-in provider answers %s to %s %s", answer.status, method, urlsplit(url).path)
            raise SignInRefused(_REFUSED if method == "POST" else _UNREACHABLE)
        return found


def _is_safe(url: object) -> bool:
    """Over TLS, or on this machine."""
    parts = urlsplit(url) if isinstance(url, str) else None
    return parts is not None and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK))
