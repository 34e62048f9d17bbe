"""Claims work and plays it: messages become runs, due runs are taken, one at a time for each subject.

(EIP: competing consumers, message dispatcher.)
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress

from isthmus.orchestration.alerting import Alerting
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.poll import Poller
from isthmus.orchestration.sweep import Sweeper
from isthmus.store import messages, runs, workers
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.store.transaction import Row, StoreUnavailable, Transaction

log = logging.getLogger("isthmus.worker")
BEAT_S = 2.0
IDLE_S = 0.1
SWEEP_S = 1.0
ALERTS_S = 2.0
DRAIN_S = 22.0


class Worker:
    """One worker: leases a slot, beats, claims, plays, sweeps, polls. ``run`` returns once it has drained."""

    def __init__(self, engine: Engine, *, slots: int = 64, polls: bool = True) -> None:
        self.engine, self.slots = engine, slots
        self._store: Store = engine.store
        self._polls = polls
        self.holder = ""
        self._active: dict[asyncio.Task[None], Row] = {}
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self.lost = threading.Event()
        self.played = 0

    def wake(self) -> None:
        """Something is there to be claimed."""
        self._woken.set()

    def stop(self) -> None:
        """Stop claiming; plays reach their next step, and what is left is handed back."""
        self.engine.player.leaving = True
        self._stopping.set()
        self._woken.set()

    @property
    def active(self) -> int:
        """How many runs are being played."""
        return len(self._active)

    @property
    def playing(self) -> set[str]:
        """The runs that are being played."""
        return {row["id"] for row in self._active.values()}

    async def run(self) -> None:
        """Work until stopped."""
        await self.engine.prepare()
        await self.lease()
        heart = Heart(self._store.url, self)
        heart.start()
        sweeper, alerting = Sweeper(self.engine, self), Alerting(self.engine)
        background = [
            asyncio.create_task(self._every(SWEEP_S, sweeper.sweep)),
            asyncio.create_task(self._every(0.3, sweeper.seal)),
            asyncio.create_task(self._every(ALERTS_S, alerting.round)),
        ]
        if self._polls:
            background += [asyncio.create_task(work) for work in Poller(self.engine, self).loops()]
        try:
            await self._claim_until_stopped()
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await alerting.close()
            await self._drain()
            heart.stop()
            with suppress(StoreUnavailable):
                await self._store.write(lambda tx: workers.release(tx, self.holder))

    async def play_one(self, row: Row) -> str:
        """Play one taken run; for tests that take by hand."""
        return await self.engine.player.play(row)

    async def lease(self) -> None:
        """Lease a slot under a new name."""
        self.holder = uuid.uuid4().hex[:12]
        name = f"{socket.gethostname()}:{os.getpid()}"
        holder = self.holder
        slot = await self._store.write(lambda tx: workers.lease(tx, holder=holder, name=name))
        self.lost.clear()
        log.info("worker %s has slot %s", name, slot)

    async def _claim_until_stopped(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            taken: list[Row] = []
            try:
                if self.lost.is_set():
                    await self.lease()
                free = self.slots - len(self._active)
                taken = await self.claim(free) if free > 0 else []
            except StoreUnavailable as error:
                log.warning("nothing can be claimed now: %s", error)
                await asyncio.sleep(0.5)
            except Exception:
                log.exception("nothing could be claimed; it goes on")
                await asyncio.sleep(1.0)
            for row in taken:
                task = asyncio.create_task(self._play(row))
                self._active[task] = row
                task.add_done_callback(self._finished)
            if not taken:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), IDLE_S)

    async def claim(self, free: int) -> list[Row]:
        """Take up to ``free`` runs that are due, messages turned into runs first. Raises StoreUnavailable.

        A run whose holder has died before is played alone, so that it cannot take others with it: it is waited for
        until nothing else is played here, and nothing is claimed beside it.
        """
        if any(row["deaths"] for row in self._active.values()):
            return []
        now, release, holder = instant(self._store.clock()), self.engine.release.id, self.holder
        if not await self._store.read(_anything(now)):
            return []
        alone = not self._active

        def work(tx: Transaction) -> list[Row]:
            if suspect := runs.suspect_due(tx, now):
                taken = runs.take(tx, suspect, holder, now) if alone else None
                return [taken] if taken else []
            messages.claim_messages(tx, most=free, plan=self.engine.plan, release=release, now=now)
            return runs.take_due(tx, holder=holder, most=free, now=now)

        return await self._store.write(work)

    async def _play(self, row: Row) -> None:
        try:
            await self.engine.player.play(row)
        except Exception:
            log.exception("run %s could not be let go", row["id"])

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._active.pop(task, None)
        self.played += 1
        self._woken.set()

    async def _drain(self) -> None:
        if self._active:
            await asyncio.wait(self._active, timeout=DRAIN_S)
        for task in list(self._active):
            task.cancel()
        await asyncio.gather(*self._active, return_exceptions=True)
        now, holder = instant(self._store.clock()), self.holder
        with suppress(StoreUnavailable):
            await self._store.write(lambda tx: runs.hand_back(tx, holder, now))

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except StoreUnavailable as error:
                log.warning("the sweep waits for the database: %s", error)
            except Exception:
                log.exception("the sweep failed; it goes on")


class Heart(threading.Thread):
    """Beats from a thread of its own, so that a busy loop is shown as busy and not taken for dead."""

    def __init__(self, url: str, worker: Worker) -> None:
        super().__init__(name="isthmus-heart", daemon=True)
        self._url, self._worker = url, worker
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Stop beating."""
        self._stopped.set()
        self.join(5)

    def run(self) -> None:
        """Renew the lease every few seconds; tell the worker when it was lost."""
        transaction: Transaction | None = None
        while not self._stopped.wait(BEAT_S):
            try:
                transaction = transaction or Store.open_connection(self._url)
                progress = f"{self._worker.played} played, {self._worker.active} active at {time.time():.0f}"
                transaction.begin()
                alive = workers.beat(transaction, holder=self._worker.holder, progress=progress)
                transaction.commit()
                if not alive:
                    self._worker.lost.set()
            except Exception as error:
                log.warning("the heartbeat could not be written: %s", error)
                transaction = None


def _anything(now: str) -> Callable[[Transaction], bool]:
    sql = """SELECT CASE WHEN EXISTS (SELECT 1 FROM message WHERE state = 'new')
      OR EXISTS (SELECT 1 FROM run WHERE owner IS NULL AND due_at IS NOT NULL AND due_at <= :now) THEN 1 ELSE 0 END AS found"""
    return lambda tx: bool(tx.value(sql, {"now": now}))
