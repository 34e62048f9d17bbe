"""How rows go over the wire as JSON: OData v2's verbose format as SAP Gateway writes it.

Entity ``{"d": {...}}``, collection ``{"d": {"results": [...], "__count": "2", "__next": "…"}}``; each entity has
``__metadata`` with id, uri, type and, where it is under concurrency control, etag; a navigation that was not
expanded is ``{"__deferred": {"uri": …}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any
from urllib.parse import quote, urlencode

from isthmus.connectors.erp.sap_s4hana.sandbox.edm import moment
from isthmus.connectors.erp.sap_s4hana.sandbox.reading import Node, Page, Shape
from isthmus.connectors.erp.sap_s4hana.sandbox.schema import Complex, EntityType, ODataService
from isthmus.sandkit.world import Row

_SAFE, _QUOTE = "/()=,'$%", "'"


def etag_of(entity: EntityType, row: Row) -> str | None:
    """The entity tag of a row, weak, from its time stamp (or its hash): None without concurrency control."""
    if not entity.etag:
        return None
    value = row[entity.etag]
    if entity.properties[entity.etag].edm == "Edm.String":
        return f"W/\"'{value}'\""
    stamp = moment(value or 0)
    return f"W/\"datetimeoffset'{stamp:%Y-%m-%dT%H%%3A%M%%3A%S}.{stamp.microsecond // 1000:03d}0000Z'\""


@lru_cache(maxsize=16_384)
def _string_literal(text: str) -> str:
    return f"'{text if text.isalnum() else quote(text.replace(_QUOTE, _QUOTE * 2), safe='')}'"


def address_of(entity: EntityType, row: Row) -> str:
    """The entity's address below its service."""
    keys = entity.keys
    if len(keys) == 1 and keys[0].edm == "Edm.String":
        return f"{entity.name}({_string_literal(row[keys[0].name])})"
    pairs = [
        f"{prop.name}={_string_literal(row[prop.name]) if prop.edm == 'Edm.String' else prop.literal(row[prop.name])}"
        for prop in keys
    ]
    return f"{entity.name}({','.join(pairs)})"


class JsonWriter:
    """Writes nodes as JSON text for one service at one absolute address.

    It writes text and no objects, because an order with its prices has thousands of values.
    """

    def __init__(self, service: ODataService, root: str) -> None:
        self._service, self._root = service, root
        self._opened = f"{encode_basestring(root)[:-1]}/"  # a JSON string that an address ends

    def entry(self, node: Node, shape: Shape) -> str:
        """One entity."""
        entity, row, select = node.entity, node.row, shape.select
        address = address_of(entity, row)
        uri = f'{self._opened}{address}"'
        etag = etag_of(entity, row)
        tagged = f',"etag":{encode_basestring(etag)}' if etag else ""
        about = f'"id":{uri},"uri":{uri},"type":"{self._service.name}.{entity.type_name}"{tagged}'
        if select is None:
            values = [entity.template % tuple([text(row[name]) for name, text in entity.texts])]
        else:
            values = [f'"{name}":{text(row[name])}' for name, text in entity.texts if name in select]
        for navigation in self._service.navigations[entity.name]:
            name = navigation.name
            if select is not None and name not in select:
                continue
            if name in shape.expand and name in node.children:
                values.append(f'"{name}":{self._children(node.children[name], shape.expand[name])}')
            else:
                values.append(f'"{name}":{{"__deferred":{{"uri":{self._opened}{address}/{name}"}}}}')
        return f'{{"__metadata":{{{about}}},{",".join(values)}}}'

    def _children(self, children: list[Node] | Node | None, shape: Shape) -> str:
        if isinstance(children, list):
            return f'{{"results":[{",".join([self.entry(child, shape) for child in children])}]}}'
        return "null" if children is None else self.entry(children, shape)

    def feed(self, nodes: list[Node], shape: Shape, page: Page, here: str) -> str:
        """A page of entities; ``here`` is the collection's address below the service."""
        made = [f'"results":[{",".join([self.entry(node, shape) for node in nodes])}]']
        if page.count is not None:
            made.append(f'"__count":"{page.count}"')
        if page.following is not None:
            made.append(f'"__next":{encode_basestring(next_address(self._root, here, page.following))}')
        return f"{{{','.join(made)}}}"


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
