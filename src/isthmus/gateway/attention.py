"""What needs a person: exceptions to mend and approvals to decide, over HTTP."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from isthmus.gateway.access import Access, Caller
from isthmus.gateway.problems import not_found
from isthmus.orchestration import approval, parked
from isthmus.store import approvals, exceptions
from isthmus.store.store import Store
from isthmus.store.transaction import Row

_ENDED: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such thing"},
    409: {"description": "It ended already"},
}


class Changes(BaseModel):
    """Dotted paths into the run's input, with their new values."""

    model_config = ConfigDict(extra="forbid")

    changes: dict[str, Any] = Field(examples=[{"lines.1.product.number": "X-101"}], min_length=1)


class ByHand(BaseModel):
    """What was done by hand instead of the skipped step, where the process needs it."""

    model_config = ConfigDict(extra="forbid")

    result: dict[str, Any] | None = None


class Comment(BaseModel):
    """A decision's comment."""

    model_config = ConfigDict(extra="forbid")

    comment: str | None = Field(None, max_length=2000)


def shown(row: Row) -> dict[str, Any]:
    """An exception as people see it."""
    return {**row, "number": f"EX-{row['number']}"}


def number_of(text: str) -> int:
    """``EX-7`` or ``7``. Raises LookupError."""
    digits = text.upper().removeprefix("EX-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        raise LookupError(f"{text!r} is no exception; they are called EX-1, EX-2, …")
    return int(digits)


def router(store: Store, access: Access, wake: Callable[[], None], release_id: str) -> APIRouter:
    """``/api/exceptions`` and ``/api/approvals``."""
    routes = APIRouter(tags=["attention"])
    reads = Depends(access.needs("runs:read"))
    Mender = Annotated[Caller, Depends(access.needs("exceptions:write"))]
    Decider = Annotated[Caller, Depends(access.needs("approvals:decide"))]

    @routes.get("/api/exceptions", dependencies=[reads])
    async def list_exceptions(
        state: Annotated[str, Query(pattern="^(open|ended)$")] = "open",
        group: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> dict[str, Any]:
        """What is parked, oldest first."""
        rows = await store.read(lambda tx: exceptions.list_exceptions(tx, state=state, group=group, limit=limit))
        return {"exceptions": [shown(row) for row in rows]}

    @routes.get("/api/exceptions/{number}", dependencies=[reads], responses=_ENDED)
    async def get_exception(number: str) -> dict[str, Any]:
        """One exception."""
        row = await store.read(lambda tx: exceptions.get_exception(tx, number_of(number)))
        if row is None:
            raise not_found(f"There is no exception {number}", "see /api/exceptions")
        return shown(row)

    @routes.post("/api/exceptions/{number}/retry", status_code=202, responses=_ENDED)
    async def retry(number: str, caller: Mender) -> dict[str, Any]:
        """Play it again; without the mend it parks again."""
        row = await parked.retry(store, number_of(number), who=caller.name, release=release_id)
        wake()
        return {"run": row["run_id"], "state": "ready"}

    @routes.post("/api/exceptions/{number}/edit", responses=_ENDED)
    async def edit(number: str, body: Changes, caller: Mender) -> dict[str, Any]:
        """Change the run's input; retry plays it."""
        row = await parked.edit(store, number_of(number), who=caller.name, changes=body.changes)
        return {"run": row["run_id"], "state": "parked"}

    @routes.post("/api/exceptions/{number}/skip", status_code=202, responses=_ENDED)
    async def skip(number: str, caller: Mender, body: ByHand | None = None) -> dict[str, Any]:
        """Go on without the parked step."""
        row = await parked.skip(store, number_of(number), who=caller.name, result=body.result if body else None)
        wake()
        return {"run": row["run_id"], "state": "ready"}

    @routes.post("/api/exceptions/{number}/cancel", status_code=202, responses=_ENDED)
    async def cancel(number: str, caller: Mender) -> dict[str, Any]:
        """Cancel its run; what was made is reversed."""
        row = await store.read(lambda tx: exceptions.get_exception(tx, number_of(number)))
        if row is None:
            raise not_found(f"There is no exception {number}", "see /api/exceptions")
        await parked.cancel(store, row["run_id"], who=caller.name, why=f"EX-{row['number']}")
        wake()
        return {"run": row["run_id"], "state": "undoing"}

    _add_approvals(routes, store, reads, Decider, wake)
    return routes


def _add_approvals(routes: APIRouter, store: Store, reads: Any, decider: Any, wake: Callable[[], None]) -> None:
    @routes.get("/api/approvals", dependencies=[reads])
    async def list_approvals(
        state: Annotated[str | None, Query(pattern="^(requested|approved|rejected|expired|withdrawn)$")] = "requested",
    ) -> dict[str, Any]:
        """Approvals, oldest first."""
        return {"approvals": await store.read(lambda tx: approvals.list_approvals(tx, state))}

    @routes.post("/api/approvals/{approval_id}/approve", responses=_ENDED)
    async def approve(approval_id: str, caller: decider, body: Comment | None = None) -> dict[str, Any]:
        """Say yes."""
        row = await approval.decide(
            store, approval_id, verdict="approved", who=caller.name, comment=body.comment if body else None
        )
        wake()
        return row

    @routes.post("/api/approvals/{approval_id}/reject", responses=_ENDED)
    async def reject(approval_id: str, caller: decider, body: Comment | None = None) -> dict[str, Any]:
        """Say no; the comment says why."""
        row = await approval.decide(
            store, approval_id, verdict="rejected", who=caller.name, comment=body.comment if body else None
        )
        wake()
        return row
