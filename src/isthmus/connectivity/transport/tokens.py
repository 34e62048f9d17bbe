"""Tokens that sign-ins gave: where they are kept, so that one holder renews and everybody uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredToken:
    """An access token. ``expires_at`` is when it must be renewed, a margin before the vendor refuses it.

    ``base_url`` is where calls go with it, if the sign-in said so. ``generation`` counts sign-ins: the store sets it.
    """

    value: str = field(repr=False)
    expires_at: datetime
    base_url: str | None
    generation: int


class TokenStore(Protocol):
    """Keeps the newest token of each connection, for all workers."""

    async def read(self, connection: str) -> StoredToken | None:
        """The newest token, also when it has expired."""

    async def lease(self, connection: str, holder: str, for_s: float) -> bool:
        """Whether ``holder`` is now the one who signs in, for so many seconds at most (0: gives it back)."""

    async def write(self, connection: str, token: StoredToken, holder: str) -> None:
        """Keep ``token`` as the next generation and end the lease; nothing where ``holder`` has lost the lease."""

    async def drop(self, connection: str, generation: int) -> None:
        """Forget the token if it is still of that generation; generations go on counting."""


class LocalTokens:
    """A TokenStore for one process: tests, and commands that sign in once."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._tokens: dict[str, StoredToken] = {}
        self._leases: dict[str, tuple[str, datetime]] = {}
        self._generations: Counter[str] = Counter()

    async def read(self, connection: str) -> StoredToken | None:
        return self._tokens.get(connection)

    async def lease(self, connection: str, holder: str, for_s: float) -> bool:
        now = self._clock()
        other, until = self._leases.get(connection, (holder, now))
        if other != holder and until > now:
            return False
        self._leases[connection] = (holder, now + timedelta(seconds=for_s))
        return True

    async def write(self, connection: str, token: StoredToken, holder: str) -> None:
        if self._leases.get(connection, ("",))[0] == holder:
            self._generations[connection] += 1
            self._tokens[connection] = replace(token, generation=self._generations[connection])
            del self._leases[connection]

    async def drop(self, connection: str, generation: int) -> None:
        kept = self._tokens.get(connection)
        if kept is not None and kept.generation == generation:
            del self._tokens[connection]
