"""Holds what a mapping has made against what it says it writes: a canonical object, or the vendor's object of ``schema/``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError

from isthmus.catalogue.registry import ConnectorFolder
from isthmus.connectivity.identity import canonical_id, foreign_links
from isthmus.landscape.checks.mappings import written_object
from isthmus.landscape.finding import did_you_mean
from isthmus.model.problems import InvalidObject, Problem
from isthmus.model.schemas import OBJECTS

_MEND = "change the mapping, or correct the value at its source"
#: stands for a unit and a connection where a context names none
_UNIT, _CONNECTION = "unit", "connection"


def promised(folder: ConnectorFolder, text: str) -> str | None:
    """The object that a mapping says it writes and that there is a contract for; None for a question, which writes none."""
    name = written_object(text)
    return name if name in OBJECTS or (name and folder.schema(name)) else None


def breaches(
    folder: ConnectorFolder, name: str, made: Any, context: Mapping[str, Any], own: Collection[str] = ()
) -> list[Problem]:
    """Where ``made`` is not the object ``name``, each with field, value, what was expected and how to mend it.

    ``own`` are the company's own fields of the vendor's object. Nothing made is no breach: then there is no such object.
    """
    if made is None:
        return []
    if not isinstance(made, dict):
        return [_problem("", made, f"an object ({name})", _MEND)]
    if folder.schema(name):
        return list(_vendor(folder, name, made, "", own))
    return _canonical(name, made, context)


def _canonical(name: str, made: dict[str, Any], context: Mapping[str, Any]) -> list[Problem]:
    """As at run time: the object and its links are given canonical ids, the unit is the one that was asked for."""
    model = OBJECTS[name]
    source = made.get("source")
    if isinstance(source, dict):
        source["connection"] = _CONNECTION
        made["id"] = canonical_id(name, _CONNECTION, str(source.get("type")), str(source.get("id")))
    for link in foreign_links(made):
        type_, _, id_ = link["id"].partition("/")
        link["id"] = canonical_id(link["kind"], _CONNECTION, type_, id_)
    if "business_unit" in model.model_fields:
        made.setdefault("business_unit", context.get("unit") or _UNIT)
    try:
        model.model_validate(made)
    except ValidationError as error:
        return [each.model_copy(update={"mend": each.mend or _MEND}) for each in InvalidObject(error, name).problems]
    return []


def _vendor(
    folder: ConnectorFolder, name: str, made: Mapping[str, Any], path: str, own: Collection[str]
) -> Iterator[Problem]:
    schema = folder.schema(name)
    for key, value in made.items():
        place = f"{path}{key}"
        if schema is None or value is None or _without_indexes(place) in own:
            continue
        field = schema["fields"].get(key)
        if field is None:
            yield _problem(place, value, f"a field that {name} has", did_you_mean(key, schema["fields"]))
        elif field.get("writable") is False:
            yield _problem(
                place, value, f"nothing: {name} lets nobody write it", "leave it out; the application sets it"
            )
        else:
            yield from _field(folder, field, value, place, own)


def _field(
    folder: ConnectorFolder, field: Mapping[str, Any], value: Any, place: str, own: Collection[str]
) -> Iterator[Problem]:
    kind, length = field["type"], field.get("length")
    if not _is(kind, value):
        yield _problem(place, value, f"{_EXPECTED[kind]}", _MEND)
    elif "values" in field and value not in field["values"]:
        yield _problem(
            place, value, f"one of {', '.join(map(str, field['values']))}", did_you_mean(str(value), field["values"])
        )
    elif length and isinstance(value, str) and len(value) > length:
        yield _problem(
            place, value, f"at most {length} characters (it has {len(value)})", f"$substring(…, 0, {length})"
        )
    elif "object" in field:
        for at, item in enumerate(value if isinstance(value, list) else [value]):
            inside = f"{place}[{at}]." if isinstance(value, list) else f"{place}."
            if isinstance(item, dict):
                yield from _vendor(folder, field["object"], item, inside, own)


_EXPECTED = {
    "text": "text",
    "integer": "a whole number",
    "decimal": "a decimal number, best as text",
    "bool": "true or false",
    "date": "a date",
    "datetime": "an instant",
    "list": "a list",
    "object": "an object",
}


def _is(kind: str, value: Any) -> bool:
    """Whether a value can stand in a field of this type; on a wire a number may well be text, but never the other way."""
    if kind in ("list", "object"):
        return isinstance(value, list if kind == "list" else dict)
    if isinstance(value, list | dict):
        return False
    if kind == "bool":
        return isinstance(value, bool) or value in ("true", "false")
    if kind in ("integer", "decimal"):
        return not isinstance(value, bool) and _number(value, whole=kind == "integer")
    return isinstance(value, str) or (kind != "text" and not isinstance(value, bool))


def _number(value: Any, *, whole: bool) -> bool:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return False
    return found.is_finite() and (not whole or found == found.to_integral_value())


def _without_indexes(place: str) -> str:
    return "".join(part.partition("]")[2] if at else part for at, part in enumerate(place.split("[")))


def _problem(field: str, value: Any, expected: str, mend: str) -> Problem:
    shown = f"{type(value).__name__} of {len(value)}" if isinstance(value, list | dict) else str(value)[:200]
    where = field or "the whole"
    return Problem(
        title=f"{where} is wrong",
        detail=f"{where} must be {expected} (it is {shown})",
        status=422,
        field=field or None,
        value=shown,
        expected=expected,
        mend=mend,
    )
