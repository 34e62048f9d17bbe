"""Identity: ids of our own, and what makes two objects, or two versions of one, the same fact."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import singledispatch
from typing import Any, get_args

from isthmus.model.customer import Customer
from isthmus.model.delivery import Delivery
from isthmus.model.invoice import CreditNote, Invoice
from isthmus.model.order import Order
from isthmus.model.party import BusinessUnit
from isthmus.model.payment import Payment
from isthmus.model.problems import PROBLEMS_AT, Problem, Rejected
from isthmus.model.product import Price, Product
from isthmus.model.quote import Quote
from isthmus.model.support import Case, Entitlement
from isthmus.model.values import Canonical, Link, ObjectWord, Reference

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_WORDS = frozenset(get_args(ObjectWord))
#: the header is no content, but for a company's own fields
_HEADER = set(Canonical.model_fields) - {"extensions"}
_READINGS = ("settlement", "credit")


def new_id(kind: str, at: datetime | None = None) -> str:
    """A new canonical id, ``order_`` and a ULID: 48 bits of milliseconds and 80 random bits, sorted by time.

    ``at`` is the instant it is of (aware), now by default. ValueError for a word that is no object.
    """
    if kind not in _WORDS:
        raise ValueError(f"{kind!r} is no object; objects are {', '.join(sorted(_WORDS))}")
    milliseconds = time.time_ns() // 1_000_000 if at is None else int(at.timestamp() * 1000)
    number = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    return f"{kind}_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def business_key(thing: Canonical | BusinessUnit) -> str:
    """What makes it the same fact, within its business unit: ``order/emea/OPP-1001``.

    Numbers are normalised (NFKC, upper case, no double blanks); units, connections and vendors' ids stand as they
    are. Raises Rejected where the object has nothing to be known by, such as a customer with only a name.
    """
    if isinstance(thing, BusinessUnit):
        return f"business_unit/{_escaped(thing.code)}"
    parts = _key(thing)
    if not parts:
        raise Rejected(
            Problem(
                type=PROBLEMS_AT + "no-business-key",
                title=f"This {thing.object_word} has nothing that it can be known by",
                status=422,
                mend=f"map {_NEEDS.get(thing.object_word, 'its number')}, or the source it was read from",
            )
        )
    return _joined(thing, parts)


def match_keys(customer: Customer) -> tuple[str, ...]:
    """All keys by which a customer may be found again, the strongest first: id, tax registrations, identifiers,
    number, source. The name is never one."""
    return tuple(_joined(customer, parts) for parts in _customer_keys(customer))


def content_hash(thing: Canonical) -> str:
    """SHA-256 of what the object says, in hexadecimal: equal for two versions that say the same.

    Canonical JSON with sorted keys, decimals in their shortest form, what is absent, null or default left out;
    without header, references and derived fields. A company's own fields are content, or their change would be taken
    for an echo; so is a balance that was read (credit, settlement), but not the moment of reading it.
    """
    content = thing.model_dump(mode="python", exclude=_HEADER, exclude_defaults=True, exclude_none=True)
    for name in _READINGS:
        if name in content:
            content[name].pop("as_of", None)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_canonical)
    return hashlib.sha256(text.encode()).hexdigest()


class _AsIs(str):
    """A part of a key that is opaque: case and blanks count."""

    __slots__ = ()


def _joined(thing: Canonical, parts: tuple[str, ...]) -> str:
    known = (part if isinstance(part, _AsIs) else _normal(part) for part in parts)
    return "/".join(_escaped(part) for part in (thing.object_word, thing.business_unit, *known))


def _normal(number: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", number)).strip().upper()


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace("/", "%2F")


def _canonical(value: object) -> object:
    if isinstance(value, Decimal):
        text = format(value, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text in ("-0", "") else text
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"PT{value.total_seconds()}S"
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


_NEEDS = {
    "customer": "an id, a tax registration, an identifier or a number",
    "payment": "the platform's id as its source",
    "case": "the connection and id as its source",
}


@singledispatch
def _key(thing: Any) -> tuple[str, ...]:
    raise TypeError(f"{type(thing).__name__} has no business key")


@_key.register
def _(thing: Customer) -> tuple[str, ...]:
    return next(_customer_keys(thing), ())


@_key.register
def _(thing: Product) -> tuple[str, ...]:
    return (thing.number,)


@_key.register
def _(thing: Price) -> tuple[str, ...]:
    scale = "0" if thing.min_quantity is None else f"{_canonical(thing.min_quantity.value)} {thing.min_quantity.unit}"
    buyer = _pointed(thing.customer) or thing.price_group or "*"
    start = "*" if thing.validity.start_date is None else thing.validity.start_date.isoformat()
    unit = thing.unit or "*"
    return (_pointed(thing.product), thing.price_list, buyer, unit, thing.unit_price.currency, scale, start)


@_key.register
def _(thing: Quote) -> tuple[str, ...]:
    return (thing.number, str(thing.revision)) if thing.number else _from_source(thing)


@_key.register
def _(thing: Order) -> tuple[str, ...]:
    return (thing.request_number,)


@_key.register
def _(thing: Delivery) -> tuple[str, ...]:
    return (thing.number,)


@_key.register(Invoice)
@_key.register(CreditNote)
def _(thing: Invoice | CreditNote) -> tuple[str, ...]:
    if not thing.number:
        return _from_source(thing)
    issuer = thing.seller.tax_registrations
    return (issuer[0].number if issuer else thing.business_unit, thing.number)


@_key.register
def _(thing: Payment) -> tuple[str, ...]:
    return _from_source(thing)


@_key.register
def _(thing: Entitlement) -> tuple[str, ...]:
    if thing.order is None and thing.asset is None:
        return (thing.number,) if thing.number else _from_source(thing)
    order = f"{_pointed(thing.order)} {thing.order_line or ''}"
    return tuple(part for part in (_pointed(thing.customer), order.strip(), thing.asset) if part)


@_key.register
def _(thing: Case) -> tuple[str, ...]:
    return _from_source(thing) or (thing.number,)


def _customer_keys(customer: Customer) -> Iterator[tuple[str, ...]]:
    if customer.id is not None:
        yield (_AsIs(customer.id),)
    for each in customer.tax_registrations:
        yield (_AsIs("tax"), each.country, each.number)
    for identifier in customer.identifiers:
        yield (_AsIs(identifier.scheme), identifier.value)
    if customer.number is not None:
        yield (_AsIs("number"), customer.number)
    if source := _from_source(customer):
        yield source


def _from_source(thing: Canonical) -> tuple[str, ...]:
    reference: Reference | None = thing.source or next(iter(thing.references), None)
    if reference is None:
        return ()
    return _AsIs(reference.connection), _AsIs(reference.type), _AsIs(reference.id)


def _pointed(link: Link | None) -> str:
    return "" if link is None else link.number or link.id or ""
