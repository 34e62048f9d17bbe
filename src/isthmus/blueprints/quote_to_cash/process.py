"""Quote to cash: an accepted quote becomes an order, an invoice and an entitlement.

The ERP owns the order number, because the ledger must be able to refuse it; it owns the legal invoice too, unless the
unit says otherwise. Billing asks for the money: to the cent what the order says, or the run is parked.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from isthmus import Refused, Run, billing, crm, days, erp, park, process, support
from isthmus.blueprints.quote_to_cash.checks import Checked, check
from isthmus.blueprints.quote_to_cash.documents import (
    equal_to_the_cent,
    grant_for,
    invoice_for,
    progress,
    reference_to,
)
from isthmus.model import Customer, Invoice, Order, Quote, Reference


async def told_of_cancellation(run: Run, quote: Quote) -> None:
    """After everything was undone the salesperson must know."""
    await run.step(
        crm.report_progress,
        progress(
            quote, status="cancelled", order_status="cancelled", note="Cancelled; what had been made was reversed"
        ),
        name="report-cancelled",
        stays="it tells what happened",
    )


@process("quote-to-cash", version=1, starts_on="isthmus.quote.accepted.v1", when_undone=told_of_cancellation)
async def quote_to_cash(run: Run, quote: Quote) -> Reference:
    """The way of one accepted quote. Returns the order's reference."""
    buyer = quote.partners.sold_to.customer
    if buyer is None:
        park(
            "The quote does not say who buys",
            mend="give it an account in the CRM, then replay",
            code="no-buyer",
            field="partners.sold_to.customer",
        )
    customer = await run.step(crm.read_customer, buyer)
    debtor = await run.step(erp.ensure_customer, customer, stays="a customer is master data")
    customer = customer.model_copy(update={"number": customer.number or debtor.number or debtor.id})
    checked = await in_stock(run, quote, customer, await run.step(check, quote, customer, run.settings))
    await agreed(run, quote, checked)

    order = await run.step(erp.create_order, checked.order, undo=erp.cancel_order)
    invoice = await billed(run, customer, order)
    grant = grant_for(quote, order, customer, run.key)
    if grant is not None:
        await run.step(support.grant_entitlement, grant, undo=support.revoke_entitlement)
    until = grant.entitlement.period.end_date if grant else None
    legal = invoice if run.values.get("invoice_owner") == "billing" else None
    await run.step(
        crm.report_progress,
        progress(quote, status="invoiced" if legal else "ordered", order=order, legal=legal, entitlement_until=until),
        stays="the undo of the run reports again",
    )
    return reference_to(order)


async def in_stock(run: Run, quote: Quote, customer: Customer, checked: Checked) -> Checked:
    """What the landscape wants where not everything can be confirmed: park, wait, or deliver by schedule lines.

    Who waits asks again when the ERP tells of stock, and every day in any case.
    """
    if not checked.shortages or run.settings["shortage"] == "split":
        return checked
    if run.settings["shortage"] == "park":
        short = "; ".join(shortage.sentence for shortage in checked.shortages)
        park(
            f"Not everything can be delivered: {short}",
            mend="receive stock, or change the quantity, then replay",
            code="shortage",
            field="lines",
        )
    until, every = last_day(run), run.settings["shortage_ask_every"]
    looks, days = 0, 1
    while checked.shortages and run.opened_at + every * (days - 1) < until:
        looks += 1
        missing = [shortage.product for shortage in checked.shortages]
        came = await run.wait(
            "stock", until=min(run.opened_at + every * days, until), key=str(looks),
            why=f"waits for stock of {', '.join(missing)}", event="isthmus.stock.changed.v1", about=missing,
        )  # fmt: skip
        days += came is None
        checked = await run.step(check, quote, customer, run.settings, key=f"after wait {looks}")
    if checked.shortages:
        park(
            "Stock did not come in time",
            mend="receive stock, or change the quantity or the date, then replay",
            code="shortage-in-time",
            field="lines",
        )
    return checked


def last_day(run: Run) -> datetime:
    """Until when the run waits for stock."""
    until: date | timedelta = run.settings["shortage_until"]
    if isinstance(until, timedelta):
        return run.opened_at + until
    return datetime.combine(until, time.max, ZoneInfo("UTC"))


async def agreed(run: Run, quote: Quote, checked: Checked) -> None:
    """Ask people where the price is off or the order is large."""
    if checked.price_difference is not None:
        if run.settings["price_above_tolerance"] == "park":
            park(
                checked.price_difference,
                mend="agree on the price in the CRM or correct it in the ERP, then replay",
                code="price",
                field="lines",
            )
        decision = await run.approval("deal-desk", about=checked.price_difference, within=days(5), key="price")
        if not decision.approved:
            raise Refused(f"The price was {decision.verdict} by {decision.by or 'nobody'}: {decision.comment or ''}")
    rule = run.settings.get("approval")
    net = checked.order.totals.tax_exclusive_amount if checked.order.totals else None
    if rule and net is not None and net.currency == rule["above"].currency and net.amount > rule["above"].amount:
        about = f"{quote.number}: {net.amount} {net.currency} for {quote.partners.sold_to.name}"
        decision = await run.approval(rule["by"], about=about, within=rule["within"])
        if not decision.approved:
            raise Refused(f"The order was {decision.verdict} by {decision.by or 'nobody'}: {decision.comment or ''}")


async def billed(run: Run, customer: Customer, order: Order) -> Invoice | None:
    """Have the money asked for, unless the ledger does that alone; both amounts must be equal to the cent."""
    if run.values.get("invoice_owner") == "erp_only":
        return None
    await run.step(billing.ensure_customer, customer, name="ensure_billing_customer", stays="a customer is master data")
    asked = invoice_for(order, run.seller, run.opened_on)
    invoice = await run.step(billing.create_invoice, asked, undo=billing.void_invoice)
    equal_to_the_cent(order, invoice)
    return invoice
