"""A company's own fields, in one line each: copied from the context into the output, typed, nested where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from isthmus.mapping.decimals import number
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
    """What the mapping made, with the additions in it (in place). Raises ``MappingError`` naming the field."""
    result: Any = {} if made is ABSENT or made is None else made
    for addition in additions:
        try:
            _copy(result, addition.target.split("."), context, addition.source.split("."), addition)
        except Refused as wrong:
            raise MappingError(
                f"{addition.source}: {wrong.message}",
                file=file,
                line=1,
                column=1,
                expected=wrong.expected,
                mend=wrong.mend or "correct the value, or the field's type in the landscape",
                target=addition.target,
            ) from None
    return result


def _copy(into: Any, target: list[str], source: Any, path: list[str], addition: FieldAddition) -> None:
    """Walks to the value first, so that an absent one leaves no empty objects behind."""
    for index, part in enumerate(path):
        name = part.removesuffix("[]")
        source = source.get(name, ABSENT) if isinstance(source, Mapping) else ABSENT
        if part.endswith("[]") and source is not ABSENT and source is not None:
            _copy_each(into, target, source, path[index + 1 :], addition)
            return
    if source is not ABSENT:
        _put(into, target, _typed(source, addition.type))


def _copy_each(into: Any, target: list[str], items: Any, rest: list[str], addition: FieldAddition) -> None:
    spot = next((index for index, part in enumerate(target) if part.endswith("[]")), None)
    if spot is None:
        raise Refused("goes through an array", f"the target to go through one too, not {addition.target}")
    place: Any = into
    for part in target[: spot + 1]:
        place = place.get(part.removesuffix("[]")) if isinstance(place, dict) else None
    places = place if isinstance(place, list) else [] if place is None else [place]
    items = items if isinstance(items, list) else [items]
    if len(places) != len(items):
        raise Refused(f"{len(items)} items in the source and {len(places)} in the output", "as many in both")
    for one, item in zip(places, items, strict=True):
        _copy(one, target[spot + 1 :], item, rest, addition)


def _put(into: Any, target: list[str], value: Any) -> None:
    for part in target[:-1]:
        if not isinstance(into, dict):
            break
        if into.get(part) is None:
            into[part] = {}
        into = into[part]
    if not isinstance(into, dict):
        raise Refused(f"{shown(into)} has no fields", "an object in the output")
    into[target[-1]] = value


def _typed(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind == "decimal":
        return format(number(value), "f")
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
