"""What came of it: each opportunity from the systems' own books, how often trouble was met and made harmless."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus.cli.demo.acts import MAIN, Mend, runs
from isthmus.cli.demo.disputes import Became, Dispute, agreed, became
from isthmus.cli.demo.stage import Stage
from isthmus.sandbox.proof import Verdict, judge, parked_numbers

RULES = {"native": "idempotency key", "probe": "look-up", "upsert": "external id"}


@dataclass(frozen=True)
class Deal:
    """One opportunity at the end, as the systems hold it."""

    number: str
    name: str
    customer: str
    amount: str
    currency: str
    order: str = ""
    invoice: str = ""
    entitlement: str = ""
    took: str = ""
    mend: Mend | None = None


@dataclass
class Outcome:
    """The whole play."""

    deals: list[Deal]
    verdict: Verdict
    faults: dict[str, int] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    repaired: int = 0
    heard_again: int = 0
    disputes: list[Became] = field(default_factory=list)

    @property
    def parked(self) -> list[Deal]:
        """Those that wait for a person."""
        return [deal for deal in self.deals if deal.mend]


def look(stage: Stage, numbers: Sequence[str], mends: Sequence[Mend], disputes: Sequence[Dispute] = ()) -> Outcome:
    """Read the books, the runs and the faults, and judge."""
    books = {role: stage.desk(vendor, "books") for role, vendor in stage.script.systems.items()}
    waiting = parked_numbers([mend.exception for mend in mends])
    waiting |= {row["run_id"] for row in stage.api("/api/approvals")["approvals"]}
    told = _told(stage, set(numbers))
    verdict = judge(books, waiting, asked=numbers, agreed=agreed(stage, disputes))
    outcome = Outcome(_deals(books, numbers, mends, told), verdict, disputes=became(stage, disputes, books))
    for one in outcome.disputes:
        if one.state == "lost":
            verdict.lost += 1
            verdict.findings.append(f"ticket {one.dispute.ticket} disputes invoice {one.dispute.invoice}: {one.words}")
    for run in told.values():
        outcome.repeats.update(Counter(outcome.repeats) + Counter(_rules(run)))
        outcome.repaired += sum(event["type"].startswith("isthmus.effect.repaired") for event in run["events"])
        outcome.heard_again += max(len(run["messages"]) - 1, 0)
    for met in stage.desk("faults")["met"]:
        outcome.faults[met["kind"]] = outcome.faults.get(met["kind"], 0) + met["count"]
    return outcome


def _told(stage: Stage, numbers: set[str]) -> dict[str, dict[str, Any]]:
    """Number → the timeline of its newest run."""
    newest: dict[str, str] = {}
    for run in runs(stage, MAIN):
        if run["key"] in numbers:
            newest.setdefault(run["key"], run["id"])
    return {number: stage.api(f"/api/runs/{run_id}") for number, run_id in newest.items()}


def _rules(run: Mapping[str, Any]) -> list[str]:
    return [RULES[e["made_harmless_by"]] for e in run["effects"] if e["made_harmless_by"] in RULES]


def _deals(
    books: Mapping[str, Sequence[Mapping[str, Any]]],
    numbers: Sequence[str],
    mends: Sequence[Mend],
    told: Mapping[str, Mapping[str, Any]],
) -> list[Deal]:
    from isthmus.visibility.sentences import took

    customers = {r["external_id"]: r["name"] for r in books["crm"] if r["kind"] == "customer"}
    won = {row["key"]: row for row in books["crm"] if row["kind"] == "opportunity"}
    invoices = {row["order"]: row for row in books["billing"] if row["kind"] == "invoice" and row["living"]}
    granted = {row["key"]: row for row in books["support"] if row["kind"] == "entitlement"}
    waits = {mend.exception["business_key"]: mend for mend in mends}
    deals = []
    for number in numbers:
        row, order = won[number], won[number]["order_number"]
        invoice, plan = invoices.get(order) if order else None, granted.get(row["customer"])
        deals.append(
            Deal(
                number=number, name=row["name"], customer=customers.get(row["customer"], ""),
                amount=row["amount"], currency=row["currency"], order=order,
                invoice=f"{invoice['number']} {invoice['status']}" if invoice else "",
                entitlement=f"{plan['plan'].capitalize()} → {row['entitlement_until'][:7]}" if plan and row["entitlement_until"] else "",
                took=took(told[number]) if number in told else "", mend=waits.get(number),
            )
        )  # fmt: skip
    return deals
