"""OData v2 as ERP gateways speak it: ``d`` around answers, ``/Date(…)/``, quoted literals, CSRF tokens.

Protocol: the OData 2.0 JSON format document; the CSRF exchange is the one that ERP gateways document as "Cross-Site Request
Forgery Protection": ``x-csrf-token: Fetch`` gives a token that belongs to the session's cookies; a write with another
one gets 403 with ``x-csrf-token: Required``, and then nothing has happened.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
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
    """The body without its ``d``; ``results``, ``__next`` and ``__count`` stay; dates become ISO text, in place."""
    if isinstance(body, dict) and len(body) == 1 and "d" in body:
        body = body["d"]
    if b"Date(" not in raw:
        return body
    around = [body]
    _make_iso(around, enumerate(around))
    return around[0]


def iso_date(text: str) -> str:
    """``/Date(ms)/`` as a date where it is midnight UTC, else as an instant; with an offset always an instant.

    The offset says where the clock hung, the milliseconds are UTC all the same. Other text stays as it is.
    """
    if not (found := _DATE.fullmatch(text)):
        return text
    return _iso(int(found[1]), found[2] is not None) or text


@lru_cache(maxsize=1024)
def _iso(milliseconds: int, offset: bool) -> str:
    """The text of an instant, or empty text where it is beyond the calendar. Bodies are full of the same days."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return ""
    if not offset and moment.time() == datetime.min.time():
        return moment.date().isoformat()
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def service_root(path: str) -> str:
    """The service's address within a call's path: ``SRV/Orders('1')/to_Item`` → ``SRV/``."""
    segments = path.partition("?")[0].strip("/").split("/")[:-1]
    while segments and "(" in segments[-1]:
        segments.pop()
    return "/".join([*segments, ""])


def _make_iso(holder: Any, places: Iterable[tuple[Any, Any]]) -> None:
    """Replace every date in a dict or list that was just parsed, and in what it holds."""
    for place, value in places:
        kind = type(value)
        if kind is str:
            if value[:6] == "/Date(":
                holder[place] = iso_date(value)
        elif kind is dict:
            _make_iso(value, value.items())
        elif kind is list:
            _make_iso(value, enumerate(value))


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
