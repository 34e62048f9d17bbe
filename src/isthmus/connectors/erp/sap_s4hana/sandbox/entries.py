"""How rows go over the wire as JSON: OData v2's verbose format as SAP Gateway writes it.

Entity ``{"d": {...}}``, collection ``{"d": {"results": [...], "__count": "2", "__next": "…"}}``; each entity has
``__metadata`` with id, uri, type and, where it is under concurrency control, etag; a navigation that was not
expanded is ``{"__deferred": {"uri": …}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from isthmus.connectors.erp.sap_s4hana.sandbox.edm import Property, moment
from isthmus.connectors.erp.sap_s4hana.sandbox.reading import Node, Page, Shape
from isthmus.connectors.erp.sap_s4hana.sandbox.schema import Complex, EntityType, ODataService
from isthmus.sandkit.world import Row


def etag_of(entity: EntityType, row: Row) -> str | None:
    """The entity tag of a row, weak, from its time stamp (or its hash): None without concurrency control."""
    if not entity.etag:
        return None
    value = row[entity.etag]
    if entity.properties[entity.etag].edm == "Edm.String":
        return f"W/\"'{value}'\""
    stamp = moment(value or 0)
    return f"W/\"datetimeoffset'{stamp:%Y-%m-%dT%H%%3A%M%%3A%S}.{stamp.microsecond // 1000:03d}0000Z'\""


def _key_literal(prop: Property, value: Any) -> str:
    if prop.edm == "Edm.String":
        text = str(value)
        return f"'{text if text.isalnum() else quote(text.replace(chr(39), chr(39) * 2), safe='')}'"
    return prop.literal(value)


def address_of(entity: EntityType, row: Row) -> str:
    """The entity's address below its service."""
    if len(entity.keys) == 1:
        return f"{entity.name}({_key_literal(entity.keys[0], row[entity.keys[0].name])})"
    pairs = ",".join(f"{prop.name}={_key_literal(prop, row[prop.name])}" for prop in entity.keys)
    return f"{entity.name}({pairs})"


_SAFE = "/()=,'$"


class JsonWriter:
    """Writes nodes as JSON for one service at one absolute address."""

    def __init__(self, service: ODataService, root: str) -> None:
        self._service, self._root = service, root

    def entry(self, node: Node, shape: Shape) -> dict[str, Any]:
        """One entity."""
        entity, row = node.entity, node.row
        uri = f"{self._root}/{address_of(entity, row)}"
        about = {"id": uri, "uri": uri, "type": f"{self._service.name}.{entity.type_name}"}
        etag = etag_of(entity, row)
        if etag:
            about["etag"] = etag
        made: dict[str, Any] = {"__metadata": about}
        select = shape.select
        if select is None:
            for name, wire in entity.wires:
                made[name] = row[name] if wire is None else wire(row[name])
        else:
            for name, wire in entity.wires:
                if name in select:
                    made[name] = row[name] if wire is None else wire(row[name])
        for navigation in self._service.navigations[entity.name]:
            name = navigation.name
            if select is not None and name not in select:
                continue
            if name in shape.expand and name in node.children:
                made[name] = self._children(node.children[name], shape.expand[name])
            else:
                made[name] = {"__deferred": {"uri": f"{uri}/{name}"}}
        return made

    def _children(self, children: list[Node] | Node | None, shape: Shape) -> Any:
        if isinstance(children, list):
            return {"results": [self.entry(child, shape) for child in children]}
        return None if children is None else self.entry(children, shape)

    def feed(self, nodes: list[Node], shape: Shape, page: Page, here: str) -> dict[str, Any]:
        """A page of entities; ``here`` is the collection's address below the service."""
        made: dict[str, Any] = {"results": [self.entry(node, shape) for node in nodes]}
        if page.count is not None:
            made["__count"] = str(page.count)
        if page.following is not None:
            made["__next"] = next_address(self._root, here, page.following)
        return made


def next_address(root: str, here: str, options: Mapping[str, str]) -> str:
    """The absolute address of a collection's next page."""
    query = urlencode(options, quote_via=quote, safe="$',()")
    return f"{root}/{quote(here, safe=_SAFE)}?{query}"


def result_entry(service: ODataService, result: Complex, values: Mapping[str, Any]) -> dict[str, Any]:
    """The value of a complex type, as function imports answer it."""
    made: dict[str, Any] = {"__metadata": {"type": f"{service.name}.{result.name}"}}
    for prop in result.properties.values():
        wire, value = prop.wire(), values.get(prop.name, prop.default)
        made[prop.name] = value if wire is None else wire(value)
    return made
