"""Rules: a company's decision tables, ``rules/<name>.yaml``. The first row whose condition holds decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from isthmus.catalogue.connector import Jsonata
from isthmus.mapping.expression import Expression, compile_expression


class RowShape(BaseModel):
    """One row: when, and what then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: Annotated[Jsonata | None, Field(description="JSONata over the context; a row without it always holds")] = None
    then: dict[str, Any] = Field(min_length=1, description="what is decided")


class RuleShape(BaseModel):
    """A rule's file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    rows: list[RowShape] = Field(min_length=1)


@dataclass(frozen=True)
class Rule:
    """A compiled decision table."""

    name: str
    title: str
    rows: tuple[tuple[Expression | None, Mapping[str, Any]], ...]

    def decide(self, context: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What the first row says that holds over the context; None where none does. Raises MappingError."""
        return next((then for when, then in self.rows if when is None or when(context) is True), None)


def compile_rule(name: str, shape: RuleShape, *, file: str) -> Rule:
    """A rule whose file has been checked."""
    rows = [(compile_expression(row.when, file=file) if row.when else None, row.then) for row in shape.rows]
    return Rule(name, shape.title, tuple(rows))
