"""The kinds of long work: forget old raw calls, read a channel's past again. Each step may run twice and does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from isthmus.catalogue.connector import Request
from isthmus.connectivity.inbound.split import Splitter
from isthmus.connectivity.transport.answer import Call
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.jobs.port import Batch, Work
from isthmus.store import calls, messages
from isthmus.store.clock import instant

PAGE = 500


def works(engine: Engine, wake: Callable[[], None]) -> dict[str, Work]:
    """Kind → its step, over one engine."""
    return {"retention": Retention(engine).step, "backfill": Backfill(engine, wake).step}


class Retention:
    """Forgets the bodies of raw calls older than ``days``; what was decided by them stays."""

    def __init__(self, engine: Engine) -> None:
        self._store = engine.store

    async def step(self, arguments: Mapping[str, Any], cursor: Any) -> Batch:
        """Forget up to a page of calls."""
        before = instant(self._store.clock() - timedelta(days=float(arguments["days"])))
        done = await self._store.write(lambda tx: calls.forget(tx, before, PAGE))
        return Batch(done, cursor="more" if done == PAGE else None)


class Backfill:
    """Reads a polled channel again from ``since`` (ISO 8601), page by page; what is known already is dropped by its id."""

    def __init__(self, engine: Engine, wake: Callable[[], None]) -> None:
        self._engine, self._wake = engine, wake

    async def step(self, arguments: Mapping[str, Any], cursor: Any) -> Batch:
        """Read one page and store its messages."""
        name, channel_name = arguments["connection"], arguments["channel"]
        plan = self._engine.release.connections[name]
        channel = plan.connector.inbound[channel_name]
        wire = self._engine.connections[name]
        context = {
            "cursor": datetime.fromisoformat(arguments["since"]).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "cursor_tie": "",
            "settings": self._engine.release.public_settings(name),
        }
        first = wire.render(Request(request=channel.request, query=channel.query), context)
        call = first if cursor is None else Call("GET", cursor, first.headers, None)
        async with self._engine.throttles[name].permit():
            answer = await wire.send(call, timeout_s=60)
        if (failure := wire.failure(answer, context)) is not None:
            if failure.verdict == "reject":
                raise ValueError(f"{name} refused the page: {failure.code} {failure.message}")
            await asyncio.sleep(failure.pause_s or 1.0)
            return Batch(0, cursor=call.path)
        found = Splitter(channel, file=f"{name} {channel_name}").split(answer.body)
        parts = [messages.NewMessage(m.id, m.subject, m.type, m.version, m.body) for m in found]
        row = calls.call_row(name, channel_name, answer.raw, self._engine.store.clock())
        await self._engine.store.write(lambda tx: messages.store_call(tx, row, parts) if parts else 0)
        self._wake()
        following = wire.next_page(answer)
        return Batch(len(parts), cursor=following.path if following else None)
