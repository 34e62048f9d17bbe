"""One JSONata expression, compiled once: conditions, ids and routes in a connector's or a landscape's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.mapping.codes import Codes
from isthmus.mapping.errors import MappingError, Refused
from isthmus.mapping.program import Program
from isthmus.mapping.values import ABSENT

__all__ = ["Expression", "MappingError", "Refused", "compile_expression"]


class Expression:
    """A compiled expression. Calling it with a context gives a JSON-like value; ``None`` where it found nothing.

    ``engine`` says what runs it: ``python`` (compiled), or one of the slower engines it fell back to.
    """

    __slots__ = ("_program", "engine", "text", "why_not_compiled")

    def __init__(self, program: Program) -> None:
        self._program = program
        self.text: str = program.text
        self.engine: str = program.engine
        self.why_not_compiled: str = program.why_not_compiled

    def __call__(self, context: Any) -> Any:
        """The value over this context, which is a dict or any other JSON-like value. Raises ``MappingError``."""
        found = self._program.run(context)
        return None if found is ABSENT else found

    def __repr__(self) -> str:
        return f"<Expression {self.text!r} by {self.engine}>"


def compile_expression(
    text: str,
    *,
    file: str = "<expression>",
    line: int = 1,
    codes: Mapping[str, Mapping[str, Any]] | Codes | None = None,
) -> Expression:
    """Compiles an expression that begins on ``line`` of ``file``. Raises ``MappingError`` where it is wrong."""
    return Expression(Program(text, file=file, line=line, codes=codes))
