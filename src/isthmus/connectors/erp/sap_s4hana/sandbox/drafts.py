"""Bodies of POST, PUT, PATCH and MERGE: JSON checked against the dictionary, with nested entities for a deep insert.

A nested collection may be an array or ``{"results": […]}``. A property that the type does not have is refused;
``__metadata``, ``__deferred`` and properties that only SAP sets are passed over, as SAP does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.errors import (
    PARSE,
    Message,
    ODataError,
    invalid_property,
    unread_property,
)
from isthmus.connectors.erp.sap_s4hana.sandbox.reading import Shape
from isthmus.connectors.erp.sap_s4hana.sandbox.schema import EntityType, ODataService
from isthmus.sandkit.world import Row


@dataclass(slots=True)
class Draft:
    """An entity as a client sent it: its values in stored form and the entities nested in it."""

    entity: EntityType
    values: Row
    children: dict[str, list[Draft]] = field(default_factory=dict)

    def nested(self, name: str) -> list[Draft]:
        """The entities nested under one navigation."""
        return self.children.get(name, [])

    def first(self, name: str) -> Draft | None:
        """The entity nested under a navigation to one."""
        return next(iter(self.nested(name)), None)

    def shape(self) -> Shape:
        """What the answer to this deep insert shows: the navigations that were sent, as SAP does."""
        shape = Shape()
        for name, children in self.children.items():
            inner = Shape()
            for child in children:
                if child.children:
                    inner.expand.update(child.shape().expand)
            shape.expand[name] = inner
        return shape


def read_body(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises ODataError where it is none."""
    try:
        read = json.loads(body, parse_float=Decimal)
    except ValueError as error:
        raise ODataError(400, Message(PARSE, f"Error while parsing an XML stream: '{error}'")) from None
    if isinstance(read, dict) and set(read) == {"d"}:
        read = read["d"]
    if not isinstance(read, dict):
        raise ODataError(400, Message(PARSE, "Error while parsing an XML stream: 'an entity was expected'"))
    return read


def read_draft(service: ODataService, entity: EntityType, body: dict[str, Any]) -> Draft:
    """A new entity from its JSON, with everything nested in it."""
    draft = Draft(entity, {})
    properties = entity.properties
    for name, value in body.items():
        prop = properties.get(name)
        if prop is not None:
            if prop.creatable:
                draft.values[name] = prop.stored(value)
        elif name != "__metadata":
            _nest(service, draft, name, value)
    return draft


def _nest(service: ODataService, draft: Draft, name: str, value: Any) -> None:
    navigation = service.navigation(draft.entity, name)
    if navigation is None:
        raise invalid_property(name)
    if value is None or (isinstance(value, dict) and "__deferred" in value):
        return
    if isinstance(value, dict) and navigation.many:
        value = value.get("results")
    listed = value if navigation.many else [value]
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise unread_property(name)
    target = service.entities[navigation.target]
    draft.children[name] = [read_draft(service, target, one) for one in listed]


def read_changes(service: ODataService, entity: EntityType, body: dict[str, Any]) -> Row:
    """The properties that a PATCH, MERGE or PUT sets. Nested entities are refused: there is no deep update."""
    changes: Row = {}
    for name, value in body.items():
        prop = entity.properties.get(name)
        if prop is not None:
            if prop.updatable:
                changes[name] = prop.stored(value)
        elif name != "__metadata":
            if service.navigation(entity, name) is None:
                raise invalid_property(name)
            if isinstance(value, dict) and "__deferred" in value:
                continue
            raise ODataError(400, Message("/IWBEP/CM_MGW_RT/074", f"Deep update is not supported (property '{name}')"))
    return changes


def replaced(entity: EntityType, changes: Row) -> Row:
    """The changes of a PUT: what it does not name goes back to its initial value."""
    return {prop.name: prop.default for prop in entity.properties.values() if prop.updatable} | changes
