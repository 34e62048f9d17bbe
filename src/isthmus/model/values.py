"""The values that objects are made of, and the header that every object has.

Field names follow UBL; numbers such as BT-118 are the business terms of EN 16931.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from isthmus.model.codes import Currency, IdentifierScheme, UnitCode
from isthmus.model.money import Value
from isthmus.model.problems import Findings
from isthmus.model.scalars import (
    MAX_DIGITS,
    CanonicalId,
    Code,
    Day,
    Instant,
    Name,
    Percent,
    QuantityValue,
    Rate,
    Reader,
    SnakeCase,
    Text,
)

#: the words of the objects that may be pointed to
ObjectWord: TypeAlias = Literal[
    "customer",
    "supplier",
    "product",
    "price",
    "quote",
    "order",
    "delivery",
    "invoice",
    "credit_note",
    "payment",
    "payout",
    "subscription",
    "usage",
    "contract",
    "entitlement",
    "case",
    "approval",
    "purchase_order",
    "goods_receipt",
    "supplier_invoice",
    "business_unit",
]


class Quantity(Value):
    """So much of a unit. A service without a unit has ``C62`` (one)."""

    value: QuantityValue
    """At most 6 decimals."""
    unit: UnitCode


class Period(Value):
    """Days from ``start_date`` to ``end_date``, both inclusive; at least one of them (BR-CO-19, BR-CO-20)."""

    start_date: Day | None = None
    end_date: Day | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Period:
        start, end = self.start_date, self.end_date
        if start is None or end is None:
            if start is None and end is None:
                refuse("Period", "start_date", None, "a day, or end_date one")
        elif start > end:
            refuse("Period", "end_date", end, f"on or after start_date {start}", "both days are inclusive")
        return self


class InstantInterval(Value):
    """From ``start_at``, inclusive, to ``end_at``, exclusive. Only for windows of usage."""

    start_at: Instant
    end_at: Instant

    @model_validator(mode="after")
    def _in_order(self) -> InstantInterval:
        if self.start_at >= self.end_at:
            refuse("InstantInterval", "end_at", self.end_at, f"after start_at {self.start_at}")
        return self


class Identifier(Value):
    """A registered identifier: DUNS (0060), GLN (0088), or ``registration`` for a company register (BT-29, BT-30)."""

    scheme: IdentifierScheme
    value: Code


class Reference(Value):
    """The same thing elsewhere: an object in a connection, by the vendor's own words."""

    connection: Code
    """Name of the connection in the landscape."""
    type: Code
    """The vendor's name of the entity."""
    id: Code
    """The vendor's id, opaque, never reformatted."""
    number: Code | None = None
    """What people call it."""
    url: Code | None = None
    line: Code | None = None


class Link(Value):
    """How one canonical object points to another: by canonical id, by business number, or by both."""

    kind: ObjectWord
    id: CanonicalId | None = None
    number: Code | None = None

    @model_validator(mode="after")
    def _points(self) -> Link:
        if self.id is None and self.number is None:
            refuse("Link", "number", None, f"the number or the id of the {self.kind}")
        return self


class NamedLink(Link):
    """A link with the name at hand, for people."""

    name: Name


class PaymentTerms(Value):
    """When payment is due, and what is off for paying early."""

    code: Code | None = None
    """From the landscape's list."""
    description: Text | None = None
    """BT-20."""
    net_days: Annotated[int, Field(ge=0)] | None = None
    discount_percent: Percent | None = None
    discount_days: Annotated[int, Field(ge=0)] | None = None


class DeliveryTerms(Value):
    """Incoterms 2020."""

    incoterm: Literal["EXW", "FCA", "CPT", "CIP", "DAP", "DPU", "DDP", "FAS", "FOB", "CFR", "CIF"]
    place: Name | None = None
    version: Literal["2020"] = "2020"


class ExchangeRate(Value):
    """One unit of the source currency is ``rate`` of the target currency."""

    source_currency: Currency
    target_currency: Currency
    rate: Rate
    date: Day | None = None


class Block(Value):
    """What may not be done for now, and why."""

    kind: Literal["order", "delivery", "billing", "payment", "all"]
    reason: Text | None = None
    reason_code: Code | None = None
    since: Day | None = None


class DocumentFile(Value):
    """A document as issued or signed: where it is, and the SHA-256 of its bytes in hexadecimal."""

    url: Code
    hash: Code | None = None


class Failure(Value):
    """Why something failed, in the platform's code and words."""

    code: Code | None = None
    text: Text | None = None


def _extension(value: object) -> object:
    """Text, truth, a day, an instant or a number; a number in its shortest spelling, the same after a round trip."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, int | Decimal) and Decimal(value).is_finite() and Decimal(value).adjusted() < MAX_DIGITS:
        text = format(Decimal(value), "f")
        return Decimal((text.rstrip("0").rstrip(".") if "." in text else text) or "0") + 0
    expected = "text, true or false, a day, an instant with offset, an integer or a Decimal, never a float"
    raise PydanticCustomError("extension", "Input should be {expected}", {"expected": expected})


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, date) else value


ExtensionValue: TypeAlias = Annotated[
    str | Decimal | bool | date | datetime | None,
    Reader(_extension, {"type": ["string", "boolean", "integer", "null"]}, write=_plain),
]


class Canonical(Value):
    """The header of every canonical object.

    ``id`` is None until identity is resolved: a mapping reads a vendor's message and cannot know whether the object
    is new, so the cross-reference fills it in (or ``new_id`` mints it) before the object is stored.
    """

    object_word: ClassVar[str]
    """The object's word in links, ids, events and schemas: ``order``."""
    schema_version: ClassVar[int] = 1
    """The version of the object's schema; part of its event types (``isthmus.order.created.v1``)."""

    id: CanonicalId | None = None
    """Ours, never a vendor's: ``order_`` and a ULID."""
    business_unit: Code
    """For whom; part of every business key."""
    references: tuple[Reference, ...] = ()
    """The same thing elsewhere: a view of the cross-reference, filled on read."""
    source: Reference | None = None
    """Which entity of which connection this version was read from."""
    source_version: Code | None = None
    """ETag, row version, modification stamp: what a conditional write must send."""
    created_at: Instant | None = None
    changed_at: Instant | None = None
    extensions: dict[SnakeCase, ExtensionValue] = {}
    """A company's own fields: flat, declared in the landscape, in snake_case."""


def refuse(title: str, field: str, value: object, expected: str, mend: str = "") -> None:
    """Raise a ValidationError about one field of a value; Pydantic puts the path to the value before it."""
    found = Findings(title)
    found.add(field, value=value, expected=expected, mend=mend)
    found.check()
