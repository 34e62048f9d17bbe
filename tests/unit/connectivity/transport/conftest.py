"""Real servers to speak to: a well-behaved one that plays a handler, and a raw one that misbehaves as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from isthmus.catalogue.connector import Connector
from isthmus.connectivity.transport.connection import Connection
from isthmus.connectivity.transport.tokens import LocalTokens
from isthmus.mapping.mapping import Mapping, compile_mapping


@dataclass
class Clock:
    """A clock that moves when told."""

    now: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Vendor:
    """A vendor's server: ``answer`` plays each request; ``seen`` are the requests in order."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answer: Callable[[Seen], Any] = lambda seen: (200, {"ok": True})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.method, request.path_qs, headers, await request.read())
        seen.path = request.raw_path
        self.seen.append(seen)
        result = self.answer(seen)
        if isinstance(result, Awaitable):
            result = await result
        if isinstance(result, web.StreamResponse):
            return result
        status, body, *rest = result
        return web.Response(
            status=status,
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers=rest[0] if rest else {"Content-Type": "application/json"},
        )


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    runner = web.ServerRunner(web.Server(vendor.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield vendor
    await runner.cleanup()


Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def misbehaving() -> AsyncIterator[Callable[[Play], Awaitable[str]]]:
    """``await misbehaving(play)`` is the address of a TCP server that plays ``play`` for each connection."""
    servers: list[asyncio.Server] = []

    async def start(play: Play) -> str:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await play(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def connect(clock: Clock) -> AsyncIterator[Callable[..., Connection]]:
    """``connect(base_url, transport={...}, auth={...}, settings={...}, mappings={...})`` makes a connection."""
    opened: list[Connection] = []

    def make(
        base_url: str,
        *,
        settings: dict[str, str] | None = None,
        mappings: dict[str, str] | None = None,
        tokens: Any = None,
        name: str = "crm-emea",
        **parts: Any,
    ) -> Connection:
        def mapping(file: str) -> Mapping:
            return compile_mapping((mappings or {})[file], file=file)

        given = {"base_url": base_url, **(settings or {})}
        connection = Connection(name, descriptor(**parts), given, tokens or LocalTokens(clock), clock, mappings=mapping)
        opened.append(connection)
        return connection

    yield make
    for connection in opened:
        await connection.close()


def descriptor(**parts: Any) -> Connector:
    """A descriptor with little in it; ``parts`` replace parts of it."""
    described = {
        "connector": "sample",
        "title": "Sample",
        "roles": ["crm"],
        "settings": {
            "type": "object",
            "properties": {
                "base_url": {"type": "string"},
                "client_secret": {"type": "string", "writeOnly": True},
                "api_key": {"type": "string", "writeOnly": True},
                "password": {"type": "string", "writeOnly": True},
            },
        },
        "transport": {"kind": "rest"},
        "auth": {"kind": "none"},
        "error": {"code": "error.code", "message": "error.message"},
        "errors": [],
        "operations": {},
    }
    return Connector.model_validate({**described, **parts})
