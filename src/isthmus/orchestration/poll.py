"""Polls what does not push: from a cursor that only the source's own values move, with an overlap.

(EIP: polling consumer.) One poller per channel over all workers. A poll that was refused has failed, and says so; it
never counts as one that found nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from isthmus.catalogue.connector import Inbound
from isthmus.connectivity.outbound.calling import not_let_in
from isthmus.connectivity.outbound.outcome import Later, Park, ParkedWork
from isthmus.connectivity.outbound.trouble import refused
from isthmus.connectivity.transport.addresses import FOREIGN
from isthmus.connectivity.transport.answer import Answer, Call, Failure, NoAnswer, NotSent, SignInRefused
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.paging import Mark, Page, Paging
from isthmus.orchestration.stopped_poll import is_stopped, stop
from isthmus.orchestration.volume import unusual
from isthmus.store import calls, journal, messages, polls
from isthmus.store.clock import instant, moment
from isthmus.store.transaction import Row, StoreUnavailable, Transaction

log = logging.getLogger("isthmus.poll")
_LEASE_S = 60.0
#: so many failures in a row of what may mend itself are told; a refusal is told at once
_PATIENCE = 3


class _Waker(Protocol):
    holder: str

    def wake(self) -> None: ...


class LeaseLost(Exception):
    """Another worker polls this channel now."""


class Refused(Exception):
    """The source answered a page with an error."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.status} {failure.code} {failure.message}")
        self.failure = failure


@dataclass
class _Poll:
    """One poll under way."""

    connection: str
    name: str
    channel: Inbound
    new: int = 0
    #: why nobody may ask again before a person has looked at it
    stopped: ParkedWork | None = None


class Poller:
    """Polls every channel of a release that has to be polled."""

    def __init__(self, engine: Engine, worker: _Waker) -> None:
        self._engine, self._store, self._worker = engine, engine.store, worker

    def loops(self) -> list[Coroutine[None, None, None]]:
        """One endless loop for each channel that anybody waits for: calls to vendors are counted, and cost."""
        starts = {event for process in self._engine.processes.values() for event in process.starts_on}
        return [
            self._loop(connection, name, channel)
            for connection, plan in self._engine.release.connections.items()
            for name, channel in plan.connector.inbound.items()
            if channel.channel == "poll" and any(take.event in starts or take.wakes for take in channel.takes)
        ]

    async def _loop(self, connection: str, name: str, channel: Inbound) -> None:
        while True:
            try:
                await self.poll(connection, name, channel)
            except StoreUnavailable as error:
                log.warning("poll of %s %s waits: %s", connection, name, error)
            except Exception:
                log.exception("poll of %s %s failed; it goes on", connection, name)
            await asyncio.sleep(min(channel.every.total_seconds(), 5.0))

    async def poll(self, connection: str, name: str, channel: Inbound) -> int:
        """Poll once if it is time and nobody else does; how many new messages came. How it ended stands at the cursor."""
        now = self._store.clock()
        assert channel.cursor is not None
        start = instant(now - channel.cursor.start)

        def take(tx: Transaction) -> Row | None:
            if is_stopped(tx, connection, name):
                return None
            return polls.take_poll(
                tx,
                connection=connection,
                channel=name,
                holder=self._worker.holder,
                now=instant(now),
                until=self._lease(),
                not_since=instant(now - channel.every),
                start=start,
            )

        taken = await self._store.write(take)
        if taken is None:
            return 0
        poll = _Poll(connection, name, channel)
        try:
            outcome = await self._outcome(poll, taken)
        except BaseException:  # above all: this worker stops, and the next one shall not wait for the lease to run out
            self._store.ride(lambda tx: polls.let_go(tx, connection, name, self._worker.holder))
            raise
        await self._ended(poll, taken, *outcome)
        if poll.stopped is not None:
            await stop(self._store, self._engine.release, connection, name, poll.stopped)
        if poll.new:
            self._worker.wake()
        return poll.new

    async def _outcome(self, poll: _Poll, taken: Row) -> tuple[str, str | None, bool]:
        """(outcome, what was said, whether only a person can mend it)."""
        try:
            await self._pages(poll, taken)
        except Refused as no:
            return f"failed: {no.failure.error_class}", str(no), no.failure.verdict == "reject"
        except Park as elsewhere:
            poll.stopped = elsewhere.work
            return "failed: access", elsewhere.work.title, True
        except Later as later:
            return "paused", str(later), False
        except SignInRefused as error:
            return "failed: access", str(error), True
        except (NotSent, NoAnswer) as error:
            return "failed: down", str(error), False
        except (LeaseLost, StoreUnavailable):
            raise
        except Exception as error:
            log.exception("poll of %s %s failed", poll.connection, poll.name)
            return "failed: program", f"{type(error).__name__}: {error}"[:2000], True
        return "ok", None, False

    async def _pages(self, poll: _Poll, taken: Row) -> None:
        release, wire = self._engine.release, self._engine.connections[poll.connection]
        paging = Paging(release, wire, poll.connection, poll.name, poll.channel)
        stands = Mark(taken["value"], taken["tie"]) if taken["value"] else None
        newest, asked, in_order = stands, None, True
        call: Call | None = paging.first(stands, moment(taken["start"]))
        while call is not None:
            answer = await self._asked(poll, call)
            page = paging.page(answer, asked)
            in_order = in_order and page.in_order
            if paging.further(page.mark, newest):
                newest = page.mark
            await self._take_in(poll, answer, page, newest if in_order else None)
            asked, call = page.mark, page.following
        if not in_order:
            await self._keep(poll, newest)

    async def _asked(self, poll: _Poll, call: Call) -> Answer:
        """A page. Raises Refused, Later, NotSent or NoAnswer; Park where the source sends us elsewhere."""
        wire, gate = self._engine.connections[poll.connection], self._engine.throttles[poll.connection]
        async with gate.permit():
            try:
                answer = await wire.send(call, timeout_s=30)
            except SignInRefused as error:
                if error.code == FOREIGN:
                    raise Park(refused(wire, f"poll of {poll.name}", not_let_in(error), None)) from error
                raise
        if (budget := wire.budget(answer)) is not None:
            gate.heed(budget)
        if (failure := wire.failure(answer, {})) is not None:
            if failure.error_class == "limit":
                gate.block(failure.pause_s or 1.0)
            if 300 <= failure.status < 400:
                raise Park(refused(wire, f"poll of {poll.name}", failure, None))
            raise Refused(failure)
        return answer

    async def _take_in(self, poll: _Poll, answer: Answer, page: Page, newest: Mark | None) -> None:
        if page.messages:
            row = calls.call_row(poll.connection, poll.name, answer.raw, self._store.clock())
            poll.new += await self._store.write(lambda tx: messages.store_call(tx, row, page.messages))
        await self._keep(poll, newest)

    async def _keep(self, poll: _Poll, mark: Mark | None) -> None:
        """Move the cursor and hold the lease longer. Raises LeaseLost."""
        kept = await self._store.write(
            lambda tx: polls.keep_poll(
                tx,
                connection=poll.connection,
                channel=poll.name,
                holder=self._worker.holder,
                until=self._lease(),
                value=mark.value if mark else None,
                tie=mark.tie if mark else None,
            )
        )
        if not kept:
            raise LeaseLost(f"{poll.connection} {poll.name} is polled by another worker")

    async def _ended(self, poll: _Poll, taken: Row, outcome: str, said: str | None, refused: bool) -> None:
        """Keep how it ended; tell a failure once, and its end."""
        now = self._store.clock()
        at, day, connection = instant(now), now.date().isoformat(), poll.connection
        here = {"connection": connection, "channel": poll.name}
        limit = 1 if refused else _PATIENCE

        def tell(tx: Transaction, type_: str, **data: object) -> None:
            journal.append(tx, at=at, type_=type_, data={"channel": poll.name, **data}, connection=connection)

        def end(tx: Transaction) -> None:
            failures = polls.end_poll(tx, **here, holder=self._worker.holder, now=at, outcome=outcome, said=said)
            if failures is None:
                return
            if failures == limit and outcome.startswith("failed"):
                tell(tx, "isthmus.poll.failed.v1", outcome=outcome, said=said)
            elif outcome == "ok" and taken["failures"]:
                tell(tx, "isthmus.poll.recovered.v1", failures=taken["failures"])
            first = polls.count_poll(tx, **here, day=day, failed=outcome.startswith("failed"), new=poll.new)
            if first and (odd := unusual(polls.days(tx, connection, poll.name, day))):
                tell(tx, "isthmus.poll.unusual.v1", **odd)

        await self._store.write(end)
        if outcome != "ok":
            log.warning("poll of %s %s %s: %s", connection, poll.name, outcome, said)

    def _lease(self) -> str:
        return instant(self._store.clock() + timedelta(seconds=_LEASE_S))
