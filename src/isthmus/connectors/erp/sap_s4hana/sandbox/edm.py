"""Edm types of OData v2 as SAP Gateway speaks them: a property's stored value, its JSON and its URL literal.

Stored: dates and instants as milliseconds since 1970 (INTEGER), decimals as TEXT, booleans as 0 and 1, the rest as
TEXT. JSON: ``/Date(ms)/`` for Edm.DateTime, ``/Date(ms+0000)/`` for Edm.DateTimeOffset, strings for Edm.Decimal and
Edm.Int64 (OData v2 JSON format; SAP Gateway date and time manual).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from json.encoder import encode_basestring
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.errors import bad_value, unread_property

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000
_TICKS = re.compile(r"/Date\((-?\d+)([+-]\d{4})?\)/")
_DURATION = re.compile(r"PT(?:\d{1,2}H)?(?:\d{1,2}M)?(?:\d{1,2}(?:\.\d+)?S)?")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_STEPS = tuple(Decimal(1).scaleb(-scale) for scale in range(10))
_SQL = {"Edm.DateTime": "INTEGER", "Edm.DateTimeOffset": "INTEGER", "Edm.Boolean": "INTEGER", "Edm.Int32": "INTEGER"}


def milliseconds(moment: datetime) -> int:
    """An instant as milliseconds since 1970; naive means UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(milliseconds=1)


def moment(value: int) -> datetime:
    """The instant of a number of milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=value)


def scaled(value: Decimal, scale: int) -> str:
    """A decimal as text with ``scale`` decimals, half up."""
    return f"{value.quantize(_STEPS[scale], ROUND_HALF_UP):f}"


@dataclass(slots=True)
class Property:
    """One property of an entity type or complex type.

    ``alpha`` and ``numc`` mark SAP's conversion exits: leading zeros of a number do not matter on the way in and
    are not shown on the way out. ``creatable`` and ``updatable`` say what a client may set.
    """

    name: str
    edm: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    key: bool = False
    alpha: bool = False
    numc: bool = False
    creatable: bool = True
    updatable: bool = True
    date_only: bool = False
    amount: bool = False
    default: Any = ""

    @property
    def sql(self) -> str:
        """The column's SQL type."""
        return _SQL.get(self.edm, "TEXT")

    def wire(self) -> Callable[[Any], Any] | None:
        """The function from stored to JSON value; None where they are the same."""
        return _WIRES.get(self.edm)

    def json_text(self) -> Callable[[Any], str]:
        """The function from stored value to JSON text, for answers with many values."""
        return _TEXTS[self.edm]

    def converted(self, text: str) -> str:
        """The text after SAP's conversion exit: leading zeros of a number go."""
        if (self.alpha or self.numc) and text.isdigit():
            return text.lstrip("0") or "0"
        return text

    def stored(self, value: Any) -> Any:
        """The stored form of a JSON value; raises ODataError for one that does not fit."""
        if value is None:
            return "" if self.edm == "Edm.String" else self.default if self.edm in _NEVER_NULL else None
        return _READERS[self.edm](self, value)

    def literal(self, value: Any) -> str:
        """The stored value as a literal in a URL."""
        if self.edm == "Edm.String":
            return "'" + str(value).replace("'", "''") + "'"
        if self.edm == "Edm.Guid":
            return f"guid'{value}'"
        if self.edm == "Edm.DateTime":
            return f"datetime'{moment(value):%Y-%m-%dT%H:%M:%S}'"
        if self.edm == "Edm.DateTimeOffset":
            return f"datetimeoffset'{moment(value):%Y-%m-%dT%H:%M:%SZ}'"
        return f"{value}M" if self.edm == "Edm.Decimal" else str(value)

    def text(self, value: Any) -> str:
        """The stored value as it stands in Atom XML and behind ``$value``."""
        if self.edm == "Edm.DateTime":
            return f"{moment(value):%Y-%m-%dT%H:%M:%S}"
        if self.edm == "Edm.DateTimeOffset":
            return f"{moment(value):%Y-%m-%dT%H:%M:%SZ}"
        if self.edm == "Edm.Boolean":
            return "true" if value else "false"
        return str(value)


def _read_string(prop: Property, value: Any) -> str:
    if not isinstance(value, str):
        raise unread_property(prop.name)
    text = prop.converted(value)
    if prop.length and len(text) > prop.length:
        raise bad_value(prop.name, value, prop.edm)
    return text


def _read_decimal(prop: Property, value: Any) -> str:
    if not isinstance(value, str):
        raise unread_property(prop.name)
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        raise bad_value(prop.name, value, prop.edm) from None
    exponent = number.normalize().as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > prop.scale or number.adjusted() >= prop.precision - prop.scale:
        raise bad_value(prop.name, value, prop.edm)
    return scaled(number, prop.scale)


def _read_moment(prop: Property, value: Any) -> int:
    if not isinstance(value, str):
        raise unread_property(prop.name)
    ticks = _TICKS.fullmatch(value)
    if ticks:
        read = int(ticks[1])
    else:
        try:
            read = milliseconds(datetime.fromisoformat(value))
        except ValueError:
            raise bad_value(prop.name, value, prop.edm) from None
    return read - read % DAY_MS if prop.date_only else read


def _read_boolean(prop: Property, value: Any) -> int:
    if not isinstance(value, bool):
        raise unread_property(prop.name)
    return int(value)


def _read_integer(prop: Property, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise unread_property(prop.name)
    return value


def _read_long(prop: Property, value: Any) -> str:
    if not isinstance(value, str):
        raise unread_property(prop.name)
    if not re.fullmatch(r"-?\d+", value):
        raise bad_value(prop.name, value, prop.edm)
    return value


def _read_pattern(pattern: re.Pattern[str]) -> Callable[[Property, Any], str]:
    def read(prop: Property, value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise bad_value(prop.name, value, prop.edm)
        return value

    return read


_NEVER_NULL = ("Edm.Decimal", "Edm.Boolean", "Edm.Int32", "Edm.Int64")
_READERS: dict[str, Callable[[Property, Any], Any]] = {
    "Edm.String": _read_string,
    "Edm.Decimal": _read_decimal,
    "Edm.DateTime": _read_moment,
    "Edm.DateTimeOffset": _read_moment,
    "Edm.Boolean": _read_boolean,
    "Edm.Int32": _read_integer,
    "Edm.Int64": _read_long,
    "Edm.Time": _read_pattern(_DURATION),
    "Edm.Guid": _read_pattern(_GUID),
}
_WIRES: dict[str, Callable[[Any], Any]] = {
    "Edm.DateTime": lambda value: None if value is None else f"/Date({value})/",
    "Edm.DateTimeOffset": lambda value: None if value is None else f"/Date({value}+0000)/",
    "Edm.Boolean": bool,
}


def _date_text(value: int | None) -> str:
    return "null" if value is None else f'"/Date({value})/"'


def _instant_text(value: int | None) -> str:
    return "null" if value is None else f'"/Date({value}+0000)/"'


def _nullable_text(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)


_TEXTS: dict[str, Callable[[Any], str]] = {
    "Edm.String": encode_basestring,
    "Edm.Decimal": encode_basestring,
    "Edm.Int64": encode_basestring,
    "Edm.DateTime": _date_text,
    "Edm.DateTimeOffset": _instant_text,
    "Edm.Boolean": lambda value: "true" if value else "false",
    "Edm.Int32": str,
    "Edm.Time": _nullable_text,
    "Edm.Guid": _nullable_text,
}
KINDS = tuple(_READERS)
