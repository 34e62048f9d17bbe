"""Signing in: whose headers a call carries, and getting new ones before the old ones run out.

A token is fetched by one holder for all workers: the others wait until it is there. Protocols: RFC 6749 4.4 (client
credentials), RFC 7523 (JWT bearer), RFC 7617 (Basic). The secret of client credentials goes into the form where the
descriptor names ``client_id`` and ``client_secret``, into Basic where it names ``user`` and ``password``.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from isthmus.catalogue.connector import Connector
from isthmus.connectivity.transport.addresses import signed_in_at
from isthmus.connectivity.transport.answer import NoAnswer, NotSent, SignedIn, SignInRefused
from isthmus.connectivity.transport.failures import retry_after
from isthmus.connectivity.transport.json_text import parse_json
from isthmus.connectivity.transport.template import fill, header_value
from isthmus.connectivity.transport.tokens import StoredToken, TokenStore
from isthmus.connectivity.transport.wire import Received, Wire
from isthmus.mapping.expression import compile_expression

_TOKEN_REQUEST_S = 20.0
_ASSERTION_S = 180
_LIFETIME = timedelta(hours=1)
_MARGIN = timedelta(seconds=60)
#: after a refusal nobody tries again for so long: vendors lock users who keep failing
_REST_AFTER_REFUSAL = timedelta(seconds=15)


class SignIn:
    """How one connection signs its calls. ``settings`` hold secrets; nothing of them is ever shown."""

    def __init__(
        self,
        name: str,
        connector: Connector,
        settings: Mapping[str, str],
        *,
        wire: Wire,
        tokens: TokenStore,
        clock: Callable[[], datetime],
        base_url: str,
        hosts: Sequence[str] = (),
    ) -> None:
        """``hosts`` are those to which an answer may send calls, beside that of ``base_url``."""
        self._name, self._auth, self._wire = name, connector.auth, wire
        self._context = {"settings": settings}
        self._tokens, self._clock, self._base_url = tokens, clock, base_url
        self._hosts = (*connector.transport.hosts, *hosts)
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._renewing = asyncio.Lock()
        self._held: SignedIn | None = None
        self._held_until: datetime | None = None
        self._refusal: tuple[datetime, SignInRefused] | None = None

    @property
    def by_token(self) -> bool:
        """Whether a new sign-in can help against a 401."""
        return self._auth.kind.startswith("oauth2_")

    @property
    def base_url(self) -> str:
        """Where calls go, as far as is known now."""
        return self._held.base_url if self._held else self._base_url

    async def current(self, timeout_s: float = _TOKEN_REQUEST_S) -> SignedIn:
        """What to sign with now, got within ``timeout_s``.

        Raises NotSent, or SignInRefused where the vendor does not let us in.
        """
        if not self.by_token:
            self._held = self._held or SignedIn(self._fixed(), self._base_url)
            return self._held
        if self._held is not None and self._good():
            return self._held
        try:
            async with asyncio.timeout(timeout_s), self._renewing:
                if not self._good():
                    self._hold(await self._token())
        except TimeoutError:
            raise NotSent(f"{self._name}: the sign-in has not finished within {timeout_s:.0f} s") from None
        assert self._held is not None
        return self._held

    def _good(self) -> bool:
        return self._held_until is not None and self._clock() < self._held_until

    async def refused(self, signed: SignedIn) -> bool:
        """The vendor refused this sign-in: the next call signs in anew. False where somebody has done so already."""
        await self._tokens.drop(self._name, signed.generation)
        if self._held is None or self._held.generation != signed.generation:
            return False
        self._held_until = None
        return True

    def secrets_held(self) -> list[str]:
        """What must not appear in any text."""
        return [text.partition(" ")[2] for text in self._held.headers.values()] if self._held else []

    def _hold(self, token: StoredToken) -> None:
        authorization = {"Authorization": header_value(f"Bearer {token.value}", name="Authorization", what=self._name)}
        self._held = SignedIn(authorization, token.base_url or self._base_url, token.generation)
        self._held_until = token.expires_at

    def _fixed(self) -> dict[str, str]:
        if self._auth.kind == "none":
            return {}
        if self._auth.kind == "bearer":
            text = f"Bearer {self._setting('token')}"
        else:
            text = _basic(self._setting("user"), self._setting("password"))
        return {"Authorization": header_value(text, name="Authorization", what=self._name)}

    async def _token(self) -> StoredToken:
        """The stored token while it is good; else a new one, by us or by whoever holds the lease."""
        pause_s = 0.02
        while True:
            if (token := await self._stored()) is not None:
                return token
            if await self._tokens.lease(self._name, self._holder, _TOKEN_REQUEST_S + 5):
                return await self._renewed()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.5)

    async def _stored(self) -> StoredToken | None:
        """The stored token, if it is good and goes where calls may go: rows are not believed about addresses either."""
        token = await self._tokens.read(self._name)
        if token is None or self._clock() >= token.expires_at:
            return None
        try:
            if token.base_url is not None:
                signed_in_at(token.base_url, self._base_url, self._hosts, self._name)
        except SignInRefused:
            return None
        return token

    async def _renewed(self) -> StoredToken:
        """A new token, by us who hold the lease; or the one that came while we were getting the lease."""
        written = False
        try:
            if (token := await self._stored()) is not None:
                return token
            token = await self._signed_in_unless_refused()
            await self._tokens.write(self._name, token, self._holder)
            written = True
        finally:
            if not written:
                await self._tokens.lease(self._name, self._holder, 0)
        return await self._stored() or token

    async def _signed_in_unless_refused(self) -> StoredToken:
        if self._refusal and self._clock() < self._refusal[0]:
            refusal = self._refusal[1]
            raise SignInRefused(str(refusal), code=refusal.code, mend=refusal.mend)
        try:
            return await self._signed_in()
        except SignInRefused as refusal:
            self._refusal = (self._clock() + _REST_AFTER_REFUSAL, refusal)
            raise

    async def _signed_in(self) -> StoredToken:
        url = f"{self._base_url}/{fill(self._auth.token_path or '', self._context, what=self._name).lstrip('/')}"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self._auth.kind == "oauth2_client_credentials" and self._auth.user:
            headers["Authorization"] = _basic(self._setting("user"), self._setting("password"))
        body = urlencode(self._grant()).encode()
        try:
            received = await self._wire.exchange("POST", url, headers, body, timeout_s=_TOKEN_REQUEST_S)
        except NoAnswer as error:
            raise NotSent(f"{self._name}: the sign-in had no answer ({error})") from None
        return self._understood(received)

    def _grant(self) -> dict[str, str]:
        auth, given = self._auth, {}
        if auth.kind == "oauth2_jwt_bearer":
            given = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": self._assertion()}
        else:
            given = {"grant_type": "client_credentials"}
            for part in ("client_id", "client_secret"):
                if getattr(auth, part):
                    given[part] = self._setting(part)
        if auth.scope:
            given["scope"] = self._setting("scope")
        return given

    def _assertion(self) -> str:
        from joserfc import jwt
        from joserfc.jwk import RSAKey

        now = int(self._clock().timestamp())
        claims: dict[str, Any] = {"iat": now, "exp": now + _ASSERTION_S, "jti": secrets.token_hex(16)}
        for name, template in self._auth.assertion.items():
            claims[name] = fill(template, self._context, what=f"{self._name}: sign-in")
        pem = self._setting("private_key").replace("\\n", "\n")
        try:
            key = RSAKey.import_key(pem)
        except Exception:  # whatever the library says may quote the key
            raise SignInRefused(f"{self._name}: private_key is no RSA key in PEM form") from None
        return jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, key, algorithms=["RS256"])

    def _understood(self, received: Received) -> StoredToken:
        """The token in the answer of the token endpoint."""
        try:
            told = parse_json(received.raw)
        except ValueError:
            told = {}
        told = told if isinstance(told, dict) else {}
        status = received.status
        if status in (408, 429) or status >= 500:
            pause_s = retry_after(received.headers, self._clock())
            raise NotSent(f"{self._name}: the sign-in answered {status}", pause_s=pause_s)
        value = told.get("access_token")
        if status >= 300 or not isinstance(value, str) or not value:
            why = " ".join(str(told[part])[:200] for part in ("error", "error_description") if told.get(part))
            raise SignInRefused(f"{self._name}: the sign-in was refused with {status} {why}".rstrip())
        lifetime = self._auth.lifetime or _LIFETIME
        if str(told.get("expires_in", "")).isdigit():
            lifetime = timedelta(seconds=int(told["expires_in"]))
        expires_at = self._clock() + lifetime - min(_MARGIN, lifetime / 10)
        return StoredToken(value, expires_at, self._sent_to(told), generation=0)

    def _sent_to(self, told: dict[str, Any]) -> str | None:
        """Where calls go from now on, if the answer says so. Raises SignInRefused where that is none of our hosts."""
        if not self._auth.base_url:
            return None
        found = compile_expression(self._auth.base_url, file=f"{self._name} auth.base_url")(told)
        if not isinstance(found, str) or not found:
            raise SignInRefused(f"{self._name}: the sign-in named no address for calls ({self._auth.base_url})")
        return signed_in_at(found, self._base_url, self._hosts, self._name)

    def _setting(self, part: str) -> str:
        """A value of the descriptor's ``auth`` part, its placeholders filled from the settings."""
        template = getattr(self._auth, part)
        return fill(template or "", self._context, what=f"{self._name}: sign-in").strip()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
