"""Which fields the canonical objects have, read off the models: what their JSON Schemas say too, without making those."""

from __future__ import annotations

import types
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from isthmus.model.schemas import OBJECTS

_LISTS = (list, tuple, set, frozenset, Sequence)


def fields_below(name: str, parents: Sequence[str]) -> tuple[str, ...] | None:
    """The fields of what stands at a path of an object (``order``, ``["lines", "product"]``); lists are passed through.

    None where there is no such path, where a plain value stands, or where any name may.
    """
    model: type[BaseModel] | None = OBJECTS[name]
    for step in parents:
        model = _fields(model).get(step) if model is not None else None
    if model is None or model.model_config.get("extra") == "allow":
        return None
    return tuple(_fields(model))


@lru_cache(maxsize=512)
def _fields(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    return {field.alias or name: _model_in(field.annotation) for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model behind lists and optionals; None where it is none, or one of several."""
    while True:
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin in (Union, types.UnionType):
            inner = tuple(each for each in inner if each is not type(None))
            if len(inner) != 1:
                return None
        elif origin is not Annotated and origin not in _LISTS:
            return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
        annotation = inner[0]
