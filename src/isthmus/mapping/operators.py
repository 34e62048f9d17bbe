"""JSONata's operators on values, where they are not plain Python. Arithmetic is on integers only, and exact."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from typing import Any, Final

from isthmus.mapping.errors import Refused, shown
from isthmus.mapping.values import ABSENT

_DECIMAL: Final = re.compile(r"[-+]?\d+(\.\d*)?", re.ASCII)
_ADVICE: Final = "calculate decimals with $decimal_add, $decimal_multiply …, which take and give text"
SPAN_MAX: Final = 100_000
GROWN_MAX: Final = 1_000_000
_INTEGER_MAX: Final = 2**53


def add(a: Any, b: Any) -> Any:
    """``a + b`` of integers; absent if either is."""
    return _exact(a + b) if type(a) is int and type(b) is int else _other(a, b, "+")


def subtract(a: Any, b: Any) -> Any:
    """``a - b`` of integers; absent if either is."""
    return _exact(a - b) if type(a) is int and type(b) is int else _other(a, b, "-")


def multiply(a: Any, b: Any) -> Any:
    """``a * b`` of integers; absent if either is."""
    return _exact(a * b) if type(a) is int and type(b) is int else _other(a, b, "*")


def divide(a: Any, b: Any) -> Any:
    """``a / b`` of integers where it comes out even; absent if either is."""
    if type(a) is not int or type(b) is not int:
        return _other(a, b, "/")
    if b == 0 or a % b:
        raise Refused(f"{a} / {b} is no integer", "a division that comes out even", "use $decimal_divide(a, b, places)")
    return a // b


def remainder(a: Any, b: Any) -> Any:
    """``a % b`` of integers, with the sign of ``a``; absent if either is."""
    if type(a) is not int or type(b) is not int:
        return _other(a, b, "%")
    if b == 0:
        raise Refused(f"{a} % 0 has no value", "a divisor other than zero")
    return abs(a) % abs(b) * (1 if a >= 0 else -1)


def negate(a: Any) -> Any:
    """``-a`` of an integer."""
    return -a if type(a) is int else _other(a, 0, "-")


def span(a: Any, b: Any) -> Any:
    """``a..b``: the integers from one to the other, both included; absent if either is, or a is more than b."""
    for side in (a, b):
        if side is not ABSENT and type(side) is not int:
            raise Refused(f"{shown(side)} cannot be an end of a range", "an integer")
    if a is ABSENT or b is ABSENT or a > b:
        return ABSENT
    if b - a >= SPAN_MAX:
        raise Refused(f"the range {a}..{b} is too long", f"at most {SPAN_MAX} items")
    return list(range(a, b + 1))


def equal(a: Any, b: Any) -> bool:
    """``a = b``: deep, and true is not 1. Absent equals nothing."""
    return a is not ABSENT and b is not ABSENT and same(a, b)


def unequal(a: Any, b: Any) -> bool:
    """``a != b``. Absent is not even unequal, as JSONata has it."""
    return a is not ABSENT and b is not ABSENT and not same(a, b)


def same(a: Any, b: Any) -> bool:
    """Whether two values that are there are equal."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(one, b[key]) for key, one in a.items())
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def included(a: Any, b: Any) -> bool:
    """``a in b``: whether the value is in the array, or is the one value; an object only if it is the very same."""
    if a is ABSENT or b is ABSENT:
        return False
    if isinstance(a, dict | list):
        return any(one is a for one in (b if isinstance(b, list) else (b,)))
    return any(same(a, one) for one in b) if isinstance(b, list) else same(a, b)


def less(a: Any, b: Any) -> Any:
    """``a < b`` of two texts or two integers; absent if either is."""
    return a < b if type(a) is int and type(b) is int else _compared(a, b, operator.lt, "<")


def less_or_equal(a: Any, b: Any) -> Any:
    """``a <= b`` of two texts or two integers; absent if either is."""
    return a <= b if type(a) is int and type(b) is int else _compared(a, b, operator.le, "<=")


def more(a: Any, b: Any) -> Any:
    """``a > b`` of two texts or two integers; absent if either is."""
    return a > b if type(a) is int and type(b) is int else _compared(a, b, operator.gt, ">")


def more_or_equal(a: Any, b: Any) -> Any:
    """``a >= b`` of two texts or two integers; absent if either is."""
    return a >= b if type(a) is int and type(b) is int else _compared(a, b, operator.ge, ">=")


def text(value: Any) -> str:
    """The value as ``&`` and ``$string`` write it; nothing where it is absent."""
    if isinstance(value, str):
        return value
    if value is ABSENT:
        return ""
    _no_floats(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def appended(a: list[Any], b: Any) -> None:
    """Adds a value to an array under construction; an array adds its items."""
    if isinstance(b, list):
        a.extend(b)
    elif b is not ABSENT:
        a.append(b)


def bounded(value: Any) -> Any:
    """What ``$reduce`` has gathered so far, which could double with every item."""
    if isinstance(value, str | list) and len(value) > GROWN_MAX:
        raise Refused(f"$reduce has gathered more than {GROWN_MAX} characters or items", "less")
    return value


def _exact(value: int) -> int:
    if -_INTEGER_MAX <= value <= _INTEGER_MAX:
        return value
    raise Refused("the result is an integer beyond 2^53, which JSON's readers may change", "a smaller one", _ADVICE)


def _other(a: Any, b: Any, sign: str) -> Any:
    for side in (a, b):
        if side is not ABSENT and type(side) is not int:
            raise Refused(f"{shown(side)} cannot be calculated with by {sign}", "integers", _ADVICE)
    return ABSENT


def _compared(a: Any, b: Any, compare: Callable[[Any, Any], bool], sign: str) -> Any:
    for side in (a, b):
        if side is not ABSENT and not isinstance(side, str) and type(side) is not int:
            raise Refused(f"{shown(side)} cannot be compared by {sign}", "text or integers")
    if a is ABSENT or b is ABSENT:
        return ABSENT
    if not (isinstance(a, str) and isinstance(b, str)):
        raise Refused(f"{shown(a)} {sign} {shown(b)} compares text with a number", "two texts or two integers",
                      "compare decimals with $decimal_compare(a, b)")  # fmt: skip
    if a and b and _DECIMAL.fullmatch(a) and _DECIMAL.fullmatch(b) and ("." in a + b or len(a) != len(b)):
        raise Refused(f"{shown(a)} {sign} {shown(b)} would compare two numbers letter by letter",
                      "text that is no number", "compare decimals with $decimal_compare(a, b)")  # fmt: skip
    return compare(a, b)


def _no_floats(value: Any) -> None:
    if type(value) is float:
        raise Refused(f"{value!r} is a binary float", 'a decimal as text such as "10.50"')
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _no_floats(one)
