"""Access tokens shared by all workers through the store, sealed: whoever reads the database cannot use them.

The seal's key comes from the connection's own secrets, which are never in the store.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken

from isthmus.connectivity.transport.tokens import StoredToken
from isthmus.store import tokens
from isthmus.store.clock import instant, moment
from isthmus.store.store import Store


class SharedTokens:
    """A TokenStore over the store. One worker refreshes, the others wait for the new token."""

    def __init__(self, store: Store, secrets: Mapping[str, Mapping[str, str]]) -> None:
        """``secrets``: connection → its resolved settings, of which the seal's key is made."""
        self._store = store
        self._seals = {name: Fernet(_key(name, settings)) for name, settings in secrets.items()}
        self._known: dict[str, StoredToken] = {}

    def know(self, connection: str, settings: Mapping[str, str]) -> None:
        """A connection of an earlier release; one that is known keeps its seal."""
        self._seals.setdefault(connection, Fernet(_key(connection, settings)))

    async def read(self, connection: str) -> StoredToken | None:
        """The newest token; from memory while it is fresh."""
        known = self._known.get(connection)
        if known is not None and known.expires_at > self._store.clock():
            return known
        row = await self._store.read(lambda tx: tokens.read(tx, connection))
        if row is None or row["sealed"] is None:
            return None
        try:
            value = self._seals[connection].decrypt(row["sealed"].encode()).decode()
        except InvalidToken:
            return None  # sealed under an earlier secret: sign in again
        token = StoredToken(value, moment(row["expires_at"]), row["base_url"], row["generation"])
        self._known[connection] = token
        return token

    async def lease(self, connection: str, holder: str, for_s: float) -> bool:
        """Win the right to sign in."""
        now = self._store.clock()
        until = instant(now + timedelta(seconds=for_s))
        return await self._store.write(lambda tx: tokens.lease(tx, connection, holder, instant(now), until))

    async def write(self, connection: str, token: StoredToken, holder: str) -> None:
        """Keep a new token and end the lease."""
        sealed = self._seals[connection].encrypt(token.value.encode()).decode()
        expires_at = instant(token.expires_at)
        await self._store.write(
            lambda tx: tokens.write(
                tx, connection, holder, sealed=sealed, expires_at=expires_at, base_url=token.base_url
            )
        )
        self._known.pop(connection, None)

    async def drop(self, connection: str, generation: int) -> None:
        """Forget a token that the vendor refused, unless a newer one stands."""
        known = self._known.get(connection)
        if known is not None and known.generation == generation:
            del self._known[connection]
        await self._store.write(lambda tx: tokens.drop(tx, connection, generation))


def unsealed(connection: str, settings: Mapping[str, str], sealed: str) -> str:
    """A token as the store holds it, opened with the connection's secrets. Raises InvalidToken."""
    return Fernet(_key(connection, settings)).decrypt(sealed.encode()).decode()


def _key(name: str, settings: Mapping[str, str]) -> bytes:
    material = "\n".join(f"{key}={settings[key]}" for key in sorted(settings))
    return base64.urlsafe_b64encode(hashlib.sha256(f"isthmus token seal/{name}/{material}".encode()).digest())
