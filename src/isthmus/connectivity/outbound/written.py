"""Canonical objects as they are written down: JSON text and its hash, made once for each object of a play.

A play asks with the same objects again and again (a quote is an argument of three steps, an invoice of four requests),
and canonical objects are frozen, so what was written of one holds as long as the play does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel, TypeAdapter

_ANY: TypeAdapter[Any] = TypeAdapter(Any)


@dataclass(frozen=True, slots=True)
class Written:
    """JSON text with sorted keys, absent ones dropped, and its SHA-256: equal objects have equal texts."""

    text: str
    hash: str

    def value(self) -> Any:
        """The JSON value, anew each time: whoever gets it may change it."""
        return orjson.loads(self.text)


class Writings:
    """What was written in one play, by object."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        #: the object is kept beside its text, so that its id stays its own
        self._made: dict[int, tuple[BaseModel, Written]] = {}

    def of(self, model: BaseModel) -> Written:
        """The object written down."""
        known = self._made.get(id(model))
        if known is not None:
            return known[1]
        # by way of the text: that is the quickest dump there is, and sorting it costs little
        written = as_written(orjson.loads(model.__pydantic_serializer__.to_json(model, exclude_none=True)))
        if model.model_config.get("frozen"):
            self._made[id(model)] = (model, written)
        return written

    def hash_of(self, arguments: Iterable[Any]) -> str:
        """One hash of several arguments, which may be objects or plain values."""
        texts = [self.of(each).text if isinstance(each, BaseModel) else _plain(each) for each in arguments]
        return _hash(f"[{','.join(texts)}]")


def as_written(value: Any) -> Written:
    """A JSON value written down."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return Written(text, _hash(text))


def _plain(value: Any) -> str:
    return orjson.dumps(_ANY.dump_python(value, mode="json"), option=orjson.OPT_SORT_KEYS).decode()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
