"""Approvals in their plain form: asked once, decided once, durable and audited."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from isthmus.store import approvals, audit, history
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction


class Decision(BaseModel):
    """How an approval ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Literal["approved", "rejected", "expired"]
    by: str | None = None
    comment: str | None = None

    @property
    def approved(self) -> bool:
        """Somebody said yes in time."""
        return self.verdict == "approved"


def approval_row(
    run: Row, run_key: str, *, name: str, key: str, policy: str, about: str, now: datetime, due: datetime
) -> Row:
    """The row of an approval; its id is the run's business key, the policy and the key."""
    tail = f".{key}" if key else ""
    return {
        "id": f"{run_key}.{policy}{tail}",
        "run_id": run["id"],
        "name": f"{name}\n{key}",
        "policy": policy,
        "about": about,
        "requested_at": instant(now),
        "due_at": instant(due),
    }


async def decide(
    store: Store, approval_id: str, *, verdict: Literal["approved", "rejected"], who: str, comment: str | None
) -> Row:
    """Decide an approval and wake its run, in one transaction with the audit.

    Raises LookupError where there is no such approval, ValueError where it is decided already.
    """
    now = instant(store.clock())
    decision = Decision(verdict=verdict, by=who, comment=comment)

    def work(tx: Transaction) -> Row:
        row = approvals.get_approval(tx, approval_id)
        if row is None:
            raise LookupError(f"no approval is called {approval_id!r}; see: isthmus approvals list")
        if not approvals.decide(tx, approval_id, state=verdict, who=who, comment=comment, now=now):
            raise ValueError(f"approval {approval_id} is {row['state']} already, by {row['decided_by'] or 'nobody'}")
        name, _, key = row["name"].partition("\n")
        answer = decision.model_dump_json(exclude_none=True)
        if not history.answer(tx, row["run_id"], name=name, key=key, result=answer, who=who, now=now):
            raise ValueError(f"nobody waits for approval {approval_id} any more")
        audit.note(
            tx,
            at=now,
            who=who,
            did=f"approval.{verdict}",
            about=approval_id,
            before=row["state"],
            after=decision.model_dump(),
        )
        return {**row, "state": verdict, "decided_by": who, "comment": comment, "decided_at": now}

    return await store.write(work)
