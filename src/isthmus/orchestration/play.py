"""Plays a taken run from the top and lets go of it: done, waiting, parked or undone.

Every write of a play is conditional on its fence; a play that lost it stops at once and says nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from opentelemetry import context as telemetry
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import BaseModel, TypeAdapter

from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.outbound.outcome import CancelAsked, Later, Park, ParkedWork
from isthmus.connectivity.outbound.reading import Reader
from isthmus.connectivity.outbound.send import Sender
from isthmus.orchestration.about import about
from isthmus.orchestration.compensation import Compensation
from isthmus.orchestration.parked import exception_row
from isthmus.orchestration.process import Process, Refused
from isthmus.orchestration.releases import Releases
from isthmus.orchestration.run import Run
from isthmus.orchestration.take_in import TakeIn
from isthmus.orchestration.waiting import Waiting
from isthmus.store import approvals, effects, exceptions, history, journal, runs
from isthmus.store.actors import RUN
from isthmus.store.clock import instant
from isthmus.store.runs import Fence, FenceLost
from isthmus.store.store import Store
from isthmus.store.transaction import Row, StoreUnavailable, Transaction

log = logging.getLogger("isthmus.play")
tracer = trace.get_tracer("isthmus")
_ANY: TypeAdapter[Any] = TypeAdapter(Any)
_propagator = TraceContextTextMapPropagator()


class Player:
    """Plays runs with the processes that this worker has."""

    def __init__(
        self,
        store: Store,
        sender: Sender,
        reader: Reader,
        take_in: TakeIn,
        releases: Releases,
    ) -> None:
        self._store, self._sender, self._reader, self._take_in = store, sender, reader, take_in
        self._releases = releases
        self._compensation = Compensation(store, sender)
        #: the worker is to go: plays end at their next step, and what is left is due at once for another
        self.leaving = False

    async def play(self, row: Row) -> str:
        """Play a run that was just taken; the state in which it was let go (``lost`` where somebody else has it)."""
        parent = _propagator.extract({"traceparent": row["traceparent"]}) if row["traceparent"] else telemetry.Context()
        with tracer.start_as_current_span(
            f"run {row['process']}", context=parent, attributes={"isthmus.run": row["id"]}
        ):
            if row["traceparent"] is None:
                carrier: dict[str, str] = {}
                _propagator.inject(carrier)
                row["traceparent"] = carrier.get("traceparent")
            fence = Fence(row["id"], row["fence"])
            try:
                return await self._guarded(row, fence)
            except FenceLost:
                return "lost"

    async def _guarded(self, row: Row, fence: Fence) -> str:
        first = row["fence"] == 1
        while True:
            try:
                if not first:
                    await self._read_again(row, fence)
                state = await self._once(row, fence, first)
                if state is not None:
                    return state
            except StoreUnavailable:
                # nothing could be written, so nothing is decided: the fence is still ours, play again
                await self._store.sleep(0.5)
            first = False

    async def _read_again(self, row: Row, fence: Fence) -> None:
        """What has been written about the run meanwhile: by this play, by those who mend, answer or cancel."""
        now = await self._store.read(lambda tx: runs.get_run(tx, fence.run_id))
        if now is None or now["fence"] != fence.number or now["owner"] is None:
            raise FenceLost(fence.run_id)
        row.update({name: value for name, value in now.items() if name != "traceparent"})

    async def _once(self, row: Row, fence: Fence, first: bool) -> str | None:
        """One play; None where it must be played again: something came meanwhile, or it is to be undone."""
        asking = Asking(self._releases.present, row["unit"] or "", row, fence, row["round"])
        undoing = bool(row["state"] == "undoing" or row["cancel"])
        try:
            asking.release = await self._releases.of(row["release"])
            process = self._releases.process(asking.release, row["process"], row["version"])
            # a run that never knew what it is about has done nothing that could be undone
            found = None if undoing and row["input"] is None else await self._input(asking, process)
            if found is None:
                return await self._let_go(asking, "undone" if undoing else "ignored")
            memory, done = ([], []) if first else await self._remembered(fence.run_id)
            run = Run(self._store, self._sender, self._reader, asking, memory, done, leaving=lambda: self.leaving)
            if undoing:
                return await self._undo(asking, process, run, found)
            result = await process.function(run, found)
            return await self._done(asking, result)
        except (Waiting, Later) as wait:
            return await self._wait(asking, wait.at, str(wait))
        except Park as parked:
            return await self._park(asking, parked.work)
        except (Refused, CancelAsked) as refused:
            return await self._refused(asking, refused)
        except (FenceLost, StoreUnavailable):
            raise
        except Exception as error:
            log.exception("run %s failed in its program", row["id"])
            return await self._park(asking, _program_error(error, asking.step))

    # What it is about -----------------------------------------------------------------------------

    async def _input(self, asking: Asking, process: Process) -> BaseModel | None:
        row = asking.run
        assert row is not None and asking.fence is not None
        if row["input"] is not None:
            found: BaseModel | None = process.takes.model_validate_json(row["input"])
        else:
            found = await self._take_in.object_of(asking, process.takes)
            if found is None:
                return None
            values = {
                **about(found, row["subject"]),
                "input": asking.writings.of(found).text,
                "traceparent": row["traceparent"],
            }
            row.update(values)
            now, fence = instant(self._store.clock()), asking.fence
            event = {
                "title": row["title"],
                "customer": row["customer"],
                "amount": row["amount"],
                "currency": row["currency"],
            }

            def work(tx: Transaction) -> None:
                runs.describe(tx, fence, values, now)
                journal.append(tx, at=now, type_=row["event"] or "isthmus.run.started.v1", data=event, run=row)

            self._store.ride(work, of=fence)
        asking.unit = row["unit"] or ""
        unit = asking.release.units.get(asking.unit)
        if unit is None:
            raise Park(_no_unit(asking))
        asking.zone = unit.business_unit.time_zone
        return found

    async def _remembered(self, run_id: str) -> tuple[list[Row], list[Row]]:
        return await self._store.read(lambda tx: (history.memories(tx, run_id), effects.effects_of(tx, run_id)))

    # How it ends ----------------------------------------------------------------------------------

    async def _let_go(
        self, asking: Asking, state: str, event: str | None = None, data: Row | None = None, *,
        due_at: datetime | None = None, wake_seen: int | None = None, more: Callable[[Transaction], Any] | None = None, **values: Any,
    ) -> str | None:  # fmt: skip
        row, fence = asking.run, asking.fence
        assert row is not None and fence is not None
        now = instant(self._store.clock())

        def work(tx: Transaction) -> bool:
            gone = runs.end_play(
                tx,
                fence,
                state=state,
                now=now,
                due_at=instant(due_at) if due_at else None,
                wake_seen=wake_seen,
                **values,
            )
            if gone and event:
                journal.append(tx, at=now, type_=event, data=data or {}, run=row)
            if gone and state in ("done", "undone", "ignored"):
                exceptions.end_exception(tx, fence.run_id, who=RUN, now=now)
            if gone and more:
                more(tx)
            return gone

        return state if await self._store.write(work, whole=fence) else None

    async def _done(self, asking: Asking, result: Any) -> str | None:
        text = (
            _ANY.dump_json(result).decode()
            if not isinstance(result, BaseModel)
            else result.model_dump_json(exclude_none=True)
        )
        assert asking.run is not None
        word = asking.run["process"].replace("-", "_")
        return await self._let_go(
            asking, "done", f"isthmus.{word}.completed.v1", {"key": asking.key}, result=text, problem=None
        )

    async def _wait(self, asking: Asking, at: datetime | None, why: str) -> str | None:
        row = asking.run
        assert row is not None
        state = "undoing" if row["state"] == "undoing" or row["cancel"] else "waiting"
        problem = json.dumps({"waiting_for": why})
        return await self._let_go(asking, state, due_at=at, wake_seen=row["wake"], problem=problem)

    async def _park(self, asking: Asking, work: ParkedWork) -> str | None:
        row = asking.run
        assert row is not None
        now = self._store.clock()
        entry = exception_row(row, work, now)
        state = "undoing" if row["state"] == "undoing" or row["cancel"] else "parked"
        event = {"title": work.title, "mend": work.mend, "class": work.error_class, "operation": work.operation}
        log.warning("%s waits for a person: %s", row["business_key"] or row["id"], work.title)
        return await self._let_go(
            asking,
            state,
            "isthmus.run.parked.v1",
            event,
            wake_seen=row["wake"],
            problem=entry["problem"],
            more=lambda tx: exceptions.open_exception(tx, entry["row"]),
        )

    async def _refused(self, asking: Asking, refused: Exception) -> str | None:
        row, fence = asking.run, asking.fence
        assert row is not None and fence is not None
        now = instant(self._store.clock())
        why = "cancelled" if isinstance(refused, CancelAsked) else str(refused) or "refused"
        row["state"] = "undoing"

        def work(tx: Transaction) -> None:
            runs.describe(tx, fence, {"state": "undoing", "problem": json.dumps({"undone_because": why})}, now)
            journal.append(tx, at=now, type_="isthmus.run.refused.v1", data={"why": why}, run=row)

        await self._store.write(work)
        return None

    async def _undo(self, asking: Asking, process: Process, run: Run, found: BaseModel) -> str | None:
        row, fence = asking.run, asking.fence
        assert row is not None and fence is not None
        row["state"], row["cancel"] = "undoing", 0
        now = instant(self._store.clock())

        def begin(tx: Transaction) -> None:
            runs.describe(tx, fence, {"state": "undoing", "cancel": 0}, now)
            approvals.withdraw(tx, fence.run_id, now)

        await self._store.write(begin)
        rows = await self._store.read(lambda tx: effects.effects_of(tx, fence.run_id))
        failures = await self._compensation.undo_all(asking, rows)
        if failures:
            worst = failures[0]
            title = f"Could not be undone: {worst.title}"
            return await self._park(asking, ParkedWork(**{**_fields(worst), "title": title}))
        if process.when_undone is not None:
            await process.when_undone(run, found)
        return await self._let_go(asking, "undone", "isthmus.run.undone.v1", {"key": asking.key})


def _fields(work: ParkedWork) -> dict[str, Any]:
    return {name: getattr(work, name) for name in ParkedWork.__dataclass_fields__}


def _no_unit(asking: Asking) -> ParkedWork:
    return ParkedWork(
        title=f"No business unit is called {asking.unit!r}" if asking.unit else "The source names no business unit",
        error_class="missing",
        mend=f"correct the unit at its source (there are {', '.join(asking.release.units)}), then replay",
        step="take in",
    )


def _program_error(error: Exception, step: str) -> ParkedWork:
    return ParkedWork(
        title=f"The process failed in its own program: {type(error).__name__}: {error}"[:300],
        error_class="program",
        mend="mend the process or its mapping, then replay; nothing is lost or done twice by that",
        said=f"{type(error).__name__}: {error}"[:2000],
        step=step or None,
    )
