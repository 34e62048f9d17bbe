"""Compiled queries: one SQL statement for the rows and one for each kind of children, and how a row becomes JSON.

Rows are written as JSON text directly, because a number must leave with exactly the decimals it was kept with.
"""

# ruff: noqa: S608 - every identifier comes from the world's own metadata
from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from json.encoder import encode_basestring
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError, no_such_object
from isthmus.connectors.crm.salesforce.sandbox.filters import Binder, Scope
from isthmus.connectors.crm.salesforce.sandbox.metadata import NUMBERS, Catalogue, Field, ObjectType
from isthmus.connectors.crm.salesforce.sandbox.soql import Query, parse, shape
from isthmus.sandkit.world import World, quoted

Values = list[Any]
_OFFSET_MAX = 2000
_PLANS_KEPT = 1024


@dataclass(slots=True)
class Node:
    """One object in an answer: its type, where its Id stands among the values, and its members in order.

    A member is (JSON key with its colon, encoder, place), or (key, None, Node or Children).
    """

    type: str
    id_place: int
    members: list[tuple[str, Callable[[Any], str] | None, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Children:
    """A child subquery: its plan, whose last value is the parent's id."""

    plan: Plan
    limit: int | None


@dataclass(slots=True)
class Plan:
    """A query ready to run again and again with other literals."""

    kind: ObjectType
    sql: str
    binders: list[Binder]
    node: Node
    children: list[Children]
    columns: list[tuple[str, str, int]]  # header, field type, place: for CSV
    counts: bool

    def rows(self, world: World, literals: Sequence[str], today: date) -> list[Values]:
        """All rows, each as its values in the plan's order."""
        found = world.rows(self.sql, [bind(literals, today) for bind in self.binders])
        return [list(row.values()) for row in found]

    def render(self, world: World, rows: list[Values], literals: Sequence[str], today: date, base: str) -> list[str]:
        """The rows as JSON objects. ``base`` is the path before ``/sobjects`` in their addresses."""
        texts: dict[int, dict[str, str]] = {}
        if self.children and rows:
            parents = json.dumps([values[self.node.id_place] for values in rows])
            for children in self.children:
                texts[id(children)] = _render_children(children, world, parents, literals, today, base)
        return [_render(self.node, values, base, texts) for values in rows]


class Plans:
    """The compiled queries of a catalogue, forgotten whenever a field comes or goes."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._kept: dict[tuple[str, bool], Plan] = {}
        self._version = catalogue.version

    def of(self, text: str, *, deleted: bool = False) -> tuple[Plan, tuple[str, ...]]:
        """The plan of a query's text and its literals; ``deleted`` sees rows in the recycle bin too."""
        shaped, literals = shape(text)
        return self.of_shape(shaped, deleted=deleted), literals

    def of_shape(self, shaped: str, *, deleted: bool = False) -> Plan:
        """The plan of a query whose literals were taken out."""
        if self._version != self._catalogue.version or len(self._kept) > _PLANS_KEPT:
            self._kept.clear()
            self._version = self._catalogue.version
        plan = self._kept.get((shaped, deleted))
        if plan is None:
            query = parse(shaped)
            kind = self._catalogue.object(query.source)
            if kind is None:
                raise no_such_object(query.source)
            plan = self._kept[(shaped, deleted)] = _compile(self._catalogue, query, kind, deleted, None)
        return plan

    def of_fields(self, kind: ObjectType, names: Sequence[str] | None = None) -> Plan:
        """The plan that reads one row by its id (the only literal), deleted ones too."""
        chosen = ",".join(names or [f.name for f in kind.fields.values()])
        return self.of_shape(f"SELECT {chosen} FROM {kind.name} WHERE Id = \x01s", deleted=True)


def _compile(catalogue: Catalogue, query: Query, kind: ObjectType, deleted: bool, parent_field: Field | None) -> Plan:
    binders: list[Binder] = []
    scope = Scope(catalogue, kind, "t", binders)
    if query.offset > _OFFSET_MAX:
        raise VendorError("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {_OFFSET_MAX}")
    node, expressions, children, columns = _chosen(catalogue, query, scope, deleted)
    if parent_field is not None:
        expressions.append(f"t.{quoted(parent_field.name)}")
    conditions = [] if deleted else ['t."IsDeleted" = 0']
    if parent_field is not None:
        conditions.append(f"t.{quoted(parent_field.name)} IN (SELECT value FROM json_each(?))")
        binders.append(lambda literals, today: literals[-1])
    if query.where is not None:
        conditions.append(scope.condition(query.where))
    order = ", ".join(scope.ordering(term) for term in query.order)
    sql = "SELECT " + ", ".join(f"{e} AS c{n}" for n, e in enumerate(expressions)) + f" FROM {scope.sources}"
    sql += f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql += f" ORDER BY {order}" if order else ""
    if parent_field is None and (query.limit is not None or query.offset):
        sql += f" LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset}"
    if query.counts:
        sql = f"SELECT count(*) AS c0 FROM ({sql})"
    return Plan(kind, sql, binders, node, children, columns, query.counts)


def _chosen(
    catalogue: Catalogue, query: Query, scope: Scope, deleted: bool
) -> tuple[Node, list[str], list[Children], list[tuple[str, str, int]]]:
    root = Node(scope.kind.name, 0)
    expressions = [f'{scope.alias}."Id"']
    children: list[Children] = []
    columns: list[tuple[str, str, int]] = []
    nodes: dict[tuple[str, ...], Node] = {(): root}
    for chosen in () if query.counts else query.select:
        if isinstance(chosen, Query):
            made, name = _children(catalogue, chosen, scope.kind, deleted)
            children.append(made)
            root.members.append((f'"{name}":', None, made))
            continue
        column, chosen_field, names = scope.resolve(chosen)
        node = _node(scope, nodes, tuple(names[:-1]), expressions)
        node.members.append((f'"{names[-1]}":', encoder(chosen_field), len(expressions)))
        columns.append((".".join(names), chosen_field.type, len(expressions)))
        expressions.append(column)
    return root, expressions, children, columns


def _node(scope: Scope, nodes: dict[tuple[str, ...], Node], path: tuple[str, ...], expressions: list[str]) -> Node:
    """The node of a relationship path; made with its parents where it is new."""
    if path in nodes:
        return nodes[path]
    above = _node(scope, nodes, path[:-1], expressions)
    id_column, _, _ = scope.resolve(".".join((*path, "Id")))
    kind, alias = scope.kind, scope.alias
    for name in path:
        kind, alias, _ = scope.join(kind, alias, name)
    made = nodes[path] = Node(kind.name, len(expressions))
    expressions.append(id_column)
    above.members.append((f'"{path[-1]}":', None, made))
    return made


def _children(catalogue: Catalogue, query: Query, parent: ObjectType, deleted: bool) -> tuple[Children, str]:
    found = parent.children.get(query.source.lower())
    if found is None:
        raise VendorError(
            "INVALID_TYPE",
            f"Didn't understand relationship '{query.source}' in FROM part of query call. If you are attempting to use "
            "a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference "
            "your WSDL or the describe call for the appropriate names.",
        )
    object_name, reference = found
    if query.offset:
        raise VendorError("MALFORMED_QUERY", "OFFSET is not supported in sub-queries")
    plan = _compile(catalogue, query, catalogue.objects[object_name.lower()], deleted, reference)
    return Children(plan, query.limit), reference.child_relationship


def _flag(value: int) -> str:
    return "true" if value else "false"


def encoder(of: Field) -> Callable[[Any], str]:
    """How a field's kept value becomes JSON text."""
    if of.type in NUMBERS or of.type == "int":
        return str
    return _flag if of.type == "boolean" else encode_basestring


def _render(node: Node, values: Values, base: str, texts: dict[int, dict[str, str]]) -> str:
    row_id = values[node.id_place]
    out = f'{{"attributes":{{"type":"{node.type}","url":"{base}/sobjects/{node.type}/{row_id}"}}'
    for key, encode, place in node.members:
        if encode is not None:
            value = values[place]
            out += f",{key}null" if value is None else f",{key}{encode(value)}"
        elif isinstance(place, Node):
            inner = "null" if values[place.id_place] is None else _render(place, values, base, texts)
            out += f",{key}{inner}"
        else:
            out += f",{key}{texts[id(place)].get(row_id, 'null')}"
    return out + "}"


def _render_children(
    children: Children, world: World, parents: str, literals: Sequence[str], today: date, base: str
) -> dict[str, str]:
    """The children's JSON by parent id; parents without any are missing."""
    plan = children.plan
    grouped: dict[str, list[str]] = {}
    for values in plan.rows(world, (*literals, parents), today):
        mine = grouped.setdefault(values[-1], [])
        if children.limit is None or len(mine) < children.limit:
            mine.append(_render(plan.node, values, base, {}))
    return {
        parent: f'{{"totalSize":{len(mine)},"done":true,"records":[{",".join(mine)}]}}'
        for parent, mine in grouped.items()
        if mine
    }
