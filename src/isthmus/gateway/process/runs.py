"""Starts processes and shows their runs. A run is found by its subject: asking twice starts one."""

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from isthmus.gateway.access import Access, Caller
from isthmus.gateway.idempotency import replayed
from isthmus.gateway.problems import not_found
from isthmus.model.problems import PROBLEMS_AT, IsthmusError, Problem
from isthmus.orchestration import parked
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.process import Process
from isthmus.orchestration.take_in import take_of
from isthmus.store import messages, runs
from isthmus.store.clock import instant
from isthmus.store.transaction import Row, Transaction
from isthmus.visibility.timeline import summary, timeline


class Subject(BaseModel):
    """An object at its source."""

    model_config = ConfigDict(extra="forbid")

    connection: str = Field(examples=["crm-europe"], max_length=100)
    id: str = Field(examples=["0061"], min_length=1, max_length=200, description="the vendor's id")


class Started(BaseModel):
    """A run, and where to look at it."""

    run: str
    state: str
    links: dict[str, str]


class Why(BaseModel):
    """Why something is done, for the audit."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field("", max_length=500)


def router(engine: Engine, access: Access, wake: Callable[[], None]) -> APIRouter:
    """``/api/process/…`` for each process of the release, and ``/api/runs``."""
    routes = APIRouter(tags=["process"])
    for process in engine.processes.values():
        if process.starts_on:
            _add_start(routes, engine, access, wake, process)
    _add_runs(routes, engine, access, wake)
    return routes


def _add_start(routes: APIRouter, engine: Engine, access: Access, wake: Callable[[], None], process: Process) -> None:
    word = process.takes.__name__.lower()
    make: Any = create_model
    asked = make(f"Start{process.takes.__name__}{process.name.title().replace('-', '')}", **{word: (Subject, ...)})

    @routes.post(
        f"/api/process/{process.name}",
        status_code=202,
        response_model=Started,
        summary=(process.function.__doc__ or process.name).split("\n")[0],
        operation_id=f"start_{process.name.replace('-', '_')}",
    )
    async def start(
        body: asked,  # type: ignore[valid-type]
        response: Response,
        caller: Annotated[Caller, Depends(access.needs("process:start"))],
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Any:
        subject: Subject = getattr(body, word)

        async def answer() -> tuple[int, Any]:
            started = await _start(engine, process, subject)
            wake()
            return 202, started.model_dump()

        request = {"process": process.name, word: subject.model_dump()}
        return await replayed(engine.store, caller.name, idempotency_key, request, response, answer)


async def _start(engine: Engine, process: Process, subject: Subject) -> Started:
    plan = engine.release.connections.get(subject.connection)
    take = next((t for event in process.starts_on if plan and (t := take_of(plan, event))), None)
    if plan is None or take is None or take.read is None:
        able = [
            n for n, p in engine.release.connections.items() if any(take_of(p, event) for event in process.starts_on)
        ]
        title = f"{process.name} does not start from connection {subject.connection!r}"
        problem = Problem(
            type=PROBLEMS_AT + "invalid-field", title=title, status=422, field="connection", value=subject.connection,
            expected=" or ".join(able) or "a connection whose connector reads this object",
        )  # fmt: skip
        raise IsthmusError(problem)
    shape = plan.connector.operations[take.read].reference
    type_ = (
        json.loads(shape.type) if shape and shape.type.startswith('"') else shape.type.strip("'") if shape else "object"
    )
    now = instant(engine.store.clock())
    message: Row = {
        "subject": f"{plan.name}/{type_}/{subject.id}",
        "connection": plan.name,
        "body": "{}",
        "traceparent": None,
    }
    found = messages.Start(process.name, process.version, take.event, process.again)

    def work(tx: Transaction) -> Row | None:
        _, run_id = messages.start_run(tx, message, found, engine.release.id, now)
        return runs.get_run(tx, run_id)

    run = await engine.store.write(work)
    assert run is not None
    return Started(run=run["id"], state=summary(run)["state"], links={"self": f"/api/runs/{run['id']}"})


def _add_runs(routes: APIRouter, engine: Engine, access: Access, wake: Callable[[], None]) -> None:
    store = engine.store
    reader = Depends(access.needs("runs:read"))

    @routes.get("/api/runs", dependencies=[reader])
    async def list_runs(
        state: Annotated[str | None, Query(pattern="^(ready|waiting|parked|undoing|done|undone|ignored)$")] = None,
        process: str | None = None,
        text: Annotated[str | None, Query(max_length=200, description="number, customer or title")] = None,
        before: Annotated[
            str | None, Query(max_length=40, description="updated_at of the last run of the page before")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        """Runs, newest first."""
        rows = await store.read(
            lambda tx: runs.list_runs(tx, state=state, process=process, text=text, limit=limit, before=before)
        )
        return {"runs": [summary(row) for row in rows], "next": rows[-1]["updated_at"] if len(rows) == limit else None}

    @routes.get("/api/runs/{run_id}", dependencies=[reader], responses={404: {"description": "No such run"}})
    async def get_run(run_id: str) -> dict[str, Any]:
        """One run with all that happened."""
        found = await timeline(store, run_id)
        if found is None:
            raise not_found(f"No run is called {run_id!r}", "see /api/runs")
        return found

    @routes.post(
        "/api/runs/{run_id}/cancel",
        status_code=202,
        responses={404: {"description": "No such run"}, 409: {"description": "Ended"}},
    )
    async def cancel(
        run_id: str, caller: Annotated[Caller, Depends(access.needs("process:start"))], body: Why | None = None
    ) -> dict[str, Any]:
        """Cancel a run: what it did is undone in reverse."""
        run = await parked.cancel(store, run_id, who=caller.name, why=body.why if body else "")
        wake()
        return {"run": run["id"], "state": "undoing"}
