"""Polls what does not push: from a cursor that only the source's own values move, with an overlap.

(EIP: polling consumer.) One poller per channel over all workers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from isthmus.catalogue.connector import Inbound, Request
from isthmus.connectivity.inbound.split import Splitter
from isthmus.connectivity.outbound.outcome import Later
from isthmus.connectivity.transport.answer import Answer, Call, NoAnswer, NotSent
from isthmus.orchestration.engine import Engine
from isthmus.store import calls, messages, polls
from isthmus.store.clock import instant, moment
from isthmus.store.transaction import Row, StoreUnavailable, Transaction

log = logging.getLogger("isthmus.poll")
_LEASE_S = 60.0


class _Waker(Protocol):
    holder: str

    def wake(self) -> None: ...


class Poller:
    """Polls every channel of a release that has to be polled."""

    def __init__(self, engine: Engine, worker: _Waker) -> None:
        self._engine, self._store, self._worker = engine, engine.store, worker

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """One endless loop for each channel."""
        return [
            self._loop(connection, name, channel)
            for connection, plan in self._engine.release.connections.items()
            for name, channel in plan.connector.inbound.items()
            if channel.channel == "poll"
        ]

    async def _loop(self, connection: str, name: str, channel: Inbound) -> None:
        while True:
            try:
                await self.poll(connection, name, channel)
            except (NotSent, NoAnswer, Later, StoreUnavailable) as error:
                log.warning("poll of %s %s waits: %s", connection, name, error)
            except Exception:
                log.exception("poll of %s %s failed; it goes on", connection, name)
            await asyncio.sleep(min(channel.every.total_seconds(), 5.0))

    async def poll(self, connection: str, name: str, channel: Inbound) -> int:
        """Poll once if it is time and nobody else does; how many new messages came."""
        now = self._store.clock()
        taken = await self._store.write(
            lambda tx: polls.take_poll(
                tx,
                connection=connection,
                channel=name,
                holder=self._worker.holder,
                now=instant(now),
                until=instant(now + timedelta(seconds=_LEASE_S)),
                not_since=instant(now - channel.every),
            )
        )
        return 0 if taken is None else await self._pages(connection, name, channel, taken)

    async def _pages(self, connection: str, name: str, channel: Inbound, taken: Row) -> int:
        wire = self._engine.connections[connection]
        assert channel.cursor is not None
        since = (
            moment(taken["value"]) - channel.cursor.overlap
            if taken["value"]
            else self._store.clock() - channel.cursor.start
        )
        context = {
            "cursor": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "cursor_tie": taken["tie"] or "",
            "settings": self._engine.release.public_settings(connection),
        }
        call: Call | None = wire.render(Request(request=channel.request, query=channel.query), context)
        new = 0
        while call is not None:
            gate = self._engine.throttles[connection]
            async with gate.permit():
                answer = await wire.send(call, timeout_s=30)
            if (budget := wire.budget(answer)) is not None:
                gate.heed(budget)
            if (failure := wire.failure(answer, context)) is not None:
                if failure.error_class == "limit":
                    gate.block(failure.pause_s or 1.0)
                log.warning("poll of %s %s: %s %s", connection, name, failure.status, failure.message)
                await self._keep(connection, name, None, None, done=True)
                return new
            new += await self._page(connection, name, channel, answer)
            call = wire.next_page(answer)
        await self._keep(connection, name, None, None, done=True)
        if new:
            self._worker.wake()
        return new

    async def _page(self, connection: str, name: str, channel: Inbound, answer: Answer) -> int:
        assert channel.cursor is not None
        found = Splitter(channel, file=f"{connection} {name}").split(answer.body)
        field, tie = (
            self._engine.release.expression(channel.cursor.field),
            self._engine.release.expression(channel.cursor.tie),
        )
        places = sorted((instant_of(field(m.body)), str(tie(m.body))) for m in found if field(m.body) is not None)
        row = calls.call_row(connection, name, answer.raw, self._store.clock())
        parts = [messages.NewMessage(m.id, m.subject, m.type, m.version, m.body) for m in found]

        def work(tx: Transaction) -> int:
            if not parts:
                return 0
            return messages.store_call(tx, row, parts)

        new = await self._store.write(work)
        if places:
            await self._keep(connection, name, *places[-1], done=False)
        return new

    async def _keep(self, connection: str, name: str, value: str | None, tie: str | None, *, done: bool) -> None:
        holder, now = self._worker.holder, instant(self._store.clock())
        await self._store.write(
            lambda tx: polls.move_cursor(
                tx, connection=connection, channel=name, holder=holder, value=value, tie=tie, now=now, done=done
            )
        )


def instant_of(value: Any) -> str:
    """A source's time (ISO 8601 with any offset, a date, or Unix seconds) as our instant."""
    text = str(value)
    if text.replace(".", "", 1).isdigit():
        return instant(datetime.fromtimestamp(float(text), UTC))
    found = datetime.fromisoformat(text)
    return instant(found if found.tzinfo else found.replace(tzinfo=UTC))
