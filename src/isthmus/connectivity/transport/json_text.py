"""JSON without loss: what a vendor wrote as digits stays those digits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from isthmus.mapping.values import JsonNumber

_SAFE_INTEGER = 2**53
_MOST_ZEROS = 40


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text; fractions, and integers beyond 2**53, as text with their exact digits.

    Raises ValueError where it is no JSON (NaN and Infinity are none), or nested too deep.
    """
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("the JSON is nested too deep") from None


def encode_json(value: Any) -> bytes:
    """``value`` as JSON, the same bytes every time; a ``JsonNumber`` is written as the bare number it spells.

    Raises TypeError for what has no JSON form (a Decimal, a date: mappings give text).
    """
    return orjson.dumps(
        value, default=_special, option=orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATETIME
    )


def plain_number(value: float) -> int | str:
    """A number that an expression computed, without a needless ``.0`` or exponent."""
    return int(value) if value.is_integer() else format(Decimal(repr(value)), "f")


def _special(value: Any) -> Any:
    if isinstance(value, JsonNumber):
        return orjson.Fragment(str(value))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, list):
        return list(value)
    raise TypeError(f"a {type(value).__name__} has no place in a JSON body; give it as text")


def _integer(digits: str) -> int | str:
    if len(digits) < 16:
        return int(digits)
    if len(digits) > 17:
        return digits
    number = int(digits)
    return number if -_SAFE_INTEGER <= number <= _SAFE_INTEGER else digits


def _fraction(digits: str) -> str:
    if "e" not in digits and "E" not in digits:
        return digits
    number = Decimal(digits)
    exponent = number.as_tuple().exponent
    return format(number, "f") if isinstance(exponent, int) and abs(exponent) <= _MOST_ZEROS else digits


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_float=_fraction, parse_int=_integer, parse_constant=_constant)
