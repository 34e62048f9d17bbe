"""From canonical objects to what the support desk sees. Pure; every word is derived from quantities, amounts and days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from isthmus.gateway.experience.desk_shapes import (
    BankSeen,
    CaseSeen,
    CreditSeen,
    CustomerSeen,
    CustomerView,
    CustomerViewV1,
    DeliverySeen,
    DisputeSeen,
    EntitlementSeen,
    EntitlementSeenV1,
    InvoiceSeen,
    InvoiceSeenV1,
    LineSeen,
    OrderSeen,
    OrderSeenV1,
    PackageSeen,
    PartSeen,
    PartSeenV1,
    PersonSeen,
)
from isthmus.model import Case, Customer, Delivery, Entitlement, Invoice, Money, Order, Payment
from isthmus.model.order import OrderLine
from isthmus.orchestration.enrich import Found

#: how many orders and invoices are shown that need nobody any more
LAST = 5
_ZERO = Decimal(0)
_ENDED = ("completed", "cancelled", "rejected")
_GONE = ("cancelled", "lost", "returned")


def view(
    customer: Customer, parts: Mapping[str, Found], roles: Mapping[str, str], more: Sequence[Any], today: date
) -> CustomerView:
    """The whole view. ``roles``: part → the role that was asked; ``more``: what else is known of the customer."""
    deliveries: Sequence[Delivery] = _of(parts, "deliveries")
    invoices: Sequence[Invoice] = _of(parts, "invoices")
    cases: Sequence[Case] = _of(parts, "cases")
    return CustomerView(
        customer=_customer(customer),
        credit=_credit([customer, *_of(parts, "account")], invoices, today),
        orders=[_order(each, deliveries) for each in _first_open(_of(parts, "orders"), _is_open, _order_date)],
        invoices=[_invoice(each, today) for each in _first_open(invoices, lambda i: i.status == "issued", _issued)],
        entitlements=_entitlements(more, _of(parts, "desk"), today),
        cases=[_case(each) for each in cases if each.status not in ("solved", "closed")],
        disputes=_disputes(cases, more),
        sources={name: _source(roles[name], found) for name, found in parts.items()},
    )


def first_version(found: CustomerView) -> CustomerViewV1:
    """The same in the words of version 1."""
    last = max(found.entitlements, key=lambda each: each.until or date.max, default=None)
    return CustomerViewV1(
        customer=found.customer,
        orders=[OrderSeenV1(number=each.number, state=each.status) for each in found.orders],
        invoices=[InvoiceSeenV1(number=each.number, total=each.total, state=each.status) for each in found.invoices],
        entitlement=EntitlementSeenV1(plan=last.plan, until=last.until) if last else None,
        sources={
            name: PartSeenV1(as_of=each.as_of, unavailable=each.unavailable, last_known=each.stale_since)
            for name, each in found.sources.items()
        },
    )


def _of(parts: Mapping[str, Found], name: str) -> tuple[Any, ...]:
    found = parts.get(name)
    return () if found is None or found.value is None else tuple(found.value)


def _source(role: str, found: Found) -> PartSeen:
    if found.unavailable is None:
        return PartSeen(role=role, as_of=found.as_of)
    return PartSeen(role=role, unavailable=found.unavailable, stale_since=found.as_of)


def _first_open(found: Sequence[Any], is_open: Any, day: Any) -> list[Any]:
    """Those that are open, the newest first, then the last ones that are not."""
    newest = sorted(found, key=day, reverse=True)
    ended = [each for each in newest if not is_open(each)]
    return [each for each in newest if is_open(each)] + ended[:LAST]


# Customer and credit ------------------------------------------------------------------------------


def _customer(customer: Customer) -> CustomerSeen:
    return CustomerSeen(
        id=customer.id or "",
        number=customer.number,
        name=customer.name,
        business_unit=customer.business_unit,
        status=customer.status,
        website=customer.website,
        people=[
            PersonSeen(name=each.name, email=each.email, phone=each.phone, job_title=each.job_title)
            for each in customer.contacts
        ],
        tax_numbers=[each.number for each in customer.tax_registrations],
    )


def _credit(customers: Sequence[Customer], invoices: Sequence[Invoice], today: date) -> CreditSeen:
    """What any system has blocked, and what is open; limit and terms are the ledger's, which stands last."""
    ledger, open_ = customers[-1], [each for each in invoices if each.settlement and each.status == "issued"]
    blocks = {
        f"{block.kind}: {block.reason or block.reason_code or 'blocked'}" for c in customers for block in c.blocks
    }
    return CreditSeen(
        status="blocked" if blocks else "free",
        blocks=sorted(blocks),
        open=_sums(each.settlement.open for each in open_ if each.settlement),
        overdue=_sums(each.settlement.open for each in open_ if each.settlement and each.is_overdue(today)),
        limit=ledger.credit.limit if ledger.credit else None,
        exposure=ledger.credit.exposure if ledger.credit else None,
        payment_terms=ledger.payment_terms.code if ledger.payment_terms else None,
    )


def _sums(amounts: Iterable[Money]) -> list[Money]:
    sums: dict[str, Money] = {}
    for each in amounts:
        sums[each.currency] = sums.get(each.currency, Money.zero(each.currency)) + each
    return [sums[currency] for currency in sorted(sums)]


# Orders -------------------------------------------------------------------------------------------


def _is_open(order: Order) -> bool:
    return order.status not in _ENDED


def _order_date(order: Order) -> tuple[date, str]:
    return order.issue_date or date.min, order.number or ""


def _issued(invoice: Invoice) -> tuple[date, str]:
    return invoice.issue_date, invoice.number or ""


def _order(order: Order, deliveries: Sequence[Delivery]) -> OrderSeen:
    of_order = [each for each in deliveries if any(line.order.number == order.number for line in each.lines)]
    lines = [_line(line, order, of_order) for line in order.lines if line.kind != "text"]
    return OrderSeen(
        number=order.number,
        request_number=order.request_number,
        purchase_order_number=order.purchase_order_number,
        date=order.issue_date or date.min,
        total=order.totals.payable_amount if order.totals else None,
        status=order.status,
        fulfilment=order.fulfilment_status,
        billing=order.billing_status,
        holds=[f"{each.kind}: {each.reason or 'held'}" for each in order.holds],
        next_date=min((line.next_date for line in lines if line.next_date), default=None),
        lines=lines,
        deliveries=[_delivery(each) for each in of_order],
    )


def _line(line: OrderLine, order: Order, deliveries: Sequence[Delivery]) -> LineSeen:
    """The ledger's quantities; what was delivered where it does not say so itself is what deliveries prove."""
    proved = sum(
        (
            part.quantity.value
            for each in deliveries
            if each.status == "delivered"
            for part in each.lines
            if part.order.number == order.number and part.order_line in (line.id, str(line.position))
        ),
        _ZERO,
    )
    line = (
        line
        if line.delivered is not None
        else line.model_copy(update={"delivered": min(proved, line.shipped or _ZERO)})
    )
    confirmed = line.confirmed if line.confirmed is not None else line.ordered
    open_ = [
        each
        for each in line.schedule
        if each.confirmed_date and (each.confirmed_quantity or _ZERO) > (each.delivered_quantity or _ZERO)
    ]
    return LineSeen(
        line=line.position,
        product=line.product.number if line.product else None,
        name=line.name,
        unit=line.quantity.unit,
        ordered=line.ordered,
        confirmed=line.confirmed,
        back_ordered=max(_ZERO, line.ordered - (line.cancelled or _ZERO) - max(confirmed, line.shipped or _ZERO)),
        shipped=line.shipped or _ZERO,
        delivered=line.delivered or _ZERO,
        cancelled=line.cancelled or _ZERO,
        invoiced=line.invoiced or _ZERO,
        next_date=min((each.confirmed_date for each in open_ if each.confirmed_date), default=None),
        status=line.status,
    )


def _delivery(delivery: Delivery) -> DeliverySeen:
    return DeliverySeen(
        number=delivery.number,
        status=delivery.status,
        shipped_at=delivery.shipped_at,
        delivered_at=delivery.delivered_at,
        planned_ship_date=delivery.planned_ship_date,
        packages=[
            PackageSeen(carrier=p.carrier, tracking_number=p.tracking_number, tracking_url=p.tracking_url)
            for p in delivery.packages
        ],
    )


# Invoices, entitlements, cases ----------------------------------------------------------------------


def _invoice(invoice: Invoice, today: date) -> InvoiceSeen:
    means = invoice.payment_means
    legal = invoice.extensions.get("legal_invoice_number")
    return InvoiceSeen(
        number=invoice.number,
        legal_number=str(legal) if legal else None,
        order=next((link.number for link in invoice.orders), None),
        date=invoice.issue_date,
        due_date=invoice.due_date,
        total=invoice.totals.payable_amount,
        open=invoice.settlement.open if invoice.settlement else None,
        status=_invoice_status(invoice, today),
        document_url=invoice.document_url,
        bank=BankSeen(means=means.code, iban=means.iban, mandate=means.mandate) if means else None,
    )


def _invoice_status(
    invoice: Invoice, today: date
) -> Literal["draft", "open", "partly_paid", "overdue", "paid", "void", "uncollectible"]:
    if invoice.status != "issued":
        return invoice.status
    return "overdue" if invoice.is_overdue(today) else "partly_paid" if invoice.is_partly_paid else "open"


def _entitlements(more: Sequence[Any], desks: Sequence[Customer], today: date) -> list[EntitlementSeen]:
    """What was granted, and what the desk itself says it has; one line for each plan, the one that ends last."""
    plans: dict[str, EntitlementSeen] = {}
    for desk in desks:
        if plan := desk.extensions.get("plan"):
            until = (
                date.fromisoformat(str(desk.extensions["plan_until"])) if desk.extensions.get("plan_until") else None
            )
            status = "active" if until is None or until >= today else "expired"
            plans[str(plan)] = EntitlementSeen(plan=str(plan), until=until, status=status)
    for each in more:
        if isinstance(each, Entitlement) and each.status == "active" and (known := plans.get(each.plan)):
            known.order = each.order.number if each.order else None
    return list(plans.values())


def _case(case: Case) -> CaseSeen:
    return CaseSeen(
        number=case.number,
        subject=case.subject,
        status=case.status,
        priority=case.priority,
        kind=case.kind,
        opened_at=case.opened_at,
        changed_at=case.changed_at,
        about=[f"{link.kind} {link.number}" for link in case.links if link.number],
    )


def _disputes(cases: Sequence[Case], more: Sequence[Any]) -> list[DisputeSeen]:
    found = []
    for case in cases:
        dispute = case.dispute
        if dispute is not None and dispute.decision == "open" and case.status != "closed":
            about = dispute.invoice.number if dispute.invoice else None
            found.append(
                DisputeSeen(kind="billing", about=about, amount=dispute.amount, reason=dispute.reason, case=case.number)
            )
    for each in more:
        if isinstance(each, Payment) and each.status == "disputed":
            found.append(DisputeSeen(kind="chargeback", about=each.number, amount=each.amount))
    return found
