"""Compiles a mapping: its lines of Python become a function, which runs about as fast as one written by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, TracebackType
from typing import Any, Final

from isthmus.mapping import operators, sequences
from isthmus.mapping.built_ins import TABLE, sort_by
from isthmus.mapping.compiler import Compiler
from isthmus.mapping.emitter import Line, NotCompiled
from isthmus.mapping.functions import Registered
from isthmus.mapping.values import ABSENT, Constructed

#: what the lines may call
_RUNTIME: Final[dict[str, Any]] = {
    name: value for module in (sequences, operators) for name, value in vars(module).items()
    if isinstance(value, FunctionType) and value.__module__ == module.__name__
} | {f"b_{name}": built_in.call for name, built_in in TABLE.items()} | {
    "A": ABSENT, "Constructed": Constructed, "b_sort_by": sort_by,
}  # fmt: skip
_FIRST_LINE: Final = 2


@dataclass(frozen=True, slots=True)
class Compiled:
    """The Python function of a mapping, its source, and what each line of it stands for."""

    run: Callable[[Any], Any]
    source: str
    lines: list[Line]
    filename: str

    def where(self, trace: TracebackType | None) -> tuple[int, str]:
        """The offset in the mapping and the path in the output that the innermost line of it in a traceback stands for."""
        found = (0, "")
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.filename and trace.tb_lineno >= _FIRST_LINE:
                line = self.lines[trace.tb_lineno - _FIRST_LINE]
                found = (line.offset, line.target)
            trace = trace.tb_next
        return found


def compile_tree(tree: Any, functions: dict[str, Registered], *, file: str) -> Compiled:
    """The Python function of a syntax tree. Raises ``NotCompiled``; ``Refused`` for what is wrong in any engine."""
    filename = f"<mapping {file}>"
    compiler = Compiler(functions)
    try:
        lines = compiler.function(tree)
        source = "\n".join(["def run(root):", *("    " * line.depth + line.text for line in lines)])
        space = {**_RUNTIME, **compiler.constants, **{f"f_{one.name}": one.call for one in functions.values()}}
        exec(compile(source, filename, "exec"), space)  # noqa: S102 - of our own making, see compiler.py
    except (SyntaxError, RecursionError, MemoryError):  # Python nests 20 loops and 100 indents, not more
        raise NotCompiled("nested more deeply than Python allows", 0) from None
    return Compiled(space["run"], source, lines, filename)
