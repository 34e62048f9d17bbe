"""JSONata's own functions, as compiled mappings call them: the part of them that mappings use.

Each takes as many arguments as its name in ``TABLE`` says; an absent first argument gives an absent result unless said
otherwise. What takes a function (``$map`` …) is compiled in place, see ``compile_calls``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from isthmus.mapping import operators
from isthmus.mapping.errors import Refused, shown
from isthmus.mapping.sequences import collapse, lookup, truthy
from isthmus.mapping.values import ABSENT, Sequence

_BLANKS: Final = re.compile(r"[ \t\n\r]+")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([Ee][-+]?[0-9]+)?")
_EXACT: Final = 2**53
WIDTH_MAX: Final = 10_000


def string(value: Any) -> Any:
    """``$string``"""
    return value if value is ABSENT else operators.text(value)


def number(value: Any) -> Any:
    """``$number`` for integers: text with a fraction is refused, for a float would change it."""
    if value is ABSENT or type(value) is int:
        return value
    if type(value) is bool:
        return int(value)
    if isinstance(value, str) and (found := _NUMBER.fullmatch(value)):
        whole, fraction, exponent = found.groups()
        if not exponent and not (fraction or "").strip(".0") and abs(int(whole)) <= _EXACT:
            return -int(whole) if value[0] == "-" else int(whole)
        raise Refused(
            f"{shown(value)} cannot be a number without losing digits",
            "an integer up to 2^53",
            "keep it as text: $decimal_… calculates with it, $json_number writes it as a number",
        )
    raise Refused(f"$number cannot take {shown(value)}", "text of digits, an integer, true or false")


def uppercase(value: Any) -> Any:
    """``$uppercase``"""
    return value if value is ABSENT else _text(value, "uppercase").upper()


def lowercase(value: Any) -> Any:
    """``$lowercase``"""
    return value if value is ABSENT else _text(value, "lowercase").lower()


def length(value: Any) -> Any:
    """``$length``: in characters."""
    return value if value is ABSENT else len(_text(value, "length"))


def trim(value: Any) -> Any:
    """``$trim``: no blanks at the ends, and one for each run of them inside."""
    return value if value is ABSENT else _BLANKS.sub(" ", _text(value, "trim")).strip(" ")


def substring(value: Any, start: Any, count: Any = ABSENT) -> Any:
    """``$substring``: ``start`` from 0, negative from the end; ``count`` characters, or all."""
    if value is ABSENT:
        return value
    given = _text(value, "substring")
    begin = max(_integer(start, "substring"), -len(given))
    if count is ABSENT:
        return given[begin:]
    end = begin + _integer(count, "substring") + (len(given) if begin < 0 else 0)
    return given[begin : max(end, 0)] if count > 0 else ""


def substring_before(value: Any, part: Any) -> Any:
    """``$substringBefore``: the whole text where the part is not in it."""
    if value is ABSENT:
        return value
    given = _text(value, "substringBefore")
    at = given.find(_text(part, "substringBefore"))
    return given if at < 0 else given[:at]


def substring_after(value: Any, part: Any) -> Any:
    """``$substringAfter``: the whole text where the part is not in it."""
    if value is ABSENT:
        return value
    given = _text(value, "substringAfter")
    at = given.find(_text(part, "substringAfter"))
    return given if at < 0 else given[at + len(part) :]


def contains(value: Any, part: Any) -> Any:
    """``$contains`` of a text, or of a match."""
    if isinstance(part, re.Pattern) and value is not ABSENT:
        return part.search(_text(value, "contains")) is not None
    return value if value is ABSENT else _text(part, "contains") in _text(value, "contains")


def split(value: Any, separator: Any, limit: Any = ABSENT) -> Any:
    """``$split`` at a text or at matches: the parts, the first ``limit`` of them."""
    if value is ABSENT:
        return value
    given = _text(value, "split")
    if isinstance(separator, re.Pattern):
        spans = [(0, 0), *(match.span() for match in separator.finditer(given)), (len(given), 0)]
        found = [given[before[1] : after[0]] for before, after in pairwise(spans)]
    else:
        found = given.split(separator) if _text(separator, "split") else list(given)
    return found if limit is ABSENT else found[: _natural(limit, "split")]


def join(values: Any, separator: Any = "") -> Any:
    """``$join``"""
    if values is ABSENT:
        return values
    between = "" if separator is ABSENT else _text(separator, "join")
    return between.join([_text(one, "join") for one in array(values)])


def replace(value: Any, old: Any, new: Any, limit: Any = ABSENT) -> Any:
    """``$replace`` of a text or of matches by a text, the first ``limit`` times."""
    if value is ABSENT:
        return value
    given, times = _text(value, "replace"), -1 if limit is ABSENT else _natural(limit, "replace")
    if isinstance(old, re.Pattern):
        return given if times == 0 else old.sub(lambda _: str(new), given, max(times, 0))
    if not _text(old, "replace"):
        raise Refused("$replace cannot replace the empty text", "the text to be replaced")
    return given.replace(old, _text(new, "replace"), times)


def pad(value: Any, width: Any, filler: Any = " ") -> Any:
    """``$pad``: on the right to ``width`` characters, on the left where it is negative."""
    if value is ABSENT:
        return value
    given, wide, fill = _text(value, "pad"), _integer(width, "pad"), _text(filler, "pad") or " "
    if abs(wide) > WIDTH_MAX:
        raise Refused(f"$pad to {wide} characters", f"at most {WIDTH_MAX}")
    padding = (fill * abs(wide))[: max(abs(wide) - len(given), 0)]
    return padding + given if wide < 0 else given + padding


def count(values: Any) -> int:
    """``$count``: 0 where it is absent."""
    return 0 if values is ABSENT else len(values) if isinstance(values, list) else 1


def total(values: Any) -> Any:
    """``$sum`` of integers."""
    return values if values is ABSENT else sum(_integers(values, "sum", "$decimal_sum adds decimals"))


def largest(values: Any) -> Any:
    """``$max`` of integers."""
    return values if values is ABSENT else max(_integers(values, "max", ""), default=ABSENT)


def smallest(values: Any) -> Any:
    """``$min`` of integers."""
    return values if values is ABSENT else min(_integers(values, "min", ""), default=ABSENT)


def boolean(value: Any) -> Any:
    """``$boolean``"""
    return value if value is ABSENT else truthy(value)


def exists(value: Any) -> bool:
    """``$exists``"""
    return value is not ABSENT


def negation(value: Any) -> Any:
    """``$not``"""
    return value if value is ABSENT else not truthy(value)


def kind(value: Any) -> Any:
    """``$type``"""
    for name, types in (("null", type(None)), ("boolean", bool), ("number", int), ("string", str), ("array", list)):
        if isinstance(value, types):
            return name
    return value if value is ABSENT else "object"


def merge(values: Any) -> Any:
    """``$merge``: later objects win."""
    if values is ABSENT:
        return values
    merged: dict[str, Any] = {}
    for one in array(values):
        if not isinstance(one, dict):
            raise Refused(f"$merge cannot take {shown(one)}", "objects")
        merged.update(one)
    return merged


def append(first: Any, second: Any) -> Any:
    """``$append``"""
    if first is ABSENT or second is ABSENT:
        return second if first is ABSENT else first
    return [*array(first), *array(second)]


def keys(value: Any) -> Any:
    """``$keys``: of an object, or of all objects of an array."""
    return collapse(list(dict.fromkeys(_keys(value))))


def distinct(values: Any) -> Any:
    """``$distinct``"""
    if not isinstance(values, list) or len(values) <= 1:
        return values
    found: list[Any] = []
    for one in values:
        if not any(operators.same(one, other) for other in found):
            found.append(one)
    return collapse(found) if isinstance(values, Sequence) else found


def reverse(values: Any) -> Any:
    """``$reverse``"""
    return values if values is ABSENT else values[::-1] if isinstance(values, list) else [values]


def sort(values: Any) -> Any:
    """``$sort`` of texts or of integers."""
    found = array(values)
    if values is ABSENT or len(found) <= 1:
        return values if values is ABSENT else found
    if not (all(isinstance(one, str) for one in found) or all(type(one) is int for one in found)):
        raise Refused(
            f"$sort cannot order {shown(values)}", "only texts, or only integers", "say how: function($a, $b){…}"
        )
    return sorted(found)


def sort_by(values: Any, after: Callable[[Any, Any], Any]) -> Any:
    """``$sort`` with a function that says whether its first argument comes after its second."""
    found = array(values)
    if values is ABSENT or len(found) <= 1:
        return values if values is ABSENT else found
    middle = len(found) // 2
    left, right = sort_by(found[:middle], after), sort_by(found[middle:], after)
    merged: list[Any] = []
    one = other = 0
    while one < len(left) and other < len(right):
        if truthy(after(left[one], right[other])):
            merged.append(right[other])
            other += 1
        else:
            merged.append(left[one])
            one += 1
    return merged + left[one:] + right[other:]


def error(message: Any = "$error() evaluated") -> Any:
    """``$error``: stops the mapping with these words."""
    raise Refused(_text(message, "error"))


def assertion(holds: Any, message: Any = "$assert() statement failed") -> Any:
    """``$assert``: stops the mapping with these words where the condition does not hold."""
    if not isinstance(holds, bool):
        raise Refused(f"$assert cannot take {shown(holds)}", "true or false")
    return ABSENT if holds else error(message)


def array(value: Any) -> list[Any]:
    """The value as a function that takes an array gets it: one value is an array of one."""
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A function of JSONata: ``least`` and ``most`` arguments; ``context`` where the context stands in for the first."""

    call: Callable[..., Any]
    least: int
    most: int
    context: bool = False


TABLE: Final = {
    "string": BuiltIn(string, 1, 1, True),
    "number": BuiltIn(number, 1, 1, True),
    "uppercase": BuiltIn(uppercase, 1, 1, True),
    "lowercase": BuiltIn(lowercase, 1, 1, True),
    "length": BuiltIn(length, 1, 1, True),
    "trim": BuiltIn(trim, 1, 1, True),
    "substring": BuiltIn(substring, 2, 3, True),
    "substringBefore": BuiltIn(substring_before, 2, 2, True),
    "substringAfter": BuiltIn(substring_after, 2, 2, True),
    "contains": BuiltIn(contains, 2, 2, True),
    "split": BuiltIn(split, 2, 3, True),
    "join": BuiltIn(join, 1, 2),
    "replace": BuiltIn(replace, 3, 4, True),
    "pad": BuiltIn(pad, 2, 3, True),
    "count": BuiltIn(count, 1, 1),
    "sum": BuiltIn(total, 1, 1),
    "max": BuiltIn(largest, 1, 1),
    "min": BuiltIn(smallest, 1, 1),
    "boolean": BuiltIn(boolean, 1, 1, True),
    "exists": BuiltIn(exists, 1, 1),
    "not": BuiltIn(negation, 1, 1, True),
    "type": BuiltIn(kind, 1, 1),
    "merge": BuiltIn(merge, 1, 1),
    "append": BuiltIn(append, 2, 2),
    "keys": BuiltIn(keys, 1, 1, True),
    "lookup": BuiltIn(lookup, 2, 2, True),
    "distinct": BuiltIn(distinct, 1, 1),
    "reverse": BuiltIn(reverse, 1, 1),
    "sort": BuiltIn(sort, 1, 1),
    "error": BuiltIn(error, 0, 1),
    "assert": BuiltIn(assertion, 1, 2),
}


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    raise Refused(
        f"${name} cannot take {'nothing' if value is ABSENT else shown(value)}", "text", "use $string(…), or ?? '…'"
    )


def _integer(value: Any, name: str) -> int:
    if type(value) is int:
        return value
    raise Refused(f"${name} cannot take {shown(value)}", "an integer")


def _natural(value: Any, name: str) -> int:
    if _integer(value, name) < 0:
        raise Refused(f"${name} cannot take {value}", "0 or more")
    return int(value)


def _integers(values: Any, name: str, advice: str) -> list[int]:
    found = array(values)
    for one in found:
        if type(one) is not int:
            raise Refused(f"${name} cannot take {shown(one)}", "integers", advice)
    return found


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    elif isinstance(value, list):
        for one in value:
            yield from _keys(one)
