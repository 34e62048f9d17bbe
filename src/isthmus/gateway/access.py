"""Who calls our API: a key with a named holder and scopes. Keys are known by their SHA-256 only."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request

from isthmus.landscape.release import Release
from isthmus.model.problems import PROBLEMS_AT, IsthmusError, Problem
from isthmus.store import keys
from isthmus.store.store import Store

SCOPES = {
    "process:start": "start a process and cancel its runs",
    "runs:read": "read runs, exceptions and approvals",
    "exceptions:write": "edit, retry, skip and cancel what is parked",
    "approvals:decide": "approve and reject",
    "system:read": "read through the system APIs",
    "system:write": "change through the system APIs",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A key's holder, by the name that the audit shows."""

    name: str
    scopes: frozenset[str]


class Access:
    """Finds the caller of a request, and holds routes to their scope."""

    def __init__(self, store: Store, release: Release, anonymous: str | None = None) -> None:
        """``anonymous`` names whoever calls without a key; only the demo has such a visitor."""
        self._store, self._anonymous = store, anonymous
        self._declared = {holder.key_hash.removeprefix("sha256:"): holder for holder in release.access.values()}

    def needs(self, scope: str) -> Callable[[Request], Awaitable[Caller]]:
        """A dependency: the caller, who must have ``scope``."""

        async def caller(request: Request) -> Caller:
            found = await self.caller(request)
            if scope not in found.scopes:
                title = f"The key of {found.name} has not the scope {scope}"
                mend = f"give it the scope ({SCOPES[scope]}), or use another key"
                raise IsthmusError(Problem(type=PROBLEMS_AT + "forbidden", title=title, status=403, mend=mend))
            return found

        return caller

    async def caller(self, request: Request) -> Caller:
        """The caller by ``Authorization: Bearer KEY`` or ``X-API-Key``. Raises 401."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        key = token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
        if not key and self._anonymous:
            return Caller(self._anonymous, frozenset(SCOPES))
        hash_ = key_hash(key) if key else ""
        if holder := self._declared.get(hash_):
            return Caller(holder.name, frozenset(holder.scopes))
        row = await self._store.read(lambda tx: keys.find_key(tx, hash_)) if hash_ else None
        if row is None:
            title = "This key is not known" if key else "A key is needed"
            mend = "send  Authorization: Bearer KEY;  isthmus keys create makes one"
            raise IsthmusError(Problem(type=PROBLEMS_AT + "unauthorized", title=title, status=401, mend=mend))
        return Caller(row["holder"], frozenset(row["scopes"].split()))


def key_hash(key: str) -> str:
    """SHA-256 of a key, hexadecimal. Keys are long and random, so no slow hash is needed."""
    return hashlib.sha256(key.encode()).hexdigest()
