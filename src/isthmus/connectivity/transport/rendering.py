"""A descriptor's request and a context become one call, the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import quote

from isthmus.catalogue.connector import Transport
from isthmus.connectivity.transport import odata_v2, rest
from isthmus.connectivity.transport.answer import Call
from isthmus.connectivity.transport.json_text import encode_json
from isthmus.connectivity.transport.template import fill, header_value
from isthmus.model.problems import PROBLEMS_AT, Problem, Rejected

#: left as they are within a query's value, because people and vendors' examples write them so
_QUERY_SAFE = "~()*!',:@/$;"
_PATH_SAFE = "/:@!$&'()*+,;=~%[]"
_WITHOUT_BODY = frozenset({"GET", "HEAD"})
_DOTS = re.compile(r"\.+")


class Renderable(Protocol):
    """What a request, an operation, a part, a probe and a poll have in common."""

    @property
    def request(self) -> str | None: ...
    @property
    def query(self) -> dict[str, str]: ...


def render(
    request: Renderable,
    context: Mapping[str, Any],
    *,
    connection: str,
    transport: Transport,
    mapping: Callable[[str], Callable[[Mapping[str, Any]], Any]],
    idempotency: tuple[str, str] | None = None,
) -> Call:
    """The call that ``request`` makes of ``context``. Raises Rejected naming the placeholder and the request.

    ``mapping`` finds a compiled mapping by file: what it gives is the body, and in a GET the query's parameters, where
    those that have no value are left out. ``idempotency`` is a header with its value. A mapping's own errors pass
    through.
    """
    line = request.request or ""
    method, _, address = line.partition(" ")
    what = f"{connection}: {line}"
    headers = {
        name: header_value(fill(text, context, what=what), name=name, what=what)
        for name, text in getattr(request, "headers", {}).items()
    }
    if version := getattr(request, "version", None):
        headers["If-Match"] = header_value(fill(version, context, what=what), name="If-Match", what=what)
    if idempotency:
        headers[idempotency[0]] = header_value(idempotency[1], name=idempotency[0], what=what)
    path = _path(address.strip(), request.query, context, transport, what)
    file = getattr(request, "mapping", None)
    mapped = mapping(file)(context) if file else None
    if method.upper() in _WITHOUT_BODY:
        return Call(method.upper(), _with_query(path, mapped, what), headers, None)
    return Call(method.upper(), path, headers, _encoded(mapped, transport, headers, what))


def _path(address: str, query: Mapping[str, str], context: Mapping[str, Any], transport: Transport, what: str) -> str:
    protocol = odata_v2 if transport.kind == "odata_v2" else rest
    template, _, asked = address.partition("?")

    def in_path(text: str, quoted: bool) -> str:
        if _DOTS.fullmatch(text):
            raise Rejected(
                Problem(
                    type=PROBLEMS_AT + "cannot-ask",
                    title=f"{what}: a path cannot have {text!r} as a part",
                    status=422,
                    value=text,
                    expected="a name or number",
                )
            )
        return _quoted(protocol.in_literal(text) if quoted else text, "")

    def literally(text: str) -> str:
        return _quoted(text, _PATH_SAFE)

    def in_value(text: str, quoted: bool) -> str:
        return _quoted(protocol.in_literal(text) if quoted else text, "")

    path = fill(template, context, what=what, quote=in_path, literal=literally, quotes=protocol.QUOTES)
    pairs = (
        [fill(asked, context, what=what, quote=in_value, literal=literally, quotes=protocol.QUOTES)] if asked else []
    )
    for name, text in query.items():
        value = fill(text, context, what=what, quote=in_value, literal=_query_text, quotes=protocol.QUOTES)
        pairs.append(f"{_quoted(name, '$[]')}={value}")
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def _query_text(text: str) -> str:
    return _quoted(text, _QUERY_SAFE)


@lru_cache(maxsize=2048)
def _quoted(text: str, safe: str) -> str:
    """Percent-encoded; the long texts of queries come again with every call."""
    return quote(text, safe=safe)


def _with_query(path: str, mapped: Any, what: str) -> str:
    """The mapping of a GET gives its query: what a search asks for depends on what is given."""
    if mapped is None:
        return path
    try:
        if not isinstance(mapped, Mapping):
            raise TypeError("the mapping gives no object, but a query has named parameters")
        given = {name: value for name, value in mapped.items() if value is not None}
        parameters = [f"{_quoted(name, '$[]')}={_query_text(text)}" for name, text in rest.pairs(given)]
    except TypeError as error:
        raise _unmapped(what, error) from None
    return path + ("&" if "?" in path else "?") + "&".join(parameters) if parameters else path


def _encoded(value: Any, transport: Transport, headers: dict[str, str], what: str) -> bytes | None:
    if value is None:
        return None
    as_form = transport.kind == "rest" and transport.encoding == "form"
    try:
        if as_form and not isinstance(value, Mapping):
            raise TypeError("the mapping gives no object, but a form has named fields")
        body = rest.form(value) if as_form else encode_json(value)
    except TypeError as error:
        raise _unmapped(what, error) from None
    headers.setdefault("Content-Type", "application/x-www-form-urlencoded" if as_form else "application/json")
    return body


def _unmapped(what: str, error: TypeError) -> Rejected:
    problem = Problem(type=PROBLEMS_AT + "cannot-ask", title=f"{what}: {error}", status=422, mend="mend the mapping")
    return Rejected(problem)
