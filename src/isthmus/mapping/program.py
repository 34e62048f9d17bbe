"""A JSONata text made ready to run: read, checked, compiled to Python or handed to a slower engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.mapping.codes import Codes
from isthmus.mapping.engines import engine_for
from isthmus.mapping.errors import MappingError, Refused
from isthmus.mapping.functions import registered
from isthmus.mapping.syntax import parse
from isthmus.mapping.tree import check_calls


class Program:
    """What runs a text, and what it knows to say when the text goes wrong."""

    def __init__(
        self, text: str, *, file: str, line: int = 1, codes: Mapping[str, Mapping[str, Any]] | Codes | None = None
    ) -> None:
        self.text, self.file, self.line = text, file, line
        tables = codes if isinstance(codes, Codes) else Codes(codes or {})
        functions = registered(tables)
        self.tree = parse(text, file=file, line=line)
        check_calls(self.tree, functions, tables, text, file=file, line=line)
        self.why_not_compiled = ""
        self.engine, self._run = engine_for(text, self.tree, functions)

    def run(self, context: Mapping[str, Any]) -> Any:
        """The value over this context, ``ABSENT`` or ``None`` where there is none. Raises ``MappingError``."""
        try:
            return self._run(context)
        except Refused as wrong:
            raise MappingError(
                wrong.message, file=self.file, line=self.line, column=1, expected=wrong.expected, mend=wrong.mend
            ) from wrong
