"""A mapping: one JSONata file that turns a context into a vendor's body or a canonical object, compiled once.

A company's own fields are added to it in one line each (``FieldAddition``), so that nobody copies a mapping to add one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from typing import Any

from isthmus.mapping.additions import FieldAddition, add
from isthmus.mapping.codes import Codes
from isthmus.mapping.program import Program
from isthmus.mapping.values import ABSENT

__all__ = ["FieldAddition", "Mapping", "compile_mapping"]


class Mapping:
    """A compiled mapping. Calling it with a context gives a JSON-like value; ``None`` where it found nothing.

    ``name`` is the file, ``content_hash`` the SHA-256 of the text, the additions and
    the code tables, ``engine`` what runs it.
    """

    __slots__ = ("_program", "additions", "content_hash", "engine", "name", "sources", "text", "why_not_compiled")

    def __init__(self, program: Program, additions: Sequence[FieldAddition]) -> None:
        self._program = program
        self.name: str = program.file
        self.sources: tuple[str, ...] = (program.file,)
        self.text: str = program.text
        self.additions = tuple(additions)
        self.engine: str = program.engine
        self.why_not_compiled: str = program.why_not_compiled
        self.content_hash = hashlib.sha256(
            repr((program.text, self.additions, program.codes.tables)).encode()
        ).hexdigest()

    def __call__(self, context: MappingOf[str, Any]) -> Any:
        """The object over this context. Raises ``MappingError``."""
        made = self._program.run(context)
        if self.additions:
            made = add(made, context, self.additions, file=self.name)
        return None if made is ABSENT else made

    def __repr__(self) -> str:
        return f"<Mapping {self.name} by {self.engine}>"


def compile_mapping(
    text: str,
    *,
    file: str,
    additions: Sequence[FieldAddition] = (),
    codes: MappingOf[str, MappingOf[str, Any]] | Codes | None = None,
) -> Mapping:
    """Compiles the text of a mapping file. Raises ``MappingError`` where it is wrong."""
    return Mapping(Program(text, file=file, codes=codes), additions)
