"""Between a caller's JSON or CSV value and what the world keeps, strict as Salesforce is for each field type.

The world keeps numbers as text with the decimals that were given, booleans as 0 and 1, instants as
``2026-01-02T03:04:05.000+0000``: the form in which answers carry them.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError
from isthmus.connectors.crm.salesforce.sandbox.ids import full_id
from isthmus.connectors.crm.salesforce.sandbox.metadata import IDS, NUMBERS, TEXTS, Field

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?")


def stored(field: Field, value: Any) -> Any:
    """The value as the world keeps it; None where it is empty.

    Raises VendorError: JSON_PARSER_ERROR, STRING_TOO_LONG, MALFORMED_ID, INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST,
    NUMBER_OUTSIDE_VALID_RANGE, INVALID_EMAIL_ADDRESS.
    """
    if field.type == "boolean":
        return _boolean(field, value)
    if value is None or value == "":
        return None
    if isinstance(value, dict | list):
        raise _unreadable(field, "{" if isinstance(value, dict) else "[", "START_OBJECT")
    if field.type in TEXTS:
        return _text(field, value)
    if field.type in NUMBERS:
        return _number(field, value)
    if field.type in IDS:
        return _id(field, value)
    if field.type == "int":
        return _whole(field, value)
    return _day(field, value) if field.type == "date" else _instant(field, value)


def instant_text(moment: datetime) -> str:
    """An aware instant in the form of the world, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "+0000"


def parse_instant(text: str) -> datetime | None:
    """An instant in any of the forms that Salesforce takes; without an offset it is UTC. None if malformed."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, offset = match.groups()
    zone = "+00:00" if offset in (None, "Z") else offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
    try:
        return datetime.fromisoformat(f"{day}T{clock}{(fraction or '.0')[:7].ljust(7, '0')}{zone}").astimezone(UTC)
    except ValueError:
        return None


def parse_day(text: str) -> date | None:
    """A date ``2026-11-23``; None if malformed."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def plain(number: Decimal) -> str:
    """A decimal as text without an exponent."""
    return format(number, "f")


def _unreadable(field: Field, value: Any, seen: str = "VALUE_STRING") -> VendorError:
    kind = {"datetime": "datetime", "int": "int"}.get(field.type, field.type)
    message = (
        f"Cannot deserialize instance of {kind} from {seen} value {value} or request may be missing a required field"
    )
    return VendorError("JSON_PARSER_ERROR", f"{message} at [line:1, column:1]")


def _boolean(field: Field, value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return int(value.lower() == "true")
    if value is None:
        raise VendorError(
            "INVALID_TYPE_ON_FIELD_IN_RECORD", f"{field.label}: value not of required type: null", [field.name]
        )
    raise _unreadable(field, value)


def _text(field: Field, value: Any) -> str | None:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value).strip()
    if not text:
        return None
    if field.picklist and text not in field.picklist:
        message = f"{field.label}: bad value for restricted picklist field: {text}"
        raise VendorError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, [field.name])
    if len(text) > field.length:
        message = f"{field.label}: data value too large: {text} (max length={field.length})"
        raise VendorError("STRING_TOO_LONG", message, [field.name])
    if field.type == "email" and not _EMAIL.fullmatch(text):
        message = f"{field.label}: invalid email address: {text}"
        raise VendorError("INVALID_EMAIL_ADDRESS", message, [field.name])
    return text


def _number(field: Field, value: Any) -> str:
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        raise _unreadable(field, value) from None
    if not number.is_finite():
        raise _unreadable(field, value)
    if abs(number) >= Decimal(10) ** (field.precision - field.scale):
        message = f"{field.label}: value outside of valid range on numeric field: {value}"
        raise VendorError("NUMBER_OUTSIDE_VALID_RANGE", message, [field.name])
    if -number.as_tuple().exponent > field.scale:  # type: ignore[operator]  # finite: the exponent is an int
        number = number.quantize(Decimal(1).scaleb(-field.scale), ROUND_HALF_UP)
    return plain(number)


def _whole(field: Field, value: Any) -> int:
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) else Decimal("0.5")
        if number != number.to_integral_value():
            raise _unreadable(field, value)
    except InvalidOperation:
        raise _unreadable(field, value) from None
    return int(number)


def _id(field: Field, value: Any) -> str:
    full = full_id(value) if isinstance(value, str) else None
    if full is None:
        message = f"{field.label}: id value of incorrect type: {value}"
        raise VendorError("MALFORMED_ID", message, [field.name])
    return full


def _day(field: Field, value: Any) -> str:
    day = parse_day(value[:10]) if isinstance(value, str) else None
    if day is None or (len(value) > 10 and parse_instant(value) is None):
        raise _unreadable(field, value)
    return day.isoformat()


def _instant(field: Field, value: Any) -> str:
    moment = parse_instant(value) if isinstance(value, str) else None
    if moment is None and isinstance(value, str) and (day := parse_day(value)):
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if moment is None:
        raise _unreadable(field, value)
    return instant_text(moment)
