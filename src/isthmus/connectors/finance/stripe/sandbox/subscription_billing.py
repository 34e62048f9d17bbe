"""What a subscription bills: periods by the calendar, an invoice for each, prorations for changes in between.

docs.stripe.com/billing/subscriptions/billing-cycle, /prorations. A period's end comes only when somebody lets the clock's
time be played (the verb ``roll_subscriptions``). Failed renewals leave the subscription past due; nothing retries them.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from .account import Account, Body
from .errors import Declined
from .invoice_life import collect, finalized, void
from .invoice_lines import compose, line_of
from .invoice_sums import Line
from .invoices import new_draft, pending_lines
from .money import rounded
from .operation import Ask

_DAY_S = 24 * 3600
INCOMPLETE_S = 23 * 3600


def bill(account: Account, subscription: Body, reason: str, *, items: list[Body] | None = None) -> Body:
    """Make, finalize and collect the invoice of the current period; ``items`` are what it bills besides what waits
    (all, where it is not given). The subscription's status follows the payment."""
    customer = account.get("customer", subscription["customer"])
    invoice = new_draft(account, customer, subscription["currency"], reason)
    details = {"metadata": subscription["metadata"], "subscription": subscription["id"]}
    invoice |= {
        "auto_advance": True,
        "collection_method": subscription["collection_method"],
        "default_tax_rates": subscription["default_tax_rates"] or [],
        "description": subscription["description"],
        "discounts": list(subscription["discounts"]),
        "automatic_tax": {**invoice["automatic_tax"], "enabled": subscription["automatic_tax"]["enabled"]},
        "parent": {
            "quote_details": None,
            "subscription_details": {**details, "subscription_proration_date": None},
            "type": "subscription_details",
        },
    }
    if subscription["collection_method"] == "send_invoice":
        invoice["due_date"] = account.now + (subscription["days_until_due"] or 0) * _DAY_S
    billed = subscription["items"]["data"] if items is None else items
    lines = pending_lines(account, invoice)
    lines += [_line(account, invoice, subscription, item) for item in billed]
    account.add(invoice, "invoice.created", hidden=compose(account, invoice, lines))
    subscription["latest_invoice"] = invoice["id"]
    paused = subscription["pause_collection"]
    if paused and paused["behavior"] == "keep_as_draft":
        invoice["auto_advance"] = False
        account.save(invoice, "invoice.updated")
        return invoice
    finalized(account, invoice)
    if paused:
        void(account, Ask({"id": invoice["id"]}))
    return invoice


def collected(account: Account, invoice: Body) -> Declined | None:
    """Attempt the payment of a subscription's invoice."""
    return collect(account, invoice)


def start_period(subscription: Body, start: int, end: int | None = None) -> None:
    """Set every item's current period: from ``start`` to ``end``, or to the next date of the billing cycle."""
    for item in subscription["items"]["data"]:
        recurring = item["price"]["recurring"]
        item["current_period_start"] = start
        item["current_period_end"] = end or next_date(subscription["billing_cycle_anchor"], recurring, start)


def next_date(anchor: int, recurring: Body, after: int) -> int:
    """The first date of a billing cycle after ``after``; the 31st is the last day of shorter months."""
    steps = 1
    while (date := _plus(anchor, recurring["interval"], recurring["interval_count"] * steps)) <= after:
        steps += 1
    return date


def prorate(account: Account, subscription: Body, before: Body, after: Body | None) -> None:
    """Put on the next invoice: the unused time of an item as it was, and the rest of the period as it is now."""
    start, end = before["current_period_start"], before["current_period_end"]
    part = Decimal(max(end - account.now, 0)) / Decimal(max(end - start, 1))
    for item, sign, words in ((before, -1, "Unused time on"), (after, 1, "Remaining time on")):
        if item is None or not item["quantity"]:
            continue
        amount = sign * rounded(_full(item) * part, subscription["currency"])
        name = account.get("product", item["price"]["product"])["name"]
        _add_proration(account, subscription, item, amount, f"{words} {item['quantity']} × {name}")


def _full(item: Body) -> Decimal:
    return Decimal(item["price"]["unit_amount_decimal"]) * int(item["quantity"])


def _add_proration(account: Account, subscription: Body, item: Body, amount: int, description: str) -> None:
    parent = {"subscription": subscription["id"], "subscription_item": item["id"]}
    account.add(
        {
            "id": account.new_id("ii"),
            "object": "invoiceitem",
            "amount": amount,
            "currency": subscription["currency"],
            "customer": subscription["customer"],
            "customer_account": None,
            "date": account.now,
            "description": description,
            "discountable": False,
            "discounts": [],
            "invoice": None,
            "livemode": False,
            "metadata": {},
            "net_amount": amount,
            "parent": {"subscription_details": parent, "type": "subscription_details"},
            "period": {"end": item["current_period_end"], "start": account.now},
            "pricing": _pricing(item),
            "proration": True,
            "quantity": item["quantity"],
            "quantity_decimal": str(item["quantity"]),
            "tax_rates": item["tax_rates"] or [],
            "test_clock": None,
        },
        "invoiceitem.created",
    )


def _pricing(item: Body) -> Body:
    return {
        "price_details": {"price": item["price"]["id"], "product": item["price"]["product"]},
        "type": "price_details",
        "unit_amount_decimal": item["price"]["unit_amount_decimal"],
    }


def _line(account: Account, invoice: Body, subscription: Body, item: Body) -> Line:
    on_trial = subscription["status"] == "trialing"
    name = account.get("product", item["price"]["product"])["name"]
    details = {"proration": False, "proration_details": {"credited_items": None}, "invoice_item": None}
    about: dict[str, Any] = {
        "amount": 0 if on_trial else rounded(_full(item), invoice["currency"]),
        "description": f"Trial period for {name}" if on_trial else f"{item['quantity']} × {name}",
        "discounts": list(item["discounts"]),
        "metadata": subscription["metadata"],
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                **details,
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": item["current_period_end"], "start": item["current_period_start"]},
        "pricing": _pricing(item),
        "quantity": item["quantity"],
        "quantity_decimal": str(item["quantity"]),
        "subscription": subscription["id"],
    }
    line = line_of(account, invoice, **about)
    line.hidden["tax_rates"] = [rate["id"] for rate in item["tax_rates"] or []]
    return line


def _plus(anchor: int, interval: str, count: int) -> int:
    at = datetime.fromtimestamp(anchor, UTC)
    if interval in ("day", "week"):
        return int((at + timedelta(days=count * (7 if interval == "week" else 1))).timestamp())
    months = at.month - 1 + count * (12 if interval == "year" else 1)
    year, month = at.year + months // 12, months % 12 + 1
    day = min(at.day, calendar.monthrange(year, month)[1])
    return int(at.replace(year=year, month=month, day=day).timestamp())
