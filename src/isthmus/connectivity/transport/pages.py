"""The page after this one: wherever a vendor points, it must be on the connection's own host."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote_plus

from isthmus.catalogue.connector import Connector
from isthmus.connectivity.transport.addresses import below
from isthmus.connectivity.transport.answer import Answer, Call
from isthmus.mapping.expression import Expression, compile_expression


def next_page(answer: Answer, connector: Connector, *, base_url: str, connection: str) -> Call | None:
    """The call for the next page, or None at the end.

    The transport's ``next`` gives an address (whole, from the host's root, or relative to this page) or an object: query
    parameters that replace those of this page, for vendors that page by "after this one". In OData v2 it is ``__next``.
    Raises Rejected where the address is not below the connection's base address.
    """
    if connector.transport.next:
        found = _compiled(connector.transport.next, connector.connector)(answer.body)
    else:
        odata = connector.transport.kind == "odata_v2" and isinstance(answer.body, dict)
        found = answer.body.get("__next") if odata else None
    if not found or answer.call is None:
        return None
    asked = answer.call
    if isinstance(found, Mapping):
        path = _with_parameters(asked.path, found)
    else:
        path = below(base_url, asked.path, str(found), connection)
    return Call("GET", path, dict(asked.headers), None)


def _with_parameters(asked: str, changes: Mapping[str, Any]) -> str:
    path, _, query = asked.partition("?")
    kept = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in changes]
    added = [f"{quote(str(name), safe='$[]')}={quote(str(value), safe='')}" for name, value in changes.items()]
    return f"{path}?{'&'.join(kept + added)}"


@lru_cache(maxsize=256)
def _compiled(text: str, connector: str) -> Expression:
    return compile_expression(text, file=f"{connector}/connector.yaml transport.next")
