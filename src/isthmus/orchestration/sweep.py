"""What every worker does beside its plays: frees the runs of the dead, looks once more, retries, seals the journal."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Protocol

from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.outbound.outcome import Later, Park, ParkedWork
from isthmus.connectivity.system_api.roles import operation
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.parked import exception_row, retry
from isthmus.store import effects, exceptions, journal, runs, workers
from isthmus.store.clock import instant
from isthmus.store.runs import Fence, FenceLost
from isthmus.store.transaction import Row, Transaction

log = logging.getLogger("isthmus.sweep")
DEATHS_MAX = 3


class _Waker(Protocol):
    holder: str

    def wake(self) -> None: ...


class Sweeper:
    """Sweeps for one worker; any number may sweep at once, each row is changed by one."""

    def __init__(self, engine: Engine, worker: _Waker) -> None:
        self._engine, self._store, self._worker = engine, engine.store, worker

    async def sweep(self) -> None:
        """One round."""
        await self._free_the_dead()
        await self._retry()
        await self._look_once_more()

    async def seal(self) -> None:
        """Give the journal's new events their positions."""
        if await self._store.read(lambda tx: tx.value("SELECT 1 AS found FROM journal WHERE position IS NULL LIMIT 1")):
            await self._store.write(journal.seal)

    async def _free_the_dead(self) -> None:
        for row in await self._store.read(workers.abandoned):
            now = self._store.clock()

            def work(tx: Transaction, row: Row = row) -> bool:
                if not workers.free_abandoned(tx, row["id"], row["owner"], instant(now)):  # noqa: B023 - run at once
                    return False
                if row["deaths"] + 1 >= DEATHS_MAX:
                    self._poison(tx, row["id"])
                return True

            if await self._store.write(work):
                log.warning("run %s is taken over: its worker died (%s)", row["id"], row["deaths"] + 1)
                self._worker.wake()

    def _poison(self, tx: Transaction, run_id: str) -> None:
        run = runs.get_run(tx, run_id)
        assert run is not None
        now = self._store.clock()
        work = ParkedWork(
            title="Three workers died while they played this run",
            error_class="program",
            mend="look at the worker's log for what it does to the process, mend it, then replay",
        )
        entry = exception_row(run, work, now)
        exceptions.open_exception(tx, entry["row"])
        tx.run(
            "UPDATE run SET state = 'parked', due_at = NULL, problem = :problem, updated_at = :now WHERE id = :id",
            {"id": run_id, "problem": entry["problem"], "now": instant(now)},
        )
        journal.append(tx, at=instant(now), type_="isthmus.run.parked.v1", data={"title": work.title}, run=run)

    async def _retry(self) -> None:
        now = instant(self._store.clock())
        for row in await self._store.read(lambda tx: exceptions.due_retries(tx, now)):
            try:
                await retry(self._store, row["number"], who="clock")
                self._worker.wake()
            except (ValueError, LookupError):
                continue

    async def _look_once_more(self) -> None:
        """Effects that were repeated in doubt: should two exist by now, keep the recorded one and undo the other."""
        now = instant(self._store.clock())
        for row in await self._store.read(lambda tx: effects.to_look_at(tx, now, 10)):
            if row["state"] == "intended":
                continue
            run = await self._store.write(lambda tx, row=row: runs.take(tx, row["run_id"], self._worker.holder, now))  # type: ignore[misc]
            if run is None:
                continue
            state = await self._look(row, run)
            log.info("looked once more for %s: %s", row["key"], state)

    async def _look(self, row: Row, run: Row) -> str:
        release = self._engine.release_of(row["release"])
        asking = Asking(
            release, row["unit"], run, Fence(run["id"], run["fence"]), run["round"], step=f"look at {row['step']}"
        )
        do = operation(row["role"], row["operation"])
        again: str | None = None
        found = 0
        try:
            for second in await self._engine.sender.seconds(asking, do, row):
                if row["undo"]:
                    undo = operation(*row["undo"].split(".", 1))
                    await self._engine.sender.change(
                        asking, undo, second, key=f"{row['business_key']}:second:{_id(second)}"
                    )
                found += 1
        except (Park, Later) as trouble:
            log.warning("cannot look at %s now: %s", row["key"], trouble)
            again = instant(self._store.clock() + timedelta(seconds=2))
        except FenceLost:
            return "lost"
        if again is None and not found and row["looks"] < 100:
            # a very late one may still come: look a last time after four more settles
            settle = release.connections[row["connection"]].settle_s
            again = instant(self._store.clock() + timedelta(seconds=4 * settle))
        await self._back(run, row, again, found)
        return f"{found} second ones reversed" if found else "nothing"

    async def _back(self, run: Row, row: Row, again: str | None, found: int) -> None:
        now = instant(self._store.clock())

        def work(tx: Transaction) -> None:
            values = {"look_at": again, "looks": 100 if not found else row["looks"]}
            effects.update(tx, row["key"], {**values, "rule": "repaired"} if found else values)
            fence = Fence(run["id"], run["fence"])
            runs.end_play(tx, fence, state=run["state"], now=now, due_at=run["due_at"])
            if found:
                data = {"effect": row["key"], "reversed": found, "kept": row["reference_number"] or row["reference_id"]}
                journal.append(tx, at=now, type_="isthmus.effect.repaired.v1", data=data, run=run)

        await self._store.write(work)


def _id(found: object) -> str:
    return str(getattr(found, "number", None) or getattr(found, "id", None) or json.dumps(str(found))[:40])
