"""What a mapping says when it cannot be read or cannot go on: where, what, what was expected, how to mend it."""

from __future__ import annotations

from typing import Any

_SHOWN = 80


class Refused(Exception):
    """A value that cannot be taken, before it is known where in a mapping that happened.

    Functions raise it; whoever runs the mapping adds file, line and column and raises ``MappingError``. ``offset`` is
    where in the text it happened, if that is known already.
    """

    def __init__(self, message: str, expected: str = "", mend: str = "", offset: int | None = None) -> None:
        super().__init__(message)
        self.message, self.expected, self.mend, self.offset = message, expected, mend, offset


class MappingError(Exception):
    """A mapping or an expression that cannot be read, compiled or applied.

    ``line`` and ``column`` count from 1 in ``file``. ``message`` says what is wrong and names the value, ``expected``
    what should have stood there, ``mend`` what a person can do; both may be empty. ``target`` is the path in the
    output that was being built (``lines[].unit_price``), where it is known.
    """

    def __init__(
        self, message: str, *, file: str, line: int, column: int, expected: str = "", mend: str = "", target: str = ""
    ) -> None:
        super().__init__(message, file, line, column, expected, mend, target)
        self.message, self.expected, self.mend = message, expected, mend
        self.file, self.line, self.column, self.target = file, line, column, target

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.message}"
        text += f" (while building {self.target})" if self.target else ""
        text += f"; expected {self.expected}" if self.expected else ""
        return text + (f"; {self.mend}" if self.mend else "")


def shown(value: Any) -> str:
    """The value as an error shows it: short, on one line."""
    text = repr(value) if value is not None else "null"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character of ``text``."""
    offset = min(max(offset, 0), len(text))
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1
