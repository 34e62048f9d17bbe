"""JSONata's sequences in Python: what a path finds, flattens and collapses. Called by compiled mappings.

A *raw* result is a plain list of what was found; ``collapse`` makes of it what JSONata gives: nothing is absent, one item
is itself, more are a ``Sequence``. Steps take each item of an array for itself, and flatten what they find by one level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from isthmus.mapping.errors import Refused, shown
from isthmus.mapping.values import ABSENT, Constructed, Sequence


def leaf(value: Any, name: str) -> Any:
    """The last step of a path, by name."""
    if isinstance(value, list):
        return collapse(named(value, name))
    return value.get(name, ABSENT) if isinstance(value, dict) else ABSENT


def step(value: Any, name: str) -> Any:
    """A step by name that others follow: the items found, uncollapsed; absent where there are none."""
    if isinstance(value, dict):
        return value.get(name, ABSENT)
    return (flat(_each(value, name)) or ABSENT) if isinstance(value, list) else ABSENT


def named(value: Any, name: str) -> list[Any]:
    """The last step by name, raw. An array found in one place stays the array it is."""
    return final(_each(value, name))


def items(value: Any) -> Iterable[Any]:
    """What the next step goes through."""
    if isinstance(value, list) and type(value) is not Constructed:
        return value
    return () if value is ABSENT else (value,)


def first_items(value: Any) -> Iterable[Any]:
    """What the first step of a path goes through: the items of an array, or the context itself."""
    return value if isinstance(value, list) else (value,)


def flat(found: list[Any]) -> list[Any]:
    """What several places gave, as one list."""
    out: list[Any] = []
    for one in found:
        if isinstance(one, list) and type(one) is not Constructed:
            out.extend(one)
        else:
            out.append(one)
    return out


def final(found: list[Any]) -> list[Any]:
    """``flat`` for the last step: an array that was found in one place only is given as it is, not collapsed."""
    if len(found) == 1 and isinstance(found[0], list) and type(found[0]) is not Sequence:
        return Whole(found[0])
    return flat(found)


class Whole(list[Any]):
    """A raw result that is an array of the input's own: ``collapse`` gives it back as it was."""

    __slots__ = ("array",)

    def __init__(self, array: list[Any]) -> None:
        super().__init__(array)
        self.array = array


def collapse(found: list[Any]) -> Any:
    """The value of a raw result."""
    if type(found) is Whole:
        return found.array
    if len(found) == 1:
        return found[0]
    return Sequence(found) if found else ABSENT


def keep(found: list[Any]) -> Any:
    """The value of a raw result behind ``[]``: one item stays in its array."""
    if type(found) is Whole:
        return Sequence([found.array]) if type(found.array) is Constructed else found.array
    return Sequence(found) if found else ABSENT


def named_in(value: Any, name: str) -> list[Any]:
    """``named`` of any value."""
    return named(value if isinstance(value, list) else [value], name)


def fields(value: Any) -> Iterable[tuple[str, Any]]:
    """What ``$each`` and ``$sift`` go through."""
    if isinstance(value, dict):
        return list(value.items())
    if value is ABSENT:
        return ()
    raise Refused(f"{shown(value)} has no fields to go through", "an object")


def members(value: Any) -> Iterable[Any]:
    """What a filter goes through."""
    return value if isinstance(value, list) else () if value is ABSENT else (value,)


def as_found(raw: list[Any]) -> list[Any]:
    """A filtered result, as one of several that are flattened together."""
    return raw.array if type(raw) is Whole else Sequence(raw)


def lookup(value: Any, name: Any) -> Any:
    """A field by name; in an array, of every item, however deep the arrays are nested."""
    if isinstance(value, dict):
        return value.get(name, ABSENT)
    if isinstance(value, list):
        found: list[Any] = []
        for one in value:
            inner = lookup(one, name)
            if isinstance(inner, list):
                found.extend(inner)
            elif inner is not ABSENT:
                found.append(inner)
        return collapse(found)
    return ABSENT


def at(value: Any, index: int) -> list[Any]:
    """``value[index]``, raw; negative counts from the end."""
    if value is ABSENT:
        return []
    found = value if isinstance(value, list) else [value]
    if not -len(found) <= index < len(found):
        return []
    return Whole(found[index]) if isinstance(found[index], list) else [found[index]]


def chosen(answer: Any, index: int, length: int) -> int:
    """How often a filter that answered this takes the item at ``index``: a number, or an array of them, is a place."""
    if type(answer) is int:
        return answer == (index if answer >= 0 else index - length)
    if isinstance(answer, list) and all(type(one) is int for one in answer):
        return sum(one == (index if one >= 0 else index - length) for one in answer)
    return truthy(answer)


def truthy(value: Any) -> bool:
    """JSONata's boolean of a value; absent counts as false."""
    if isinstance(value, list):
        return truthy(value[0]) if len(value) == 1 else any(truthy(one) for one in value)
    return bool(value)


def regrouped(context: Any) -> Any:
    """The context that an object constructor builds on where it is an array: its items put together by one level."""
    if not isinstance(context, list):
        return context
    if len(context) == 1:
        return context[0]
    return flat([list(one) if isinstance(one, list) else one for one in context]) if context else ABSENT


def grouped(found: Any, pairs: tuple[tuple[Callable[[Any], Any], Callable[[Any], Any]], ...]) -> dict[str, Any]:
    """``found{key: value, …}``: the items by their keys, each value computed once over all items of its key."""
    groups: dict[str, tuple[int, list[Any]]] = {}
    for item in (found if isinstance(found, list) else [found]) or [ABSENT]:
        for position, (key_of, _) in enumerate(pairs):
            key = key_of(item)
            if key is ABSENT:
                continue
            if not isinstance(key, str):
                raise Refused(f"{shown(key)} cannot be a key", "text", "use $string(…)")
            owner, members = groups.setdefault(key, (position, []))
            if owner != position:
                raise Refused(f"two fields of the object are called {key!r}", "a name for each")
            members.append(item)
    made = {key: pairs[position][1](regrouped(members)) for key, (position, members) in groups.items()}
    return {key: value for key, value in made.items() if value is not ABSENT}


def ordered(found: list[Any], terms: tuple[tuple[Callable[[Any], Any], bool], ...]) -> list[Any]:
    """``found^(term, >term)``: sorted by each term in turn, items without it last, equal ones in their order."""
    if len(found) < 2:
        return found
    result = list(found)
    for term, descending in reversed(terms):
        keyed = [(term(item), item) for item in result]
        present = [pair for pair in keyed if pair[0] is not ABSENT]
        _comparable([key for key, _ in present])
        present.sort(key=lambda pair: pair[0], reverse=descending)
        result = [item for _, item in present] + [item for key, item in keyed if key is ABSENT]
    return result


def _comparable(keys: list[Any]) -> None:
    for key in keys if len(keys) > 1 else ():
        if not isinstance(key, str) and type(key) is not int:
            raise Refused(f"{shown(key)} cannot be sorted by", "text or integers")
        if isinstance(key, str) != isinstance(keys[0], str):
            raise Refused(f"{shown(keys[0])} and {shown(key)} cannot be sorted together", "only text, or only integers")


def _each(value: Any, name: str) -> list[Any]:
    """The named field of every item that has it."""
    found = []
    for item in (value,) if type(value) is Constructed else value:
        one = item.get(name, ABSENT) if type(item) is dict else lookup(item, name)
        if one is not ABSENT:
            found.append(one)
    return found
