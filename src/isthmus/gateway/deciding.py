"""What needs a person's yes or no: approvals, over HTTP. Who decides is the holder of the key."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from isthmus.gateway.access import Access
from isthmus.gateway.problems import in_words, not_found
from isthmus.gateway.shapes import Approvals, ApprovalShown
from isthmus.governance.access import Caller
from isthmus.orchestration import approval
from isthmus.store import approvals
from isthmus.store.store import Store
from isthmus.store.transaction import Row

_ENDED: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such thing"},
    409: {"description": "It is decided already, or a reason is missing"},
}
ApprovalId = Annotated[str, Path(max_length=300, examples=["OPP-1002.deal-desk"])]


class Comment(BaseModel):
    """A decision's comment."""

    model_config = ConfigDict(extra="forbid")

    comment: str | None = Field(None, max_length=2000, description="a rejection must have one")


class Consented(Comment):
    """A yes, as it was asked or with another amount."""

    amount: str | None = Field(
        None, pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$", examples=["80.00"], description="changed, with a comment"
    )


class Delegated(Comment):
    """Who shall decide too."""

    to: str = Field(min_length=1, max_length=200, examples=["maria"])


def add_approvals(routes: APIRouter, store: Store, access: Access, wake: Callable[[], None]) -> None:
    """``/api/approvals``: list, show, approve, reject, delegate."""
    Decider = Annotated[Caller, Depends(access.needs("approvals:decide"))]
    reads = Depends(access.needs("runs:read"))

    @routes.get("/api/approvals", dependencies=[reads], response_model=Approvals, operation_id="list_approvals")
    async def list_approvals(
        state: Literal["requested", "approved", "rejected", "expired", "withdrawn"] = "requested",
        who: Annotated[str | None, Query(max_length=200, description="only what this person may decide")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> Any:
        """Approvals, oldest first."""
        if who is not None and state == "requested":
            return {"approvals": await store.read(lambda tx: approval.inbox(tx, who, limit))}
        return {
            "approvals": await store.read(
                lambda tx: [approval.shown(tx, row) for row in approvals.list_approvals(tx, state, limit)]
            )
        }

    @routes.get(
        "/api/approvals/{approval_id}", dependencies=[reads], response_model=ApprovalShown,
        responses={404: _ENDED[404]}, operation_id="show_approval",
    )  # fmt: skip
    async def show(approval_id: ApprovalId) -> Any:
        """One approval with its facts and what people said."""
        found = await store.read(lambda tx: _found(tx, approval_id))
        if found is None:
            raise not_found(f"No approval is called {approval_id!r}", "see /api/approvals")
        return found

    def post(verb: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return routes.post(
            f"/api/approvals/{{approval_id}}/{verb}", response_model=ApprovalShown, responses=_ENDED,
            operation_id=f"{verb}_approval" if verb == "delegate" else verb,
        )  # fmt: skip

    async def said(approval_id: str) -> Any:
        wake()
        return await store.read(lambda tx: _found(tx, approval_id))

    @post("approve")
    async def approve(approval_id: ApprovalId, caller: Decider, body: Consented | None = None) -> Any:
        """Say yes, to what was asked or to another amount."""
        given = body or Consented()
        with in_words():
            await approval.decide(
                store, approval_id, verdict="approved", who=caller.name, comment=given.comment, amount=given.amount
            )
        return await said(approval_id)

    @post("reject")
    async def reject(approval_id: ApprovalId, caller: Decider, body: Comment | None = None) -> Any:
        """Say no; the comment says why."""
        with in_words():
            comment = body.comment if body else None
            await approval.decide(store, approval_id, verdict="rejected", who=caller.name, comment=comment)
        return await said(approval_id)

    @post("delegate")
    async def delegate(approval_id: ApprovalId, caller: Decider, body: Delegated) -> Any:
        """Let somebody else decide too."""
        with in_words():
            await approval.delegate(store, approval_id, who=caller.name, to=body.to, comment=body.comment)
        return await said(approval_id)


def _found(tx: Any, approval_id: str) -> Row | None:
    row = approvals.get_approval(tx, approval_id)
    return approval.shown(tx, row) if row else None
