"""Approvals: what people decide, who may, by when; decided once, durable and audited. (Four eyes, and six.)

Whoever asked for something never decides it; nobody decides twice; a changed amount makes earlier consents void.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from isthmus.landscape.release import Release
from isthmus.model import Money
from isthmus.store import approvals, audit, history, journal, runs
from isthmus.store.clock import instant, moment
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction

Verdict = Literal["approved", "rejected"]
#: by which way somebody decided
Way = Literal["api", "command", "console", "link"]


class Decision(BaseModel):
    """How an approval ended. ``amount``: what was agreed to, where an amount was decided; it may differ from the asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Literal["approved", "rejected", "expired"]
    by: str | None = None
    comment: str | None = None
    amount: Money | None = None

    @property
    def approved(self) -> bool:
        """Somebody said yes in time."""
        return self.verdict == "approved"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a process asks people: who shall decide what, upon which facts, by when, and who hears of it if they do not."""

    policy: str
    about: str
    within: timedelta
    needed: int = 1
    amount: Money | None = None
    most: Money | None = None
    facts: Sequence[tuple[str, str, str | None]] = ()
    because: str = ""
    requested_by: Sequence[str] = field(default=())
    remind_after: timedelta | None = None
    escalate_after: timedelta | None = None
    escalate_to: str | None = None


def approval_row(asked: Asked, run: Row, run_key: str, release: Release, *, name: str, key: str, now: datetime) -> Row:
    """The row of an approval; its id is the run's business key, the policy and the key."""
    tail = f".{key}" if key else ""
    amount, higher = asked.amount, asked.escalate_to if asked.escalate_after else None
    return {
        "id": f"{run_key}.{asked.policy}{tail}",
        "run_id": run["id"],
        "name": f"{name}\n{key}",
        "policy": asked.policy,
        "about": asked.about,
        "requested_at": instant(now),
        "requested_by": _names(asked.requested_by),
        "deciders": _names(_members(release, asked.policy)),
        "needed": asked.needed,
        "amount": str(amount.amount) if amount else None,
        "most": str((asked.most or amount).amount) if amount else None,
        "currency": amount.currency if amount else None,
        "facts": json.dumps([list(fact) for fact in asked.facts], ensure_ascii=False) if asked.facts else None,
        "because": asked.because or None,
        "due_at": instant(now + asked.within),
        "remind_at": instant(now + asked.remind_after) if asked.remind_after else None,
        "remind_every_s": int(asked.remind_after.total_seconds()) if asked.remind_after else 0,
        "escalate_at": instant(now + asked.escalate_after) if higher and asked.escalate_after else None,
        "escalate_to": higher,
        "escalate_deciders": _names(_members(release, higher)) if higher else None,
    }


def request(tx: Transaction, row: Row) -> None:
    """Ask; whoever started the run by hand is among those who asked."""
    starters = [
        line["who"] for line in audit.lines(tx, about=row["run_id"], limit=50) if line["did"] == "process.start"
    ]
    names = list(dict.fromkeys([*json.loads(row["requested_by"] or "[]"), *starters]))
    approvals.request(tx, {**row, "requested_by": _names(names)})
    run = runs.get_run(tx, row["run_id"])
    data = {"approval": row["id"], "policy": row["policy"], "about": row["about"], "due_at": row["due_at"]}
    journal.append(tx, at=row["requested_at"], type_="isthmus.approval.requested.v1", data=data, run=run)


async def decide(
    store: Store, approval_id: str, *, verdict: Verdict, who: str, comment: str | None,
    amount: Decimal | str | None = None, way: Way = "api", used_link: str | None = None,
) -> Row:  # fmt: skip
    """Say yes or no for one person; the run is woken once it is decided, in one transaction with the audit.

    ``amount`` changes what is agreed to (a decimal in the approval's currency). The row, with ``consents``: its state
    stays ``requested`` while more people must agree. Raises LookupError where there is no such approval,
    PermissionError where this person may not decide, ValueError where it is decided already, or a reason is missing.
    """
    now = instant(store.clock())

    def work(tx: Transaction) -> Row:
        row = _open(tx, approval_id)
        if not may_decide(row, who):
            raise PermissionError(_why_not(row, who))
        agreed = _agreed(row, amount) if verdict == "approved" else None
        if not (comment or "").strip() and (verdict == "rejected" or agreed != row["amount"]):
            raise ValueError(
                f"say why {approval_id} is {'rejected' if verdict == 'rejected' else 'changed'}: give a comment"
            )
        if used_link is not None and not approvals.use_link(tx, hash_=used_link, approval_id=approval_id, now=now):
            raise ValueError("this link was used already")
        said = {
            "approval_id": approval_id,
            "who": who,
            "verdict": verdict,
            "amount": agreed,
            "comment": comment,
            "way": way,
            "at": now,
        }
        if not approvals.consent(tx, said):
            raise ValueError(f"{who} has decided {approval_id} already; somebody else must agree too")
        audit.note(tx, at=now, who=who, did=f"approval.{verdict}", about=approval_id, before=row["state"],
                   after={"comment": comment, "amount": agreed, "way": way})  # fmt: skip
        ended = _ended(tx, row, verdict, agreed, comment, who, now)
        return {**row, **ended, "consents": approvals.consents_of(tx, approval_id)}

    return await store.write(work)


async def delegate(store: Store, approval_id: str, *, who: str, to: str, comment: str | None = None) -> Row:
    """Let somebody else decide too. Raises as ``decide``; who asked for it cannot be made to decide."""
    now = instant(store.clock())

    def work(tx: Transaction) -> Row:
        row = _open(tx, approval_id)
        if not may_decide(row, who):
            raise PermissionError(_why_not(row, who))
        if _same(to, json.loads(row["requested_by"] or "[]")):
            raise PermissionError(f"{to} asked for {approval_id} and cannot decide it; name somebody else")
        delegates = list(dict.fromkeys([*json.loads(row["delegates"] or "[]"), to]))
        approvals.change(tx, approval_id, {"delegates": _names(delegates)})
        audit.note(
            tx,
            at=now,
            who=who,
            did="approval.delegate",
            about=approval_id,
            before=None,
            after={"to": to, "comment": comment},
        )
        _tell(tx, row, "delegated", now, {"to": to, "by": who})
        return {**row, "delegates": _names(delegates)}

    return await store.write(work)


async def remind_and_escalate(store: Store) -> int:
    """Remind the deciders of what waits, and show what waits too long to the higher desk; how many there were."""
    now = store.clock()

    def work(tx: Transaction) -> int:
        at, count = instant(now), 0
        for row in approvals.to_remind(tx, at):
            later = now + timedelta(seconds=row["remind_every_s"]) if row["remind_every_s"] else None
            due = moment(row["due_at"]) if row["due_at"] else None
            again = instant(later) if later and (due is None or later < due) else None
            approvals.change(tx, row["id"], {"remind_at": again})
            _tell(tx, row, "reminded", at, {"to": row["policy"]})
            count += 1
        for row in approvals.to_escalate(tx, at):
            everybody = [*json.loads(row["deciders"] or "[]"), *json.loads(row["escalate_deciders"] or "[]")]
            open_to_all = not row["deciders"] or not row["escalate_deciders"]
            values = {"escalate_at": None, "escalated_at": at, "deciders": None if open_to_all else _names(everybody)}
            approvals.change(tx, row["id"], values)
            audit.note(
                tx,
                at=at,
                who="clock",
                did="approval.escalate",
                about=row["id"],
                before=row["policy"],
                after=row["escalate_to"],
            )
            _tell(tx, row, "escalated", at, {"to": row["escalate_to"]})
            count += 1
        return count

    if not await store.read(
        lambda tx: approvals.to_remind(tx, instant(now)) or approvals.to_escalate(tx, instant(now))
    ):
        return 0
    return await store.write(work)


def may_decide(row: Row, who: str) -> bool:
    """Whether a person may decide: of the desk or asked by it, and not who asked for it."""
    deciders, delegates = json.loads(row["deciders"] or "[]"), json.loads(row["delegates"] or "[]")
    asked = json.loads(row["requested_by"] or "[]")
    return not _same(who, asked) and (not deciders or _same(who, deciders) or _same(who, delegates))


def inbox(tx: Transaction, who: str | None = None, limit: int = 200) -> list[Row]:
    """What is open, oldest first, as people see it; only what ``who`` may decide and has not decided yet."""
    rows = [shown(tx, row) for row in approvals.list_approvals(tx, "requested", limit)]
    if who is None:
        return rows
    return [row for row in rows if may_decide(row["row"], who) and not _same(who, [c["who"] for c in row["consents"]])]


def shown(tx: Transaction, row: Row) -> Row:
    """An approval as people see it: facts, amounts and consents read; ``row`` is the bare one."""
    lists = {name: json.loads(row[name] or "[]") for name in ("facts", "requested_by", "deciders", "delegates")}
    facts = [{"label": label, "words": words, "link": link} for label, words, link in lists["facts"]]
    return {**row, **lists, "facts": facts, "consents": approvals.consents_of(tx, row["id"]), "row": row}


def _open(tx: Transaction, approval_id: str) -> Row:
    row = approvals.get_approval(tx, approval_id)
    if row is None:
        raise LookupError(f"no approval is called {approval_id!r}; see: isthmus approvals list")
    if row["state"] != "requested":
        raise ValueError(f"approval {approval_id} is {row['state']} already, by {row['decided_by'] or 'nobody'}")
    return row


def _agreed(row: Row, amount: Decimal | str | None) -> str | None:
    """The amount that is agreed to, as text: the asked one unless it is changed."""
    if amount is None:
        return str(row["amount"]) if row["amount"] is not None else None
    if row["amount"] is None:
        raise ValueError(f"{row['id']} is not about an amount; approve or reject it as it is")
    try:
        changed = Money.of(Decimal(amount), row["currency"])
    except (InvalidOperation, ValueError):
        raise ValueError(f"{amount!r} is not an amount in {row['currency']}, such as {row['amount']}") from None
    if not 0 < changed.amount <= Decimal(row["most"]):
        raise ValueError(f"{changed} cannot be agreed to: more than 0 and at most {row['most']} {row['currency']} can")
    return row["amount"] if changed.amount == Decimal(row["amount"]) else str(changed.amount)


def _ended(
    tx: Transaction, row: Row, verdict: Verdict, agreed: str | None, comment: str | None, who: str, now: str
) -> Row:
    """Close it if that was the last word: any no, or as many equal yeses as are needed. What has changed."""
    yes = [
        c["who"] for c in approvals.consents_of(tx, row["id"]) if c["verdict"] == "approved" and c["amount"] == agreed
    ]
    if verdict == "approved" and len(yes) < row["needed"]:
        _tell(tx, row, "consented", now, {"by": who, "needed": row["needed"], "agreed": len(yes)})
        return {}
    by = ", ".join(yes) if verdict == "approved" else who
    values = {"state": verdict, "decided_by": by, "comment": comment, "decided_at": now, "decided_amount": agreed}
    approvals.close(tx, row["id"], values)
    money = Money.of(agreed, row["currency"]) if agreed is not None else None
    answer = Decision(verdict=verdict, by=by, comment=comment, amount=money).model_dump_json(exclude_none=True)
    name, _, key = row["name"].partition("\n")
    if not history.answer(tx, row["run_id"], name=name, key=key, result=answer, who=who, now=now):
        raise ValueError(f"nobody waits for approval {row['id']} any more")
    _tell(tx, row, verdict, now, {"by": by, "comment": comment, "amount": agreed})
    return values


def _tell(tx: Transaction, row: Row, word: str, now: str, data: Row) -> None:
    run = runs.get_run(tx, row["run_id"])
    about = {"approval": row["id"], "policy": row["policy"], "about": row["about"]}
    journal.append(tx, at=now, type_=f"isthmus.approval.{word}.v1", data={**about, **data}, run=run)


def _why_not(row: Row, who: str) -> str:
    if _same(who, json.loads(row["requested_by"] or "[]")):
        return f"{who} asked for {row['id']}, so somebody else must decide it"
    deciders = ", ".join(json.loads(row["deciders"] or "[]"))
    return f"{who} is not of the desk {row['policy']}; {deciders} may decide {row['id']}, or delegate it"


def _members(release: Release, desk: str | None) -> tuple[str, ...]:
    found = release.desks.get(desk) if desk else None
    return tuple(found.members) if found else ()


def _names(names: Iterable[str]) -> str | None:
    given = list(names)
    return json.dumps(given, ensure_ascii=False) if given else None


def _same(who: str, names: Iterable[Any]) -> bool:
    return who.casefold() in {str(name).casefold() for name in names}
