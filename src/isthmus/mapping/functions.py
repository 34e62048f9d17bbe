"""The functions that mappings have beside JSONata's own: exact decimals, money, time, codes.

They take and give JSON-like values, ``ABSENT`` where JSONata has undefined. JSONata's functions that would give another
answer at every call, or run text as code, are closed: a mapping must give the same answer when it is replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from isthmus.mapping import decimals, moments
from isthmus.mapping.codes import Codes


@dataclass(frozen=True, slots=True)
class Registered:
    """A function by its name in JSONata, with the number of arguments it takes."""

    name: str
    call: Callable[..., Any]
    least: int
    most: int


def strip_zeros(text: Any) -> Any:
    """Digits without leading zeros (``000010`` → ``10``); any other text as it is, as ERP systems pad and strip them."""
    if isinstance(text, str) and text.isdigit():
        return text.lstrip("0") or "0"
    return text


_ALWAYS: Final = (
    Registered("decimal_add", decimals.decimal_add, 2, 2),
    Registered("decimal_subtract", decimals.decimal_subtract, 2, 2),
    Registered("decimal_multiply", decimals.decimal_multiply, 2, 2),
    Registered("decimal_divide", decimals.decimal_divide, 3, 3),
    Registered("decimal_round", decimals.decimal_round, 2, 3),
    Registered("rounding_difference", decimals.rounding_difference, 3, 3),
    Registered("decimal_sum", decimals.decimal_sum, 1, 1),
    Registered("decimal_compare", decimals.decimal_compare, 2, 2),
    Registered("minor_units", decimals.minor_units, 2, 2),
    Registered("from_minor_units", decimals.from_minor_units, 2, 2),
    Registered("money", decimals.money, 2, 2),
    Registered("json_number", decimals.json_number, 1, 1),
    Registered("epoch", moments.epoch, 1, 1),
    Registered("from_epoch", moments.from_epoch, 1, 1),
    Registered("date_of", moments.date_of, 1, 2),
    Registered("odata_datetime", moments.odata_datetime, 1, 1),
    Registered("day_after", moments.day_after, 1, 1),
    Registered("day_before", moments.day_before, 1, 1),
    Registered("strip_zeros", strip_zeros, 1, 1),
)
#: names of all registered functions, without the dollar
NAMES: Final = frozenset([function.name for function in _ALWAYS] + ["code", "code_of"])
#: JSONata's functions that a mapping may not call, with what to do instead
CLOSED: Final = {
    "now": "use today, or an instant of the input",
    "millis": "use today, or an instant of the input",
    "random": "a mapping must give the same answer when it is replayed",
    "shuffle": "a mapping must give the same answer when it is replayed",
    "eval": "text from outside is never run as code",
}


def registered(codes: Mapping[str, Mapping[str, Any]] | Codes | None) -> dict[str, Registered]:
    """All registered functions, ``code`` and ``code_of`` bound to these code tables."""
    tables = codes if isinstance(codes, Codes) else Codes(codes or {})
    bound = (Registered("code", tables.code, 2, 2), Registered("code_of", tables.code_of, 2, 2))
    return {function.name: function for function in (*_ALWAYS, *bound)}
