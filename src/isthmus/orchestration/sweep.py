"""What every worker does beside its plays: frees the runs of the dead, looks once more, retries, seals the journal."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any, Protocol

from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.outbound.outcome import Later, Park, ParkedWork
from isthmus.connectivity.system_api.roles import operation
from isthmus.orchestration.approval import remind_and_escalate
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.parked import exception_row, retry
from isthmus.store import effects, exceptions, journal, runs, workers
from isthmus.store.clock import instant
from isthmus.store.runs import Fence, FenceLost
from isthmus.store.transaction import Row, Transaction

log = logging.getLogger("isthmus.sweep")
DEATHS_MAX = 3
_TRY_AGAIN_S = 2.0


class _Worker(Protocol):
    holder: str

    @property
    def playing(self) -> set[str]: ...

    def wake(self) -> None: ...


class Sweeper:
    """Sweeps for one worker; any number may sweep at once, each row is changed by one."""

    def __init__(self, engine: Engine, worker: _Worker) -> None:
        self._engine, self._store, self._worker = engine, engine.store, worker
        self._idle: dict[str, int] = {}

    async def sweep(self) -> None:
        """One round."""
        await self._free_the_dead()
        await self._free_the_forgotten()
        await self._retry()
        await remind_and_escalate(self._store)
        await self._look_once_more()

    async def seal(self) -> None:
        """Give the journal's new events their positions."""
        if await self._store.read(lambda tx: tx.value("SELECT 1 AS found FROM journal WHERE position IS NULL LIMIT 1")):
            await self._store.write(journal.seal)

    # Runs that nobody plays -----------------------------------------------------------------------

    async def _free_the_dead(self) -> None:
        for row in await self._store.read(lambda tx: workers.abandoned(tx, self._worker.holder)):
            await self._free(row["id"], row["owner"])

    async def _free_the_forgotten(self) -> None:
        """Runs that stand under our own name and that we do not play, two rounds long: their taking was never told us.

        (A commit whose answer was lost, or a play that could not be let go.)
        """
        holder = self._worker.holder
        held = await self._store.read(lambda tx: runs.held_by(tx, holder))
        idle = {id_: fence for id_, fence in held.items() if id_ not in self._worker.playing}
        for id_, fence in idle.items():
            if self._idle.get(id_) == fence:
                await self._free(id_, holder)
        self._idle = idle

    async def _free(self, run_id: str, owner: str) -> None:
        now = self._store.clock()

        def free(tx: Transaction) -> int | None:
            if not runs.free_abandoned(tx, run_id, owner, instant(now)):
                return None
            run = runs.get_run(tx, run_id)
            assert run is not None
            data = {"deaths": run["deaths"]}
            journal.append(tx, at=instant(now), type_="isthmus.run.interrupted.v1", data=data, run=run)
            if run["deaths"] >= DEATHS_MAX and run["due_at"] is not None:
                self._poison(tx, run)
            return int(run["deaths"])

        deaths = await self._store.write(free)
        if deaths is not None:
            log.warning("run %s is taken over: its worker died (%s)", run_id, deaths)
            self._worker.wake()

    def _poison(self, tx: Transaction, run: Row) -> None:
        now = self._store.clock()
        work = ParkedWork(
            title="Three workers died while they played this run",
            error_class="program",
            mend="look at the worker's log for what it does to the process, mend it, then replay",
        )
        entry = exception_row(run, work, now)
        exceptions.open_exception(tx, entry["row"])
        tx.run(
            "UPDATE run SET state = CASE WHEN state = 'undoing' OR cancel = 1 THEN 'undoing' ELSE 'parked' END,"
            " due_at = NULL, problem = :problem, updated_at = :now WHERE id = :id",
            {"id": run["id"], "problem": entry["problem"], "now": instant(now)},
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

    # Effects of which there may be two ------------------------------------------------------------

    async def _look_once_more(self) -> None:
        """Effects that were repeated in doubt: should two exist by now, keep the recorded one and undo the other."""
        now, holder = instant(self._store.clock()), self._worker.holder
        for row in await self._store.read(lambda tx: effects.to_look_at(tx, now, 10)):
            borrowed = await self._store.write(lambda tx, id_=row["run_id"]: runs.borrow(tx, id_, holder, now))  # type: ignore[misc]
            if borrowed is None:
                continue
            run, due_at = borrowed
            state = await self._look(row, run, due_at)
            log.info("looked once more for %s: %s", row["key"], state)

    async def _look(self, row: Row, run: Row, due_at: str | None) -> str:
        reversed_, left = 0, 0
        again_s: float | None = None
        try:
            asking = await self._asking(row, run)
            seconds = await self._engine.sender.seconds(asking, operation(row["role"], row["operation"]), row)
            for second in seconds:
                if await self._undo(asking, row, second):
                    reversed_ += 1
                else:
                    left += 1
            # a very late one may still come: look a last time after four more settles
            again_s = 4 * asking.release.connections[row["connection"]].settle_s if not row["looks"] else None
        except FenceLost:
            return "lost"
        except (Park, Later) as trouble:
            log.warning("cannot look at %s now: %s", row["key"], trouble)
            again_s = _TRY_AGAIN_S
        except Exception:
            log.exception("the look at %s failed", row["key"])
            again_s = _TRY_AGAIN_S
        await self._back(run, due_at, row, again_s, reversed_, left)
        return f"{reversed_} second ones reversed" if reversed_ else f"{left} second ones left" if left else "nothing"

    async def _asking(self, row: Row, run: Row) -> Asking:
        fence = Fence(run["id"], run["fence"])
        release = await self._engine.releases.of(row["release"])
        return Asking(release, row["unit"], run, fence, run["round"], step=f"look at {row['step']}")

    async def _undo(self, asking: Asking, row: Row, second: Any) -> bool:
        """Undo a second one, as an effect of its own; False where nothing undoes it."""
        do, key = operation(row["role"], row["operation"]), f"{row['business_key']}:second:{_id(second)}"
        if row["undo"]:
            undo = operation(*row["undo"].split(".", 1))
        elif do.reversal is not None:
            undo = operation(do.role, do.reversal)
        else:
            return False
        await self._engine.sender.change(asking, undo, second, key=key)
        return True

    async def _back(
        self, run: Row, due_at: str | None, row: Row, again_s: float | None, reversed_: int, left: int
    ) -> None:
        now = self._store.clock()
        at = instant(now)
        again = None if again_s is None else instant(now + timedelta(seconds=again_s))
        kept = row["reference_number"] or row["reference_id"]

        def back(tx: Transaction) -> None:
            looked = again_s != _TRY_AGAIN_S
            values = {"look_at": again, "looks": row["looks"] + int(looked)}
            effects.update(tx, row["key"], {**values, "rule": "repaired"} if reversed_ else values)
            if looked:
                effects.compared(tx, row["key"], at)
            if reversed_:
                data = {"effect": row["key"], "reversed": reversed_, "kept": kept}
                journal.append(tx, at=at, type_="isthmus.effect.repaired.v1", data=data, run=run)
            if left:
                data = {"effect": row["key"], "beside": left, "kept": kept}
                journal.append(tx, at=at, type_="isthmus.effect.doubled.v1", data=data, run=run)
                exceptions.open_exception(tx, exception_row(run, _two_exist(row, kept), now)["row"])
            runs.put_back(tx, Fence(run["id"], run["fence"]), due_at, at)

        with suppress(FenceLost):
            await self._store.write(back)


def _two_exist(row: Row, kept: str | None) -> ParkedWork:
    return ParkedWork(
        title=f"{row['connection']} has more than one object of {row['role']}.{row['operation']}",
        error_class="conflict",
        mend=f"keep {kept or 'the first'}, merge or delete the other there, then replay",
        operation=f"{row['role']}.{row['operation']}",
        connection=row["connection"],
        said=f"an answer was lost, the repeat made a second one under {row['business_key']}; nothing undoes this step",
        step=row["step"],
    )


def _id(found: Any) -> str:
    return str(getattr(found, "number", None) or getattr(found, "id", None) or json.dumps(str(found))[:40])
