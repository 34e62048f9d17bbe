"""Who sees which field: declared at the field, kept by one function.

A field says which scope its reader needs (``seen_with``); the OpenAPI document shows it as ``x-scope``.
"""

from __future__ import annotations

import typing
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel, Field

_MARK = "x-scope"


def seen_with(scope: str, default: Any = None, **more: Any) -> Any:
    """A field that only callers with ``scope`` see; the others' answers have not got it."""
    return Field(default, json_schema_extra={_MARK: scope}, **more)


def as_seen(answer: dict[str, Any], model: type[BaseModel], scopes: Collection[str]) -> dict[str, Any]:
    """The JSON answer without what a caller with these scopes may not see; changed in place."""
    for path, scope in marked(model):
        if scope not in scopes:
            _take_out(answer, path)
    return answer


@cache
def marked(model: type[BaseModel]) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Every marked field of a model and of the models in it: (path, scope)."""
    return tuple(_marked(model))


def _marked(model: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and _MARK in extra:
            yield (name,), str(extra[_MARK])
            continue
        for part in _models_in(field.annotation):
            for path, scope in marked(part):
                yield (name, *path), scope


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_in(part)


def _take_out(value: Any, path: tuple[str, ...]) -> None:
    if isinstance(value, list):
        for item in value:
            _take_out(item, path)
    elif isinstance(value, dict):
        if len(path) == 1:
            value.pop(path[0], None)
        else:
            _take_out(value.get(path[0]), path[1:])
