"""What is known of a dispute: the invoice that is meant, and what the systems say about it, asked side by side."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from isthmus import Ask, Part, ReadPlan, Search, billing, crm, enrich, erp, support
from isthmus.model import (
    Case,
    CreditNote,
    Customer,
    Delivery,
    Dispute,
    Invoice,
    Order,
    Reference,
)

#: how long all systems together may take; what is late and not needed is told as missing
WITHIN = timedelta(seconds=20)
#: what looks like a number of an invoice or an order in a customer's words
_NUMBER = re.compile(r"\b(?=[A-Z0-9-]*\d{3})[A-Z0-9]+(?:-[A-Z0-9]+)*\b")
_REFERENCES_MAX = 8


class Evidence(BaseModel):
    """What was found. ``invoices`` are the ledger's that the case can mean; all the rest is about the only one."""

    model_config = ConfigDict(frozen=True)

    references: tuple[str, ...]
    invoices: tuple[Invoice, ...] = ()
    order: Order | None = None
    asked: Invoice | None = None
    """Billing's invoice, which asks for the money."""
    deliveries: tuple[Delivery, ...] = ()
    credits: tuple[CreditNote, ...] = ()
    """What was requested or credited of the invoice before, by anybody."""
    chargebacks: tuple[Dispute, ...] = ()
    customer: Customer | None = None
    """As the desk knows the customer, with the plan."""
    account: Customer | None = None
    """As the account's managers know the customer."""
    missing: dict[str, str] = {}
    """Part → why it could not be had."""

    @property
    def invoice(self) -> Invoice | None:
        """The one invoice that is meant; None where there is none, or more than one."""
        return self.invoices[0] if len(self.invoices) == 1 else None


async def gather(ask: Ask, case: Case, with_billing: bool) -> Evidence:
    """Find the invoice by whatever the case names, then ask about it. Nothing that decides about money may be missing."""
    references = references_of(case)
    invoices = await _invoices(ask, references, with_billing)
    if len(invoices) != 1:
        return Evidence(references=references, invoices=invoices)
    found = await enrich(ask, _about(case, invoices[0], with_billing), within=WITHIN)
    asked = found["asked"].value or () if with_billing else ()
    accounts = found["account"].value or ()
    return Evidence(
        references=references,
        invoices=invoices,
        order=found["order"].value,
        asked=next((each for each in asked if each.status != "void"), None),
        deliveries=found["deliveries"].value or (),
        credits=found["credits"].value or (),
        chargebacks=(found["chargebacks"].value or ()) if with_billing else (),
        customer=found["customer"].value,
        account=accounts[0] if accounts else None,
        missing={name: part.unavailable for name, part in found.items() if part.unavailable},
    )


def references_of(case: Case) -> tuple[str, ...]:
    """Every number by which the case may mean an invoice or order: its fields first, then the customer's words."""
    named = [link.number for link in case.links if link.kind in ("invoice", "order") and link.number]
    if case.dispute and case.dispute.invoice and case.dispute.invoice.number:
        named.insert(0, case.dispute.invoice.number)
    if not named:
        named = _NUMBER.findall(f"{case.subject}\n{case.description or ''}")
    return tuple(dict.fromkeys(number.strip() for number in named if number.strip()))[:_REFERENCES_MAX]


async def _invoices(ask: Ask, references: tuple[str, ...], with_billing: bool) -> tuple[Invoice, ...]:
    """The ledger's invoices behind the references: of these numbers themselves, else of the orders behind them."""
    by_number = [Search(number=each, limit=2) for each in references]
    by_key = [Search(request_number=each, limit=2) for each in references]
    parts = [
        Part("legal", erp.search_invoices, lambda _: by_number, needed=True),
        Part("orders", erp.search_orders, lambda _: by_number, needed=True),
        Part("orders_by_key", erp.search_orders, lambda _: by_key, needed=True),
    ]
    if with_billing:
        parts.append(Part("asked", billing.search_invoices, lambda _: by_number, needed=True))
    parts.append(Part("of_orders", erp.search_invoices, _of_orders, after=tuple(p.name for p in parts), needed=True))
    found = await enrich(ask, ReadPlan(*parts), within=WITHIN)
    legal = found["legal"].value or found["of_orders"].value or ()
    different = {invoice.number: invoice for invoice in legal if invoice.status != "void"}
    return tuple(different.values())


def _of_orders(known: Any) -> list[Search] | None:
    """What to ask where no number was that of a ledger invoice."""
    if known["legal"]:
        return None
    orders = [*(known["orders"] or ()), *(known["orders_by_key"] or ())]
    keys = [order.request_number for order in orders]
    keys += [str(invoice.extensions.get("request_number") or "") for invoice in known.get("asked") or ()]
    return [Search(request_number=key, limit=10) for key in dict.fromkeys(keys) if key] or None


def _about(case: Case, invoice: Invoice, with_billing: bool) -> ReadPlan:
    """What to ask about an invoice. Credits, what was asked for and chargebacks decide about money: they are needed."""
    assert invoice.source is not None
    order = next((link.number for link in invoice.orders if link.number), None)
    at_order = Reference(connection=invoice.source.connection, type="order", id=order) if order else None
    buyer = invoice.partners.bill_to.customer

    def of_order(known: Any) -> Search | None:
        return Search(request_number=known["order"].request_number, limit=5) if known["order"] else None

    def of_asked(known: Any) -> list[Reference] | None:
        return [each.source for each in known["asked"] or () if each.source and each.status != "void"] or None

    parts = [
        Part("order", erp.read_order, lambda _: at_order, needed=True),
        Part("credits", erp.search_credit_notes, invoice.source, needed=True),
        Part("deliveries", erp.search_deliveries, lambda _: at_order),
        Part("customer", support.read_customer, lambda _: case.customer),
        Part(
            "account",
            crm.search_customers,
            lambda _: Search(customer_number=buyer.number, limit=1) if buyer and buyer.number else None,
        ),
    ]
    if with_billing:
        parts.append(Part("asked", billing.search_invoices, of_order, after=("order",), needed=True))
        parts.append(Part("chargebacks", billing.search_disputes, of_asked, after=("asked",), needed=True))
    return ReadPlan(*parts)
