"""``$filter`` and ``$orderby`` of OData v2, parsed and turned into SQL over an entity set's columns.

Grammar: or, and, not, eq ne gt ge lt le, parentheses, substringof, startswith, endswith, tolower, toupper, length,
trim; literals as in the OData v2 URI conventions. What SAP Gateway refuses (unknown properties, operands of
unlike types, unknown functions) is refused. Decimals are compared as REAL; nothing is calculated with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.edm import Property, milliseconds
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import (
    OPERAND,
    VALUE,
    Message,
    ODataError,
    syntax,
    unknown_property,
)
from isthmus.connectors.erp.sap_s4hana.sandbox.schema import EntityType
from isthmus.sandkit.world import quoted

_TOKEN = re.compile(
    r"\s*(?:(?P<typed>(?:datetimeoffset|datetime|guid|time|binary|X)'(?:[^']|'')*')"
    r"|(?P<string>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[mMlLfFdD]?)(?![\w])"
    r"|(?P<word>[A-Za-z_]\w*(?:/[A-Za-z_]\w*)*)"
    r"|(?P<mark>[(),]))"
)
_COMPARISONS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
#: name -> (types of the arguments, type of the result, SQL)
_FUNCTIONS = {
    "substringof": (("Edm.String", "Edm.String"), "Edm.Boolean", "(instr({1}, {0}) > 0)"),
    "startswith": (("Edm.String", "Edm.String"), "Edm.Boolean", "(substr({0}, 1, length({1})) = {1})"),
    "endswith": (("Edm.String", "Edm.String"), "Edm.Boolean", "(substr({0}, -length({1})) = {1})"),
    "tolower": (("Edm.String",), "Edm.String", "lower({0})"),
    "toupper": (("Edm.String",), "Edm.String", "upper({0})"),
    "trim": (("Edm.String",), "Edm.String", "trim({0})"),
    "length": (("Edm.String",), "Edm.Int32", "length({0})"),
}
_NUMBERS = ("Edm.Decimal", "Edm.Int32", "Edm.Int64", "Edm.Double")


@dataclass(slots=True)
class Term:
    """A piece of SQL with its parameters and its Edm type; ``prop`` where it is a property itself."""

    sql: str
    values: list[Any]
    edm: str
    prop: Property | None = None


def read_literal(text: str) -> tuple[str, Any]:
    """The Edm type and stored value of a URL literal. Raises ODataError for text that is none."""
    match = _TOKEN.fullmatch(text.strip())
    if match is None or match["mark"]:
        raise syntax(f"Malformed URI literal syntax '{text}'")
    term = _literal(match)
    return term.edm, term.values[0] if term.values else None


def parameter_value(prop: Property, text: str) -> Any:
    """The stored value of a literal for one property, as in a key predicate or a function's parameter."""
    edm, value = read_literal(text)
    if edm == "null":
        return prop.default
    if edm == "Edm.String" and prop.edm == "Edm.String":
        return prop.converted(value)
    if edm == prop.edm or (edm in _NUMBERS and prop.edm in _NUMBERS):
        return value if prop.edm != "Edm.Decimal" else str(value)
    raise ODataError(400, Message(VALUE, f"Invalid value '{text}' for property '{prop.name}' of type '{prop.edm}'"))


class Filter:
    """Parses one filter for one entity type: ``Filter(entity, text).term()``."""

    def __init__(self, entity: EntityType, text: str) -> None:
        self._entity, self._text = entity, text
        self._tokens: list[re.Match[str]] = []
        position, text = 0, text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise syntax(f"Invalid token detected at position {position} in $filter '{text}'")
            self._tokens.append(match)
            position = match.end()
        self._at = 0

    def term(self) -> Term:
        """The whole filter. Raises ODataError where it cannot be understood."""
        found = self._or()
        if self._at < len(self._tokens):
            raise self._wrong()
        return self._condition(found)

    def _wrong(self) -> ODataError:
        position = self._tokens[self._at].start() if self._at < len(self._tokens) else len(self._text)
        return syntax(f"Invalid token detected at position {position} in $filter '{self._text}'")

    def _word(self, *words: str) -> str | None:
        if self._at < len(self._tokens) and self._tokens[self._at]["word"] in words:
            self._at += 1
            return self._tokens[self._at - 1]["word"]
        return None

    def _mark(self, mark: str, *, required: bool = False) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at]["mark"] == mark:
            self._at += 1
            return True
        if required:
            raise self._wrong()
        return False

    def _or(self) -> Term:
        left = self._and()
        while self._word("or"):
            left = self._joined("OR", left, self._and())
        return left

    def _and(self) -> Term:
        left = self._not()
        while self._word("and"):
            left = self._joined("AND", left, self._not())
        return left

    def _joined(self, word: str, left: Term, right: Term) -> Term:
        left, right = self._condition(left), self._condition(right)
        return Term(f"({left.sql} {word} {right.sql})", left.values + right.values, "Edm.Boolean")

    def _condition(self, term: Term) -> Term:
        if term.edm != "Edm.Boolean":
            raise self._mismatch("and")
        return Term(f"{term.sql} = 1", term.values, "Edm.Boolean") if term.prop else term

    def _not(self) -> Term:
        if self._word("not"):
            inner = self._condition(self._not())
            return Term(f"(NOT {inner.sql})", inner.values, "Edm.Boolean")
        return self._comparison()

    def _comparison(self) -> Term:
        left = self._operand()
        word = self._word(*_COMPARISONS)
        if word is None:
            return left
        return self._compared(word, left, self._operand())

    def _compared(self, word: str, left: Term, right: Term) -> Term:
        if left.edm == "null":
            left, right = right, left
        if right.edm == "null":
            if word not in ("eq", "ne"):
                raise self._mismatch(word)
            return Term(f"({left.sql} IS {'NOT ' if word == 'ne' else ''}NULL)", left.values, "Edm.Boolean")
        if left.edm != right.edm and not (left.edm in _NUMBERS and right.edm in _NUMBERS):
            raise self._mismatch(word)
        for one, other in ((left, right), (right, left)):
            if one.prop and other.prop is None and other.edm == "Edm.String" and other.sql == "?":
                other.values = [one.prop.converted(other.values[0])]
        lhs, rhs = left.sql, right.sql
        if "Edm.Decimal" in (left.edm, right.edm):
            lhs, rhs = f"CAST({lhs} AS REAL)", f"CAST({rhs} AS REAL)"
        operator = "IS NOT" if word == "ne" else _COMPARISONS[word]
        return Term(f"({lhs} {operator} {rhs})", left.values + right.values, "Edm.Boolean")

    def _mismatch(self, word: str) -> ODataError:
        position = self._tokens[min(self._at, len(self._tokens)) - 1].start() if self._tokens else 0
        return ODataError(
            400, Message(OPERAND, f"Invalid parametertype used at function '{word}' (Position: {position})")
        )

    def _operand(self) -> Term:
        if self._mark("("):
            inner = self._or()
            self._mark(")", required=True)
            return inner
        if self._at >= len(self._tokens):
            raise self._wrong()
        token = self._tokens[self._at]
        if token["mark"]:
            raise self._wrong()
        self._at += 1
        word = token["word"]
        if word is None or word in ("true", "false", "null"):
            return _literal(token)
        if self._mark("("):
            return self._call(word)
        prop = self._entity.properties.get(word)
        if prop is None:
            raise unknown_property(word, self._entity.type_name)
        return Term(quoted(word), [], prop.edm, prop)

    def _call(self, name: str) -> Term:
        if name not in _FUNCTIONS:
            raise syntax(f"Function '{name}' is not supported in $filter '{self._text}'")
        wanted, result, sql = _FUNCTIONS[name]
        found = [self._or()]
        while self._mark(","):
            found.append(self._or())
        self._mark(")", required=True)
        if tuple(term.edm for term in found) != wanted:
            raise self._mismatch(name)
        pieces = re.split(r"(\{\d\})", sql)
        values = [value for piece in pieces if piece[:1] == "{" for value in found[int(piece[1])].values]
        return Term(sql.format(*(term.sql for term in found)), values, result)


def _literal(token: re.Match[str]) -> Term:
    if token["string"]:
        return Term("?", [token["string"][1:-1].replace("''", "'")], "Edm.String")
    if token["number"]:
        return _number(token["number"])
    if token["typed"]:
        return _typed(token["typed"])
    word = token["word"]
    if word == "null":
        return Term("NULL", [], "null")
    if word in ("true", "false"):
        return Term("?", [int(word == "true")], "Edm.Boolean")
    raise syntax(f"Malformed URI literal syntax '{word}'")


def _number(text: str) -> Term:
    suffix = text[-1].lower()
    if suffix == "l":
        return Term("?", [int(text[:-1])], "Edm.Int64")
    if suffix in "mfd" or "." in text or "e" in text.lower():
        return Term("?", [str(Decimal(text.rstrip("mMfFdD")))], "Edm.Decimal")
    return Term("?", [int(text)], "Edm.Int32")


def _typed(text: str) -> Term:
    kind, _, rest = text.partition("'")
    body = rest[:-1]
    if kind in ("datetime", "datetimeoffset"):
        try:
            read = datetime.fromisoformat(body)
        except ValueError:
            raise syntax(f"Malformed URI literal syntax '{text}'") from None
        if kind == "datetime":
            return Term("?", [milliseconds(read.replace(tzinfo=None))], "Edm.DateTime")
        return Term("?", [milliseconds(read)], "Edm.DateTimeOffset")
    if kind == "guid":
        return Term("?", [body.lower()], "Edm.Guid")
    return Term("?", [body], "Edm.Time" if kind == "time" else "Edm.Binary")


def order_by(entity: EntityType, text: str) -> str:
    """The SQL of an ``$orderby``. Raises ODataError for a property that is unknown or a word that is no direction."""
    terms = []
    for part in text.split(","):
        name, *direction = part.split()
        prop = entity.properties.get(name)
        if prop is None:
            raise unknown_property(name, entity.type_name)
        if direction not in ([], ["asc"], ["desc"]):
            raise syntax(f"Invalid direction in $orderby '{text}'")
        way = " DESC" if direction == ["desc"] else ""
        column = quoted(name)
        if prop.edm == "Edm.Decimal":
            terms.append(f"CAST({column} AS REAL){way}")
        elif prop.numc:
            terms.append(f"length({column}){way}, {column}{way}")
        else:
            terms.append(f"{column}{way}")
    return ", ".join([*terms, entity.default_order()])
