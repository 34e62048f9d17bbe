"""Walks a syntax tree: the parts of a node, and what a text calls, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from isthmus.mapping.codes import Codes
from isthmus.mapping.errors import MappingError, Refused, place
from isthmus.mapping.functions import CLOSED, Registered
from isthmus.mapping.syntax import begin, near

_PARTS: Final = (
    *("steps", "procedure", "arguments", "body", "predicate", "stages", "expr", "expression", "group", "lhs", "rhs"),
    *("lhs_object", "terms", "condition", "then", "_else", "expressions", "pattern", "update", "delete"),
)
_NAMES: Final = """
    sum count max min average string substring substringBefore substringAfter lowercase uppercase length trim pad match
    contains replace split join formatNumber formatBase formatInteger parseInteger number floor ceil round abs sqrt power
    boolean not map zip filter single reduce sift keys lookup append exists spread merge reverse each error assert type
    sort distinct base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl toMillis fromMillis
    clone
"""
#: JSONata's own functions, without the dollar
BUILT_IN: Final = frozenset(_NAMES.split())


def parts(node: Any) -> Iterator[Any]:
    """The nodes directly below a node."""
    for name in _PARTS:
        part = getattr(node, name, None)
        if part is not None and not callable(part):
            yield from _nodes(part)


def every(node: Any) -> Iterator[Any]:
    """The node and all below it, each once, in the order of the text."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting.extend(reversed(list(parts(one))))


def called(tree: Any) -> set[str]:
    """The names, without the dollar, of all variables and functions that a text mentions."""
    return {str(node.value) for node in every(tree) if node.type == "variable"}


def check_calls(tree: Any, functions: dict[str, Registered], codes: Codes, text: str, *, file: str, line: int) -> None:
    """Every function is known and open, called with as many arguments as it takes, every code table exists.

    Raises ``MappingError`` at the first call that is wrong.
    """
    nodes = list(every(tree))
    bound = _bound(nodes)
    handed_on = {id(node.rhs) for node in nodes if node.type == "apply"}
    for node in nodes:
        if node.type not in ("function", "partial"):
            continue
        try:
            _check_call(node, id(node) in handed_on, bound, functions, codes)
        except Refused as wrong:
            row, column = place(text, begin(node))
            raise MappingError(
                wrong.message,
                file=file,
                line=line + row - 1,
                column=column,
                expected=wrong.expected,
                mend=wrong.mend,
            ) from None


def _check_call(node: Any, handed_on: bool, bound: set[str], functions: dict[str, Registered], codes: Codes) -> None:
    procedure = node.procedure
    if procedure.type == "path" and len(procedure.steps) == 1 and procedure.steps[0].value in {*BUILT_IN, *functions}:
        name = procedure.steps[0].value
        raise Refused(f"{name}(…) is not a function", f"${name}(…)", "write the dollar")
    if procedure.type != "variable" or procedure.value in bound:
        return
    name = str(procedure.value)
    if name in CLOSED:
        raise Refused(f"${name} is closed in mappings", "a function of JSONata or of Isthmus", CLOSED[name])
    if name in functions:
        _check_registered(node, handed_on, functions[name], codes)
    elif name not in BUILT_IN:
        known = [*BUILT_IN, *functions, *bound]
        raise Refused(f"there is no function ${name}", "a function of JSONata or of Isthmus", near(name, known))


def _check_registered(node: Any, handed_on: bool, function: Registered, codes: Codes) -> None:
    given = len(node.arguments) + handed_on
    if node.type == "function" and not function.least <= given <= function.most:
        wanted = f"{function.least}" if function.least == function.most else f"{function.least} or {function.most}"
        raise Refused(f"${function.name} is given {given} argument{'s' * (given != 1)}", f"{wanted} arguments")
    if function.name in ("code", "code_of") and node.arguments and not handed_on and node.arguments[0].type == "string":
        codes.check(str(node.arguments[0].value))


def _bound(nodes: list[Any]) -> set[str]:
    names: set[str] = set()
    for node in nodes:
        if node.type == "bind":
            names.add(str(node.lhs.value))
        elif node.type == "lambda":
            names.update(str(argument.value) for argument in node.arguments)
        names.update(str(name) for name in (node.focus, node.index) if isinstance(name, str))
    return names


def _nodes(part: Any) -> Iterator[Any]:
    if isinstance(part, list | tuple):
        for one in part:
            yield from _nodes(one)
    elif hasattr(part, "type"):
        yield part
