"""Which output field comes from which input paths: read off the syntax tree, without running anything.

Arrays show as ``lines[].quantity`` in the output; input paths are plain (``input.lines.quantity``). A field whose key is
only known at run time is called ``*``. What a condition or a filter looks at counts as read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from isthmus.mapping.errors import MappingError, place
from isthmus.mapping.shapes import Shape, shape_of
from isthmus.mapping.syntax import parse


@dataclass(frozen=True, slots=True)
class FieldFlow:
    """One output field and the input paths it reads; ``line`` and ``column`` (from 1) are where its key stands."""

    target: str
    sources: tuple[str, ...]
    line: int
    column: int


@lru_cache(maxsize=512)
def _shape(text: str, file: str) -> Shape:
    tree = parse(text, file=file)
    try:
        return shape_of(tree)
    except RecursionError:
        raise MappingError("nested too deeply to be followed", file=file, line=1, column=1) from None


def lineage(text: str, *, file: str = "<mapping>") -> list[FieldFlow]:
    """The flow of every field that is not itself an object, in the order of the text. Raises ``MappingError``."""
    shape = _shape(text, file)
    return [
        FieldFlow(path, tuple(sorted(field.everything(also))), *place(text, field.offset))
        for path, field, also in shape.walk()
        if not field.fields or field.sources
    ]


def written_paths(text: str, *, file: str = "<mapping>") -> list[tuple[str, int, int]]:
    """Every path that the text writes, objects and arrays included, with line and column. Raises ``MappingError``."""
    return [(path, *place(text, field.offset)) for path, field, _ in _shape(text, file).walk()]


def read_paths(text: str, *, file: str = "<mapping>") -> list[str]:
    """Every input path that the text reads, sorted, whatever comes of it. Raises ``MappingError``."""
    shape = _shape(text, file)
    found = set(shape.sources | shape.also)
    for _, field, also in shape.walk():
        found |= field.everything(also)
    return sorted(found)
