"""Polls at once what a worker would poll in some seconds."""

from __future__ import annotations

from isthmus.orchestration.poll import Poller
from tests.support.whole import Whole


async def poll_now(w: Whole, connection: str, channel: str) -> int:
    """Poll one channel as if it were time; how many new messages came."""
    await w.store.write(
        lambda tx: tx.run(
            "UPDATE cursor SET polled_at = NULL WHERE connection = :connection AND channel = :channel",
            {"connection": connection, "channel": channel},
        )
    )
    inbound = w.engine.release.connections[connection].connector.inbound[channel]
    return await Poller(w.engine, w.worker).poll(connection, channel, inbound)
