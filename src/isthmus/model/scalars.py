"""The plain parts of every value: decimals as text, clean text, instants, days, identifiers.

Speed is decided here, for a twenty-line order holds some 250 of them. What Rust can check (a pattern, a list), it
checks; a Python function is asked only about what is rare.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic_core import PydanticCustomError, core_schema

MAX_DIGITS = 24
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class DecimalText:
    """Annotation: an exact decimal, written in JSON as plain text (``"10.50"``).

    Text, integers and Decimals are taken; floats, and so JSON numbers with a fraction, are refused, because they have
    already lost the figure. ``places`` is the most decimals, ``low`` and ``high`` bound the value, both inclusive;
    ``positive`` asks for more than zero.
    """

    def __init__(self, places: int, low: int | None = None, high: int | None = None, positive: bool = False) -> None:
        self.places, self.low, self.high, self.positive = places, low, high, positive
        bounds = "" if high is None else f" up to {high}"
        sign = " above zero" if positive else "" if low is None else f" from {low}"
        self.expected = (
            f'a decimal as text such as "10.50"{sign}{bounds}, with at most {places} decimals, never a float'
        )

    def read(self, value: object) -> Decimal:
        """The slow way, for integers, Decimals and rare spellings (``+1``, ``1E+3``, ``100.0000000``)."""
        if isinstance(value, str):
            value = value.strip()
            if not _NUMBER.fullmatch(value):
                raise ValueError
            number = Decimal(value)
        elif isinstance(value, int | Decimal) and not isinstance(value, bool):
            number = Decimal(value)
        else:
            raise ValueError
        if not number.is_finite() or number.adjusted() >= MAX_DIGITS:
            raise ValueError
        whole, _, fraction = format(number, "f").partition(".")
        kept = fraction.rstrip("0")
        if len(kept) > self.places or len(whole.lstrip("-0")) + len(kept) > MAX_DIGITS:
            raise ValueError
        number = Decimal(f"{whole}.{fraction[: self.places]}" if fraction[: self.places] else whole) + 0
        if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            raise ValueError
        if self.positive and number <= 0:
            raise ValueError
        return number

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        slow = core_schema.no_info_plain_validator_function(self.read)
        choices: list[core_schema.CoreSchema | tuple[core_schema.CoreSchema, str]] = [slow]
        if not self.positive:
            text = core_schema.str_schema(pattern=self._pattern(), strict=True, strip_whitespace=False)
            choices.insert(0, core_schema.no_info_after_validator_function(Decimal, text))
        return core_schema.union_schema(
            choices,
            mode="left_to_right",
            custom_error_type="decimal_text",
            custom_error_message="Input should be {expected}",
            custom_error_context={"expected": self.expected},
            serialization=core_schema.format_ser_schema("f", when_used="json"),
        )

    def _pattern(self) -> str:
        """What is right beyond doubt and goes the fast way: never ``-0``, for that is not one figure with ``0``."""
        digits = MAX_DIGITS - self.places if self.high is None else len(str(self.high)) - 1
        fraction = rf"(\.[0-9]{{1,{self.places}}})?"
        plain = rf"[0-9]{{1,{digits}}}{fraction}"
        negative = rf"-[1-9][0-9]{{0,{digits - 1}}}{fraction}"
        return f"^(?:{plain})$" if self.low == 0 else f"^(?:{plain}|{negative})$"

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        sign = "" if self.low == 0 or self.positive else "-?"
        pattern = rf"^{sign}[0-9]{{1,{MAX_DIGITS}}}(\.[0-9]{{1,{self.places}}})?$"
        return {"type": "string", "pattern": pattern, "description": self.expected}


def _one_line(text: str) -> str:
    """NFC, without control characters."""
    if text.isascii() and text.isprintable():
        return text
    if _CONTROL.search(text):
        raise PydanticCustomError(
            "text", "Input should be {expected}", {"expected": "one line without control characters"}
        )
    return unicodedata.normalize("NFC", text)


def _lines(text: str) -> str:
    """NFC, with line breaks as ``\\n`` and no other control character but the tabulator."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _CONTROL_IN_LINES.search(text):
        raise PydanticCustomError("text", "Input should be {expected}", {"expected": "text without control characters"})
    return unicodedata.normalize("NFC", text)


def _instant(value: object) -> datetime:
    expected = {"expected": 'an instant with its offset, such as "2026-11-23T10:02:11Z"'}
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise PydanticCustomError("instant", "Input should be {expected}", expected) from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise PydanticCustomError("instant", "Input should be {expected}", expected)
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError


class Reader:
    """Annotation: what ``read`` makes of the input, described by ``json_schema``; written by ``write`` where given.

    ``quick`` is a pattern of text that ``make`` turns into the value at once, without asking ``read``.
    """

    def __init__(
        self,
        read: Callable[[Any], Any],
        json_schema: dict[str, Any],
        quick: tuple[str, Callable[[str], Any], str] | None = None,
        write: Callable[[Any], Any] | None = None,
    ) -> None:
        self.read, self.json_schema, self.quick, self.write = read, json_schema, quick, write

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        write = core_schema.plain_serializer_function_ser_schema(self.write, when_used="json") if self.write else None
        slow = core_schema.no_info_plain_validator_function(self.read, serialization=write)
        if self.quick is None:
            return slow
        pattern, make, expected = self.quick
        fast = core_schema.no_info_after_validator_function(make, core_schema.str_schema(pattern=pattern, strict=True))
        return core_schema.union_schema(
            [fast, slow],
            mode="left_to_right",
            custom_error_type="not_read",
            custom_error_message="Input should be {expected}",
            custom_error_context={"expected": expected},
            serialization=core_schema.to_string_ser_schema(when_used="json"),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.json_schema)


#: what an amount of money may hold before its currency is asked (CLF and UYW have 4 decimals)
AmountValue: TypeAlias = Annotated[Decimal, DecimalText(4)]
QuantityValue: TypeAlias = Annotated[Decimal, DecimalText(6)]
#: a quantity counted beside another, in the unit of that: shipped, invoiced
Count: TypeAlias = Annotated[Decimal, DecimalText(6, low=0)]
PriceValue: TypeAlias = Annotated[Decimal, DecimalText(10, low=0)]
#: 19 means 19 %
Percent: TypeAlias = Annotated[Decimal, DecimalText(6, low=-100, high=100)]
TaxPercent: TypeAlias = Annotated[Decimal, DecimalText(6, low=0, high=100)]
Rate: TypeAlias = Annotated[Decimal, DecimalText(12, positive=True)]

#: one line of text for people, not empty
Name: TypeAlias = Annotated[str, StringConstraints(min_length=1), AfterValidator(_one_line)]
#: a code, number or key, not empty; compared as it stands
Code: TypeAlias = Annotated[str, StringConstraints(min_length=1), AfterValidator(_one_line)]
#: text that may have several lines
Text: TypeAlias = Annotated[str, AfterValidator(_lines)]
#: key of a line, unique in its document and never reused
LineId: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=20), AfterValidator(_one_line)]
#: ``order_01K...``: an object word and a ULID, minted by ``new_id``
CanonicalId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z]+(_[a-z]+)*_[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
#: BCP 47: ``de``, ``de-CH``, ``zh-Hant-TW``
Language: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$")]
SnakeCase: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")]

#: an instant with its offset, kept in UTC: ``2026-11-23T10:02:11.120Z``
Instant: TypeAlias = Annotated[datetime, Reader(_instant, {"type": "string", "format": "date-time"})]
#: a calendar day of the business unit: ``2026-11-23``; never an instant, never a number
Day: TypeAlias = Annotated[
    date,
    Reader(
        _day,
        {"type": "string", "format": "date"},
        quick=(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", date.fromisoformat, 'a day such as "2026-11-23", without a time'),
    ),
]

T = TypeVar("T")
#: words of which each stands at most once; kept sorted, so that two spellings of one set are one
SetOf: TypeAlias = Annotated[
    tuple[T, ...],
    AfterValidator(lambda words: tuple(sorted(set(words)))),
    Field(json_schema_extra={"uniqueItems": True}),
]
