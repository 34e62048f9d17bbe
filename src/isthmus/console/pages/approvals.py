"""Approvals: the inbox of whoever is looking, and one decision with everything it rests on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from isthmus.console.desk import Desk
from isthmus.orchestration import approval
from isthmus.store import approvals
from isthmus.store.clock import instant
from isthmus.store.transaction import Row, Transaction

PAGE = 50


async def inbox(request: Request, desk: Desk) -> Response:
    """What waits for whoever is looking, then for others; or what was decided."""
    name = desk.who(request).name
    decided = request.query_params.get("state") == "decided"

    def work(tx: Transaction) -> tuple[list[Row], list[Row]]:
        if decided:
            return [], [approval.shown(tx, row) for row in approvals.list_decided(tx, PAGE)]
        mine = approval.inbox(tx, name)
        ids = {row["id"] for row in mine}
        return mine[:PAGE], [row for row in approval.inbox(tx, limit=PAGE) if row["id"] not in ids]

    mine, others = await desk.store.read(work)
    facts = {"mine": mine, "others": others, "decided": decided, "now": instant(desk.store.clock())}
    return desk.page(request, "approvals.html", facts)


async def one(request: Request, desk: Desk) -> Response:
    """One approval with its evidence. Raises LookupError."""
    id_ = request.path_params["approval_id"]

    def work(tx: Transaction) -> Row | None:
        row = approvals.get_approval(tx, id_)
        return approval.shown(tx, row) if row else None

    found = await desk.store.read(work)
    if found is None:
        raise LookupError(f"No approval is called {id_}.")
    visitor = desk.who(request)
    may = (
        found["state"] == "requested"
        and visitor.may("approvals:decide")
        and approval.may_decide(found["row"], visitor.name)
    )
    return desk.page(request, "approval.html", {"approval": found, "may": may, "now": instant(desk.store.clock())})


async def decide(request: Request, desk: Desk) -> Response:
    """Yes, yes with another amount, no, or somebody else."""
    id_, form, name = request.path_params["approval_id"], await desk.form(request), desk.who(request).name
    comment = str(form.get("comment", "")).strip() or None
    if form.get("verdict") == "delegate":
        to = str(form.get("to", "")).strip()
        if not to:
            raise ValueError("Say to whom.")
        await approval.delegate(desk.store, id_, who=name, to=to, comment=comment)
        return desk.done(f"/approvals/{id_}", f"{to} may decide it too")
    verdict = str(form.get("verdict", ""))
    if verdict not in ("approved", "rejected"):
        raise ValueError("Say yes or no.")
    amount = str(form.get("amount", "")).strip() or None
    row = await approval.decide(
        desk.store, id_, verdict="approved" if verdict == "approved" else "rejected", who=name, comment=comment,
        amount=amount if verdict == "approved" else None, way="console",
    )  # fmt: skip
    desk.wake()
    open_still = row["state"] == "requested"
    return desk.done(
        f"/approvals/{id_}", "Noted; somebody else must agree too" if open_still else f"It is {row['state']}"
    )
