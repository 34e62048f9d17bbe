"""SOQL as a tree: SELECT … FROM … WHERE … ORDER BY … LIMIT … OFFSET, and nothing else.

A query's literals are taken out first, so that queries that differ only in them share one tree and one plan.
Grammar: vendor's "SOQL SELECT Syntax"; AND and OR do not mix without parentheses there either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError

_LITERAL = re.compile(
    r"'(?:[^'\\]|\\.)*'|(?<![\w'.:])\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))?(?![\w'])",
    re.DOTALL,
)
_TOKEN = re.compile(
    r"\s*(?:(?P<mark>\x01[sdt])|(?P<sign><=|>=|!=|<>|[=<>(),])|(?P<word>[A-Za-z_][\w.]*(?::\d+)?)"
    r"|(?P<number>[+-]?\d+(?:\.\d+)?)|(?P<empty>'')|(?P<end>$)|(?P<other>\S))"
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "\\": "\\", "'": "'", '"': '"'}
_RESERVED = {"select", "from", "where", "order", "limit", "offset", "and", "or", "not", "in", "like", "by", "group"}
_DAY_WORDS = {
    "today", "yesterday", "tomorrow",
    *(f"{which}_{span}" for which in ("last", "this", "next") for span in ("week", "month", "quarter", "year")),
    "last_90_days", "next_90_days",
}  # fmt: skip
_COUNTED_DAYS = re.compile(r"(?:(?:last|next)_n_(?:days|weeks|months|quarters|years)|n_days_ago):\d+")


@dataclass(frozen=True, slots=True)
class Operand:
    """What stands right of an operator. ``kind``: bound (a literal taken out; ``value`` is its place and type
    s, d or t), number, boolean, null, empty, day (a date literal such as LAST_N_DAYS:7)."""

    kind: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Comparison:
    path: str
    operator: str  # = != < <= > >= like in notin
    operands: tuple[Operand, ...]
    query: Query | None = None  # the right side of a semi-join


@dataclass(frozen=True, slots=True)
class Combination:
    operator: str  # and, or, not
    parts: tuple[Condition, ...]


Condition = Comparison | Combination


@dataclass(frozen=True, slots=True)
class Ordering:
    path: str
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT. ``select`` holds field paths and, for children, queries whose ``source`` is a relationship."""

    select: tuple[str | Query, ...]
    source: str
    where: Condition | None
    order: tuple[Ordering, ...]
    limit: int | None
    offset: int

    @property
    def counts(self) -> bool:
        """Whether it is SELECT COUNT()."""
        return self.select == ("count()",)


def shape(text: str) -> tuple[str, tuple[str, ...]]:
    """A query's text with marks where its literals were, and the literals in order."""
    literals: list[str] = []

    def take(match: re.Match[str]) -> str:
        found = match.group()
        if found[0] != "'":
            literals.append(found)
            return "\x01t" if "T" in found else "\x01d"
        if found == "''":
            return found
        literals.append(_unescaped(found[1:-1]))
        return "\x01s"

    return _LITERAL.sub(take, text.replace("\x01", " ")), tuple(literals)


def parse(shaped: str) -> Query:
    """The tree of a shaped query. Raises VendorError MALFORMED_QUERY."""
    parser = _Parser(shaped)
    query = parser.query()
    parser.expect_end()
    return query


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    # a LIKE pattern's \_ and \% keep their backslash: they are not SOQL escapes but the pattern's own
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), text, flags=re.DOTALL)


class _Parser:
    def __init__(self, shaped: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        place, marks = 0, 0
        while True:
            match = _TOKEN.match(shaped, place)
            assert match is not None and match.lastgroup is not None
            kind, value = match.lastgroup, match.group(match.lastgroup)
            if kind == "mark":
                value, marks = f"{value[1]}{marks}", marks + 1
            self._tokens.append((kind, value))
            if kind == "end":
                break
            place = match.end()
        self._at = 0

    def query(self, *, child: bool = False) -> Query:
        self._expect("select")
        select = self._select(child=child)
        self._expect("from")
        source = self._name()
        where = self._condition() if self._took("where") else None
        order = self._order() if self._took("order") else ()
        limit = self._count() if self._took("limit") else None
        offset = self._count() if self._took("offset") else 0
        return Query(select, source, where, order, limit, offset)

    def expect_end(self) -> None:
        if self._tokens[self._at][0] != "end":
            raise self._unexpected()

    def _select(self, *, child: bool) -> tuple[str | Query, ...]:
        if not child and self._peek() == "count" and self._tokens[self._at + 1][1] == "(":
            self._at += 2
            self._expect(")")
            return ("count()",)
        chosen: list[str | Query] = []
        while True:
            if not child and self._took("("):
                chosen.append(self.query(child=True))
                self._expect(")")
            else:
                chosen.append(self._name())
            if not self._took(","):
                break
        names = [c.lower() for c in chosen if isinstance(c, str)]
        for name in names:
            if names.count(name) > 1:
                raise VendorError("MALFORMED_QUERY", f"duplicate field selected: {name}")
        return tuple(chosen)

    def _condition(self) -> Condition:
        parts = [self._factor()]
        word = self._peek()
        if word not in ("and", "or"):
            return parts[0]
        while self._took(word):
            parts.append(self._factor())
        if self._peek() in ("and", "or"):
            raise self._unexpected()
        return Combination(word, tuple(parts))

    def _factor(self) -> Condition:
        if self._took("not"):
            return Combination("not", (self._factor(),))
        if self._took("("):
            inner = self._condition()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        path = self._name()
        if self._took("like"):
            return Comparison(path, "like", (self._operand(),))
        if self._took("in"):
            return self._membership(path, "in")
        if self._took("not"):
            self._expect("in")
            return self._membership(path, "notin")
        kind, sign = self._tokens[self._at]
        if kind != "sign" or sign in "(),":
            raise self._unexpected()
        self._at += 1
        return Comparison(path, "!=" if sign == "<>" else sign, (self._operand(),))

    def _membership(self, path: str, operator: str) -> Comparison:
        self._expect("(")
        if self._peek() == "select":
            inner = self.query(child=True)
            self._expect(")")
            return Comparison(path, operator, (), inner)
        operands = [self._operand()]
        while self._took(","):
            operands.append(self._operand())
        self._expect(")")
        return Comparison(path, operator, tuple(operands))

    def _operand(self) -> Operand:
        kind, value = self._tokens[self._at]
        word = value.lower()
        if kind == "mark":
            operand = Operand("bound", (int(value[1:]), value[0]))
        elif kind == "number":
            operand = Operand("number", value)
        elif kind == "empty":
            operand = Operand("empty")
        elif kind == "word" and word in ("true", "false"):
            operand = Operand("boolean", word == "true")
        elif kind == "word" and word == "null":
            operand = Operand("null")
        elif kind == "word" and (word in _DAY_WORDS or _COUNTED_DAYS.fullmatch(word)):
            operand = Operand("day", word)
        else:
            raise self._unexpected()
        self._at += 1
        return operand

    def _order(self) -> tuple[Ordering, ...]:
        self._expect("by")
        made = []
        while True:
            path = self._name()
            descending = self._took("desc")
            if not descending:
                self._took("asc")
            last = False
            if self._took("nulls"):
                last = self._took("last")
                if not last:
                    self._expect("first")
            made.append(Ordering(path, descending, last))
            if not self._took(","):
                return tuple(made)

    def _count(self) -> int:
        kind, value = self._tokens[self._at]
        if kind != "number" or not value.isdigit():
            raise self._unexpected()
        self._at += 1
        return int(value)

    def _name(self) -> str:
        kind, value = self._tokens[self._at]
        word = value.lower()
        reserved = word in _RESERVED and self._tokens[self._at + 1][1] != "."
        if word == "order" and self._tokens[self._at - 1][1].lower() == "from":
            reserved = False  # an object's name too: FROM Order
        if kind != "word" or reserved:
            raise self._unexpected()
        self._at += 1
        return value

    def _peek(self) -> str:
        kind, value = self._tokens[self._at]
        return value.lower() if kind in ("word", "sign") else ""

    def _took(self, word: str) -> bool:
        if self._peek() == word:
            self._at += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._took(word):
            raise self._unexpected()

    def _unexpected(self) -> VendorError:
        kind, value = self._tokens[self._at]
        shown = "<EOF>" if kind == "end" else "literal" if kind == "mark" else value
        return VendorError("MALFORMED_QUERY", f"unexpected token: '{shown}'")
