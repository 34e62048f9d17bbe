"""Exceptions in numbers: equal failures as one group with one mend; who looks after one, by when, what was said of it."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from isthmus.gateway.access import Access
from isthmus.gateway.problems import in_words
from isthmus.gateway.shapes import At, ParkedShown, Shown
from isthmus.governance.access import Caller
from isthmus.orchestration import parked
from isthmus.orchestration.engine import Engine
from isthmus.store import audit, exceptions
from isthmus.store.clock import instant
from isthmus.store.transaction import Row

_ENDED: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such thing"},
    409: {"description": "It ended already, or cannot be done here"},
}
Group = Annotated[
    str,
    Path(max_length=500, examples=["erp.create_order/business/V1/302/-"], description="group_key of equal failures"),
]
Number = Annotated[str, Path(pattern=r"^([Ee][Xx]-)?[0-9]{1,12}$", examples=["EX-7"], description="its number")]


class Changes(BaseModel):
    """Dotted paths into a run's input, with their new values."""

    model_config = ConfigDict(extra="forbid")

    changes: dict[str, Any] = Field(examples=[{"lines.1.product.number": "X-101"}], min_length=1)


class Care(BaseModel):
    """Who looks after it, and by when; what is not named stays, null takes it away."""

    model_config = ConfigDict(extra="forbid")

    assignee: str | None = Field(None, max_length=200, examples=["order-desk"])
    due_at: AwareDatetime | None = None


class Said(BaseModel):
    """What somebody says about an exception."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=2000)


class GroupShown(Shown):
    """Equal failures: operation, class, code and field are the same."""

    group: str
    title: str = Field(description="of the oldest")
    mend: str | None
    operation: str | None
    error_class: str
    code: str | None
    field: str | None
    count: int
    at_risk: dict[str, str] = Field(description="money that waits, by currency", examples=[{"NOK": "112400.00"}])
    since: At
    exceptions: list[str] = Field(description="oldest first", examples=[["EX-7", "EX-9"]])


class Groups(Shown):
    """Groups, the largest first."""

    groups: list[GroupShown]


class Mended(Shown):
    """The exceptions that were changed or replayed, in order of opening."""

    exceptions: list[str] = Field(examples=[["EX-7", "EX-9"]])
    count: int


class HistoryLine(Shown):
    """Something that was done to an exception or said about it."""

    at: At
    who: str
    did: str = Field(examples=["exception.comment"])
    before: str | None = Field(description="as JSON")
    after: str | None = Field(description="as JSON")


class History(Shown):
    """Oldest first."""

    history: list[HistoryLine]


def add_groups(routes: APIRouter, engine: Engine, access: Access, wake: Callable[[], None]) -> None:
    """``/api/exceptions/groups``: list, edit and replay all of one. To be added before routes by number."""
    store = engine.store
    Mender = Annotated[Caller, Depends(access.needs("exceptions:write"))]

    @routes.get(
        "/api/exceptions/groups", dependencies=[Depends(access.needs("runs:read"))], response_model=Groups,
        operation_id="list_exception_groups",
    )  # fmt: skip
    async def groups() -> Any:
        """Equal failures, counted, with the money at risk."""
        return {"groups": await store.read(exceptions.open_groups)}

    @routes.post(
        "/api/exceptions/groups/{group:path}/retry", status_code=202, response_model=Mended, responses=_ENDED,
        operation_id="retry_exception_group",
    )  # fmt: skip
    async def retry_group(group: Group, caller: Mender) -> Any:
        """Play all of a group again, in order of opening."""
        with in_words():
            rows = await parked.retry_group(store, group, who=caller.name, release=engine.release.id)
        wake()
        return _mended(rows)

    @routes.post(
        "/api/exceptions/groups/{group:path}/edit", response_model=Mended, responses=_ENDED,
        operation_id="edit_exception_group",
    )  # fmt: skip
    async def edit_group(group: Group, body: Changes, caller: Mender) -> Any:
        """Change the input of every run of a group, all or none; retry plays them."""
        with in_words():
            return _mended(await parked.edit_group(store, group, who=caller.name, changes=body.changes))


def add_care(routes: APIRouter, engine: Engine, access: Access) -> None:
    """``assign``, ``comment`` and ``history`` of one exception."""
    store = engine.store
    Mender = Annotated[Caller, Depends(access.needs("exceptions:write"))]

    @routes.post(
        "/api/exceptions/{number}/assign", response_model=ParkedShown, responses=_ENDED,
        operation_id="assign_exception",
    )  # fmt: skip
    async def assign(number: Number, body: Care, caller: Mender) -> Any:
        """Say who looks after it, and by when."""
        values: Row = {name: getattr(body, name) for name in body.model_fields_set}
        if values.get("due_at"):
            values["due_at"] = instant(values["due_at"])
        with in_words():
            if not values:
                raise ValueError("nothing to change: name assignee, due_at or both")
            row = await parked.assign(store, number_of(number), who=caller.name, values=values)
        return {**row, "number": f"EX-{row['number']}"}

    @routes.post(
        "/api/exceptions/{number}/comment", response_model=History, responses=_ENDED, operation_id="comment_exception"
    )
    async def comment(number: Number, body: Said, caller: Mender) -> Any:
        """Say something about it."""
        with in_words():
            await parked.comment(store, number_of(number), who=caller.name, text=body.text)
        return await history(number)

    @routes.get(
        "/api/exceptions/{number}/history", dependencies=[Depends(access.needs("runs:read"))],
        response_model=History, operation_id="exception_history",
    )  # fmt: skip
    async def history(number: Number) -> Any:
        """What was done to it and said about it: who, when, before and after."""
        rows = await store.read(lambda tx: audit.lines(tx, about=f"EX-{number_of(number)}", limit=1000))
        return {"history": list(reversed(rows))}


def _mended(rows: list[Row]) -> dict[str, Any]:
    return {"exceptions": [f"EX-{row['number']}" for row in rows], "count": len(rows)}


def number_of(text: str) -> int:
    """``EX-7`` or ``7``."""
    return int(text.upper().removeprefix("EX-"))
