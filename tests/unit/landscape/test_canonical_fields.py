"""The fields that a check knows of canonical objects are those of the published schemas, all of them and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from isthmus.landscape.canonical_fields import fields_below
from isthmus.model.schemas import OBJECTS, schema

_DEEP = 6


def plain(root: Any, shape: Any) -> Any:
    """The schema behind references, optionals and lists."""
    while True:
        if "$ref" in shape:
            target = root
            for step in shape["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            shape = target
        elif "anyOf" in shape:
            choices = [choice for choice in shape["anyOf"] if choice.get("type") != "null"]
            if len(choices) != 1:
                return {}
            shape = choices[0]
        elif "items" in shape:
            shape = shape["items"]
        else:
            return shape


def paths(root: Any, shape: Any, parents: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[str] | None]]:
    """Every path of a schema with the names below it; None for a plain value, or where any name may stand."""
    found = plain(root, shape)
    fields = None if found.get("additionalProperties") else found.get("properties")
    yield parents, list(fields) if fields else None
    if len(parents) < _DEEP:
        for name, held in (found.get("properties") or {}).items():
            yield from paths(root, held, (*parents, name))


@pytest.mark.parametrize("name", OBJECTS)
def test_the_fields_are_those_of_the_schema(name: str) -> None:
    root = schema(name)
    told = dict(paths(root, root))
    assert len(told) > 5
    for parents, fields in told.items():
        assert (fields_below(name, parents) or None) == (tuple(fields) if fields else None), (name, parents)


def test_there_is_nothing_below_what_is_not_there() -> None:
    assert fields_below("order", ["lines", "nothing", "more"]) is None
