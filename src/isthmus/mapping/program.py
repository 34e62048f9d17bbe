"""A JSONata text made ready to run: read, checked, compiled to Python or handed to a slower engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.mapping.codes import Codes
from isthmus.mapping.compiled import Compiled, compile_tree
from isthmus.mapping.emitter import NotCompiled
from isthmus.mapping.engines import engine_for
from isthmus.mapping.errors import MappingError, Refused, place
from isthmus.mapping.functions import Registered, registered
from isthmus.mapping.syntax import begin, parse
from isthmus.mapping.tree import check_calls


class Program:
    """What runs a text, and what it knows to say when the text goes wrong.

    ``engine`` is ``python`` where the text was compiled; else ``why_not_compiled`` says what stood in the way.
    """

    def __init__(
        self, text: str, *, file: str, line: int = 1, codes: Mapping[str, Mapping[str, Any]] | Codes | None = None
    ) -> None:
        self.text, self.file, self.line = text, file, line
        tables = codes if isinstance(codes, Codes) else Codes(codes or {})
        functions = registered(tables)
        self.compiled: Compiled | None = None
        self.why_not_compiled = ""
        tree = parse(text, file=file, line=line)
        self._begin, self.codes = begin(tree), tables
        check_calls(tree, functions, tables, text, file=file, line=line)
        try:
            self.compiled = compile_tree(tree, functions, file=file)
            self.engine, self._run = "python", self.compiled.run
        except NotCompiled as why:
            self._fall_back(tree, functions, why)
        except Refused as wrong:
            raise self._error(wrong, wrong.offset or 0, "") from None

    def _fall_back(self, tree: Any, functions: dict[str, Registered], why: NotCompiled) -> None:
        row, column = place(self.text, why.offset)
        self.why_not_compiled = f"{self.file}:{self.line + row - 1}:{column}: {why.what}"
        try:
            self.engine, self._run = engine_for(self.text, tree, functions)
        except Refused as wrong:
            raise self._error(wrong, self._begin, "") from None

    def run(self, context: Any) -> Any:
        """The value over this context (any JSON-like value), ``ABSENT`` or ``None`` where there is none. Raises ``MappingError``."""
        given = dict(context) if isinstance(context, Mapping) and type(context) is not dict else context
        try:
            return self._run(given)
        except Refused as wrong:
            offset, target = self.compiled.where(wrong.__traceback__) if self.compiled else (self._begin, "")
            raise self._error(wrong, offset, target) from wrong
        except Exception as failure:
            offset, target = self.compiled.where(failure.__traceback__) if self.compiled else (self._begin, "")
            unforeseen = Refused(
                f"{type(failure).__name__}: {failure}", "", "report this: a mapping should not fail so"
            )
            raise self._error(unforeseen, offset, target) from failure

    def _error(self, wrong: Refused, offset: int, target: str) -> MappingError:
        row, column = place(self.text, offset)
        return MappingError(
            wrong.message,
            file=self.file,
            line=self.line + row - 1,
            column=column,
            expected=wrong.expected,
            mend=wrong.mend,
            target=target,
        )
