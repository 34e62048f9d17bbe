"""One HTTP exchange, and the one question that decides about doubt: had anything been written when it broke?

``NotSent`` where the break came before the first byte of the request (refused, no such host, TLS failed, no free
connection in time); ``NoAnswer`` from then on, whatever the error is called. The border is the moment at which the HTTP
client hands the request to a connection that stands; a kept connection that the vendor closes just then is doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import aiohttp
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from yarl import URL

from isthmus.connectivity.transport.answer import NoAnswer, NotSent

#: seconds to get a connection, including the wait for a free one
_CONNECT_S = 10.0
#: vendors close idle connections after 5 s or more; one closed while our request is under way is doubt
_KEEP_S = 4.0
_LARGEST_ANSWER = 64 * 1024 * 1024
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_TRACER = trace.get_tracer("isthmus.connectivity.transport")
_PROPAGATOR = TraceContextTextMapPropagator()


@dataclass(slots=True)
class Received:
    """What came back: headers with lower-case names, the body as bytes."""

    status: int
    headers: dict[str, str]
    raw: bytes


class Wire:
    """One pool of connections for one account at a vendor. It is made lazily, in the loop that sends first."""

    def __init__(self, name: str, *, limit: int, cookies: bool) -> None:
        self._name, self._limit, self._cookies = name, limit, cookies
        self._session: aiohttp.ClientSession | None = None

    async def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        timeout_s: float,
        last_look: Callable[[], None] | None = None,
    ) -> Received:
        """Send one request and read the whole answer; redirects are answers.

        ``last_look`` is called when a connection stands, right before the first byte, and may raise NotSent. Raises
        NotSent or NoAnswer, never an error of the HTTP client.
        """
        if timeout_s <= 0:
            raise NotSent(f"{self._name}: no time was left to send {method}")
        address = URL(url, encoded=True)
        stage = _Stage(method, last_look)
        token = _STAGE.set(stage)
        span = self._span(method, address)
        sent = dict(headers)
        _PROPAGATOR.inject(sent, None if span is trace.INVALID_SPAN else trace.set_span_in_context(span))
        try:
            received = await self._exchanged(method, address, sent, body, timeout_s)
        except (aiohttp.ClientError, OSError, NotSent, NoAnswer) as error:
            lost = error if isinstance(error, NotSent | NoAnswer) else self._lost(error, stage, address)
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(trace.StatusCode.ERROR, str(lost))
            raise lost from None
        else:
            span.set_attribute("http.response.status_code", received.status)
            if received.status >= 400:
                span.set_status(trace.StatusCode.ERROR)
            return received
        finally:
            _STAGE.reset(token)
            span.end()

    def forget_cookies(self) -> None:
        """Begin a new session at the vendor."""
        if self._session is not None:
            self._session.cookie_jar.clear()

    async def close(self) -> None:
        """Close all connections; the next exchange opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchanged(
        self, method: str, address: URL, headers: dict[str, str], body: bytes | None, timeout_s: float
    ) -> Received:
        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(timeout_s, _CONNECT_S))
        async with self._opened().request(
            method, address, headers=headers, data=body, timeout=timeout, allow_redirects=False
        ) as response:
            raw = await _whole(response)
            return Received(response.status, _lower(response.headers), raw)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._limit, keepalive_timeout=_KEEP_S),
                cookie_jar=aiohttp.CookieJar(unsafe=True) if self._cookies else aiohttp.DummyCookieJar(),
                request_class=_Request,
                skip_auto_headers=("Content-Type",),
                trust_env=False,
            )
        return self._session

    def _span(self, method: str, address: URL) -> trace.Span:
        """A span for one exchange; none within a span that is not recorded, whose ids go out then."""
        around = trace.get_current_span()
        if around.get_span_context().is_valid and not around.is_recording():
            return trace.INVALID_SPAN
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "server.address": address.host or "",
            "server.port": address.port or 0,
            "isthmus.connection": self._name,
        }
        return _TRACER.start_span(method, kind=trace.SpanKind.CLIENT, attributes=attributes)

    def _lost(self, error: Exception, stage: _Stage, address: URL) -> NotSent | NoAnswer:
        where = f"{self._name}: {stage.method} to {address.host}"
        text = str(error)
        why = f"{type(error).__name__}: {text}" if text and "://" not in text else type(error).__name__
        if stage.begun:
            return NoAnswer(f"{where} was sent, or may have been, but no whole answer came ({why})")
        return NotSent(f"{where} was not sent ({why})")


@dataclass(slots=True)
class _Stage:
    """How far one exchange has come."""

    method: str
    last_look: Callable[[], None] | None
    begun: bool = False

    def begin(self) -> None:
        """The first byte is next. A second time is the client's own repeat, which only a read may have."""
        if self.begun and self.method not in _REPEATABLE:
            raise aiohttp.ClientConnectionError("the connection broke, and a write is not repeated unasked")
        if self.last_look is not None:
            self.last_look()
        self.begun = True


_STAGE: ContextVar[_Stage] = ContextVar("stage")


class _Request(aiohttp.ClientRequest):
    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        _STAGE.get().begin()
        return await super().send(conn)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """The whole body; an answer that is too large to be one is no answer."""
    if response.content_length is not None and response.content_length <= _LARGEST_ANSWER:
        return await response.read()
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > _LARGEST_ANSWER:
            response.close()
            raise NoAnswer(f"the answer is larger than {_LARGEST_ANSWER} bytes")
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Lower-case names; what came several times is joined by commas (cookies live in the session, not here)."""
    joined: dict[str, str] = {}
    for name, text in headers.items():
        key = name.lower()
        if key != "set-cookie":
            joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined
