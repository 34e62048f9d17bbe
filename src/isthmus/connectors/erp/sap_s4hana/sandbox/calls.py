"""What a client asks: the service, the path with its key predicates, the query options, the wanted format.

Paths as in the OData v2 URI conventions: ``A_SalesOrder('1')/to_Item(SalesOrder='1',SalesOrderItem='10')/Material``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from isthmus.connectors.erp.sap_s4hana.sandbox.errors import syntax
from isthmus.connectors.erp.sap_s4hana.sandbox.schema import ODataService

ROOT = "/sap/opu/odata/sap/"
_SEGMENT = re.compile(r"([^()]+)(?:\((.*)\))?", re.DOTALL)
_PART = re.compile(r"(?:[^/']|'(?:[^']|'')*')+")
_PREDICATE = re.compile(r"\s*(?:(\w+)\s*=\s*)?((?:[^,']|'(?:[^']|'')*')+)")


@dataclass(frozen=True, slots=True)
class Segment:
    """One step of a path: a name and, where there was a predicate, its literals by name ('' for a lone one)."""

    name: str
    predicate: dict[str, str] | None


@dataclass(slots=True)
class Call:
    """One operation on one service, whether it came alone or inside a batch."""

    method: str
    service: ODataService
    root: str  # absolute address of the service
    segments: list[Segment]
    options: dict[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    references: dict[str, str] = field(default_factory=dict)  # Content-ID -> path, inside a change set

    @property
    def json_wanted(self) -> bool:
        """Whether the answer is JSON; SAP's own choice is Atom."""
        asked = self.options.get("$format")
        return asked == "json" if asked else "application/json" in self.headers.get("accept", "")


def read_segments(path: str) -> list[Segment]:
    """The steps of a path below the service. Raises ODataError for a predicate that cannot be parsed."""
    found = []
    for part in _PART.findall(unquote(path)):
        match = _SEGMENT.fullmatch(part)
        if match is None:
            raise syntax(f"Malformed URI path segment '{part}'")
        found.append(Segment(match[1], None if match[2] is None else _read_predicate(match[2])))
    return found


def _read_predicate(text: str) -> dict[str, str]:
    found, position = {}, 0
    while position < len(text):
        match = _PREDICATE.match(text, position)
        if match is None:
            raise syntax(f"Malformed key predicate '({text})'")
        found[match[1] or ""] = match[2].strip()
        position = match.end() + 1
    if "" in found and len(found) > 1:
        raise syntax(f"Malformed key predicate '({text})'")
    return found


def read_options(query_string: str) -> dict[str, str]:
    """The query options, decoded; of two with the same name the last counts."""
    return dict(parse_qsl(query_string, keep_blank_values=True))


def split_address(address: str) -> tuple[str, str]:
    """Path below the service (if the address is absolute) and query string of an address inside a batch."""
    parts = urlsplit(address)
    path = parts.path
    at = path.lower().find(ROOT)
    if at >= 0:
        path = path[at + len(ROOT) :].partition("/")[2]
    return path, parts.query
