"""What needs a person to mend it: exceptions, over HTTP."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from isthmus.gateway import mending
from isthmus.gateway.access import Access
from isthmus.gateway.mending import Changes, Number, number_of
from isthmus.gateway.problems import in_words, not_found
from isthmus.gateway.process.runs import Why, underway
from isthmus.gateway.shapes import Exceptions, ParkedShown, Underway
from isthmus.governance.access import Caller
from isthmus.orchestration import parked
from isthmus.orchestration.engine import Engine
from isthmus.store import exceptions
from isthmus.store.store import Store
from isthmus.store.transaction import Row

_ENDED: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such thing"},
    409: {"description": "It ended already, or cannot be done here"},
}
_MISSING: dict[int | str, dict[str, Any]] = {404: {"description": "No such thing"}}
#: registers a function as a route
Endpoint = Callable[[Callable[..., Any]], Callable[..., Any]]


class ByHand(BaseModel):
    """What was done by hand instead of the skipped step, where the process needs it."""

    model_config = ConfigDict(extra="forbid")

    result: dict[str, Any] | None = None


def shown(row: Row) -> dict[str, Any]:
    """An exception as people see it."""
    return {**row, "number": f"EX-{row['number']}"}


def add_exceptions(routes: APIRouter, engine: Engine, access: Access, wake: Callable[[], None]) -> None:
    """``/api/exceptions``: list, show, edit, retry, skip, cancel."""
    store = engine.store
    reads = Depends(access.needs("runs:read"))
    mending.add_groups(routes, engine, access, wake)

    @routes.get("/api/exceptions", dependencies=[reads], response_model=Exceptions, operation_id="list_exceptions")
    async def list_exceptions(
        state: Literal["open", "ended"] = "open",
        group: Annotated[str | None, Query(max_length=500, description="group_key of equal failures")] = None,
        assignee: Annotated[str | None, Query(max_length=200)] = None,
        unit: Annotated[str | None, Query(max_length=200, description="business unit")] = None,
        connection: Annotated[str | None, Query(max_length=200)] = None,
        error_class: Annotated[str | None, Query(alias="class", max_length=20)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> Any:
        """What is parked, oldest first."""
        wanted = {"assignee": assignee, "unit": unit, "connection": connection, "error_class": error_class}
        rows = await store.read(
            lambda tx: exceptions.list_exceptions(tx, state=state, group=group, **wanted, limit=limit)
        )
        return {"exceptions": [shown(row) for row in rows]}

    @routes.get(
        "/api/exceptions/{number}", dependencies=[reads], response_model=ParkedShown, responses=_MISSING,
        operation_id="show_exception",
    )  # fmt: skip
    async def show(number: Number) -> Any:
        """One exception."""
        return shown(await _entry(store, number))

    mending.add_care(routes, engine, access)
    _add_mending(routes, engine, Annotated[Caller, Depends(access.needs("exceptions:write"))], wake)


def _add_mending(routes: APIRouter, engine: Engine, mender: Any, wake: Callable[[], None]) -> None:
    store = engine.store

    def post(verb: str, status: int = 202) -> Endpoint:
        return routes.post(
            f"/api/exceptions/{{number}}/{verb}", status_code=status, response_model=Underway, responses=_ENDED,
            operation_id=f"{verb}_exception",
        )  # fmt: skip

    @post("retry")
    async def retry(number: Number, caller: mender) -> Any:
        """Play it again; without the mend it parks again."""
        with in_words():
            row = await parked.retry(store, number_of(number), who=caller.name, release=engine.release.id)
        wake()
        return underway(row["run_id"], "ready")

    @post("edit", 200)
    async def edit(number: Number, body: Changes, caller: mender) -> Any:
        """Change the run's input; retry plays it."""
        with in_words():
            row = await parked.edit(store, number_of(number), who=caller.name, changes=body.changes)
        return underway(row["run_id"], "parked")

    @post("skip")
    async def skip(number: Number, caller: mender, body: ByHand | None = None) -> Any:
        """Go on without the parked step."""
        with in_words():
            row = await parked.skip(store, number_of(number), who=caller.name, result=body.result if body else None)
        wake()
        return underway(row["run_id"], "ready")

    @post("cancel")
    async def cancel(number: Number, caller: mender, body: Why | None = None) -> Any:
        """Cancel its run; what was made is reversed."""
        row = await _entry(store, number)
        why = " ".join(part for part in (f"EX-{row['number']}", body.why if body else "") if part)
        with in_words():
            await parked.cancel(store, row["run_id"], who=caller.name, why=why)
        wake()
        return underway(row["run_id"], "undoing")


async def _entry(store: Store, number: str) -> Row:
    row = await store.read(lambda tx: exceptions.get_exception(tx, number_of(number)))
    if row is None:
        raise not_found(f"There is no exception {number}", "see /api/exceptions")
    return row
