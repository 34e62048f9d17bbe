"""A single change asked for by a system API, as a run of its own: durable, looked after and shown like all work."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from isthmus.connectivity.outbound.outcome import ParkedWork
from isthmus.connectivity.system_api.operation import Operation
from isthmus.connectivity.system_api.roles import operation
from isthmus.orchestration.parked import exception_row
from isthmus.orchestration.process import process
from isthmus.orchestration.run import Run
from isthmus.store import audit, exceptions, journal, runs
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction

NAME = "system-call"


class SystemCall(BaseModel):
    """What was asked: a role's operation with its canonical argument. ``number`` is its business key."""

    model_config = ConfigDict(frozen=True)

    number: str
    business_unit: str
    name: str
    role: str
    operation: str
    argument: dict[str, Any]


@process(NAME, version=1, starts_on=())
async def system_call(run: Run, call: SystemCall) -> BaseModel:
    """Do it, once."""
    what = operation(call.role, call.operation)
    done: BaseModel = await run.step(
        what, what.takes.model_validate(call.argument), stays="its caller asked for just this"
    )
    return done


async def ask_system(
    store: Store, what: Operation[Any, Any], argument: BaseModel, *, unit: str, key: str | None, release: str,
    who: str, traceparent: str | None = None,
) -> str:  # fmt: skip
    """Write a system call as a run that is due now, unless one stands under the caller's key; the run's id."""
    number = _number(key or uuid.uuid4().hex)
    call = SystemCall(
        number=number,
        business_unit=unit,
        name=str(what),
        role=what.role,
        operation=what.name,
        argument=argument.model_dump(mode="json", exclude_none=True),
    )
    now = instant(store.clock())
    new = _new(what, number, release, traceparent)
    columns: Row = {"input": call.model_dump_json(), "business_key": number, "title": str(what), "unit": unit}

    def work(tx: Transaction) -> str:
        if runs.insert_run(tx, new, now, **columns):
            audit.note(tx, at=now, who=who, did=str(what), about=new.id, after={"unit": unit})
        return new.id

    return await store.write(work)


def call_id(what: Operation[Any, Any], key: str) -> str:
    """The id of the run that a call under ``key`` is."""
    return _new(what, _number(key), "", None).id


def park_call(
    tx: Transaction, what: Operation[Any, Any], argument: dict[str, Any], work: ParkedWork, *, unit: str, key: str,
    called: str, release: str, now: datetime,
) -> None:  # fmt: skip
    """A single change as a run that is parked already, with nothing done of it yet, unless one stands under ``key``.

    ``called`` is what people know it by.
    """
    call = SystemCall(
        number=_number(key),
        business_unit=unit,
        name=str(what),
        role=what.role,
        operation=what.name,
        argument=argument,
    )
    new, at = _new(what, call.number, release, None), instant(now)
    columns: Row = {"input": call.model_dump_json(), "business_key": called, "title": f"{what} {called}", "unit": unit}
    if not runs.insert_run(tx, new, at, due=False, state="parked", **columns):
        return
    run = runs.get_run(tx, new.id)
    assert run is not None
    entry = exception_row(run, work, now)
    exceptions.open_exception(tx, entry["row"])
    runs.tell_problem(tx, new.id, entry["problem"])
    data = {"title": work.title, "mend": work.mend, "class": work.error_class, "operation": work.operation}
    journal.append(tx, at=at, type_="isthmus.run.parked.v1", data=data, run=run)


def _new(what: Operation[Any, Any], number: str, release: str, traceparent: str | None) -> runs.NewRun:
    return runs.NewRun(NAME, 1, f"api/{what}/{number}", "api", None, "{}", release, traceparent)


def _number(key: str) -> str:
    """Short enough for any vendor's field, and never somebody's number of an order."""
    return f"API-{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def result_of(run: Row) -> Any:
    """The answer of a call that is done, as JSON."""
    return json.loads(run["result"]) if run["result"] else None
