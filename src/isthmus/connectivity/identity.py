"""Which ids are the same thing: vendor ids become canonical ids on the way in, and vendor ids again on the way out.

A canonical id is made from the first reference under which an object is seen, so that two workers who see it at
once make the same id; the cross-reference then keeps it, also where another system is linked to it later.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from isthmus.store import references
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.store.transaction import Transaction

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_KEPT = 50_000
_HOLDERS = (dict, list)


def foreign_links(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Every link in a mapped object whose id is still the vendor's."""
    links: list[dict[str, Any]] = []
    around: list[Any] = [found]
    for holder in around:  # it grows meanwhile
        if isinstance(holder, dict):
            id_ = holder.get("id")
            if isinstance(id_, str) and "/" in id_ and "kind" in holder:
                links.append(holder)
            holder = holder.values()
        for value in holder:
            if isinstance(value, _HOLDERS):
                around.append(value)
    return links


def canonical_id(kind: str, connection: str, type_: str, id_: str) -> str:
    """``customer_`` and 26 characters of Crockford's base 32, shaped like a ULID, from the first reference."""
    number = int.from_bytes(hashlib.sha256(f"{connection}/{type_}/{id_}".encode()).digest()[:16], "big")
    text = "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
    return f"{kind}_{text}"


@dataclass(frozen=True, slots=True)
class Known:
    """This id at a connection is that object of ours."""

    kind: str
    canonical: str
    connection: str
    type: str
    id: str
    number: str | None = None


class Identities:
    """The cross-reference with a small memory in front: links hardly ever change, and a forgotten one is read again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._canonical: dict[tuple[str, str, str], str] = {}
        self._elsewhere: dict[tuple[str, str], str] = {}

    async def identify(self, found: dict[str, Any], kind: str, connection: str) -> dict[str, Any]:
        """Give a mapped object its canonical id (from its ``source``) and its links theirs.

        A mapping writes a link's id as ``VendorType/vendor id``; ``source`` has type and id.
        """
        source = found.get("source")
        if isinstance(source, dict):
            source["connection"] = connection
            found["id"] = await self.canonical(
                kind, connection, str(source["type"]), str(source["id"]), source.get("number")
            )
        for link in foreign_links(found):
            type_, _, vendor_id = link["id"].partition("/")
            link["id"] = await self.canonical(link["kind"], connection, type_, vendor_id, link.get("number"))
        return found

    async def canonical(self, kind: str, connection: str, type_: str, id_: str, number: str | None = None) -> str:
        """What we call this id of that connection; made and remembered at first sight."""
        at = (connection, type_, id_)
        known = self._canonical.get(at)
        if known is None:
            row = await self._store.read(lambda tx: references.canonical(tx, connection, type_, id_))
            known = row["canonical_id"] if row else canonical_id(kind, connection, type_, id_)
            if row is None:
                self.link(Known(kind, known, connection, type_, id_, number))
            self._remember(self._canonical, at, known)
        return known

    async def assumed(self, kind: str, connection: str, type_: str, id_: str) -> str:
        """What we call this id of that connection, or would call it: for a look at what may not be there."""
        row = await self._store.read(lambda tx: references.canonical(tx, connection, type_, id_))
        known = str(row["canonical_id"]) if row else canonical_id(kind, connection, type_, id_)
        self._remember(self._elsewhere, (known, connection), id_)
        return known

    async def at(self, canonical: str, connection: str) -> str | None:
        """The vendor's id of our object at a connection, or None."""
        known = self._elsewhere.get((canonical, connection))
        if known is None:
            rows = await self._store.read(lambda tx: references.elsewhere(tx, canonical, connection))
            if rows:
                known = str(rows[0]["id"])
                self._remember(self._elsewhere, (canonical, connection), known)
        return known

    def link(self, known: Known) -> None:
        """Remember that an id at a connection is our object; rides along with the next commit."""
        at = instant(self._store.clock())
        self.remember(known)
        self._store.ride(lambda tx: write(tx, known, at))

    def remember(self, known: Known) -> None:
        """Know it from now on; its writer has it in hand."""
        self._remember(self._canonical, (known.connection, known.type, known.id), known.canonical)
        self._remember(self._elsewhere, (known.canonical, known.connection), known.id)

    def forget(self, known: Known) -> None:
        """It could not be written, because somebody else may say so now: what stands is read again."""
        self._canonical.pop((known.connection, known.type, known.id), None)
        self._elsewhere.pop((known.canonical, known.connection), None)

    @staticmethod
    def _remember(memory: dict[Any, str], key: Any, value: str) -> None:
        if len(memory) >= _KEPT:
            memory.clear()
        memory[key] = value


def write(tx: Transaction, known: Known, at: str) -> None:
    """Write one into the cross-reference."""
    references.link(
        tx,
        connection=known.connection,
        type_=known.type,
        id_=known.id,
        kind=known.kind,
        canonical_id=known.canonical,
        number=known.number,
        version=None,
        at=at,
    )
