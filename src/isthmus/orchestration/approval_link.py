"""A link by which one person decides one approval: signed, for a while, once. Opening it only shows.

Mail scanners follow links, so that a decision is a POST of its own. The token names approval, person and end, and is
signed with a secret that the store keeps; what was used is remembered there. (RFC 2104 HMAC, SHA-256.)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from isthmus.orchestration import approval
from isthmus.store import approvals, audit
from isthmus.store.clock import instant, moment
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction

VALID = timedelta(days=7)
PATH = "/approvals/"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a link says."""

    approval_id: str
    who: str
    until: datetime
    hash: str


async def make_link(store: Store, approval_id: str, *, for_: str, made_by: str, valid: timedelta = VALID) -> str:
    """The path of a new link, by which ``for_`` decides. Raises LookupError, ValueError (decided), PermissionError."""
    now = store.clock()

    def work(tx: Transaction) -> str:
        row = approvals.get_approval(tx, approval_id)
        if row is None:
            raise LookupError(f"no approval is called {approval_id!r}; see: isthmus approvals list")
        if row["state"] != "requested":
            raise ValueError(f"approval {approval_id} is {row['state']} already")
        if not approval.may_decide(row, for_):
            raise PermissionError(
                f"{for_} may not decide {approval_id}; delegate it first, or name somebody of the desk"
            )
        known = approvals.secret(tx) or approvals.keep_secret(tx, secrets.token_urlsafe(32))
        said = {"approval": approval_id, "who": for_, "until": instant(now + valid), "nonce": secrets.token_urlsafe(9)}
        audit.note(
            tx,
            at=instant(now),
            who=made_by,
            did="approval.link",
            about=approval_id,
            before=None,
            after={"for": for_, "until": said["until"]},
        )
        text = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
        return f"{PATH}{text}.{_signature(known, text)}"

    return await store.write(work)


async def read_link(store: Store, token: str) -> tuple[Ticket, Row]:
    """What a link says, and the approval as people see it. Raises LookupError: not ours, over, or used."""
    now = store.clock()

    def look(tx: Transaction) -> tuple[Ticket, Row]:
        text, _, signature = token.partition(".")
        known = approvals.secret(tx)
        if known is None or not hmac.compare_digest(_signature(known, text).encode(), signature.encode()):
            raise LookupError("this link is not one of ours, or it was cut")
        said = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        ticket = Ticket(
            said["approval"], said["who"], moment(said["until"]), hashlib.sha256(token.encode()).hexdigest()
        )
        row = approvals.get_approval(tx, ticket.approval_id)
        if row is None or approvals.link_used(tx, ticket.hash):
            raise LookupError("this link was used already; it decides once")
        if ticket.until < now:
            raise LookupError(f"this link is over since {ticket.until:%Y-%m-%d %H:%M} UTC; ask for a new one")
        return ticket, approval.shown(tx, row)

    return await store.read(look)


async def decide_by_link(
    store: Store, token: str, *, verdict: approval.Verdict, comment: str | None, amount: Decimal | str | None
) -> Row:
    """Decide as the person whom the link is for. Raises as ``read_link`` and ``approval.decide``."""
    ticket, _ = await read_link(store, token)
    return await approval.decide(
        store, ticket.approval_id, verdict=verdict, who=ticket.who, comment=comment, amount=amount, way="link",
        used_link=ticket.hash,
    )  # fmt: skip


def _signature(secret: str, text: str) -> str:
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
