"""Reads: where a path leads, which rows it means, and the tree of rows that ``$expand`` asks for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.calls import Call, Segment
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import no_entity, syntax, unknown_property, unknown_segment
from isthmus.connectors.erp.sap_s4hana.sandbox.filters import Filter, order_by, parameter_value
from isthmus.connectors.erp.sap_s4hana.sandbox.schema import EntityType, Navigation, ODataService
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System
from isthmus.sandkit.world import Row, quoted

PAGE = 100


@dataclass(slots=True)
class Shape:
    """Which properties (None: all) and which navigations of an entity an answer shows."""

    select: set[str] | None = None
    expand: dict[str, Shape] = field(default_factory=dict)


@dataclass(slots=True)
class Node:
    """A row with those of its relatives that are shown with it."""

    entity: EntityType
    row: Row
    children: dict[str, list[Node] | Node | None] = field(default_factory=dict)


@dataclass(slots=True)
class Place:
    """Where a path leads: rows of one entity set under conditions, or one of them, and what of it."""

    entity: EntityType
    where: dict[str, Any]
    single: bool
    parent: tuple[EntityType, Navigation, Row] | None = None
    prop: str | None = None
    tail: str = ""  # "", "$count", "$value" or "$links"


def place_of(system: System, call: Call) -> Place:
    """Follow a path from its entity set. Raises ODataError where a step or a row on the way does not exist."""
    first, *rest = call.segments
    entity = call.service.entities.get(first.name)
    if entity is None:
        raise unknown_segment(first.name)
    place = Place(entity, *_keyed(entity, first))
    for step in rest:
        ended = place.tail in ("$count", "$value")
        if ended or (place.prop and step.name != "$value"):
            raise unknown_segment(step.name)
        if step.name in ("$count", "$value", "$links"):
            place.tail = step.name
        elif step.name in place.entity.properties and place.single:
            place.prop = step.name
        else:
            place = _next_place(system, call.service, place, step)
    return place


def _keyed(entity: EntityType, step: Segment) -> tuple[dict[str, Any], bool]:
    if step.predicate is None:
        return {}, False
    names = [prop.name for prop in entity.keys]
    given = step.predicate
    if "" in given and len(names) == 1:
        given = {names[0]: given[""]}
    if set(given) != set(names):
        raise syntax(f"Invalid key predicate for type '{entity.type_name}'; expected {', '.join(names)}")
    return {prop.name: parameter_value(prop, given[prop.name]) for prop in entity.keys}, True


def _next_place(system: System, service: ODataService, place: Place, step: Segment) -> Place:
    navigation = service.navigation(place.entity, step.name)
    if navigation is None or not place.single:
        raise unknown_segment(step.name)
    row = one_row(system, place)
    target = service.entities[navigation.target]
    where = {remote: row[local] for local, remote in navigation.joins}
    if not navigation.many:
        return Place(target, where, True, (place.entity, navigation, row), tail=place.tail)
    keys, single = _keyed(target, step)
    return Place(target, {**keys, **where}, single, (place.entity, navigation, row), tail=place.tail)


def one_row(system: System, place: Place) -> Row:
    """The row of a place that means one; raises ODataError (404) where there is none."""
    row = system.row(place.entity.name, **place.where)
    if row is None:
        raise no_entity(place.entity.type_name)
    return row


# Selection -----------------------------------------------------------------------------------------


def shape_of(service: ODataService, entity: EntityType, options: dict[str, str]) -> Shape:
    """What ``$select`` and ``$expand`` ask to see. Raises ODataError for names that do not exist."""
    shape = Shape()
    for path in filter(None, (p.strip() for p in options.get("$expand", "").split(","))):
        at, here = entity, shape
        for name in path.split("/"):
            navigation = service.navigation(at, name)
            if navigation is None:
                raise unknown_property(name, at.type_name)
            at, here = service.entities[navigation.target], here.expand.setdefault(name, Shape())
    selected = [p.strip() for p in options.get("$select", "").split(",") if p.strip()]
    _select(service, entity, shape, selected)
    return shape


def _select(service: ODataService, entity: EntityType, shape: Shape, paths: Sequence[str]) -> None:
    inner: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition("/")
        navigation = service.navigation(entity, name)
        if name != "*" and navigation is None and name not in entity.properties:
            raise unknown_property(name, entity.type_name)
        if rest and (navigation is None or name not in shape.expand):
            raise syntax(f"$select path '{path}' needs $expand of '{name}'")
        inner.setdefault(name, []).extend([rest] if rest else [])
    if inner and "*" not in inner:
        shape.select = set(inner)
    for name, deeper in inner.items():
        navigation = service.navigation(entity, name)
        if navigation is not None and deeper:
            _select(service, service.entities[navigation.target], shape.expand[name], deeper)


# Rows ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Page:
    """A page of a collection: its rows, the count that was asked for, and the options of the next page."""

    rows: list[Row]
    count: int | None
    following: dict[str, str] | None


def read_page(system: System, place: Place, options: dict[str, str]) -> Page:
    """The rows of a place under ``$filter``, ``$orderby``, ``$top``, ``$skip`` and ``$skiptoken``."""
    entity = place.entity
    where, values = _conditions(place, options)
    offset = _number(options, "$skip") + _number(options, "$skiptoken")
    top = _number(options, "$top") if "$top" in options else None
    limit = PAGE if top is None else min(top, PAGE)
    order = order_by(entity, options["$orderby"]) if options.get("$orderby") else entity.default_order()
    sql = f"SELECT * FROM {quoted(entity.name)} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
    rows = system.world.rows(sql, [*values, limit + 1, offset])
    more, rows = len(rows) > limit and (top is None or top > limit), rows[:limit]
    count = read_count(system, place, options) if options.get("$inlinecount") == "allpages" else None
    following = None
    if more:
        following = {name: value for name, value in options.items() if name not in ("$skip", "$skiptoken", "$top")}
        if top is not None:
            following["$top"] = str(top - limit)
        following["$skiptoken"] = str(offset + limit)
    return Page(rows, count, following)


def read_count(system: System, place: Place, options: dict[str, str]) -> int:
    """How many rows a place has under ``$filter``, not looking at paging."""
    where, values = _conditions(place, options)
    return int(system.world.value(f"SELECT count(*) FROM {quoted(place.entity.name)} WHERE {where}", values))  # noqa: S608


def _conditions(place: Place, options: dict[str, str]) -> tuple[str, list[Any]]:
    terms = [f"{quoted(name)} = ?" for name in place.where]
    values = list(place.where.values())
    if options.get("$filter"):
        term = Filter(place.entity, options["$filter"]).term()
        terms.append(term.sql)
        values += term.values
    return " AND ".join(terms) or "1", values


def _number(options: dict[str, str], name: str) -> int:
    text = options.get(name, "0")
    if not text.isdigit():
        raise syntax(f"Invalid value '{text}' for system query option {name}")
    return int(text)


# Trees ---------------------------------------------------------------------------------------------


def grow(system: System, service: ODataService, entity: EntityType, rows: Sequence[Row], shape: Shape) -> list[Node]:
    """The rows as nodes, with the relatives that the shape expands; one query for each navigation."""
    nodes = [Node(entity, row) for row in rows]
    for name, inner in shape.expand.items():
        navigation = service.navigation(entity, name)
        assert navigation is not None
        _grow_one(system, service, nodes, navigation, inner)
    return nodes


def _grow_one(system: System, service: ODataService, nodes: list[Node], navigation: Navigation, shape: Shape) -> None:
    target = service.entities[navigation.target]
    (first_local, first_remote), *others = navigation.joins
    wanted = list(dict.fromkeys(node.row[first_local] for node in nodes))
    found: list[Row] = []
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        marks = ", ".join("?" * len(part))
        sql = f"SELECT * FROM {quoted(target.name)} WHERE {quoted(first_remote)} IN ({marks})"  # noqa: S608
        conditions = list(part)
        for local, remote in others if len(nodes) == 1 else ():
            sql += f" AND {quoted(remote)} = ?"
            conditions.append(nodes[0].row[local])
        found += system.world.rows(f"{sql} ORDER BY {target.default_order()}", conditions)
    grouped: dict[tuple[Any, ...], list[Node]] = defaultdict(list)
    for child in grow(system, service, target, found, shape):
        grouped[tuple(child.row[remote] for _, remote in navigation.joins)].append(child)
    for node in nodes:
        children = grouped.get(tuple(node.row[local] for local, _ in navigation.joins), [])
        node.children[navigation.name] = children if navigation.many else next(iter(children), None)
