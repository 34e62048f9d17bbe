"""The page after this one: wherever a vendor points, it must be on the connection's own host."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, quote, unquote, unquote_plus, urljoin, urlsplit

from isthmus.catalogue.connector import Connector
from isthmus.connectivity.transport.answer import Answer, Call
from isthmus.mapping.expression import Expression, compile_expression
from isthmus.model.problems import PROBLEMS_AT, Problem, Rejected

_PORTS = {"http": 80, "https": 443}


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
        path = _below(base_url, asked.path, str(found), connection)
    return Call("GET", path, dict(asked.headers), None)


def unfit_base(base_url: str) -> str | None:
    """What is wrong with a base address, or None."""
    try:
        address = urlsplit(base_url)
        port = address.port
    except ValueError:
        return "is none"
    if address.scheme not in _PORTS:
        return "does not begin with http:// or https://"
    if not address.hostname or port == 0:
        return "names no host"
    if address.username or address.password:
        return "contains a user; give user and password as settings of their own"
    return "has a query or fragment" if address.query or address.fragment else None


def _below(base_url: str, asked: str, found: str, connection: str) -> str:
    """The path of the address ``found``, relative to ``base_url``; ``asked`` is the page that named it."""
    base = urlsplit(base_url)
    prefix = base.path.rstrip("/") + "/"
    if found.startswith("/") and not found.startswith("//") and not found.startswith(prefix):
        # a path from the vendor's root, while we reach that root below a prefix
        found = prefix + found.lstrip("/")
    target = urlsplit(urljoin(f"{base_url}/{asked.lstrip('/')}", found))
    climbs = any(unquote(segment) == ".." for segment in target.path.split("/"))
    if not _same_host(target, base) or not target.path.startswith(prefix) or climbs:
        raise Rejected(
            Problem(
                type=PROBLEMS_AT + "foreign-address",
                title=f"{connection}: the next page is said to be at another place than the connection's own",
                status=502,
                field="next",
                value=f"{target.scheme}://{target.hostname}{target.path}"[:200],
                expected=f"an address below {base_url}",
                mend="set base_url to the address that the vendor uses in its answers",
            )
        )
    path = target.path[len(prefix) :]
    return f"{path}?{target.query}" if target.query else path


def _same_host(target: SplitResult, base: SplitResult) -> bool:
    """Same host and port. The scheme may differ where ports are the usual ones: behind a proxy vendors get it wrong,
    and we keep ours."""
    if target.scheme not in _PORTS or target.username or target.hostname != base.hostname:
        return False
    return (target.port or _PORTS[target.scheme]) == (base.port or _PORTS[base.scheme]) or not (
        target.port or base.port
    )


def _with_parameters(asked: str, changes: Mapping[str, Any]) -> str:
    path, _, query = asked.partition("?")
    kept = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in changes]
    added = [f"{quote(str(name), safe='$[]')}={quote(str(value), safe='')}" for name, value in changes.items()]
    return f"{path}?{'&'.join(kept + added)}"


@lru_cache(maxsize=256)
def _compiled(text: str, connector: str) -> Expression:
    return compile_expression(text, file=f"{connector}/connector.yaml transport.next")
