"""The second act: customers dispute invoices; rules, people and a bank decide. Then: what became of each dispute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.cli.demo.acts import OVER, Progress, runs, until
from isthmus.cli.demo.script import filled
from isthmus.cli.demo.stage import Stage

PROCESS = "case-to-credit"
_PATIENCE_S = 45.0

Row = Mapping[str, Any]
Books = Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class Dispute:
    """One ticket by which an invoice is disputed, and how it is meant to go."""

    ticket: str
    invoice: str
    amount: str
    currency: str
    kind: Row


@dataclass(frozen=True)
class Became:
    """What became of a dispute. ``state``: credited, rejected, waiting, parked, or lost."""

    dispute: Dispute
    customer: str
    state: str
    words: str
    address: str = ""


def open_disputes(stage: Stage, orders: Sequence[str], progress: Progress) -> list[Dispute]:
    """Customers dispute invoices of these orders; wait until each dispute has come as far as it comes by itself."""
    invoices, opened = _invoices(stage, set(orders)), list[Dispute]()
    for kind in stage.script.whole["disputes"]["kinds"]:
        if kind.get("alone") and len(invoices) < 2:
            continue
        chosen = next((invoice for invoice in invoices if _happened(stage, kind, invoice)), None)
        if chosen is None:
            continue
        opened.append(_opened(stage, kind, chosen))
        invoices.remove(chosen)
        if not kind.get("alone"):
            invoices.append(chosen)  # others are taken first
    _until_far(stage, {each.ticket: each.kind["until"] for each in opened}, progress)
    return opened


def decide(stage: Stage, disputes: Sequence[Dispute], progress: Progress, *, all_by: str | None = None) -> None:
    """Those who are named say yes, or ``all_by`` to all that waits for people; then the ledger posts the credits."""
    approvals = {_ticket(row): row["id"] for row in stage.api("/api/approvals")["approvals"]}
    decided = {}
    for each in disputes:
        by = all_by or each.kind.get("decides")
        if by and each.ticket in approvals:
            stage.api(f"/api/approvals/{approvals[each.ticket]}/approve", body={}, by=by)
            decided[each.ticket] = "over"
    _until_far(stage, decided, progress)
    stage.do(stage.script.whole["disputes"]["post"])


def agreed(stage: Stage, disputes: Sequence[Dispute]) -> set[str]:
    """Tickets whose credit somebody has agreed to."""
    said = {_ticket(row) for row in stage.api("/api/approvals?state=approved&limit=1000")["approvals"]}
    return said & {each.ticket for each in disputes}


def became(stage: Stage, disputes: Sequence[Dispute], books: Books) -> list[Became]:
    """What the systems' books, the open approvals and the exceptions say of each."""
    customers = {row["external_id"]: row["name"] for row in books["crm"] if row["kind"] == "customer"}
    tickets = {row["id"]: row for row in books["support"] if row["kind"] == "ticket"}
    credits = _credits(books)
    waiting = {_ticket(row): row for row in stage.api("/api/approvals")["approvals"]}
    parked = {row["run_id"]: row for row in stage.api("/api/exceptions?limit=1000")["exceptions"]}
    of = {run["key"]: run for run in runs(stage, PROCESS)}
    found = []
    for each in disputes:
        customer, run = customers.get(tickets[each.ticket]["customer_key"], ""), of.get(each.ticket)
        if asked := waiting.get(each.ticket):
            words = f"waits for {asked['escalate_to'] if asked['escalated_at'] else asked['policy']} until {asked['due_at'][:10]}"
            found.append(Became(each, customer, "waiting", words, f"{stage.gateway}/console/approvals/{asked['id']}"))
        elif run is None:
            found.append(Became(each, customer, "lost", "nobody has taken it up"))
        elif run["state"] not in OVER:
            trouble = parked.get(run["id"])
            words = f"parked: {trouble['title']}" if trouble else _waits(stage, each, run)
            found.append(Became(each, customer, "parked" if trouble else "waiting", words))
        elif words := credits.get(each.ticket, ""):
            found.append(Became(each, customer, "credited", words))
        else:
            found.append(Became(each, customer, "rejected", f"{_last_word(stage, each)}"))
    return found


def _invoices(stage: Stage, orders: set[str]) -> list[dict[str, Any]]:
    """The ledger's invoices of these orders, with what the script may name of each."""
    systems = stage.script.systems
    erp, billing, crm = (stage.desk(systems[role], "books") for role in ("erp", "billing", "crm"))
    deals = {row["order_number"]: row for row in crm if row["kind"] == "opportunity" and row["order_number"]}
    bills = {row["order"]: row["id"] for row in billing if row["kind"] == "invoice" and row["living"]}
    deliveries = {row["order"]: {"delivery": row["id"]} for row in erp if row["kind"] == "delivery" and row["issued"]}
    return [
        {"invoice": row["id"], "bill": bills[row["order"]], "customer": deals[row["order"]]["customer"],
         "currency": row["currency"], **deliveries.get(row["order"], {})}
        for row in erp
        if row["kind"] == "invoice" and not row["cancelled"] and row["order"] in orders & deals.keys() & bills.keys()
    ]  # fmt: skip


def _happened(stage: Stage, kind: Row, invoice: Row) -> bool:
    """Whether what comes first can happen to this invoice: not every one was delivered, or paid by card."""
    try:
        for command in kind.get("first", ()):
            stage.do(filled(command, invoice))
    except (ValueError, KeyError):
        return False
    return True


def _opened(stage: Stage, kind: Row, invoice: Row) -> Dispute:
    plan = stage.script.whole["disputes"]
    amount = plan["amounts"].get(invoice["currency"], plan["amount"])
    made = stage.do(filled(plan["open"], {**invoice, "reason": kind["reason"], "amount": amount}))
    return Dispute(str(made["ticket"]), invoice["invoice"], amount, invoice["currency"], kind)


def _until_far(stage: Stage, goals: Mapping[str, str], progress: Progress) -> None:
    """Wait until each ticket has come to its goal, or cannot come further."""

    def there() -> int:
        stands = _stands(stage)
        return sum(bool({goal, "over", "parked"} & stands.get(ticket, set())) for ticket, goal in goals.items())

    until(there, len(goals), progress, _PATIENCE_S)


def _stands(stage: Stage) -> dict[str, set[str]]:
    """Ticket → how it stands: over, parked, asked, escalated, or waits for something else than people."""
    found: dict[str, set[str]] = {}
    asked = {_ticket(row): row for row in stage.api("/api/approvals")["approvals"]}
    parked = {row["run_id"] for row in stage.api("/api/exceptions?limit=1000")["exceptions"] if not row["retry_at"]}
    for run in runs(stage, PROCESS):
        words = found.setdefault(run["key"], set())
        if run["state"] in OVER:
            words.add("over")
        elif run["id"] in parked:
            words.add("parked")
        elif row := asked.get(run["key"]):
            words |= {"asked", "escalated"} if row["escalated_at"] else {"asked"}
        elif run["state"] == "waiting" and _wait(stage, run):
            words.add("waits")
    return found


def _wait(stage: Stage, run: Row) -> Row | None:
    """What a run waits for by the clock."""
    steps = stage.api(f"/api/runs/{run['id']}")["steps"]
    return next((step for step in reversed(steps) if step["kind"] == "wait" and step["due_at"]), None)


def _waits(stage: Stage, dispute: Dispute, run: Row) -> str:
    step = _wait(stage, run)
    if step is None:
        return "not decided yet"
    return f"waits for {dispute.kind.get('waits_for', 'an answer')}; looks again at {step['due_at'][:16].replace('T', ' ')}"


def _credits(books: Books) -> dict[str, str]:
    """Ticket → the ledger's credit memo (or what it was asked for), billing's credit note and the refund."""
    memos = {row["order"]: row["id"] for row in books["erp"] if row["kind"] == "credit_note" and not row["cancelled"]}
    notes = [row for row in books["billing"] if row["kind"] == "credit_note" and row["living"]]
    found = {}
    for row in books["erp"]:
        if row["kind"] != "credit_request" or not row["living"] or row["blocked"]:
            continue
        memo = f"credit memo {memos[row['id']]}" if row["id"] in memos else f"credit request {row['id']}"
        note = next((note for note in notes if row["id"] in note["metadata"].values()), None)
        refunded = " refunded" if note and note["refunded"] == note["total"] else ""
        found[row["key"].rpartition("-")[2]] = f"{memo}, credit note {note['number']}{refunded}" if note else memo
    return found


def _last_word(stage: Stage, dispute: Dispute) -> str:
    """What the customer was told at last, its reason."""
    said = stage.desk(stage.script.systems["support"], "show", "comment", dispute.ticket)
    words = [each["body"] for each in said if each["public"]]
    return words[-1].rpartition(": ")[2] if words else "nothing was said"


def _ticket(approval: Row) -> str:
    return str(approval["id"]).partition(".")[0]
