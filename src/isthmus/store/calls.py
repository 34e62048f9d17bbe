"""Raw calls: what came in, as it came; forgotten after a while."""

from __future__ import annotations

import os
from datetime import datetime

from isthmus.store.clock import instant
from isthmus.store.transaction import Row


def call_row(
    connection: str, channel: str, body: bytes, at: datetime, *, headers: str = "{}", traceparent: str | None = None
) -> Row:
    """The row of a call that came in now."""
    return {
        # by time, so that new rows of the index stand side by side: else each one is a page to be written
        "id": f"{int(at.timestamp() * 1000):012x}{os.urandom(10).hex()}",
        "connection": connection,
        "channel": channel,
        "received_at": instant(at),
        "headers": headers,
        "body": body,
        "traceparent": traceparent,
    }
