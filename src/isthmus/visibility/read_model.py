"""What is known of each customer without asking anybody: canonical objects as they were last read, and how fresh they are.

Everything that a connector reads or writes passes here, so events and polls keep it up to date. A part of a customer is
*complete* once it was read in full; from then on it is as fresh as the poll that follows its source.
(CQRS: read model.)
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from isthmus.landscape.release import Release
from isthmus.model import Case, CreditNote, Customer, Delivery, Entitlement, Invoice, Link, Order, Payment
from isthmus.store import known
from isthmus.store.clock import instant, moment
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction

#: what is kept, by the word that links have for it
KINDS: dict[type[BaseModel], str] = {
    each: each.object_word
    for each in (Customer, Order, Delivery, Invoice, CreditNote, Payment, Entitlement, Case)
}  # fmt: skip
#: by then a vendor's search finds what was made: what it does not name, though it was read before, is gone
_INDEXED = timedelta(minutes=10)
#: domains at which everybody has a mailbox say nothing about a customer
_ANYBODY = frozenset({"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "gmx.de"})


@dataclass(frozen=True, slots=True)
class CustomerKnown:
    """All that is known of one customer: rows with ``kind``, ``connection``, ``body`` (JSON); parts with their time."""

    id: str
    number: str | None
    rows: list[Row]
    parts: Mapping[str, datetime] = field(default_factory=dict)


class ReadModel:
    """The read model over one store. ``saw`` is told of every object; nobody waits for it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: list[tuple[str, BaseModel, str]] = []
        self._lock = threading.Lock()

    def saw(self, connection: str, objects: Iterable[Any], asked_at: datetime) -> None:
        """Objects as a connection has them now; ``asked_at`` is when whoever reads them began to ask."""
        at = instant(asked_at)
        found = [(connection, each, at) for each in objects if type(each) in KINDS and each.source and each.id]
        if not found:
            return
        with self._lock:
            begins = not self._seen
            self._seen += found
        if begins:
            self._store.ride(self._keep)

    def _keep(self, tx: Transaction) -> None:
        with self._lock:
            seen, self._seen = self._seen, []
        for connection, each, asked_at in seen:
            if known.put(tx, _row(connection, each, asked_at)) and isinstance(each, Customer):
                known.put_addresses(tx, str(each.id), connection, dict(_addresses(each)))

    async def completed(
        self, customer: CustomerKnown, part: str, kind: str, connection: str, objects: Sequence[Any],
        asked_at: datetime, *, cut: bool,
    ) -> None:  # fmt: skip
        """A part of a customer was read in full: unless it is ``cut``, ``objects`` is all there is of a kind there."""
        ids = [str(each.id) for each in objects]
        await self._store.write(
            lambda tx: known.complete(
                tx,
                customer_id=customer.id,
                part=part,
                kind=kind,
                connection=connection,
                asked_at=instant(asked_at),
                ids=ids,
                among=() if cut else customer.rows,
                before=instant(asked_at - _INDEXED),
            )
        )

    async def customer(self, id_: str, follows: Mapping[str, Sequence[tuple[str, str]]]) -> CustomerKnown:
        """What is known of a customer. ``follows``: part → the polled channels that follow its source."""

        def work(tx: Transaction) -> CustomerKnown:
            ids = known.same_as(tx, id_)
            number = next((row["number"] for each in ids for row in known.by_id(tx, each) if row["number"]), None)
            channels = {each for several in follows.values() for each in several}
            until = {each: known.followed_until(tx, *each) for each in channels}
            parts = {
                part: _fresh(asked_at, [until[each] for each in follows.get(part, ())])
                for part, asked_at in known.parts_of(tx, id_).items()
            }
            return CustomerKnown(id_, number, known.of_customer(tx, ids, number), parts)

        return await self._store.read(work)

    async def objects(self, id_: str) -> list[Row]:
        """What is known of one object, from each connection, the last read first."""
        return await self._store.read(lambda tx: known.by_id(tx, id_))

    async def customers_at(self, address: str) -> list[str]:
        """Our ids of the customers with an e-mail address or a domain, those that are the same only once."""

        def work(tx: Transaction) -> list[str]:
            found: dict[str, None] = {}
            for each in known.by_address(tx, address.lower()):
                if not found.keys() & set(known.same_as(tx, each)):
                    found[each] = None
            return list(found)

        return await self._store.read(work)

    async def customer_of(self, kind: str, number: str) -> str | None:
        """Our id of the customer whose object of a kind has this number; None where it is not known."""

        def work(tx: Transaction) -> str | None:
            rows = known.by_number(tx, kind, number)
            return next((str(row["customer_id"]) for row in rows if row["customer_id"]), None)

        return await self._store.read(work)


def followed(release: Release) -> dict[tuple[str, str], tuple[str, ...]]:
    """(connection, kind) → the polled channels that see every change of it, and whose objects some process reads."""
    starts = {event for process in release.processes.values() for event in process.starts_on}
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for name, plan in release.connections.items():
        for channel, inbound in plan.connector.inbound.items():
            if inbound.cursor is None or not inbound.follows:
                continue
            for take in inbound.takes:
                if take.event in starts:
                    at = (name, take.object)
                    found[at] = (*found.get(at, ()), channel)
    return found


def _fresh(asked_at: str, followed_until: Sequence[str | None]) -> datetime:
    """How fresh a part is that was read at ``asked_at``: as fresh as the slowest poll that has followed it since."""
    if not followed_until or None in followed_until:
        return moment(asked_at)
    return moment(max(asked_at, min(each for each in followed_until if each is not None)))


def _row(connection: str, found: Any, asked_at: str) -> Row:
    customer = _customer_of(found)
    number = getattr(found, "number", None)
    return {
        "id": found.id,
        "connection": connection,
        "kind": KINDS[type(found)],
        "unit": found.business_unit,
        "number": number,
        "request_number": getattr(found, "request_number", None) or found.extensions.get("request_number"),
        "customer_id": customer.id if customer else None,
        "customer_number": customer.number if customer else None,
        "changed_at": instant(found.changed_at) if found.changed_at else None,
        "asked_at": asked_at,
        "body": found.model_dump_json(exclude_none=True),
    }


def _customer_of(found: Any) -> Link | None:
    if isinstance(found, Customer):
        return Link(kind="customer", id=found.id, number=found.number)
    partners = getattr(found, "partners", None)
    party = getattr(partners, "sold_to", None) or getattr(partners, "bill_to", None)
    link: Link | None = (
        getattr(party, "customer", None)
        or getattr(found, "customer", None)
        or getattr(found, "sold_to", None)
        or getattr(found, "payer", None)
    )
    return link


def _addresses(customer: Customer) -> Iterable[tuple[str, bool]]:
    """By what a customer is found, and whether it is exact: its number and the key of its account are."""
    key = customer.extensions.get("account_key")
    for exact in (customer.number and f"number {customer.number}", key and f"account {key}"):
        if exact:
            yield exact, True
    emails = {each.email.lower() for each in customer.contacts if each.email}
    website = (customer.website or "").lower().split("//")[-1].partition("/")[0].removeprefix("www.")
    domains = {each.partition("@")[2] for each in emails} | {d.lower() for d in customer.email_domains} | {website}
    for address in emails | (domains - _ANYBODY - {""}):
        yield address, False
