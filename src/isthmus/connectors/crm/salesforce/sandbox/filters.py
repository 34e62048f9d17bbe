"""From SOQL's conditions to SQL over the world, checked against the field types as Salesforce checks them.

SOQL's conditions know two values, not three: ``!=`` and NOT find empty fields too.
"""

# ruff: noqa: S608 - every identifier comes from the world's own metadata
from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.day_words import span
from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError, no_such_column, no_such_object
from isthmus.connectors.crm.salesforce.sandbox.ids import full_id
from isthmus.connectors.crm.salesforce.sandbox.metadata import IDS, NUMBERS, TEXTS, Catalogue, Field, ObjectType
from isthmus.connectors.crm.salesforce.sandbox.soql import Combination, Comparison, Condition, Operand, Ordering, Query
from isthmus.connectors.crm.salesforce.sandbox.values import instant_text, parse_day, parse_instant
from isthmus.sandkit.world import quoted

#: gives the value of one SQL parameter from the query's literals and today's date
Binder = Callable[[Sequence[str], date], Any]

_TYPE_WORDS = {
    "datetime": "dateTime",
    "int": "int",
    "boolean": "boolean",
    "date": "date",
    "id": "ID",
    "reference": "ID",
}


class Scope:
    """One FROM: its table, the joins that its relationship paths need, and the parameters bound so far."""

    def __init__(self, catalogue: Catalogue, kind: ObjectType, alias: str, binders: list[Binder]) -> None:
        self.catalogue, self.kind, self.alias, self.binders = catalogue, kind, alias, binders
        self._joins: dict[str, str] = {}
        self._sources = f"{quoted(kind.name)} AS {alias}"

    @property
    def sources(self) -> str:
        """The FROM clause with its joins."""
        return self._sources

    def resolve(self, path: str) -> tuple[str, Field, list[str]]:
        """The SQL column, the field, and the canonical names along a path such as ``Product2.ProductCode``."""
        parts = path.split(".")
        if len(parts) > 1 and parts[0].lower() == self.kind.name.lower() and parts[0].lower() not in self.kind.parents:
            parts = parts[1:]
        kind, alias, walked = self.kind, self.alias, []
        for name in parts[:-1]:
            kind, alias, canonical = self.join(kind, alias, name)
            walked.append(canonical)
        field = kind.field(parts[-1])
        if field is None:
            raise no_such_column(parts[-1], kind.name)
        return f"{alias}.{quoted(field.name)}", field, [*walked, field.name]

    def join(self, kind: ObjectType, alias: str, relationship: str) -> tuple[ObjectType, str, str]:
        """The parent object behind a relationship, the alias of its join, and the relationship's own name."""
        field = kind.parents.get(relationship.lower())
        if field is None:
            raise VendorError(
                "INVALID_FIELD",
                f"Didn't understand relationship '{relationship}' in field path. If you are attempting to use a custom "
                "relationship, be sure to append the '__r' after the custom relationship name. Please reference your "
                "WSDL or the describe call for the appropriate names.",
            )
        parent = self.catalogue.objects[field.targets[0].lower()]
        key = f"{alias}.{field.name}"
        if key not in self._joins:
            self._joins[key] = f"{self.alias}j{len(self._joins)}"
            column = f"{alias}.{quoted(field.name)}"
            joined = f"{quoted(parent.name)} AS {self._joins[key]}"
            self._sources += f' LEFT JOIN {joined} ON {self._joins[key]}."Id" = {column}'
        return parent, self._joins[key], field.relationship

    def condition(self, node: Condition, *, within_not: bool = False) -> str:
        """One condition as SQL."""
        if isinstance(node, Combination):
            if node.operator == "not":
                return f"NOT ({self.condition(node.parts[0], within_not=True)})"
            joint = f" {node.operator.upper()} "
            return "(" + joint.join(self.condition(part, within_not=within_not) for part in node.parts) + ")"
        sql = self._comparison(node)
        return f"coalesce({sql}, 0)" if within_not else sql

    def ordering(self, order: Ordering) -> str:
        """One ORDER BY term; empty fields come first unless said otherwise, in both directions."""
        column, field, _ = self.resolve(order.path)
        if not field.filterable:
            message = f"field '{field.name}' can not be sorted in a query call"
            raise VendorError("INVALID_FIELD", message)
        if field.type in NUMBERS:
            column = f"CAST({column} AS REAL)"
        direction = "DESC" if order.descending else "ASC"
        return f"{column} {direction}" + (f" NULLS {'LAST' if order.nulls_last else 'FIRST'}" if field.nillable else "")

    def _comparison(self, node: Comparison) -> str:
        column, field, _ = self.resolve(node.path)
        if not field.filterable:
            message = f"field '{field.name}' can not be filtered in a query call"
            raise VendorError("INVALID_FIELD", message)
        if node.query is not None:
            return self._semi_join(column, node.operator, node.query)
        if node.operator in ("in", "notin"):
            return self._membership(column, field, node)
        operand = node.operands[0]
        if operand.kind in ("null", "empty"):
            if node.operator not in ("=", "!="):
                raise VendorError(
                    "INVALID_QUERY_FILTER_OPERATOR", "invalid operator: null can only be compared with = or !="
                )
            return f"{column} IS NULL" if node.operator == "=" else f"{column} IS NOT NULL"
        if node.operator == "like":
            return self._like(column, field, operand)
        if operand.kind == "day":
            return self._in_span(column, field, node.operator, operand.value)
        if field.type == "boolean" and node.operator not in ("=", "!="):
            raise VendorError("INVALID_QUERY_FILTER_OPERATOR", "invalid operator on boolean field")
        self.binders.append(binder(field, operand))
        mark = "?"
        if field.type in NUMBERS:
            column, mark = f"CAST({column} AS REAL)", "CAST(? AS REAL)"
        return f"{column} {'IS NOT' if node.operator == '!=' else node.operator} {mark}"

    def _like(self, column: str, field: Field, operand: Operand) -> str:
        if field.type not in TEXTS:
            kind = "ID" if field.type in IDS else field.type
            raise VendorError("INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on {kind.lower()} field")
        self.binders.append(binder(field, operand))
        return f"{column} LIKE ? ESCAPE '\\'"

    def _membership(self, column: str, field: Field, node: Comparison) -> str:
        bound = [operand for operand in node.operands if operand.kind not in ("null", "empty")]
        if any(operand.kind == "day" for operand in bound):
            spans = " OR ".join(self._in_span(column, field, "=", o.value) for o in bound if o.kind == "day")
            return f"NOT coalesce({spans}, 0)" if node.operator == "notin" else f"({spans})"
        self.binders.extend(binder(field, operand) for operand in bound)
        mark, shown = "?", column
        if field.type in NUMBERS:
            mark, shown = "CAST(? AS REAL)", f"CAST({column} AS REAL)"
        listed = ", ".join([mark] * len(bound))
        empties = len(bound) < len(node.operands)
        if node.operator == "in":
            return f"({shown} IN ({listed}) OR {column} IS NULL)" if empties else f"{shown} IN ({listed})"
        found = f"{shown} NOT IN ({listed})"
        return f"({column} IS NOT NULL AND {found})" if empties else f"({column} IS NULL OR {found})"

    def _semi_join(self, column: str, operator: str, query: Query) -> str:
        kind = self.catalogue.object(query.source)
        if kind is None:
            raise no_such_object(query.source)
        if len(query.select) != 1 or not isinstance(query.select[0], str) or query.order or query.limit:
            raise VendorError("MALFORMED_QUERY", "a semi join sub-select takes one field and no ORDER BY or LIMIT")
        inner = Scope(self.catalogue, kind, f"{self.alias}s", self.binders)
        chosen, _, _ = inner.resolve(query.select[0])
        conditions = [f'{inner.alias}."IsDeleted" = 0', f"{chosen} IS NOT NULL"]
        if query.where is not None:
            conditions.append(inner.condition(query.where))
        found = f"(SELECT {chosen} FROM {inner.sources} WHERE {' AND '.join(conditions)})"
        return f"{column} IN {found}" if operator == "in" else f"({column} IS NULL OR {column} NOT IN {found})"

    def _in_span(self, column: str, field: Field, operator: str, word: str) -> str:
        if field.type not in ("date", "datetime"):
            raise _wrong_type(field)
        as_stored = _day_start if field.type == "datetime" else date.isoformat

        def start(_: Sequence[str], today: date) -> str:
            return as_stored(span(word, today)[0])

        def end(_: Sequence[str], today: date) -> str:
            return as_stored(span(word, today)[1])

        bounds = {">": (">=", end), ">=": (">=", start), "<": ("<", start), "<=": ("<", end)}
        if operator in bounds:
            sign, bound = bounds[operator]
            self.binders.append(bound)
            return f"{column} {sign} ?"
        self.binders += [start, end]
        inside = f"({column} >= ? AND {column} < ?)"
        return inside if operator == "=" else f"NOT coalesce({inside}, 0)"


def binder(field: Field, operand: Operand) -> Binder:
    """How one operand becomes the value of an SQL parameter, or VendorError where its type does not fit the field."""
    if operand.kind == "bound":
        index, letter = operand.value
        expected = "s" if field.type in TEXTS | IDS else {"date": "d", "datetime": "t"}.get(field.type)
        if letter != expected:
            raise _wrong_type(field)
        converters: dict[str, Callable[[str], str]] = {"s": str, "d": _day, "t": _instant}
        convert = _id if field.type in IDS else converters[letter]
        return lambda literals, today: convert(literals[index])
    if operand.kind == "number" and field.type in NUMBERS | {"int"}:
        number = operand.value if field.type in NUMBERS else float(operand.value)
        return lambda literals, today: number
    if operand.kind == "boolean" and field.type == "boolean":
        flag = int(operand.value)
        return lambda literals, today: flag
    raise _wrong_type(field)


def _wrong_type(field: Field) -> VendorError:
    if field.type in TEXTS | IDS:
        kind, quotes = ("string" if field.type in TEXTS else "ID"), "should be enclosed in quotes"
    else:
        kind, quotes = _TYPE_WORDS.get(field.type, "double"), "should not be enclosed in quotes"
    message = f"value of filter criterion for field '{field.name}' must be of type {kind} and {quotes}"
    return VendorError("INVALID_FIELD", message)


def _id(literal: str) -> str:
    full = full_id(literal)
    if full is None:
        raise VendorError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {literal}")
    return full


def _day(literal: str) -> str:
    if parse_day(literal) is None:
        raise VendorError("MALFORMED_QUERY", f"invalid date: {literal}")
    return literal


def _instant(literal: str) -> str:
    moment = parse_instant(literal)
    if moment is None:
        raise VendorError("MALFORMED_QUERY", f"invalid dateTime: {literal}")
    return instant_text(moment)


def _day_start(day: date) -> str:
    return f"{day.isoformat()}T00:00:00.000+0000"
