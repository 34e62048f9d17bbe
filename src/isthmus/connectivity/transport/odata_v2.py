"""OData v2 as ERP gateways speak it: ``d`` around answers, ``/Date(…)/``, quoted literals, CSRF tokens.

Protocol: the OData 2.0 JSON format document; the CSRF exchange is the one that ERP gateways document as "Cross-Site Request
Forgery Protection": ``x-csrf-token: Fetch`` gives a token that belongs to the session's cookies; a write with another
one gets 403 with ``x-csrf-token: Required``, and then nothing has happened.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

QUOTES = "'"
CSRF = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_DATE = re.compile(r"/Date\((-?\d{1,16})([+-]\d{1,4})?\)/")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def in_literal(text: str) -> str:
    """``text`` for a place within quotes: a quote is doubled."""
    return text.replace("'", "''")


def unwrap(body: Any, raw: bytes) -> Any:
    """The body without its ``d``; ``results``, ``__next`` and ``__count`` stay; dates become ISO text."""
    if isinstance(body, dict) and len(body) == 1 and "d" in body:
        body = body["d"]
    return _with_iso_dates(body) if b"Date(" in raw else body


def iso_date(text: str) -> str:
    """``/Date(ms)/`` as a date where it is midnight UTC, else as an instant; with an offset always an instant.

    The offset says where the clock hung, the milliseconds are UTC all the same. Other text stays as it is.
    """
    if not (found := _DATE.fullmatch(text)):
        return text
    try:
        moment = _EPOCH + timedelta(milliseconds=int(found[1]))
    except OverflowError:
        return text
    if found[2] is None and moment.time() == datetime.min.time():
        return moment.date().isoformat()
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def service_root(path: str) -> str:
    """The service's address within a call's path: ``SRV/Orders('1')/to_Item`` → ``SRV/``."""
    segments = path.partition("?")[0].strip("/").split("/")[:-1]
    while segments and "(" in segments[-1]:
        segments.pop()
    return "/".join([*segments, ""])


def _with_iso_dates(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_iso_dates(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_iso_dates(inner) for inner in value]
    return iso_date(value) if isinstance(value, str) and value.startswith("/Date(") else value


class CsrfToken:
    """The CSRF token of one connection: fetched by whoever needs it first, while the others wait."""

    def __init__(self) -> None:
        self._value = ""
        self._fetched = False
        self._lock = asyncio.Lock()

    async def value(self, fetch: Callable[[], Awaitable[str]]) -> str:
        """The token, or empty text where the service hands out none."""
        if self._fetched:
            return self._value
        async with self._lock:
            if not self._fetched:
                self._value = await fetch()
                self._fetched = True
            return self._value

    def forget(self, refused: str | None = None) -> None:
        """Fetch again next time; with ``refused`` only if nobody has fetched a newer one since."""
        if refused is None or refused == self._value:
            self._fetched = False


def csrf_required(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer says: fetch a token and send again, nothing has happened."""
    return status == 403 and headers.get(CSRF, "").lower() == "required"
