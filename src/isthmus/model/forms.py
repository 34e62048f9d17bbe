"""Objects as JSON and back: what is sent, stored and mapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from isthmus.model.problems import InvalidObject

Model = TypeVar("Model", bound=BaseModel)


def to_json(thing: BaseModel) -> dict[str, Any]:
    """The object as JSON: decimals as text, days and instants as ISO 8601.

    What was not given is absent, and so is what is null, for on a whole object they mean the same; a default that
    nobody stated (``tax_basis`` exclusive, ``scheme`` VAT) is absent too.
    """
    return thing.model_dump(mode="json", exclude_unset=True, exclude_none=True)


def to_json_bytes(thing: BaseModel) -> bytes:
    """``to_json`` as UTF-8 text, without the dictionaries between."""
    return thing.__pydantic_serializer__.to_json(thing, exclude_unset=True, exclude_none=True)


def from_json(model: type[Model], data: Mapping[str, Any]) -> Model:
    """The object of this JSON. Raises InvalidObject, with one problem for each wrong field."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidObject(error, getattr(model, "object_word", "")) from error
