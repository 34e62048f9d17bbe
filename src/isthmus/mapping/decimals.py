"""Exact decimals in mappings: text in, text out, never a binary float, every rounding asked for by name.

Rounding is half up, away from zero (0.005 → 0.01, -0.005 → -0.01), unless another mode is asked for. An absent argument gives an absent result, as
JSONata's own operators do; null is refused where it would have to count as a number.
"""

from __future__ import annotations

import re
from decimal import (
    ROUND_05UP,
    ROUND_DOWN,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    Inexact,
    InvalidOperation,
)
from typing import Any, Final

from isthmus.mapping.errors import Refused, shown
from isthmus.mapping.values import ABSENT, JsonNumber

MAX_DIGITS: Final = 60
MAX_PLACES: Final = 20
_LONGEST: Final = 2 * MAX_DIGITS
_NO_NUMBER: Final = Decimal("NaN")
#: ISO 4217 as published on 2026-01-01: the currencies that do not have two decimals, and codes of no currency
_NO_DECIMALS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS: Final = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS: Final = "CLF UYW"
_NO_CURRENCY: Final = "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX"
_DECIMALS: Final = {
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
    **dict.fromkeys(_THREE_DECIMALS.split(), 3),
    **dict.fromkeys(_FOUR_DECIMALS.split(), 4),
}
#: what was looked up, at most all that three letters can say
_SEEN: Final[dict[str, int]] = {}
_STEPS: Final = [Decimal(1).scaleb(-places) for places in range(MAX_PLACES + 1)]
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_EXACT: Final = Context(prec=200, rounding=ROUND_HALF_UP, traps=[Inexact, InvalidOperation])
_ROUNDING: Final = Context(prec=200, rounding=ROUND_HALF_UP, traps=[InvalidOperation])
_MODES: Final = {
    "half_up": _ROUNDING,
    "half_even": Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation]),
    "half_down": Context(prec=200, rounding=ROUND_HALF_DOWN, traps=[InvalidOperation]),
    "up": Context(prec=200, rounding=ROUND_UP, traps=[InvalidOperation]),
    "down": Context(prec=200, rounding=ROUND_DOWN, traps=[InvalidOperation]),
}
_STICKY: Final = Context(prec=100, rounding=ROUND_05UP, traps=[InvalidOperation])


def decimal_add(a: Any, b: Any) -> Any:
    """``a + b``, exact."""
    if a is ABSENT or b is ABSENT:
        return ABSENT
    return written(_EXACT.add(number(a), number(b)))


def decimal_subtract(a: Any, b: Any) -> Any:
    """``a - b``, exact."""
    if a is ABSENT or b is ABSENT:
        return ABSENT
    return written(_EXACT.subtract(number(a), number(b)))


def decimal_multiply(a: Any, b: Any) -> Any:
    """``a × b``, exact: as many decimals as both have together."""
    if a is ABSENT or b is ABSENT:
        return ABSENT
    return written(_EXACT.multiply(number(a), number(b)))


def decimal_divide(a: Any, b: Any, places: Any) -> Any:
    """``a ÷ b`` with exactly ``places`` decimals, rounded once."""
    if a is ABSENT or b is ABSENT:
        return ABSENT
    divisor = number(b)
    if not divisor:
        raise Refused(f"{shown(a)} cannot be divided by zero", "a divisor other than zero")
    # 05UP keeps a trace of what was cut off, so that the second rounding cannot mistake it for a tie
    return written(_quantize(_STICKY.divide(number(a), divisor), _places(places)))


def decimal_round(a: Any, places: Any, mode: Any = "half_up") -> Any:
    """``a`` with exactly ``places`` decimals; ``mode`` is half_up, half_even, half_down, up (away from zero) or down."""
    if a is ABSENT or a is None:
        return a
    context = _MODES.get(mode) if isinstance(mode, str) else None
    if context is None:
        raise Refused(f"{shown(mode)} is no way to round", f"one of {', '.join(_MODES)}")
    return written(context.quantize(number(a), _STEPS[_places(places)]))


def rounding_difference(stated: Any, summed: Any, most: Any) -> Any:
    """What a stated total is above what its parts add up to, where rounding explains it; absent where they are equal.

    The stated total counts, for its owner has booked it. Refused where the difference is larger than ``most``.
    """
    if stated is ABSENT or stated is None or summed is ABSENT:
        return ABSENT
    difference = _EXACT.subtract(number(stated), number(summed))
    if abs(difference) > number(most):
        raise Refused(
            f"the total is said to be {shown(stated)}, but its parts add up to {shown(summed)}",
            f"a difference of at most {most}, which is what rounding explains",
            "correct the document at its source",
        )
    return written(difference) if difference else ABSENT


def decimal_sum(amounts: Any) -> Any:
    """The sum of an array (or of the one value that a path found); ``"0"`` of an empty array."""
    if amounts is ABSENT:
        return ABSENT
    total = Decimal(0)
    for amount in amounts if isinstance(amounts, list) else [amounts]:
        total = _EXACT.add(total, number(amount))
    return written(total)


def decimal_compare(a: Any, b: Any) -> Any:
    """-1, 0 or 1 as ``a`` is less than, equal to or more than ``b``: ``"10.5"`` equals ``"10.50"``."""
    if a is ABSENT or b is ABSENT:
        return ABSENT
    one, other = number(a), number(b)
    return (one > other) - (one < other)


def minor_units(amount: Any, currency: Any) -> Any:
    """The amount in ISO 4217's minor units, as the text of an integer: ``("12.50", "EUR")`` → ``"1250"``."""
    if amount is ABSENT or amount is None:
        return amount
    decimals = currency_decimals(currency)
    return written(_in_currency(amount, currency, decimals).scaleb(decimals, _EXACT))


def from_minor_units(units: Any, currency: Any) -> Any:
    """The amount of so many minor units: ``("1250", "EUR")`` → ``"12.50"``, ``(1250, "JPY")`` → ``"1250"``."""
    if units is ABSENT or units is None:
        return units
    count = number(units)
    if count != count.to_integral_value():
        raise Refused(f"{shown(units)} is not a whole number of minor units", "an integer", "pass it to $money instead")
    decimals = currency_decimals(currency)
    return written(_quantize(count.scaleb(-decimals, _EXACT), decimals))


def money(amount: Any, currency: Any) -> Any:
    """``{"amount", "currency"}`` with exactly the currency's decimals; more of them are refused, never rounded."""
    if amount is ABSENT or amount is None:
        return amount
    return {"amount": written(_in_currency(amount, currency, currency_decimals(currency))), "currency": currency}


def json_number(text: Any) -> Any:
    """The decimal, marked so that the vendor's body gets a bare JSON number with these digits."""
    return text if text is ABSENT or text is None else JsonNumber(written(number(text)))


def number(value: Any) -> Decimal:
    """The exact decimal that a value means. Raises ``Refused`` for floats, null and whatever is no number."""
    kind = type(value)
    if kind is str or isinstance(value, str):
        if len(value) < _LONGEST and value.isascii() and "_" not in value:
            try:
                found = Decimal(value)
            except InvalidOperation:
                found = _NO_NUMBER
            if found.is_finite() and -MAX_DIGITS < found.adjusted() < MAX_DIGITS:
                return found
    elif kind is int:
        return Decimal(value)
    if kind is float:
        raise Refused(
            f"{value!r} is a binary float and may have lost digits already",
            'a decimal as text such as "10.50"',
            "read it as text where it enters, and write it as text in the mapping",
        )
    raise Refused(f"{shown(value)} is not a decimal", 'a decimal as text such as "10.50", or an integer')


def written(value: Decimal) -> str:
    """The decimal in plain digits, never with an exponent, and no minus before zero."""
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    return text if value or text[0] != "-" else text[1:]


def currency_decimals(currency: Any) -> int:
    """How many decimals an amount in this currency has (ISO 4217)."""
    if isinstance(currency, str) and currency in _SEEN:
        return _SEEN[currency]
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency) or currency in _NO_CURRENCY.split():
        raise Refused(
            f"{shown(currency)} is not a currency that amounts can be in",
            "a code of ISO 4217 in capitals, such as EUR",
            "use $uppercase where the vendor writes it small",
        )
    _SEEN[currency] = _DECIMALS.get(currency, 2)
    return _SEEN[currency]


def _in_currency(amount: Any, currency: Any, decimals: int) -> Decimal:
    exact = number(amount)
    rounded = _quantize(exact, decimals)
    if rounded != exact:
        raise Refused(
            f"{shown(amount)} {currency} has more decimals than {currency} has ({decimals})",
            f"an amount with at most {decimals} decimals",
            f"say how it is to be rounded: $decimal_round(…, {decimals})",
        )
    return rounded


def _quantize(value: Decimal, places: int) -> Decimal:
    return _ROUNDING.quantize(value, _STEPS[places])


def _places(places: Any) -> int:
    if type(places) is not int or not 0 <= places <= MAX_PLACES:
        raise Refused(f"{shown(places)} is not a number of decimals", f"an integer from 0 to {MAX_PLACES}")
    return places
