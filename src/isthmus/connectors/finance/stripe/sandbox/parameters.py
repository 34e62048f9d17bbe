"""Form parameters as Stripe reads them: bracketed keys to a tree, the tree against an operation's shape.

A shape is written as words: ``customer! amount:int lines[]{id! metadata:metadata} status:draft|open``.
``!`` is required, ``[]`` a list, ``{…}`` a hash, ``:kind`` one of text (the default), int, bool, decimal, time,
metadata, range (a time, or gt/gte/lt/lte of it), any (taken as it comes), or the words it may be.
An empty string clears what can be cleared and reads as None.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import pairwise
from typing import Any
from urllib.parse import unquote_plus

from .errors import ParameterError, missing_parameter, unknown_parameters

_TOKEN = re.compile(r"\s*(?:(?P<name>[\w-]+)(?P<required>!?)(?P<many>(?:\[\])?)(?::(?P<kind>[\w|.]+))?|(?P<mark>[{}]))")
_TRUE_FALSE = {"true": True, "false": False}
_METADATA_KEYS, _METADATA_KEY, _METADATA_VALUE, _TEXT = 50, 40, 500, 5000


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kind: str = "text"
    required: bool = False
    many: bool = False
    inside: Shape | None = None


Shape = dict[str, Parameter]


def shape(words: str) -> Shape:
    """The shape that ``words`` describe."""
    made, _ = _shape(words, 0)
    return made


def _shape(words: str, at: int) -> tuple[Shape, int]:
    made: Shape = {}
    last: Parameter | None = None
    while at < len(words) and (match := _TOKEN.match(words, at)):
        at = match.end()
        if match["mark"] == "}":
            return made, at
        if match["mark"] == "{":
            assert last is not None, f"a hash without a name in {words!r}"
            inside, at = _shape(words, at)
            made[last.name] = Parameter(last.name, "hash", last.required, last.many, inside)
            continue
        last = Parameter(match["name"], match["kind"] or "text", bool(match["required"]), bool(match["many"]))
        made[last.name] = last
    if words[at:].strip():
        raise ValueError(f"cannot read {words[at:]!r} in a shape")
    return made, at


def form_pairs(form: str) -> list[tuple[str, str]]:
    """The pairs of a form in order, decoded. Forms of hundreds of pairs are common; brackets are decoded first,
    so that most keys need no decoding."""
    plain = form.replace("%5B", "[").replace("%5D", "]")
    pairs = []
    for part in plain.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _decoded(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text


def tree(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """``a[b][0][c]=v`` as nested dicts; ``[]`` takes the next place, or the last one while its hash has room."""
    root: dict[str, Any] = {}
    for key, value in pairs:
        steps = _steps(key)
        if len(steps) == 1:
            root[key] = value
            continue
        node = root
        for step, following in pairwise(steps):
            if not step:
                step = _place(node, following)
            found = node.setdefault(step, {})
            if not isinstance(found, dict):
                raise ParameterError(f"Invalid object: {key}", param=key)
            node = found
        node[steps[-1] or str(len(node))] = value
    return root


@lru_cache(8192)
def _steps(key: str) -> tuple[str, ...]:
    return tuple(key.replace("]", "").split("["))


def _place(node: dict[str, Any], following: str) -> str:
    last = node.get(str(len(node) - 1))
    if isinstance(last, dict) and following and following not in last:
        return str(len(node) - 1)
    return str(len(node))


def read(wanted: Shape, given: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """The values of a tree as the shape's kinds. Raises ParameterError in Stripe's words."""
    if not given.keys() <= wanted.keys():
        raise unknown_parameters([_inside(where, name) for name in given if name not in wanted])
    values: dict[str, Any] = {}
    for name, value in given.items():
        values[name] = _read(wanted[name], value, f"{where}[{name}]" if where else name)
    for name, parameter in wanted.items():
        if parameter.required and name not in values:
            raise missing_parameter(_inside(where, name))
    return values


def _inside(where: str, name: str) -> str:
    return f"{where}[{name}]" if where else name


def _read(parameter: Parameter, value: Any, where: str) -> Any:
    if value == "" and parameter.kind != "any":
        return _cleared(parameter, where)
    if not parameter.many:
        return _one(parameter, value, where)
    if not isinstance(value, dict):
        raise ParameterError("Invalid array", param=where)
    if not all(index.isdecimal() for index in value):
        raise ParameterError("Invalid array", param=where)
    return [_one(parameter, one, f"{where}[{index}]") for index, one in value.items()]


def _cleared(parameter: Parameter, where: str) -> None:
    if parameter.required or parameter.kind in ("int", "bool") or "|" in parameter.kind:
        raise ParameterError(
            f"You passed an empty string for '{where}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{where}' cannot be unset. You should remove '{where}' from your request or supply a non-empty "
            "value.",
            code="parameter_invalid_empty",
            param=where,
        )


def _one(parameter: Parameter, value: Any, where: str) -> Any:
    kind = parameter.kind
    if kind == "any":
        return value
    if kind == "hash":
        assert parameter.inside is not None
        return read(parameter.inside, _hash(value, where), where)
    if kind == "metadata":
        return _metadata(_hash(value, where), where)
    if kind == "range":
        return _range(value, where)
    if isinstance(value, dict):
        raise ParameterError("Invalid string: {}", param=where)
    return _scalar(kind, value, where)


def _scalar(kind: str, value: str, where: str) -> Any:
    if kind == "text":
        if len(value) > _TEXT:
            raise ParameterError(f"Invalid string: {value[:20]}…; must be at most {_TEXT} characters", param=where)
        return value
    if kind in ("int", "time"):
        return _integer(value, where)
    if kind == "bool":
        if value not in _TRUE_FALSE:
            raise ParameterError(f"Invalid boolean: {value}", param=where)
        return _TRUE_FALSE[value]
    if kind == "decimal":
        return _decimal(value, where)
    words = kind.split("|")
    if value not in words:
        allowed = f"{', '.join(words[:-1])}, or {words[-1]}" if len(words) > 1 else words[0]
        raise ParameterError(f"Invalid {where}: must be one of {allowed}", param=where)
    return value


def _integer(value: str, where: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ParameterError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=where) from None


def _decimal(value: str, where: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ParameterError(f"Invalid decimal: {value}", param=where) from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -12:
        raise ParameterError(f"Invalid decimal: {value}; must contain at maximum 12 decimal places.", param=where)
    return number


def _hash(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ParameterError("Invalid object", param=where)
    return value


def _range(value: Any, where: str) -> dict[str, int]:
    if not isinstance(value, dict):
        return {"gte": _integer(value, where), "lte": _integer(value, where)}
    if unknown := [name for name in value if name not in ("gt", "gte", "lt", "lte")]:
        raise unknown_parameters([_inside(where, name) for name in unknown])
    return {name: _integer(one, _inside(where, name)) for name, one in value.items()}


def _metadata(value: dict[str, Any], where: str) -> dict[str, str]:
    if len(value) > _METADATA_KEYS:
        raise ParameterError(f"You can have up to {_METADATA_KEYS} metadata keys; got {len(value)}.", param=where)
    for key, text in value.items():
        here = _inside(where, key)
        if not isinstance(text, str):
            raise ParameterError("Metadata values must be strings.", param=here)
        if len(key) > _METADATA_KEY:
            raise ParameterError(f"Metadata keys can be up to {_METADATA_KEY} characters long: {key}", param=here)
        if len(text) > _METADATA_VALUE:
            raise ParameterError(
                f"Metadata values can have up to {_METADATA_VALUE} characters, but you passed in a value that is "
                f"{len(text)} characters. Invalid value: {text[:40]}…",
                param=here,
            )
    return value
