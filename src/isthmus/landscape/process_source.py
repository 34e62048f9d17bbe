"""Reads a process's Python without running it: which operations of which roles it asks for, and how its steps undo."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from isthmus.catalogue.document import Position


@dataclass(frozen=True, slots=True)
class Asked:
    """One place where the code names ``role.operation``. ``step``: as what a ``….step(…)`` does."""

    role: str
    operation: str
    position: Position
    step: bool = False
    reversible: bool = False

    def __str__(self) -> str:
        return f"{self.role}.{self.operation}"


@dataclass
class Source:
    """What a file says. ``mistake`` is the place and the words of what is not Python."""

    asked: list[Asked] = field(default_factory=list)
    events: set[str] = field(default_factory=set)
    #: desks that the code itself asks for an approval, and where
    desks: list[tuple[str, Position]] = field(default_factory=list)
    mistake: tuple[Position, str] | None = None


def read_source(path: Path, roles: Iterable[str]) -> Source:
    """Read a Python file. A role is known by its imported name (``from … import erp``, also ``as``)."""
    try:
        tree = _parsed(path)
    except SyntaxError as error:
        return Source(mistake=(Position(error.lineno or 1, error.offset or 1), f"is not Python: {error.msg}"))
    names = _imported(tree, set(roles))
    source = Source()
    in_steps: set[int] = set()
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "step":
            for asked in _step(node, names):
                source.asked.append(asked)
                in_steps.add(id(node.args[0]))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "approval":
            desk = node.args[0] if node.args else None
            if isinstance(desk, ast.Constant) and isinstance(desk.value, str):
                source.desks.append((desk.value, _place(desk)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("isthmus."):
            source.events.add(node.value)
    for node in nodes:
        if id(node) not in in_steps and (asked_for := _operation(node, names)):
            source.asked.append(Asked(*asked_for, _place(node)))
    source.asked.sort(key=lambda asked: asked.position)
    return source


def _step(call: ast.Call, names: dict[str, str]) -> list[Asked]:
    found = _operation(call.args[0], names) if call.args else None
    if found is None:
        return []
    told = {word.arg: word.value for word in call.keywords}
    undo, stays = told.get("undo"), told.get("stays")
    reversible = (undo is not None and not _nothing(undo)) or (stays is not None and not _nothing(stays))
    return [Asked(*found, _place(call.args[0]), step=True, reversible=reversible)]


def _operation(node: ast.AST, names: dict[str, str]) -> tuple[str, str] | None:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
        is_operation = node.attr.islower() and not node.attr.startswith("_")
        return (names[node.value.id], node.attr) if is_operation else None
    return None


def _nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not (isinstance(node.value, str) and node.value.strip())


def _imported(tree: ast.Module, roles: set[str]) -> dict[str, str]:
    """Local name → role."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            for alias in node.names:
                role = alias.name.rpartition(".")[2]
                if role in roles:
                    names[alias.asname or role] = role
    return names


def _place(node: ast.AST) -> Position:
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    return Position(line, column + 1)


def _parsed(path: Path) -> ast.Module:
    text = path.read_text("utf-8")
    try:
        return ast.parse(text, filename=str(path))
    except SystemError:
        # Python 3.11 miscounts its depth where the collector runs in the middle of a tree; the second time it is right
        return ast.parse(text, filename=str(path))
