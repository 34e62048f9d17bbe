"""A company's own fields, in one line each: copied from the context into the output, typed, nested where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from isthmus.mapping.decimals import number, written
from isthmus.mapping.errors import MappingError, Refused, shown
from isthmus.mapping.moments import date_of
from isthmus.mapping.values import ABSENT

Kind = Literal["text", "decimal", "bool", "date"]
_BOOLS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class FieldAddition:
    """One company field: ``target``, a dotted path in the output, is copied from ``source``, one in the context.

    ``type`` is what the value must be: ``text``, ``decimal`` (as exact text), ``bool`` or ``date`` (a day). An absent
    value adds nothing, null is copied as null. ``[]`` after a part of both paths goes through two arrays in step:
    ``lines[].colour`` ← ``body.items[].Colour__c``.
    """

    target: str
    source: str
    type: Kind = "text"


def add(made: Any, context: Mapping[str, Any], additions: Sequence[FieldAddition], *, file: str) -> Any:
    """What the mapping made, with the additions in it; what it shares with the context stays untouched.

    Raises ``MappingError`` naming the field.
    """
    result: Any = {} if made is ABSENT or made is None else made
    for addition in additions:
        try:
            value = _read(context, addition.source.split("."))
            result = _put(result, addition.target.split("."), value, addition.type)
        except Refused as wrong:
            raise MappingError(
                f"{addition.source}: {wrong.message}",
                file=file,
                line=1,
                column=1,
                expected=wrong.expected,
                mend=wrong.mend or "correct the value, or the field's line in the landscape",
                target=addition.target,
            ) from None
    return result


def _read(source: Any, path: list[str]) -> Any:
    """The value at a path; behind ``[]`` a list with the value of each item."""
    for index, part in enumerate(path):
        source = source.get(part.removesuffix("[]"), ABSENT) if isinstance(source, Mapping) else ABSENT
        if part.endswith("[]"):
            items = source if isinstance(source, list) else [] if source is ABSENT or source is None else [source]
            return [_read(item, path[index + 1 :]) for item in items]
    return source


def _put(into: Any, target: list[str], value: Any, kind: Kind) -> Any:
    """``into`` with the value at a path, new where it differs."""
    if value is ABSENT:
        return into
    if not target:
        return _typed(value, kind)
    if into is ABSENT or into is None:
        into = {}
    if not isinstance(into, dict):
        raise Refused(f"{shown(into)} in the output has no fields", "an object")
    name = target[0].removesuffix("[]")
    child = into.get(name, ABSENT)
    if not target[0].endswith("[]"):
        return {**into, name: _put(child, target[1:], value, kind)}
    places = child if isinstance(child, list) else [] if child is ABSENT or child is None else [child]
    if not isinstance(value, list) or len(places) != len(value):
        found = f"{len(value)} items" if isinstance(value, list) else "no array"
        raise Refused(f"{found} where the output has {len(places)}", "as many items in both")
    return {**into, name: [_put(one, target[1:], new, kind) for one, new in zip(places, value, strict=True)]}


def _typed(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if isinstance(value, list | dict):
        raise Refused(f"{shown(value)} is no single value", "a single value", "write [] behind the array in both paths")
    if kind == "decimal":
        return written(number(value))
    if kind == "date":
        return date_of(value)
    if kind == "bool":
        found = value if isinstance(value, bool) else _BOOLS.get(value) if isinstance(value, str) else None
        if found is None:
            raise Refused(f"{shown(value)} is neither true nor false", "true or false")
        return found
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise Refused(f"{shown(value)} is not text", "text")
