"""Workers that can be abandoned at any point of what they do, over the toy vendor and a clock that is moved.

A ``Life`` is one worker process in an event loop of its own. ``Points`` counts every write and every call that it comes
to; at the chosen one the life ends without any clean-up: its loop stops, its objects are dropped, and only what the
database and the vendor know by then is left. The next life starts from that.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from isthmus.connectivity.transport.answer import Answer, Call
from isthmus.landscape.release import Release
from isthmus.orchestration.approval import decide
from isthmus.orchestration.dispatch import Worker
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.sweep import Sweeper
from isthmus.store import approvals, effects, exceptions, runs
from isthmus.store.clock import MovableClock, instant, moment
from isthmus.store.messages import NewMessage, store_call
from isthmus.store.migrate import migrate
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction
from tests.support.postgres import drop_database, new_database
from tests.support.toy import World, toy_release, toy_vendor

T = TypeVar("T")
_SHM = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


class Killed(BaseException):
    """The life ended here."""


class Points:
    """Counts the points that a life passes; at number ``kill_at`` (from 1) it ends. 0 never ends it."""

    def __init__(self, kill_at: int = 0) -> None:
        self.kill_at, self.passed, self.dead = kill_at, 0, False
        self.names: list[str] = []

    def meet(self, name: str) -> None:
        """Pass a point, or end there."""
        if self.comes(name):
            self.end()

    def comes(self, name: str) -> bool:
        """Count a point; whether it is the one."""
        if self.dead:
            raise Killed
        self.passed += 1
        self.names.append(name)
        return self.passed == self.kill_at

    def end(self) -> None:
        """End the life now."""
        self.dead = True
        asyncio.get_running_loop().stop()
        raise Killed


class PointStore(Store):
    """A store whose every write is a point before it is queued and a point after its commit."""

    def __init__(self, url: str, clock: MovableClock, points: Points, sleep: Any) -> None:
        super().__init__(url, clock, sleep)
        self.points = points

    async def write(self, work: Callable[[Transaction], T], **more: Any) -> T:
        name = work.__qualname__
        self.points.meet(f"before write {name}")
        result = await super().write(work, **more)
        self.points.meet(f"after write {name}")
        return result

    def ride(self, work: Callable[[Transaction], T], **more: Any) -> asyncio.Future[T]:
        name = work.__qualname__
        self.points.meet(f"before ride {name}")
        future = super().ride(work, **more)
        self.points.meet(f"after ride {name}")
        return future

    async def read(self, work: Callable[[Transaction], T]) -> T:
        if self.points.dead:
            raise Killed
        return await super().read(work)


class Place:
    """A database, an account at the toy vendor and a clock: what outlives the workers."""

    def __init__(self, database: str = "sqlite") -> None:
        self.clock = MovableClock()
        self.world: World = toy_vendor().world(self.clock)
        self._folder: Path | None = None
        self._beside: Transaction | None = None
        self.url = new_database() if database == "postgresql" else self._sqlite()
        self.messages: dict[str, dict[str, Any]] = {}
        #: asked whenever nothing is left to do, in each life; decides approvals and the like
        self.people: Callable[[Life], Awaitable[None]] | None = None

    def _sqlite(self) -> str:
        self._folder = Path(tempfile.mkdtemp(prefix="isthmus-", dir=_SHM))
        shutil.copyfile(_template(), self._folder / "store.sqlite")
        return f"sqlite:///{self._folder / 'store.sqlite'}"

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        if self._beside is not None:
            self._beside._connection.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        else:
            drop_database(self.url)

    def post(self, plan: str, kind: str = "one", *, id_: str | None = None, channel: str = "plans", **more: Any) -> str:
        """A message that the vendor sends, and sends again in each life until it is stored; its id."""
        id_ = id_ or f"{plan}-{kind}-{len(self.messages)}"
        self.messages[id_] = {"id": id_, "plan": plan, "kind": kind, "channel": channel, **more}
        return id_

    def sql(self, text: str, **values: Any) -> list[Row]:
        """Ask the database beside all workers."""
        if self._beside is None:
            self._beside = Store.open_connection(self.url)
        tx = self._beside
        tx.begin()
        cursor = tx._execute(text, values)
        found: list[Row] = cursor.fetchall() if cursor.description else []
        tx.commit()
        return found

    def expire_leases(self) -> None:
        """So much time has passed that every worker's lease has run out (leases go by the database's own clock)."""
        self.sql("UPDATE worker SET expires_at = 0")

    def life(self, points: Points | None = None, *, release: Release | None = None) -> Life:
        """A new worker."""
        return Life(self, points or Points(), release=release)

    def live(self, points: Points | None = None, *, release: Release | None = None, **work: Any) -> bool:
        """A worker's whole life, until nothing is left to do; False where it ended at its point."""
        with self.life(points, release=release) as life:
            return life.until_quiet(**work)

    def finish(self) -> None:
        """After a death: the leases run out, and a new worker does what is left."""
        self.expire_leases()
        assert self.live()

    # What is there --------------------------------------------------------------------------------

    def runs(self) -> dict[str, str]:
        """Run → state."""
        return {row["id"]: row["state"] for row in self.sql("SELECT id, state FROM run ORDER BY id")}

    def run(self, run_id: str) -> Row:
        """One run."""
        return self.sql("SELECT * FROM run WHERE id = :id", id=run_id)[0]

    def effects(self, **where: Any) -> list[Row]:
        """Effects whose columns have these values."""
        conditions = " AND ".join(f"{name} = :{name}" for name in where) or "1 = 1"
        return self.sql(f"SELECT * FROM effect WHERE {conditions} ORDER BY intended_at, key", **where)

    def exceptions(self) -> list[Row]:
        """Open exceptions."""
        return self.sql("SELECT * FROM exception WHERE state = 'open' ORDER BY number")

    def audit(self) -> None:
        """Nothing is doubled, nothing hangs, no living thing stands there that no effect has made."""
        self.clock.advance(timedelta(hours=1))
        assert self.world.under_way == 0
        assert self.world.doubled() == []
        open_ = self.sql("SELECT id, state, owner, due_at FROM run WHERE owner IS NOT NULL OR state = 'ready'")
        assert open_ == []
        hanging = self.sql(
            "SELECT key, state FROM effect WHERE state = 'intended' AND doubt = 1 AND run_id IN"
            " (SELECT id FROM run WHERE state IN ('done', 'undone'))"
        )
        assert hanging == []
        assert self.sql("SELECT id FROM message WHERE state = 'new'") == []
        known = {row["business_key"] for row in self.effects(state="done")}
        for thing in self.world.things():
            assert thing["key"].split("/")[0] in known, f"nobody asked for {thing}"


class Life:
    """One worker process, as far as its loop is concerned."""

    def __init__(self, place: Place, points: Points, *, release: Release | None = None) -> None:
        self.place, self.points = place, points
        self.loop = asyncio.new_event_loop()
        self.store = PointStore(place.url, place.clock, points, self._sleep)
        settings = {"toy": {"base_url": place.world.url, "key": "k", "secret": "s"}}
        self.engine = Engine(self.store, release or toy_release(), settings)
        for connection in self.engine.connections.values():
            connection.send = self._sending(connection.send)  # type: ignore[method-assign]
        self.worker = Worker(self.engine, polls=False)
        self.sweeper = Sweeper(self.engine, self.worker)

    def __enter__(self) -> Life:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go; after a death nothing is tidied up but this process's memory."""
        if not self.points.dead and not self.loop.is_closed():
            self.loop.run_until_complete(self.engine.close())
        self.store.close()
        self.drop()

    def drop(self) -> None:
        """Drop the loop with everything that still hangs in it; nothing of that reaches store or vendor any more."""
        self.points.dead = True
        # what ended with the life is asked for by nobody: it has nothing to complain about
        self.loop.set_exception_handler(lambda loop, context: None)
        before, logging.root.manager.disable = logging.root.manager.disable, logging.CRITICAL
        for task in asyncio.all_tasks(self.loop):
            with suppress(BaseException):
                task.get_coro().close()  # type: ignore[union-attr]
        logging.root.manager.disable = before
        for connection in self.engine.connections.values():
            session = connection._wire._session
            if session is not None:
                session._connector = None
        self.loop.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in this life. Raises Killed."""
        asyncio.set_event_loop(self.loop)
        try:
            return self.loop.run_until_complete(work)
        except RuntimeError:
            if self.points.dead:
                raise Killed from None
            raise
        finally:
            asyncio.set_event_loop(None)

    def until_quiet(self, **more: Any) -> bool:
        """Work until nothing is left to do; False where the life ended at its point."""
        try:
            self.do(self.work(**more))
        except Killed:
            return False
        return True

    # What a worker does, one thing after the other --------------------------------------------------

    async def work(self, *, within: timedelta = timedelta(days=1), at_once: int = 1, turns: int = 500) -> None:
        """Deliver, claim, play, sweep; when nothing is due, move the clock to what is due next ``within``."""
        end = self.place.clock() + within
        await self.engine.prepare()
        await self.worker.lease()
        await self.deliver()
        for _ in range(turns):
            if await self.turn(at_once):
                continue
            await self.sweeper.sweep()
            await self.sweeper.seal()
            if self.place.people is not None:
                await self.place.people(self)
            next_at = await self.store.read(_next(instant(self.place.clock())))
            if next_at is None or moment(next_at) > end:
                return
            pause = (moment(next_at) - self.place.clock()).total_seconds()
            if pause > 0:
                self.place.clock.advance(timedelta(seconds=pause + 0.001))
        raise AssertionError(f"it does not come to rest: {self.place.runs()}, {self.points.names[-20:]}")

    async def turn(self, at_once: int = 1) -> int:
        """Claim and play once; how many runs were played, or messages dealt with."""
        waiting = await self.store.read(_messages)
        taken = await self.worker.claim(at_once)
        if len(taken) == 1:
            await self.worker.play_one(taken[0])
        elif taken:
            await asyncio.gather(*(self.worker.play_one(row) for row in taken))
        return len(taken) or waiting - await self.store.read(_messages)

    async def deliver(self) -> None:
        """The vendor sends every message that was not acknowledged yet, and may send it again."""
        for message in self.place.messages.values():
            await self.receive(message)

    async def receive(self, message: dict[str, Any]) -> int:
        """Take in one message; whether it was new."""
        now = instant(self.place.clock())
        call = {
            "id": uuid.uuid4().hex,
            "connection": "toy",
            "channel": message["channel"],
            "received_at": now,
            "headers": "{}",
            "body": b"",
            "traceparent": None,
        }
        part = NewMessage(
            message["id"],
            f"Plan/{message['plan']}",
            message["kind"],
            message.get("version"),
            message,
            **({"newest_wins": True} if message["channel"] == "newest" else {}),
        )
        return await self.store.write(lambda tx: store_call(tx, call, [part]))

    # Points at calls ------------------------------------------------------------------------------

    def _sending(self, send: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        async def sending(call: Call, **more: Any) -> Answer:
            line = f"{call.method} {call.path.split('?')[0]}"
            self.points.meet(f"before call {line}")
            if call.method != "GET" and self.points.comes(f"under way: {line}"):
                self.place.world.faults.insert(0, _late(call))
                try:
                    await send(call, **more)
                finally:
                    self.points.end()
            answer = await send(call, **more)
            self.points.meet(f"after call {line}")
            return answer

        return sending

    async def _sleep(self, seconds: float) -> None:
        self.place.clock.advance(timedelta(seconds=seconds))
        await asyncio.sleep(0)


def _late(call: Call) -> Any:
    from tests.support.toy import Fault

    return Fault("late", on=f"{call.method} things", delay_s=4.0)


def _messages(tx: Transaction) -> int:
    return int(tx.value("SELECT count(*) AS n FROM message WHERE state = 'new'"))


def _next(now: str) -> Callable[[Transaction], str | None]:
    """When something is due next: a run, a look, a retry, or messages of a connection that is closed until then."""
    sql = (
        "SELECT min(at) AS at FROM (SELECT min(due_at) AS at FROM run WHERE owner IS NULL AND due_at IS NOT NULL"
        " UNION ALL SELECT min(look_at) FROM effect WHERE look_at IS NOT NULL AND state <> 'intended'"
        " UNION ALL SELECT min(retry_at) FROM exception WHERE state = 'open'"
        " UNION ALL SELECT p.blocked_until FROM permit p JOIN message m ON m.connection = p.connection"
        " WHERE m.state = 'new' AND p.blocked_until > :now"
        " UNION ALL SELECT p.open_until FROM permit p JOIN message m ON m.connection = p.connection"
        " WHERE m.state = 'new' AND p.open_until > :now) AS times"
    )
    return lambda tx: tx.value(sql, {"now": now})


async def approve_everything(life: Life) -> None:
    """People who say yes to everything, twice."""
    for row in await life.store.read(approvals.list_approvals):
        for _ in range(2):
            try:
                await decide(life.store, row["id"], verdict="approved", who=row["policy"], comment=None)
            except ValueError:
                continue


def kill_everywhere(
    prepare: Callable[[Place], None],
    audit: Callable[[Place], None],
    *,
    database: str = "sqlite",
    only: Callable[[int], bool] = lambda number: True,
    made: Callable[[], Place] | None = None,
) -> int:
    """Play once to count the points, then once for each with a death there, and audit; how many were visited.

    ``made``: another place than one with toys.
    """
    made = made or (lambda: Place(database))
    with made() as place:
        prepare(place)
        points = Points()
        assert place.live(points)
        audit(place)
    visited = 0
    for number in range(1, points.passed + 1):
        if not only(number):
            continue
        visited += 1
        with made() as place:
            prepare(place)
            died = Points(number)
            alive = place.live(died)
            where = died.names[-1] if not alive else "(not reached)"
            try:
                place.finish()
                audit(place)
            except AssertionError as error:
                raise AssertionError(f"killed at point {number}, {where}: {error}") from error
    return visited


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="isthmus-template-", dir=_SHM))
    path = folder / "store.sqlite"
    migrate(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


__all__ = [
    "Killed",
    "Life",
    "Place",
    "Points",
    "approve_everything",
    "effects",
    "exceptions",
    "json",
    "kill_everywhere",
    "runs",
]
_ = datetime
