"""How the gateway listens: HTTP by uvicorn, with a limit on how long and how large the head of a request may be."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: from the first byte (or the connection) to the end of the headers
HEAD_S = 10.0
HEAD_MAX = 64 * 1024


class PatientProtocol(HttpToolsProtocol):
    """Patient, but not for ever: closes a connection whose next request has no whole head in time, or too long a one."""

    head_s = HEAD_S
    _head_end: asyncio.TimerHandle | None = None
    _head_size = 0

    def connection_made(self, transport: Any) -> None:
        """A client is there: its head is awaited."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._head_came()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The first byte of another request on the same connection."""
        if self._head_end is None:
            self._await_head()
        super().on_message_begin()

    def data_received(self, data: bytes) -> None:
        """Some bytes; while they are of a head, they are counted."""
        if self._head_end is not None:
            self._head_size += len(data)
        super().data_received(data)
        if self._head_end is not None and self._head_size > HEAD_MAX:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_came()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_size = 0
        self._head_end = self.loop.call_later(self.head_s, self._too_slow)

    def _head_came(self) -> None:
        if self._head_end is not None:
            self._head_end.cancel()
            self._head_end = None

    def _too_slow(self) -> None:
        self._head_end = None
        self.transport.close()


def configured(app: Any, **options: Any) -> uvicorn.Config:
    """A server's configuration for the gateway's app; ``options`` are uvicorn's own."""
    usual: dict[str, Any] = {
        "http": PatientProtocol, "ws": "none", "lifespan": "off", "log_config": None, "access_log": False,
        "server_header": False, "timeout_graceful_shutdown": 10, "backlog": 2048,
    }  # fmt: skip
    return uvicorn.Config(app, **{**usual, **options})
