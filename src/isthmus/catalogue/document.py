"""YAML that people write, read with the place of every key and value, so that a mistake can be pointed at.

YAML 1.1 turns ``NO`` into false, ``0010`` into 8 and ``1:30`` into 90. Here a plain scalar is the text that stands in
the file, except ``true``, ``false`` and nothing (``null``, ``~``); with ``numbers=True`` (for files that describe a
connector) plain JSON numbers are numbers too. Anchors, aliases and merge keys work; duplicate keys and tags do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_NODES_MAX = 100_000
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}


class Position(NamedTuple):
    """A place in a file; both count from 1."""

    line: int
    column: int


class Mistake(NamedTuple):
    """What is wrong with the file as YAML."""

    position: Position
    what: str
    mend: str


@dataclass
class Document:
    """A YAML file: its value, and where each part of it stands. A path is a tuple of keys and indexes."""

    file: str
    text: str
    value: Any = None
    mistakes: list[Mistake] = field(default_factory=list)
    _root: yaml.Node | None = None

    def at(self, *path: str | int) -> Position:
        """Where the value at the path stands; for a path that does not exist, its nearest parent that does."""
        node = self._root
        for step in path:
            child = _child(node, step)
            if child is None:
                return _start(node)
            node = child[1]
        return _start(node)

    def key_at(self, *path: str | int) -> Position:
        """Where the key at the end of the path stands (for a list's item, the item)."""
        node = self._root
        position = _start(node)
        for step in path:
            child = _child(node, step)
            if child is None:
                return position
            position, node = _start(child[0]), child[1]
        return position

    def inside(self, path: tuple[str | int, ...], line: int, column: int, *, key: bool = False) -> Position:
        """The place in the file of a place (both from 1) inside the text at the path, or inside the key itself."""
        node = self._root
        for at, step in enumerate(path, 1):
            child = _child(node, step)
            node = child[0 if key and at == len(path) else 1] if child else node
        start = _start(node)
        if not isinstance(node, yaml.ScalarNode):
            return start
        if node.style in ("|", ">"):
            written = self.text.split("\n")[start.line : start.line + line]
            indent = len(written[0]) - len(written[0].lstrip(" ")) if written else 0
            return Position(start.line + line, indent + column)
        if line > 1:
            return Position(start.line + line - 1, column)
        return Position(start.line, start.column + (1 if node.style else 0) + column - 1)


def read_document(path: Path, *, shown_as: str | None = None, numbers: bool = False) -> Document:
    """Read a YAML file. What is wrong with it as YAML is in ``mistakes``; then ``value`` holds what could be read.

    Raises OSError where there is no such file.
    """
    return parse_document(path.read_text("utf-8", errors="replace"), file=shown_as or path.name, numbers=numbers)


def parse_document(text: str, *, file: str, numbers: bool = False) -> Document:
    """As ``read_document``, of a text."""
    document = Document(file, text)
    try:
        document._root = yaml.compose(text, Loader=_Plain)
    except yaml.YAMLError as error:
        document.mistakes.append(_syntax(error))
        return document
    if document._root is not None:
        document.value = _Reading(document, numbers).value(document._root)
    return document


class _Plain(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A loader that gives plain scalars no meaning of its own."""

    yaml_implicit_resolvers: dict[str, Any] = {}


class _Reading:
    """Turns nodes into values, once for each node, and notes what may not be."""

    def __init__(self, document: Document, numbers: bool) -> None:
        self.document, self.numbers = document, numbers
        self.open: set[int] = set()
        self.count = 0

    def value(self, node: yaml.Node) -> Any:
        self.count += 1
        if self.count > _NODES_MAX:
            if self.count == _NODES_MAX + 1:
                self._wrong(node, f"has more than {_NODES_MAX} values when its aliases are written out", "use fewer")
            return None
        if id(node) in self.open:
            self._wrong(node, "an alias stands inside its own anchor", "name another anchor")
            return None
        if node.tag not in _TAGS:
            self._wrong(node, f"the tag {node.tag!r} has no meaning here", "leave the tag out")
        self.open.add(id(node))
        try:
            return self._plain(node)
        finally:
            self.open.discard(id(node))

    def _plain(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item) for item in node.value]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, "a key is a list or a mapping", "write a plain word as key")
            elif key.value == "<<" and not key.style:
                for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    read = self.value(part)
                    merged = {**(read if isinstance(read, dict) else {}), **merged}
            elif key.value in own:
                self._wrong(key, f"the key {key.value!r} stands here twice", "leave one of them out")
            else:
                own[key.value] = self.value(value)
        return {**merged, **own}

    def _scalar(self, node: Any) -> Any:
        text = str(node.value)
        if not node.style:
            if text in _WORDS:
                return _WORDS[text]
            if self.numbers and (number := _NUMBER.fullmatch(text)):
                return float(text) if number[2] or number[3] else int(text)
        return text

    def _wrong(self, node: yaml.Node, what: str, mend: str) -> None:
        self.document.mistakes.append(Mistake(_start(node), what, mend))


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if not isinstance(node, yaml.MappingNode):
        return None
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value == str(step):
            return key, value
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value == "<<":
            for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if found := _child(part, step):
                    return found
    return None


def _start(node: yaml.Node | None) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else Position(1, 1)


def _syntax(error: yaml.YAMLError) -> Mistake:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    words = [part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part]
    position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
    return Mistake(position, f"is not YAML: {', '.join(words) or error}", "mend the line, or the one above it")
