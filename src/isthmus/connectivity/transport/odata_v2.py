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
from functools import lru_cache
from typing import Any

QUOTES = "'"
CSRF = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: what follows ``/Date(`` in a JSON text, where the slashes may be escaped, and how the text before it ends
_REST_OF_DATE = re.compile(rb'(-?\d{1,16})([+-]\d{1,4})?\)\\?/"')
_OPENED = re.compile(rb'(?<!\\)"\\?$')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def in_literal(text: str) -> str:
    """``text`` for a place within quotes: a quote is doubled."""
    return text.replace("'", "''")


def unwrap(body: Any) -> Any:
    """The body without its ``d``; ``results``, ``__next`` and ``__count`` stay."""
    return body["d"] if isinstance(body, dict) and len(body) == 1 and "d" in body else body


def with_iso_dates(raw: bytes) -> bytes:
    """A JSON text with ISO text for every ``"/Date(ms)/"``: a date where it is midnight UTC, else an instant.

    With an offset always an instant: the offset says where the clock hung, the milliseconds are UTC all the same. It is
    done in the text, because bodies are large and dates few.
    """
    first, *others = raw.split(b"/Date(")
    if not others:
        return raw
    parts = [first]
    for part in others:
        date = _REST_OF_DATE.match(part)
        text = _iso(int(date[1]), date[2] is not None) if date and _OPENED.search(parts[-1][-3:]) else ""
        if date and text:
            parts[-1] = parts[-1].removesuffix(b"\\")
            parts += (text.encode(), part[date.end() - 1 :])
        else:
            parts += (b"/Date(", part)
    return b"".join(parts)


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
