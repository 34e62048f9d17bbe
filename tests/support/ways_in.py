"""The ways into a connector under test: its webhook behind a real server, and its polls, up to the stored message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from isthmus.gateway.app import create_app
from isthmus.orchestration.poll import Poller
from isthmus.store.transaction import Row
from tests.support.asking import Asker


class Waker:
    """A worker that takes nothing."""

    holder = "tester"

    def wake(self) -> None:
        """Nobody sleeps here."""


@asynccontextmanager
async def gateway(ask: Asker) -> AsyncIterator[str]:
    """The gateway over the asker's engine; its address."""
    settings = {name: ask.release.secret_settings(name) for name in ask.release.connections}
    app = create_app(ask.engine, settings, Waker().wake, anonymous="tester")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def poll(ask: Asker, connection: str, channel: str) -> int:
    """Poll once; how many messages were new."""
    inbound = ask.release.connections[connection].connector.inbound[channel]
    return await Poller(ask.engine, Waker()).poll(connection, channel, inbound)


async def told(ask: Asker, count: int = 1, timeout_s: float = 5) -> list[Row]:
    """The stored messages, oldest first, once there are ``count``."""
    for _ in range(int(timeout_s / 0.02)):
        found = await ask.store.read(lambda tx: tx.rows("SELECT * FROM message ORDER BY id"))
        if len(found) >= count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{len(found)} of {count} messages came: {found}")


def events(ask: Asker, rows: list[Row]) -> list[Any]:
    """The business event of each message, None where the connector ignores it."""
    found = []
    for row in rows:
        channel = ask.release.connections[row["connection"]].connector.inbound[row["channel"]]
        body = json.loads(row["body"])
        takes = (t for t in channel.takes if t.when is None or ask.release.expression(t.when)(body))
        found.append(next((t.event for t in takes), None))
    return found
