"""One document from another: the order of a quote, the invoice and the entitlement of an order. Pure functions."""

from __future__ import annotations

from datetime import date
from typing import Any

from isthmus import crm, park, support
from isthmus.model import (
    Customer,
    Entitlement,
    Invoice,
    InvoiceLine,
    InvoicePartners,
    Link,
    Money,
    Order,
    OrderLine,
    PartySnapshot,
    Period,
    Quote,
    Reference,
    TaxCategory,
    TaxSubtotal,
    Totals,
    sum_money,
)

_LINE = (
    *("id", "position", "kind", "parent_line", "roll_up", "product", "customer_product_number", "name", "description"),
    *("quantity", "unit_price", "allowances", "line_extension_amount", "period", "accounting_cost"),
)
_HEADER = (
    *("business_unit", "currency", "buyer_reference", "purchase_order_number", "payment_terms", "delivery_terms"),
    *("requested_delivery", "tax_basis", "allowances", "opportunity", "partners", "extensions"),
)


def order_for(quote: Quote) -> Order:
    """The order that a quote asks for: same line ids, quantities and agreed prices."""
    net = sum_money((line.line_extension_amount for line in quote.lines), quote.currency)
    return Order(
        **{name: getattr(quote, name) for name in _HEADER},
        id=f"order_{(quote.id or 'quote_').partition('_')[2]}",
        request_number=quote.number or "",
        kind="standard",
        issue_date=(quote.accepted_at.date() if quote.accepted_at else quote.issue_date),
        quote=Link(kind="quote", id=quote.id, number=quote.number),
        lines=tuple(OrderLine(**{name: getattr(line, name) for name in _LINE}) for line in quote.lines),
        totals=Totals(
            line_extension_amount=net,
            tax_exclusive_amount=net,
            tax_amount=Money.zero(quote.currency),
            tax_inclusive_amount=net,
            payable_amount=net,
        ),
        price_source="crm",
    )


def invoice_for(order: Order, seller: PartySnapshot, issued_on: date) -> Invoice:
    """The invoice that asks for the order's money: its lines, its tax, its totals, nothing calculated anew."""
    assert order.totals is not None
    link = Link(kind="order", id=order.id, number=order.number)
    return Invoice(
        id=f"invoice_{(order.id or 'order_').partition('_')[2]}",
        business_unit=order.business_unit,
        kind="invoice",
        status="draft",
        issue_date=issued_on,
        currency=order.currency,
        purchase_order_number=order.purchase_order_number,
        payment_terms=order.payment_terms,
        seller=seller,
        partners=InvoicePartners(bill_to=order.partners.billed_to, sold_to=order.partners.sold_to),
        orders=(link,),
        lines=tuple(
            InvoiceLine(
                **{name: getattr(line, name) for name in _LINE},
                tax=line.tax,
                tax_amount=line.tax_amount,
                order=link,
                order_line=line.id,
            )
            for line in order.lines
        ),
        tax_subtotals=order.tax_subtotals or _subtotals(order),
        totals=order.totals,
    )


def grant_for(quote: Quote, order: Order, customer: Customer, request_number: str) -> support.EntitlementGrant | None:
    """The support plan that the order brings: the best plan of its lines. None where no line brings one.

    The CRM says in the extension ``support_plans`` which line brings which plan: ``10=gold 30=bronze``.
    """
    plans = dict(pair.split("=", 1) for pair in str(quote.extensions.get("support_plans") or "").split() if "=" in pair)
    lines = [line for line in quote.lines if line.id in plans]
    if not lines:
        return None
    best = max(lines, key=lambda line: (_RANK.get(plans[line.id].lower(), 0), _end(line.period)))
    if best.period is None or best.period.end_date is None:
        park(
            f"Line {best.id} ({best.name}) brings a support plan but does not say until when",
            mend="give the line its service dates in the CRM, then replay",
            code="no-end-date",
            field=f"lines.{best.id}.period",
        )
    return support.EntitlementGrant(
        entitlement=Entitlement(
            id=f"entitlement_{(order.id or 'order_').partition('_')[2]}",
            business_unit=order.business_unit,
            customer=Link(kind="customer", id=customer.id, number=customer.number),
            plan=plans[best.id].lower(),
            order=Link(kind="order", id=order.id, number=order.number),
            order_line=best.id,
            period=best.period,
            status="active",
        ),
        customer=customer,
        request_number=request_number,
        order_number=order.number or "",
    )


def equal_to_the_cent(order: Order, invoice: Invoice) -> None:
    """Hold the invoice against its order; a difference of one cent parks the run."""
    assert order.totals is not None
    wanted, made = order.totals.payable_amount, invoice.totals.payable_amount
    if wanted != made:
        park(
            f"The invoice asks for {made.amount} {made.currency}, the order says {wanted.amount} {wanted.currency}",
            mend="void the invoice and correct what differs, then replay",
            code="amounts-differ",
            error_class="conflict",
            field="totals.payable_amount",
        )


def progress(
    quote: Quote,
    *,
    status: Any,
    order: Order | None = None,
    order_status: str | None = None,
    legal: Invoice | None = None,
    note: str | None = None,
    entitlement_until: date | None = None,
) -> crm.QuoteProgress:
    """What the salesperson is told. ``legal``: the legal invoice, where billing has made it together with the order."""
    assert quote.source is not None
    return crm.QuoteProgress(
        quote=quote.source,
        quote_number=quote.number or "",
        status=status,
        note=note,
        order_number=order.number if order else None,
        order_status=order.status if order else order_status,
        invoice_number=legal.number if legal else None,
        legal_invoice_number=legal.number if legal else None,
        entitlement_until=entitlement_until,
    )


def reference_to(order: Order) -> Reference:
    """Where the order is."""
    assert order.source is not None
    return order.source


def _subtotals(order: Order) -> tuple[TaxSubtotal, ...]:
    """The lines' tax summed up by category: the ledger's own figures, so the invoice cannot differ from the order."""
    kinds: dict[Any, tuple[TaxCategory, list[OrderLine]]] = {}
    for line in order.lines:
        if line.tax is None:
            park(
                f"The ERP gave no tax category for line {line.id} ({line.name})",
                mend="maintain the tax classification of customer and product in the ERP, then replay",
                code="no-tax-category",
                field=f"lines.{line.id}.tax",
            )
        kinds.setdefault(line.tax.key(), (line.tax, []))[1].append(line)
    return tuple(
        TaxSubtotal(
            tax=tax,
            taxable_amount=sum_money((line.line_extension_amount for line in lines), order.currency),
            tax_amount=sum_money((line.tax_amount for line in lines if line.tax_amount is not None), order.currency),
        )
        for tax, lines in kinds.values()
    )


def _end(period: Period | None) -> date:
    return (period.end_date if period else None) or date.min


_RANK = {"bronze": 1, "silver": 2, "gold": 3}
