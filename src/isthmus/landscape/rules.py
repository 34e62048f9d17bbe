"""Rules: a company's decision tables, ``rules/<name>.yaml``. The first row whose condition holds decides.

A condition is plain (what a field must be: a word, one of several words, an amount within limits) or, where that says
too little, JSONata over the context.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from isthmus.catalogue.connector import Jsonata
from isthmus.landscape.formats import read_duration, read_money
from isthmus.mapping.expression import compile_expression

_Amount = Annotated[str, Field(json_schema_extra={"format": "money", "examples": ["500 EUR"]})]
#: what a row may decide that is a length of time, read as such
DURATIONS = ("within", "remind_after", "escalate_after")
#: whether a row holds over the context
Condition: TypeAlias = Callable[[Mapping[str, Any]], bool]


class LimitShape(BaseModel):
    """An amount in the limit's own currency; one in another currency is not within it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    above: _Amount | None = None
    up_to: _Amount | None = None


Wanted: TypeAlias = bool | str | list[str] | LimitShape


class RowShape(BaseModel):
    """One row: when, and what then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: Annotated[
        Jsonata | dict[str, Wanted] | None,
        Field(description="field → what it must be, all of them; or JSONata; a row without it always holds"),
    ] = None
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
    rows: tuple[tuple[Condition | None, Mapping[str, Any]], ...]

    def decide(self, context: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What the first row says that holds over the context; None where none does. Raises MappingError."""
        return next((then for when, then in self.rows if when is None or when(context)), None)


def compile_rule(name: str, shape: RuleShape, *, file: str) -> Rule:
    """A rule whose file has been checked."""
    return Rule(name, shape.title, tuple((_condition(row, file), _decided(row.then)) for row in shape.rows))


def _condition(row: RowShape, file: str) -> Condition | None:
    if row.when is None:
        return None
    if isinstance(row.when, str):
        expression = compile_expression(row.when, file=file)
        return lambda context: expression(context) is True
    wanted = {name: _holds(each) for name, each in row.when.items()}
    return lambda context: all(holds(context.get(name)) for name, holds in wanted.items())


def _holds(wanted: Wanted) -> Callable[[Any], bool]:
    """Whether a value is what is wanted; text stands for any plain value."""
    if isinstance(wanted, LimitShape):
        return _within(wanted)
    words = set(wanted) if isinstance(wanted, list) else {_text(wanted)}
    return lambda value: _text(value) in words


def _within(limit: LimitShape) -> Callable[[Any], bool]:
    above, up_to = (read_money(text) if text else None for text in (limit.above, limit.up_to))

    def holds(value: Any) -> bool:
        if not isinstance(value, Mapping):
            return False
        amount, currency = Decimal(str(value["amount"])), value["currency"]
        bounds = [each for each in (above, up_to) if each is not None]
        return (
            all(each.currency == currency for each in bounds)
            and (above is None or amount > above.amount)
            and (up_to is None or amount <= up_to.amount)
        )

    return holds


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decided(then: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: read_duration(value) if name in DURATIONS else value for name, value in then.items()}
