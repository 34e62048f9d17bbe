"""Permits for each connection: concurrency in this worker; rate, Retry-After and breaker shared by all workers.

A worker takes a share of up to a second of the rate in one row update; a wait longer than a moment is not slept
through but becomes a row, so that a burst holds neither memory nor slots. What a vendor's headers say about the calls
that are left counts too: once few are, they stand in the row, and each call takes one of them.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from isthmus.catalogue.connector import Limits
from isthmus.connectivity.outbound.circuit_breaker import CircuitBreaker
from isthmus.connectivity.outbound.outcome import Later
from isthmus.connectivity.transport.answer import Budget
from isthmus.store import permits
from isthmus.store.clock import instant, moment
from isthmus.store.store import Store
from isthmus.store.transaction import Row

PATIENCE_S = 1.0
#: how old the shared row may be
_FRESH = timedelta(seconds=0.2)
_LAPSES = timedelta(seconds=1)
#: calls left for each place, below which they are shared out one by one
_FEW = 10
_OPEN: Row = {"blocked_until": None, "open_until": None, "failures": 0, "remaining": None}


class Throttle:
    """The gate of one connection. ``async with throttle.permit():`` around each call."""

    def __init__(self, store: Store, connection: str, limits: Limits) -> None:
        self._store, self._connection, self._limits = store, connection, limits
        self._places = asyncio.Semaphore(limits.concurrency)
        self.breaker = CircuitBreaker(store, connection)
        #: our share of the rate: when the next call may start, and how many starts are left, a gap apart
        self._next, self._starts_left = store.clock(), 0
        self._reserving, self._looking = asyncio.Lock(), asyncio.Lock()
        self._row: Row | None = None
        self._read_at: datetime | None = None
        self.busy = 0
        self.waiting = 0

    def permit(self) -> Permit:
        """Wait a moment for a permit. Raises Later where the wait would be long."""
        return Permit(self)

    async def enter(self) -> None:
        """Wait for a place and for the gate."""
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1
        try:
            # the gate is looked at with a place in hand: what was asked of others meanwhile counts for us too
            await self._opened()
        except BaseException:
            self._places.release()
            raise
        self.busy += 1

    def leave(self) -> None:
        """Give the place to the next."""
        self.busy -= 1
        self._places.release()

    def block(self, pause_s: float) -> None:
        """Nobody calls before the pause is over: what the vendor asked of one holds for all."""
        now = self._store.clock()
        until = instant(now + timedelta(seconds=pause_s))
        self._know(now, blocked_until=until)
        self._store.ride(lambda tx: permits.block(tx, self._connection, until, instant(now)))

    def heed(self, budget: Budget) -> None:
        """Follow the headers of an answer: so many calls are left, for all of us, until the budget is full again."""
        if budget.remaining is None:
            return
        now, reset_s = self._store.clock(), budget.reset_s or PATIENCE_S
        if budget.remaining <= 0:
            self.block(reset_s)
        if budget.remaining > _FEW * self._limits.concurrency:
            if self._row and self._row["remaining"] is not None:
                self._know(now, remaining=None)
                self._store.ride(lambda tx: permits.plenty(tx, self._connection))
            return
        # the vendor has not counted yet what is under way
        left, full_at = max(0, budget.remaining - self.busy), instant(now + timedelta(seconds=reset_s))
        if not self._scarce(self._row, now) or left < self._row["remaining"]:  # type: ignore[index]
            self._know(now, remaining=left, full_at=full_at)
            self._store.ride(lambda tx: permits.few(tx, self._connection, left=left, full_at=full_at, now=instant(now)))

    async def _opened(self) -> None:
        """Return when a call may begin. Raises Later."""
        start: datetime | None = None
        tries = False
        while True:
            now = self._store.clock()
            row = self._row if self._fresh(now) else await self._looked(now)
            tries = tries or (row is not None and await self.breaker.check(row))
            closed_until, why = self._closed(row, now)
            if closed_until is None:
                if self._limits.requests_per_s:
                    start = start or await self._start(self._limits.requests_per_s, now)
                if start is None or start <= self._store.clock():
                    if not self._scarce(row, now) or await self._taken(now):
                        return
                    continue
                closed_until, why = start, "is at its rate limit"
            pause = (closed_until - self._store.clock()).total_seconds()
            if pause > PATIENCE_S:
                raise Later(closed_until, f"{self._connection} {why}")
            await self._store.sleep(pause)

    async def _taken(self, now: datetime) -> bool:
        """Take one of the few calls that are left; False where that is news, and the row must be looked at again."""
        row = await self._store.write(lambda tx: permits.take(tx, self._connection, instant(now)))
        self._row, self._read_at = row or self._row, now if row else None
        return row is not None

    def _know(self, now: datetime, **news: Any) -> None:
        self._row, self._read_at = {**(self._row or _OPEN), **news}, now

    @staticmethod
    def _scarce(row: Row | None, now: datetime) -> bool:
        return row is not None and row["remaining"] is not None and moment(row["full_at"]) > now

    async def _looked(self, now: datetime) -> Row | None:
        """The row that all workers share, as it is now; it is read once for all who ask in the same moment."""
        async with self._looking:
            if not self._fresh(now):
                row = await self._store.read(lambda tx: permits.read(tx, self._connection))
                if not self._fresh(now):  # else there was news of our own meanwhile
                    self._row, self._read_at = row, now
        return self._row

    def _fresh(self, now: datetime) -> bool:
        return self._read_at is not None and now - self._read_at <= _FRESH

    def _closed(self, row: Row | None, now: datetime) -> tuple[datetime | None, str]:
        blocked = row and row["blocked_until"]
        if blocked and (until := moment(blocked)) > now:
            return until, "asked us to wait"
        if row and self._scarce(row, now) and row["remaining"] <= 0:
            return moment(row["full_at"]), "has no calls left for us"
        return None, ""

    async def _start(self, rate: float, now: datetime) -> datetime:
        gap = timedelta(seconds=1 / rate)
        if self._starts_left and self._next < now - _LAPSES:
            lapsed = int((now - _LAPSES - self._next) / gap) + 1
            self._next, self._starts_left = self._next + gap * lapsed, max(0, self._starts_left - lapsed)
        while not self._starts_left:
            async with self._reserving:
                if not self._starts_left:
                    await self._reserve(rate, gap, now)
        start = self._next
        self._next, self._starts_left = start + gap, self._starts_left - 1
        return start

    async def _reserve(self, rate: float, gap: timedelta, now: datetime) -> None:
        share = max(1, int(rate / 4))
        row = self._row or await self._store.read(lambda tx: permits.read(tx, self._connection))
        for _ in range(50):
            free = moment(row["free_at"]) if row and row.get("free_at") else now
            starts = max(free, now)
            if (starts - now).total_seconds() > PATIENCE_S:
                raise Later(starts, f"{self._connection} is at its rate limit")
            end = starts + gap * share
            row = await self._store.write(
                lambda tx, s=starts, e=end: permits.reserve(  # type: ignore[misc]
                    tx, self._connection, now=instant(now), starts=instant(s), free_at=instant(e)
                )
            )
            if row is not None and row["free_at"] == instant(end):
                self._next, self._starts_left = starts, share
                return
        raise Later(now + timedelta(seconds=PATIENCE_S), f"{self._connection} is at its rate limit")


class Permit:
    """``async with``: from the permit to the end of the call."""

    __slots__ = ("_throttle",)

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle

    async def __aenter__(self) -> None:
        await self._throttle.enter()

    async def __aexit__(self, *_: object) -> None:
        self._throttle.leave()
