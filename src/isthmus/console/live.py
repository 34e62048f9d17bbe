"""Pages that stay true without reload: a stream of server-sent events says that something has changed.

The browser then asks for its own page again and takes over the parts marked as live; so there is one way to draw a page.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from isthmus.console.desk import Desk
from isthmus.store.transaction import StoreUnavailable, Transaction

_LOOK_S, _BEAT = 1.0, 15
#: what changes when anything does that a page shows
_MARKS = (
    "SELECT max(updated_at) AS mark FROM run",
    "SELECT max(number) AS mark FROM exception",
    "SELECT max(requested_at) AS mark FROM approval WHERE state = 'requested'",
    "SELECT max(id) AS mark FROM audit",
)


async def live(request: Request, desk: Desk) -> Response:
    """``event: changed`` whenever something has."""

    async def stream() -> AsyncIterator[str]:
        seen, silent = await desk.store.read(_mark), 0
        yield "retry: 2000\n\n"
        while not await request.is_disconnected():
            await asyncio.sleep(_LOOK_S)
            try:
                mark = await desk.store.read(_mark)
            except StoreUnavailable:
                return
            silent += 1
            if mark != seen:
                seen, silent = mark, 0
                yield "event: changed\ndata: \n\n"
            elif silent >= _BEAT:
                silent = 0
                yield ": still here\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _mark(tx: Transaction) -> tuple[object, ...]:
    return tuple(tx.value(sql) for sql in _MARKS)
