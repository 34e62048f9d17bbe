"""How rows go over the wire as Atom: SAP Gateway's own choice where a client does not ask for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from isthmus.connectors.erp.sap_s4hana.sandbox.edm import Property, moment
from isthmus.connectors.erp.sap_s4hana.sandbox.entries import address_of, etag_of, next_address
from isthmus.connectors.erp.sap_s4hana.sandbox.reading import Node, Page, Shape
from isthmus.connectors.erp.sap_s4hana.sandbox.schema import Complex, ODataService

ATOM = "http://www.w3.org/2005/Atom"
DATA = "http://schemas.microsoft.com/ado/2007/08/dataservices"
METADATA = f"{DATA}/metadata"
APP = "http://www.w3.org/2007/app"
_LINKS: Any = {None: DATA}
_NAMES: Any = {None: ATOM, "m": METADATA, "d": DATA}


def _inside(parent: Any, name: str, text: str | None = None, **attributes: str) -> Any:
    made = etree.SubElement(parent, name, {key.rstrip("_"): value for key, value in attributes.items()})
    made.text = text
    return made


def _written(root: Any) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


class AtomWriter:
    """Writes nodes as Atom for one service at one absolute address. ``now`` is the feed's time stamp."""

    def __init__(self, service: ODataService, root: str, now: int) -> None:
        self._service, self._root = service, root
        self._updated = f"{moment(now):%Y-%m-%dT%H:%M:%SZ}"

    def entry(self, node: Node, shape: Shape) -> bytes:
        """One entity as a document."""
        return _written(self._entry(etree.Element(f"{{{ATOM}}}entry", nsmap=_NAMES), node, shape))

    def feed(self, nodes: list[Node], shape: Shape, page: Page, here: str) -> bytes:
        """A page of entities as a document; ``here`` is the collection's address below the service."""
        feed = etree.Element(f"{{{ATOM}}}feed", nsmap=_NAMES)
        self._fill(feed, nodes, shape, here)
        if page.count is not None:
            feed.insert(0, etree.Element(f"{{{METADATA}}}count"))
            feed[0].text = str(page.count)
        if page.following is not None:
            _inside(feed, f"{{{ATOM}}}link", rel="next", href=next_address(self._root, here, page.following))
        return _written(feed)

    def _fill(self, feed: Any, nodes: list[Node], shape: Shape, here: str) -> None:
        feed.set("{http://www.w3.org/XML/1998/namespace}base", f"{self._root}/")
        _inside(feed, f"{{{ATOM}}}id", f"{self._root}/{here}")
        _inside(feed, f"{{{ATOM}}}title", here.rpartition("/")[2], type="text")
        _inside(feed, f"{{{ATOM}}}updated", self._updated)
        for node in nodes:
            self._entry(_inside(feed, f"{{{ATOM}}}entry"), node, shape)

    def _entry(self, made: Any, node: Node, shape: Shape) -> Any:
        entity, address = node.entity, address_of(node.entity, node.row)
        etag = etag_of(entity, node.row)
        if etag:
            made.set(f"{{{METADATA}}}etag", etag)
        _inside(made, f"{{{ATOM}}}id", f"{self._root}/{address}")
        _inside(made, f"{{{ATOM}}}title", address, type="text")
        _inside(made, f"{{{ATOM}}}updated", self._updated)
        term = f"{self._service.name}.{entity.type_name}"
        _inside(made, f"{{{ATOM}}}category", term=term, scheme=f"{DATA}/scheme")
        _inside(made, f"{{{ATOM}}}link", rel="self", href=address, title=entity.type_name)
        for navigation in self._service.navigations[entity.name]:
            if shape.select is not None and navigation.name not in shape.select:
                continue
            kind = "feed" if navigation.many else "entry"
            link = _inside(
                made,
                f"{{{ATOM}}}link",
                rel=f"{DATA}/related/{navigation.name}",
                href=f"{address}/{navigation.name}",
                type=f"application/atom+xml;type={kind}",
                title=navigation.name,
            )
            if navigation.name in shape.expand and navigation.name in node.children:
                self._inline(link, node.children[navigation.name], shape.expand[navigation.name], link.get("href"))
        content = _inside(made, f"{{{ATOM}}}content", type="application/xml")
        properties = _inside(content, f"{{{METADATA}}}properties")
        for prop in entity.properties.values():
            if shape.select is None or prop.name in shape.select:
                _value(properties, prop, node.row[prop.name])
        return made

    def _inline(self, link: Any, children: list[Node] | Node | None, shape: Shape, here: str) -> None:
        inline = _inside(link, f"{{{METADATA}}}inline")
        if isinstance(children, list):
            self._fill(_inside(inline, f"{{{ATOM}}}feed"), children, shape, here)
        elif children is not None:
            self._entry(_inside(inline, f"{{{ATOM}}}entry"), children, shape)


def _value(parent: Any, prop: Property, value: Any) -> None:
    made = _inside(parent, f"{{{DATA}}}{prop.name}")
    if value is None:
        made.set(f"{{{METADATA}}}null", "true")
    else:
        made.text = prop.text(value)


def property_document(prop: Property, value: Any) -> bytes:
    """One property as a document."""
    root = etree.Element(f"{{{DATA}}}{prop.name}", nsmap={"d": DATA, "m": METADATA})
    if value is None:
        root.set(f"{{{METADATA}}}null", "true")
    else:
        root.text = prop.text(value)
    return _written(root)


def result_document(service: ODataService, name: str, result: Complex, found: list[Mapping[str, Any]]) -> bytes:
    """What a function import answers, as a document."""
    root = etree.Element(f"{{{DATA}}}{name}", nsmap={"d": DATA, "m": METADATA})
    for values in found:
        made = _inside(root, f"{{{DATA}}}element")
        made.set(f"{{{METADATA}}}type", f"{service.name}.{result.name}")
        for prop in result.properties.values():
            _value(made, prop, values.get(prop.name, prop.default))
    return _written(root)


def links_document(addresses: list[str]) -> bytes:
    """The addresses behind ``$links``, as a document."""
    root = etree.Element(f"{{{DATA}}}links", nsmap=_LINKS)
    for address in addresses:
        _inside(root, f"{{{DATA}}}uri", address)
    return _written(root)


def service_document(service: ODataService, root_address: str) -> bytes:
    """The list of the service's entity sets."""
    root = etree.Element(f"{{{APP}}}service", nsmap={"app": APP, "atom": ATOM, "m": METADATA})
    root.set("{http://www.w3.org/XML/1998/namespace}base", f"{root_address}/")
    workspace = _inside(root, f"{{{APP}}}workspace")
    _inside(workspace, f"{{{ATOM}}}title", "Data")
    for name in service.entities:
        collection = _inside(workspace, f"{{{APP}}}collection", href=name)
        _inside(collection, f"{{{ATOM}}}title", name)
    return _written(root)
