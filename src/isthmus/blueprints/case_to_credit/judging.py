"""What the decision tables see of a dispute: what it asks for, how it stands, and the one thing that speaks against it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from isthmus.blueprints.case_to_credit.evidence import Evidence
from isthmus.blueprints.case_to_credit.parts import disputed_parts, gross_of, rounding
from isthmus.model import Case, CreditNote, Invoice, Money, sum_money

_AMOUNT = re.compile(r"\s*(?P<amount>\d{1,12}(?:\.\d{1,4})?)\s*(?P<currency>[A-Z]{3})?\s*")
Finding = Literal[
    "none",
    "unknown_invoice",
    "several_invoices",
    "another_customer",
    "unclear_amount",
    "unknown_line",
    "other_currency",
    "chargeback",
    "charged_back",
    "already_credited",
    "more_than_left",
]


class Judged(BaseModel):
    """A dispute in the words of the tables. Amounts include tax."""

    model_config = ConfigDict(frozen=True)

    finding: Finding
    reason: str
    unit: str
    customer: str = ""
    amount: Money | None = None
    """What is to be credited: what the case asks for, but never more than is left."""
    left: Money | None = None
    """What of the invoice was not credited yet."""
    part: Literal["whole", "lines", "amount"] = "whole"
    paid: Literal["yes", "partly", "no"] = "no"
    delivered: Literal["yes", "partly", "no"] = "no"
    proved: bool = False
    period: Literal["open", "closed"] = "open"
    plan: str = ""


def judge(case: Case, evidence: Evidence, settings: Mapping[str, Any]) -> Judged:
    """The dispute in the tables' words."""
    invoice, dispute = evidence.invoice, case.dispute
    reason = dispute.reason if dispute else "other"
    if invoice is None:
        finding: Finding = "several_invoices" if evidence.invoices else "unknown_invoice"
        return Judged(finding=finding, reason=reason, unit=case.business_unit)
    left = left_of(invoice, evidence.credits)
    wanted, finding = _wanted(case, invoice, left)
    against = _against(case, evidence, left)
    buyer = invoice.partners.bill_to.customer
    return Judged(
        finding=against if against != "none" else finding,
        reason=reason,
        unit=case.business_unit,
        customer=(buyer.number or "") if buyer else "",
        amount=min(wanted, left) if wanted is not None else None,
        left=left,
        part=_part(case),
        paid=_paid(evidence.asked or invoice),
        delivered=_delivered(evidence),
        proved=bool(evidence.deliveries) and all(each.status == "delivered" for each in evidence.deliveries),
        period=_period(invoice, settings.get("books_closed_until")),
        plan=str((evidence.customer.extensions if evidence.customer else {}).get("plan") or ""),
    )


def left_of(invoice: Invoice, credits: tuple[CreditNote, ...]) -> Money:
    """What of an invoice, tax included, no credit has taken back."""
    return invoice.totals.payable_amount - sum_money((each.totals.payable_amount for each in credits), invoice.currency)


def asked_amount(case: Case) -> tuple[Decimal, str | None] | None:
    """The amount that the case states and its currency, where it says one. Raises ValueError where it is no amount."""
    if case.dispute and case.dispute.amount is not None:
        return case.dispute.amount.amount, case.dispute.amount.currency
    text = str(case.extensions.get("disputed_amount") or "").strip()
    if not text:
        return None
    found = _AMOUNT.fullmatch(text)
    if found is None or not Decimal(found["amount"]):
        raise ValueError(text)
    return Decimal(found["amount"]), found["currency"]


def _wanted(case: Case, invoice: Invoice, left: Money) -> tuple[Money | None, Finding]:
    """How much the case asks for, and what is odd about it."""
    lines = {line.id: line for line in invoice.lines}
    disputed = case.dispute.lines if case.dispute else ()
    try:
        stated = asked_amount(case)
    except ValueError:
        return None, "unclear_amount"
    if any(each.line not in lines for each in disputed):
        return None, "unknown_line"
    if stated is None:
        wanted = gross_of(invoice, disputed_parts(case, invoice)) if disputed else left
    elif stated[1] not in (None, invoice.currency):
        return None, "other_currency"
    else:
        try:
            wanted = Money.of(stated[0], invoice.currency)
        except ValueError:
            return None, "unclear_amount"
    return wanted, "more_than_left" if wanted > left else "none"


def _against(case: Case, evidence: Evidence, left: Money) -> Finding:
    invoice = evidence.invoice
    assert invoice is not None
    buyer = invoice.partners.bill_to.customer
    if case.customer and case.customer.number and buyer and buyer.number and case.customer.number != buyer.number:
        return "another_customer"
    states = {each.decision for each in evidence.chargebacks}
    if "open" in states:
        return "chargeback"
    if "lost" in states:
        return "charged_back"
    return "none" if left > rounding(invoice, len(evidence.credits)) else "already_credited"


def _part(case: Case) -> Literal["whole", "lines", "amount"]:
    if case.dispute and case.dispute.lines:
        return "lines"
    return "amount" if case.extensions.get("disputed_amount") or (case.dispute and case.dispute.amount) else "whole"


def _paid(invoice: Invoice) -> Literal["yes", "partly", "no"]:
    if invoice.status == "paid":
        return "yes"
    return "partly" if invoice.is_partly_paid else "no"


def _delivered(evidence: Evidence) -> Literal["yes", "partly", "no"]:
    if not any(each.shipped_at for each in evidence.deliveries):
        return "no"
    order = evidence.order
    whole = order is None or all((line.shipped or 0) >= (line.confirmed or 0) for line in order.lines)
    return "yes" if whole and all(each.shipped_at for each in evidence.deliveries) else "partly"


def _period(invoice: Invoice, closed_until: date | None) -> Literal["open", "closed"]:
    return "closed" if closed_until is not None and invoice.issue_date <= closed_until else "open"
