"""Who may do what: keys with a named holder and scopes, known by their SHA-256 only."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date

from isthmus.landscape.release import Holder, Release
from isthmus.store import keys
from isthmus.store.store import Store

#: scope → what it allows
SCOPES = {
    "process:start": "start a process and cancel its runs",
    "runs:read": "read runs, exceptions and approvals",
    "exceptions:write": "edit, retry, skip and cancel what is parked",
    "approvals:decide": "approve and reject",
    "system:read": "read through the system APIs",
    "system:write": "change through the system APIs",
    "metrics:read": "read the measures",
    "support-desk:read": "read what the support desk sees of a customer",
    "finance:read": "see bank data, tax numbers and credit limits there",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A key's holder, by the name that the audit shows."""

    name: str
    scopes: frozenset[str]


class Keys:
    """The keys that a release declares (``access:``), and those that were made with ``isthmus keys create``."""

    def __init__(self, store: Store, release: Release) -> None:
        self._store = store
        self._declared = {holder.key_hash.removeprefix("sha256:"): holder for holder in release.access.values()}

    async def caller(self, key: str) -> Caller | None:
        """Who holds ``key``; None where nobody does (any more). Raises StoreUnavailable."""
        hash_ = key_hash(key)
        if holder := self._declared.get(hash_):
            return None if self._expired(holder) else Caller(holder.name, frozenset(holder.scopes))
        row = await self._store.read(lambda tx: keys.find_key(tx, hash_))
        return Caller(row["holder"], frozenset(row["scopes"].split())) if row else None

    def _expired(self, holder: Holder) -> bool:
        """The day that is written is the last one on which the key opens."""
        return bool(holder.expires) and self._store.clock().date() > date.fromisoformat(str(holder.expires))


def new_key() -> str:
    """A key with 256 bits of chance in it."""
    return f"isthmus_{secrets.token_urlsafe(32)}"


def key_hash(key: str) -> str:
    """SHA-256 of a key, hexadecimal. Keys are long and random, so no slow hash is needed."""
    return hashlib.sha256(key.encode()).hexdigest()
