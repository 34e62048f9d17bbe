"""Workers over the sample company's real stand-ins that can be abandoned at any point; see ``tests.support.engine``."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from isthmus.connectivity.transport.answer import Answer, Call
from isthmus.landscape.release import Release
from isthmus.orchestration.dispatch import Worker
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.sweep import Sweeper
from isthmus.store import messages
from isthmus.store.clock import MovableClock, instant
from tests.support.engine import _SHM, Life, Place, Points, PointStore


class Company(Place):
    """A database and a clock beside the stand-ins, which stand elsewhere. ``starts`` are (process, event, subject)."""

    def __init__(self, release: Release, settings: dict[str, Any]) -> None:
        self.clock = MovableClock()
        self._folder: Path | None = Path(tempfile.mkdtemp(prefix="isthmus-", dir=_SHM))
        self._beside = None
        self.release, self.settings = release, settings
        self.url = self._sqlite()
        self.messages = {}
        self.people = None
        self.starts: list[tuple[str, str, str]] = []

    def expire_leases(self) -> None:
        """So much time has passed that the dead hold nothing any more, nor the lease of a sign-in."""
        super().expire_leases()
        self.clock.advance(timedelta(minutes=2))

    def life(self, points: Points | None = None, *, release: Release | None = None) -> CompanyLife:
        """A new worker."""
        return CompanyLife(self, points or Points())


class CompanyLife(Life):
    """One worker process; every write and every call is a point before and after."""

    place: Company

    def __init__(self, place: Company, points: Points, *, release: Release | None = None) -> None:
        self.place, self.points = place, points
        self.loop = asyncio.new_event_loop()
        self.store = PointStore(place.url, place.clock, points, self._sleep)
        self.engine = Engine(self.store, place.release, place.settings)
        self.calls: list[str] = []
        for connection in self.engine.connections.values():
            connection.send = self._sending(connection.send)  # type: ignore[method-assign]
        self.worker = Worker(self.engine, polls=False)
        self.sweeper = Sweeper(self.engine, self.worker)

    async def deliver(self) -> None:
        """People start the processes, as by the API."""
        for start in self.place.starts:
            await self._start(*start)

    async def _start(self, process: str, event: str, subject: str) -> None:
        wanted = messages.Start(process, 1, event, False)
        row = {"subject": subject, "connection": subject.partition("/")[0], "body": "{}", "traceparent": None}
        now, release = instant(self.place.clock()), self.place.release.id
        await self.store.write(lambda tx: messages.start_run(tx, row, wanted, release, now))

    def _sending(self, send: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        async def sending(call: Call, **more: Any) -> Answer:
            line = f"{call.method} {call.path.split('?')[0]}"
            self.calls.append(line)
            self.points.meet(f"before call {line}")
            answer = await send(call, **more)
            self.points.meet(f"after call {line}")
            return answer

        return sending
