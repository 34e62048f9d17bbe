"""Starts processes and shows their runs. A run is found by its subject: asking twice starts one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, create_model

from isthmus.gateway.access import Access
from isthmus.gateway.problems import in_words, not_found
from isthmus.gateway.shapes import Runs, RunTimeline, Underway
from isthmus.gateway.tracing import traceparent
from isthmus.governance.access import Caller
from isthmus.landscape.release import ConnectionPlan
from isthmus.orchestration import parked
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.process import Process
from isthmus.orchestration.take_in import take_of
from isthmus.store import audit, messages, runs
from isthmus.store.clock import instant
from isthmus.store.transaction import Row, Transaction
from isthmus.visibility.timeline import summary, timeline

#: an id at a vendor: it becomes part of a subject (parted by slashes) and of a run's id (generations by tildes); not blank
VENDOR_ID = r"^[^/~\x00-\x1f\x7f-\x9f]*[^\s/~\x00-\x1f\x7f-\x9f][^/~\x00-\x1f\x7f-\x9f]*$"
RunId = Annotated[str, Path(max_length=500, examples=["quote-to-cash.crm-europe.Opportunity.0061"])]
_ENDED: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such run"},
    409: {"description": "It ended already"},
}


class Subject(BaseModel):
    """An object at its source."""

    model_config = ConfigDict(extra="forbid")

    connection: str
    id: str = Field(examples=["0061"], pattern=VENDOR_ID, max_length=200, description="the vendor's id")


class Why(BaseModel):
    """Why something is done, for the audit."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field("", max_length=500)


def underway(run_id: str, state: str, title: str | None = None) -> dict[str, Any]:
    """A run and where to look at it."""
    return {"run": run_id, "state": state, "title": title, "links": {"self": f"/api/runs/{quote(run_id, safe='')}"}}


def add_processes(routes: APIRouter, engine: Engine, access: Access, wake: Callable[[], None]) -> None:
    """``/api/process/…`` for each process of the release that an event starts."""
    for process in engine.processes.values():
        if process.starts_on:
            _add_start(routes, engine, access, wake, process)


def _add_start(routes: APIRouter, engine: Engine, access: Access, wake: Callable[[], None], process: Process) -> None:
    sources = _sources(engine, process)
    if not sources:
        return
    word, make = process.takes.__name__.lower(), cast(Any, create_model)
    name = "".join(part.title() for part in process.name.split("-"))
    subject = make(f"{name}Subject", __base__=Subject, connection=(Literal[tuple(sources)], ...))
    asked = make(f"Start{name}", __config__=ConfigDict(extra="forbid"), **{word: (subject, ...)})

    @routes.post(
        f"/api/process/{process.name}",
        status_code=202,
        response_model=Underway,
        summary=(process.function.__doc__ or process.name).split("\n")[0],
        operation_id=f"start_{process.name.replace('-', '_')}",
    )
    async def start(
        body: asked,  # type: ignore[valid-type]
        caller: Annotated[Caller, Depends(access.needs("process:start"))],
    ) -> Any:
        """Start it for one object at its source, or find the run that stands."""
        of: Subject = getattr(body, word)
        started = await _start(engine, process, sources[of.connection], of, caller)
        wake()
        return started


@dataclass(frozen=True, slots=True)
class Source:
    """Where a process can be started from: the connection, the event that this is, the vendor's word for the object."""

    connection: str
    event: str
    type: str


def _sources(engine: Engine, process: Process) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for plan in engine.release.connections.values():
        take = next((t for event in process.starts_on if (t := take_of(plan, event))), None)
        if take is not None and take.read is not None:
            found[plan.name] = Source(plan.name, take.event, type_at(plan, take.read))
    return found


async def _start(engine: Engine, process: Process, source: Source, of: Subject, caller: Caller) -> dict[str, Any]:
    now = instant(engine.store.clock())
    message: Row = {
        "subject": f"{source.connection}/{source.type}/{of.id}",
        "connection": source.connection,
        "body": "{}",
        "traceparent": traceparent(),
    }
    wanted = messages.Start(process.name, process.version, source.event, process.again)

    def work(tx: Transaction) -> Row:
        outcome, run_id = messages.start_run(tx, message, wanted, engine.release.id, now)
        audit.note(tx, at=now, who=caller.name, did="process.start", about=run_id, after=outcome)
        run = runs.get_run(tx, run_id)
        assert run is not None
        return run

    run = await engine.store.write(work)
    return underway(run["id"], summary(run)["state"])


def type_at(plan: ConnectionPlan, operation: str) -> str:
    """The vendor's word for what an operation reads, as subjects and references have it."""
    shape = plan.connector.operations[operation].reference
    return shape.type.strip("'\"") if shape else "object"


def add_runs(routes: APIRouter, engine: Engine, access: Access, wake: Callable[[], None]) -> None:
    """``/api/runs``: list, show, cancel."""
    store = engine.store
    reader = Depends(access.needs("runs:read"))

    @routes.get("/api/runs", dependencies=[reader], response_model=Runs, operation_id="list_runs")
    async def list_runs(
        state: Literal["ready", "waiting", "parked", "undoing", "done", "undone", "ignored"] | None = None,
        process: Annotated[str | None, Query(max_length=100)] = None,
        text: Annotated[str | None, Query(max_length=200, description="number, customer or title")] = None,
        before: Annotated[
            str | None, Query(max_length=40, description="updated_at of the last run of the page before")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Any:
        """Runs, newest first."""
        rows = await store.read(
            lambda tx: runs.list_runs(tx, state=state, process=process, text=text, limit=limit, before=before)
        )
        return {"runs": [summary(row) for row in rows], "next": rows[-1]["updated_at"] if len(rows) == limit else None}

    @routes.post(
        "/api/runs/{run_id}/cancel", status_code=202, response_model=Underway, responses=_ENDED,
        operation_id="cancel_run",
    )  # fmt: skip
    async def cancel(
        run_id: RunId, caller: Annotated[Caller, Depends(access.needs("process:start"))], body: Why | None = None
    ) -> Any:
        """Cancel a run: what it did is undone in reverse."""
        with in_words():
            run = await parked.cancel(store, run_id, who=caller.name, why=body.why if body else "")
        wake()
        return underway(run["id"], "undoing")

    @routes.get(
        "/api/runs/{run_id}", dependencies=[reader], response_model=RunTimeline,
        responses={404: {"description": "No such run"}}, operation_id="show_run",
    )  # fmt: skip
    async def show(run_id: RunId) -> Any:
        """One run with all that happened."""
        found = await timeline(store, run_id)
        if found is None:
            raise not_found(f"No run is called {run_id!r}", "see /api/runs")
        return found
